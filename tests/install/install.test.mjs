// The packed package in the hands of its users: installed from the tarball without a network, built by each bundler as its
// own manual says, and opened in two tabs that join one realm and call each other.
//
// Owns a folder outside of the checkout, with copies of `fixtures/`. The bundlers are those of the checkout.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { launchChromium } from '../../scripts/chromium.mjs';
import { findNode, nodeVersions } from '../../scripts/nodes.mjs';
import { serve } from '../../scripts/serve.mjs';
import { npm, npmTool, root, run } from '../../scripts/steps.mjs';
import { until, within } from '../fixtures/wait.mjs';

const fixtures = join(root, 'tests/install/fixtures');
const folder = mkdtempSync(join(tmpdir(), 'wamplet-install-'));
const installed = join(folder, 'node_modules/wamplet');
let browser;

before(async () => {
  const { output } = await succeed(...npm('pack', '--json', '--loglevel=error', '--pack-destination', folder));
  const [{ filename }] = JSON.parse(output);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }));
  await succeed(...npm('install', '--offline', '--no-audit', '--no-fund', `./${filename}`), { cwd: folder });
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

test('installing_runs_no_script_and_brings_nothing_else', () => {
  const { scripts, dependencies, optionalDependencies, gypfile } = JSON.parse(
    readFileSync(join(installed, 'package.json'), 'utf8'),
  );
  const hooks = Object.keys(scripts).filter((name) => /^(pre|post)?(install|prepare)$/.test(name));
  assert.deepEqual([hooks, dependencies, optionalDependencies, gypfile], [[], undefined, undefined, undefined]);
  assert.deepEqual(readdirSync(join(folder, 'node_modules')).sort(), ['.bin', '.package-lock.json', 'wamplet']);
});

test('its_declarations_hold_where_it_is_installed', async () => {
  cpSync(join(root, 'tests/types'), join(folder, 'types'), { recursive: true });
  const typeRoots = join(root, 'node_modules/@types');
  await quietly(folder, 'typescript/bin/tsc', '--project', 'types', '--typeRoots', typeRoots);
});

test('webpack_needs_no_settings', async () => {
  const project = copy('webpack');
  // Its advice on the size of files is turned off: the wasm file is what it is.
  const options = ['--mode', 'production', '--stats', 'errors-warnings', '--no-performance'];
  const { output } = await succeed(...npmTool('webpack-cli/bin/cli.js', ...options), { cwd: project });
  assert.equal(output, 'webpack compiled successfully');
  copyFileSync(join(project, 'index.html'), join(project, 'dist/index.html'));
  await expectTwoTabs(join(project, 'dist'));
});

test('a_build_by_Vite_needs_no_settings', async () => {
  const project = copy('vite', 'public');
  await quietly(project, 'vite/bin/vite.js', 'build', '--logLevel', 'warn');
  await expectTwoTabs(join(project, 'dist'));
});

