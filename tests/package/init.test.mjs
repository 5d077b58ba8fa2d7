// `wamplet init`, as a program: what it writes, what it says, and what it leaves alone.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { root, run } from '../../scripts/steps.mjs';

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const worker = readFileSync(join(root, 'pkg/worker.inline.js'), 'utf8');

let folder;
let written;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wamplet-init-'));
  mkdirSync(join(folder, 'public'));
  written = join(folder, 'public/wamplet-worker.js');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs the program of a package, by default of the one that is built. */
function wamplet(args, pkg = join(root, 'pkg')) {
  return run(process.execPath, [join(pkg, 'init.js'), ...args], { cwd: folder, limitSeconds: 20 });
}

async function expectRefusal(args, sentence, pkg) {
  const { ok, output } = await wamplet(args, pkg);
  assert.ok(!ok, output);
  assert.match(output, sentence);
  assert.equal(output.split('\n').length, 1, output);
}

test('init_writes_the_one_file_worker_and_says_what_to_do_with_it', async () => {
  const { ok, output } = await wamplet(['init', 'public/']);
  assert.ok(ok, output);
  assert.match(output, /^Wrote public[/\\]wamplet-worker\.js, wamplet \d/);
  assert.match(output, /sharedRouter\(\{ workerUrl: '\/wamplet-worker\.js' \}\)/);
  assert.match(output, /After an upgrade/);
  assert.equal(readFileSync(written, 'utf8'), worker);
  assert.deepEqual(readdirSync(folder, { recursive: true }).sort(), ['public', join('public', 'wamplet-worker.js')]);
});

test('a_second_init_changes_nothing', async () => {
  await wamplet(['init', 'public']);
  const { mtimeMs } = statSync(written);
  const { ok, output } = await wamplet(['init', 'public']);
  assert.ok(ok, output);
  assert.match(output, /^Nothing to do/);
  assert.equal(statSync(written).mtimeMs, mtimeMs);
});

test('init_after_an_upgrade_replaces_the_worker_of_before', async () => {
  writeFileSync(written, '/*! wamplet 0.0.9: the worker, in one file */\nold();\n');
  const { ok, output } = await wamplet(['init', 'public']);
  assert.ok(ok, output);
  assert.ok(
    output.startsWith(`Replaced ${join('public', 'wamplet-worker.js')}, wamplet ${version} (was 0.0.9).`),
    output,
  );
  assert.equal(readFileSync(written, 'utf8'), worker);
});

test('a_file_that_is_not_ours_is_left_alone', async () => {
  writeFileSync(written, 'somebody()');
  await expectRefusal(['init', 'public'], /is there and not a worker of wamplet/);
  assert.equal(readFileSync(written, 'utf8'), 'somebody()');
});

test('what_cannot_be_done_is_one_sentence', async () => {
  writeFileSync(join(folder, 'file'), '');
  await expectRefusal(['init', 'nowhere'], /there is no folder "nowhere"/);
  await expectRefusal(['init', 'file'], /there is no folder "file"/);
  await expectRefusal(['init', 'file/below'], /file\/below is no folder that can be read \(ENOTDIR\)/);
  await expectRefusal(['init'], /say into which folder/);
  await expectRefusal(['init', 'public', 'static'], /takes one folder, and "static" is another/);
  await expectRefusal(['init', '--force', 'public'], /no option "--force"/);
  await expectRefusal(['start'], /no command "start" here.*native program/);
  mkdirSync(written);
  await expectRefusal(['init', 'public'], /cannot be read \(EISDIR\)/);
});

test('a_package_without_its_worker_says_that_it_is_broken', async () => {
  const broken = join(folder, 'wamplet/pkg');
  cpSync(join(root, 'pkg/init.js'), join(broken, 'init.js'), { recursive: true });
  cpSync(join(root, 'package.json'), join(folder, 'wamplet/package.json'));
  await expectRefusal(['init', 'public'], /the package is broken.*npm install wamplet/, broken);
  assert.deepEqual(readdirSync(join(folder, 'public')), []);
});

test('help_and_version_are_answers', async () => {
  for (const args of [['--help'], ['init', '--help'], []]) {
    const { ok, output } = await wamplet(args);
    assert.ok(ok, output);
    assert.match(output, /npx wamplet init FOLDER/);
  }
  assert.equal((await wamplet(['--version'])).output, version);
});
