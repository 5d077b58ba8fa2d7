// What `npm pack` puts into the package, and that package managers and type checkers understand it.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { npm, npmTool, root, run } from '../../scripts/steps.mjs';

const folder = mkdtempSync(join(tmpdir(), 'wamplet-pack-'));
let packed;

before(async () => {
  const { ok, output } = await run(...npm('pack', '--json', '--loglevel=error', '--pack-destination', folder));
  assert.ok(ok, output);
  [packed] = JSON.parse(output);
});
after(() => rmSync(folder, { recursive: true }));

test('the_package_holds_exactly_what_ships', () => {
  assert.deepEqual(packed.files.map((file) => file.path).sort(), [
    'CHANGELOG.md',
    'LICENSE-APACHE',
    'LICENSE-MIT',
    'README.md',
    'package.json',
    'pkg/client-auth.d.ts',
    'pkg/client-auth.js',
    'pkg/client.d.ts',
    'pkg/client.js',
    'pkg/index.d.ts',
    'pkg/index.js',
    'pkg/init.js',
    'pkg/wamplet.global.js',
    'pkg/wamplet.wasm',
    'pkg/worker.inline.js',
    'pkg/worker.js',
  ]);
});

test('wasm_and_shim_together_stay_within_196_KB_gzipped', () => {
  const sizes = ['wamplet.wasm', 'worker.js', 'index.js'].map((file) => gzippedSize(join(root, 'pkg', file)));
  const total = sizes.reduce((sum, size) => sum + size);
  assert.ok(total <= 196 * 1024, `${total} bytes: wasm, worker and library are ${sizes.join(' + ')}`);
});

test('the_one_file_worker_is_at_most_a_tenth_larger_than_its_two_files_gzipped', () => {
  const [inline, worker, wasm] = ['worker.inline.js', 'worker.js', 'wamplet.wasm'].map((file) =>
    gzippedSize(join(root, 'pkg', file)),
  );
  assert.ok(inline <= (worker + wasm) * 1.1, `${inline} bytes in one file, ${worker} + ${wasm} in two`);
});

test('the_classic_script_and_the_program_that_writes_the_worker_stay_small', () => {
  const [script, program] = ['wamplet.global.js', 'init.js'].map((file) => gzippedSize(join(root, 'pkg', file)));
  assert.ok(script <= 24 * 1024, `wamplet.global.js: ${script} bytes`);
  assert.ok(program <= 4 * 1024, `init.js: ${program} bytes`);
});

test('the_small_client_stays_within_5_KB_gzipped_with_all_that_it_needs', () => {
  const size = gzippedSize(join(root, 'pkg/client.js'));
  assert.ok(size <= 5 * 1024, `${size} bytes`);
  // What nobody names is fetched when it is asked for, and is the library.
  const client = readFileSync(join(root, 'pkg/client.js'), 'utf8');
  assert.doesNotMatch(client, /\bfrom\s*"|\bimport\s*"/);
  assert.deepEqual(client.match(/import\([^)]*\)/g), ['import("./index.js")']);
});

test('package_json_leads_every_kind_of_consumer_to_its_files', async () => {
  const { ok, output } = await run(...npmTool('publint/src/cli.js', '--strict', join(folder, packed.filename)));
  assert.ok(ok, output);
});

test('type_checkers_find_the_declarations', async () => {
  const tarball = join(folder, packed.filename);
  // These are imported as code; the other entries are files that a page, a worker or a bundler loads.
  const entries = ['--entrypoints', '.', './client', './client/auth'];
  const args = [tarball, '--profile', 'esm-only', ...entries, '--format', 'ascii', '--no-emoji'];
  const { ok, output } = await run(...npmTool('@arethetypeswrong/cli/dist/index.js', ...args));
  assert.ok(ok, output);
});

test('no_file_names_a_folder_of_the_machine_it_was_built_on', () => {
  const scripts = ['index.js', 'client.js', 'client-auth.js', 'init.js', 'worker.js', 'worker.inline.js'];
  for (const file of [...scripts, 'wamplet.global.js', 'wamplet.wasm']) {
    const content = readFileSync(join(root, 'pkg', file), 'latin1');
    const path = /[\w/.-]*\/(home|root|Users)\/[\w/.-]*/.exec(content)?.[0];
    assert.equal(path, undefined, `pkg/${file}`);
    assert.ok(!content.includes(root), `pkg/${file} names ${root}`);
  }
});

function gzippedSize(path) {
  return gzipSync(readFileSync(path), { level: 9 }).length;
}