test('the_development_server_of_Vite_needs_no_settings', async () => {
  const project = copy('vite', 'public');
  const [command, args] = npmTool('vite/bin/vite.js', '--host', '127.0.0.1');
  const server = spawn(command, args, { cwd: project, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [server.stdout, server.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      output += stripVTControlCharacters(chunk);
    });
  }
  const ended = new Promise((resolve) => server.on('close', resolve));
  try {
    const address = await until('Vite says where it serves', () => /http:\/\/127\.0\.0\.1:\d+\//.exec(output)?.[0]);
    await expectTwoTabsAt(address);
  } finally {
    server.kill();
    await within('Vite ends', ended);
  }
});

for (const format of ['esm', 'iife']) {
  test(`esbuild_to_${format}_takes_the_worker_that_init_wrote`, async () => {
    const project = copy('esbuild', 'public');
    await initialize(project);
    // In a classic script it warns that there is no `import.meta`, which finds the worker that is not used here.
    const args = [
      '--bundle',
      '--minify',
      `--format=${format}`,
      `--log-level=${format === 'esm' ? 'warning' : 'error'}`,
    ];
    await quietly(project, 'esbuild/bin/esbuild', 'src/main.js', ...args, '--outfile=public/main.js');
    await expectTwoTabs(join(project, 'public'));
  });
}

test('Rollup_takes_the_worker_that_init_wrote', async () => {
  const project = copy('rollup', 'public');
  symlinkSync(join(root, 'node_modules/@rollup'), join(project, 'node_modules/@rollup'), 'junction');
  await initialize(project);
  await quietly(project, '@rollup/wasm-node/dist/bin/rollup', '--config', '--silent');
  await expectTwoTabs(join(project, 'public'));
});

test('a_page_without_a_bundler_imports_the_files_as_they_are', async () => {
  await expectTwoTabs(copy('plain', '.'));
});

test('one_line_of_script_serves_an_app_that_knows_nothing_of_it', async () => {
  await expectTwoTabs(copy('classic', '.'));
});

test('rendering_on_a_server_imports_it_and_is_told_where_to_call_what', async () => {
  const { output } = await succeed(process.execPath, ['render.mjs'], { cwd: copy('ssr'), limitSeconds: 20 });
  assert.match(output, /<title>rendered<\/title><p>sharedRouter\(\) is for browsers, .*createRouter\(\)/);
});

for (const version of nodeVersions) {
  test(`two_sessions_meet_in_Node_${version.split('.')[0]}`, async (t) => {
    const { program, missing } = await findNode(version);
    if (missing !== undefined) return t.skip(missing);
    const cwd = copy('node');
    const sum = await succeed(program, ['two_sessions.mjs'], { cwd, limitSeconds: 30 });
    assert.equal(sum.output, 'the sum is 5');
    const required = await succeed(program, ['--no-warnings', 'required.cjs'], { cwd, limitSeconds: 30 });
    assert.equal(required.output, 'a router in node');
  });
}

/** A copy of a fixture that has the package, `app.js`, and Autobahn where it is served. */
function copy(name, served = 'dist') {
  const project = mkdtempSync(join(folder, `${name}-`));
  cpSync(join(fixtures, name), project, { recursive: true });
  copyFileSync(join(fixtures, 'app.js'), join(project, 'app.js'));
  // As npm does it: a folder of its own, no link, which bundlers treat otherwise.
  cpSync(installed, join(project, 'node_modules/wamplet'), { recursive: true });
  cpSync(join(root, 'node_modules/autobahn-browser/autobahn.min.js'), join(project, served, 'autobahn.min.js'));
  return project;
}

async function initialize(project) {
  symlinkSync(join(folder, 'node_modules/.bin'), join(project, 'node_modules/.bin'), 'junction');
  const { output } = await succeed(...npm('exec', '--offline', '--', 'wamplet', 'init', 'public'), { cwd: project });
  assert.match(output, /workerUrl: '\/wamplet-worker\.js'/);
  assert.ok(existsSync(join(project, 'public/wamplet-worker.js')));
}

async function expectTwoTabs(directory) {
  const site = await serve(directory);
  try {
    await expectTwoTabsAt(site.url);
  } finally {
    await site.close();
  }
}

/** Two tabs of one profile, in which each calls the other. */
async function expectTwoTabsAt(address) {
  const context = await browser.newContext();
  const seen = [];
  try {
    const [one, two] = await Promise.all(
      ['one', 'two'].map(async (name) => {
        const tab = await context.newPage();
        tab.on('console', (message) => {
          if (['warning', 'error'].includes(message.type())) seen.push(message.text());
        });
        tab.on('pageerror', (error) => seen.push(error.message));
        await tab.goto(address);
        // A development server may reload the page when it has prepared its dependencies.
        await until(`tab ${name} is ready; it said: ${seen}`, () => tab.title().then((title) => title === 'ready'));
        return tab;
      }),
    );
    const modes = await Promise.all([ask(one, () => app.join('one')), ask(two, () => app.join('two'))]);
    assert.deepEqual(modes, ['shared-worker', 'shared-worker']);
    assert.equal(await ask(one, () => app.call('two', 'a word')), 'two heard a word');
    assert.equal(await ask(two, () => app.call('one', 'another')), 'one heard another');
    assert.deepEqual(seen, []);
  } finally {
    await context.close();
  }
}

function ask(tab, work) {
  return within(`the tab answers ${work}`, tab.evaluate(work), 30_000);
}

/** A build that has nothing to say. */
async function quietly(project, tool, ...args) {
  const { output } = await succeed(...npmTool(tool, ...args), { cwd: project });
  assert.equal(output, '');
}

async function succeed(command, args, { cwd, limitSeconds = 100 } = {}) {
  const result = await run(command, args, { cwd, limitSeconds });
  assert.ok(result.ok, `${command} ${args.join(' ')}\n${result.output}`);
  return result;
}
