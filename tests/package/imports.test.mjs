// The package as code: importing it does nothing by itself, and bundlers see its worker and its wasm file.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root, run } from '../../scripts/steps.mjs';

test('importing_the_package_where_there_is_no_browser_does_nothing', async () => {
  // Server-side rendering: importing must not touch what only a browser has, define globals or keep the process alive.
  const program = `
    for (const name of ['fetch', 'navigator', 'MessageChannel', 'BroadcastChannel', 'WebSocket', 'crypto', 'performance']) {
      delete globalThis[name];
    }
    const before = new Set(Object.getOwnPropertyNames(globalThis));
    await import('wamplet');
    await import('wamplet/client');
    await import('wamplet/client/auth');
    const added = Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name));
    if (added.length > 0) throw new Error('the import defined ' + added.join(', '));`;
  const { ok, output } = await run(process.execPath, ['--input-type=module', '--eval', program], { limitSeconds: 20 });
  assert.ok(ok, output || 'the process did not end by itself');
});

test('asking_for_a_shared_router_on_a_server_rejects_with_a_sentence', async () => {
  const program = `
    const { sharedRouter } = await import('wamplet');
    await sharedRouter().catch((error) => console.log(error.message));`;
  const { ok, output } = await run(process.execPath, ['--input-type=module', '--eval', program], { limitSeconds: 20 });
  assert.ok(ok, output);
  assert.match(output, /^sharedRouter\(\) is for browsers, .*in the browser only.*createRouter\(\)$/);
});

// As jsdom does, and happy-dom: a document, but neither SharedWorker nor a server.
const PAGES = {
  a_page_of_Node: '',
  a_page_of_Node_whose_locks_are_null: "Object.defineProperty(globalThis, 'navigator', { value: { locks: null } });",
};

for (const [what, setUp] of Object.entries(PAGES)) {
  test(`where_tests_make_${what}_the_router_finds_its_files_and_clients_join`, async () => {
    const program = `
      globalThis.document = { baseURI: 'http://localhost:3000/' };
      ${setUp}
      const { sharedRouter } = await import('wamplet');
      const { connect } = await import('wamplet/client');
      const router = await sharedRouter();
      const session = await connect({ realm: 'realm1', router });
      console.log(router.mode, (await router.inspect()).transports);
      await session.close();
      await router.close();`;
    const { ok, output } = await run(process.execPath, ['--input-type=module', '--eval', program], {
      limitSeconds: 20,
    });
    assert.ok(ok, output);
    assert.equal(output, 'page 1');
  });
}

test('bundlers_see_where_the_worker_and_the_wasm_file_are', () => {
  const library = readFileSync(join(root, 'pkg/index.js'), 'utf8');
  assert.match(library, /new SharedWorker\(new URL\("\.\/worker\.js",\s?import\.meta\.url\)/);
  assert.match(library, /import\("\.\/worker\.js"\)/);
  const worker = readFileSync(join(root, 'pkg/worker.js'), 'utf8');
  assert.match(worker, /new URL\("\.\/wamplet\.wasm",\s?import\.meta\.url\)/);
});

test('bundlers_can_read_how_workers_are_made', () => {
  const library = readFileSync(join(root, 'pkg/index.js'), 'utf8');
  const made = [
    ...library.matchAll(/new (?:Shared)?Worker\((new URL\("[^"]+",\s?import\.meta\.url\),(\{[^}]*\})\)|.)/g),
  ];
  const found = made.filter(([, , options]) => options !== undefined);
  assert.equal(found.length, 2);
  // Vite 5 evaluates the options, with nothing around them.
  for (const [, , options] of found) assert.equal(new Function(`return (${options})`)().type, 'module');
  // Parcel refuses to build what makes a worker of a text.
  for (const [, first] of made) assert.doesNotMatch(first, /^["'`]/);
});

test('the_classic_script_has_no_module_syntax', () => {
  const script = readFileSync(join(root, 'pkg/wamplet.global.js'), 'utf8');
  assert.match(script, /^"use strict";\s*var wamplet\s?=/);
  // The constructor compiles a classic script without running it, and fails on anything that only a module may hold.
  assert.doesNotThrow(() => new Function(script));
  assert.doesNotMatch(script, /import\.meta/);
});
