// The worker with the WebAssembly module in it, as `wamplet init` writes it: at an address that stays.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { root } from '../../scripts/steps.mjs';
import { openBrowser } from '../fixtures/browser.mjs';

const inline = { file: 'pkg/worker.inline.js' };
const policy = (text) => ({ 'Content-Security-Policy': text });
const code = readFileSync(join(root, 'pkg/worker.inline.js'), 'utf8');

let browser;
let profile;

before(async () => {
  browser = await openBrowser({
    '/wamplet-worker.js': inline,
    '/allowed/worker.js': { ...inline, headers: policy("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'") },
    '/forbidden/worker.js': { ...inline, headers: policy("default-src 'none'; script-src 'self'") },
    '/old-browser/worker.js': { body: `delete globalThis.DecompressionStream;${code}` },
  });
});
after(() => browser.close());
beforeEach(async () => {
  profile = await browser.profile();
});
afterEach(() => profile.context.close());

/** Two tabs that take this worker, one of which calls the other; answers what they were told. */
async function callBetweenTabs(workerUrl) {
  const tabs = [await profile.tab(), await profile.tab()];
  for (const page of tabs) {
    await page.evaluate((url) => tab.join('me', { router: tab.wamplet.sharedRouter({ workerUrl: url }) }), workerUrl);
  }
  await tabs[0].evaluate(() => tab.sessions.me.session.register('com.example.add', ([a, b]) => a + b));
  return tabs[1].evaluate(() => tab.sessions.me.session.call('com.example.add', [2, 3]));
}

function failure(page, options) {
  return page.evaluate(
    (given) =>
      tab.wamplet.sharedRouter(given).then(
        () => 'it started',
        (error) => error.message,
      ),
    options,
  );
}

test('tabs_meet_in_a_worker_of_one_file_that_loads_nothing_else', async () => {
  const asked = [];
  profile.context.on('request', (request) => asked.push(new URL(request.url()).pathname));
  assert.equal(await callBetweenTabs('/wamplet-worker.js'), 5);
  assert.deepEqual(
    asked.filter((path) => path.endsWith('.wasm')),
    [],
  );
});

test('a_policy_that_allows_wasm_and_nothing_else_is_enough_for_it', async () => {
  assert.equal(await callBetweenTabs('/allowed/worker.js'), 5);
});

test('a_policy_that_forbids_wasm_rejects_with_a_sentence', async () => {
  const message = await failure(await profile.tab(), { workerUrl: '/forbidden/worker.js' });
  assert.match(message, /'wasm-unsafe-eval'/);
});

test('a_browser_that_cannot_unpack_it_is_told_to_take_two_files', async () => {
  const message = await failure(await profile.tab(), { workerUrl: '/old-browser/worker.js' });
  assert.match(message, /DecompressionStream.*worker\.js and wamplet\.wasm/);
});

test('a_page_that_takes_another_worker_than_its_neighbours_is_told_of_the_split', async () => {
  const [one, two] = [await profile.tab(), await profile.tab()];
  await one.evaluate(() => tab.wamplet.sharedRouter({ workerUrl: '/wamplet-worker.js' }));
  const reason = await two.evaluate(async () => {
    const router = await tab.wamplet.sharedRouter();
    return new Promise((resolve) => {
      router.addEventListener('split', (event) => {
        event.preventDefault();
        resolve(event.detail.reason);
      });
    });
  });
  assert.match(reason, /two routers named "default".*options\.workerUrl/);
});

test('the_same_file_runs_a_router_in_the_page', async () => {
  const asked = [];
  const page = await profile.tab();
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const [mode, count] = await page.evaluate(async () => {
    const router = await tab.wamplet.sharedRouter({ mode: 'page', workerUrl: '/wamplet-worker.js' });
    await tab.join('me', { router });
    return [router.mode, await tab.sessions.me.session.call('wamp.session.count')];
  });
  assert.deepEqual([mode, count], ['page', 1]);
  assert.deepEqual(asked, ['/wamplet-worker.js']);
});
