// A router that cannot start is a rejected promise with a sentence that says what to do, soon, and never a hang.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { openBrowser } from '../fixtures/browser.mjs';
import { until } from '../fixtures/wait.mjs';

const POLICY = { 'Content-Security-Policy': "script-src 'self'" };
const library = (folder, extra = {}) => ({
  [`/${folder}/worker.js`]: { file: 'pkg/worker.js', ...extra },
  [`/${folder}/wamplet.wasm`]: { file: 'pkg/wamplet.wasm' },
});

let browser;
let profile;

before(async () => {
  browser = await openBrowser({
    ...library('forbidden', { headers: POLICY }),
    ...library('nowasm'),
    '/nowasm/wamplet.wasm': { status: 404 },
    ...library('garbled'),
    '/garbled/wamplet.wasm': { body: 'not what you think' },
    '/mute/worker.js': { body: '' },
    '/strange/worker.js': { body: 'onconnect = ({ ports: [port] }) => port.postMessage({ hello: "who are you?" });' },
    '/throwing/worker.js': { body: 'throw new Error("of the worker");' },
    '/unparsable/worker.js': { body: 'this is no JavaScript' },
    '/strict.html': { file: 'tests/fixtures/tab.html', headers: POLICY },
    '/shut.html': {
      file: 'tests/fixtures/tab.html',
      headers: { 'Content-Security-Policy': "script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'" },
    },
    '/sandboxed.html': {
      body: '<script src="/pkg/wamplet.global.js"></script>',
      headers: { 'Content-Security-Policy': 'sandbox allow-scripts' },
    },
  });
});
after(() => browser.close());
beforeEach(async () => {
  profile = await browser.profile();
});
afterEach(() => profile.context.close());

async function readyTab(path = '/tab.html') {
  const page = await profile.tab(path);
  await page.waitForFunction(() => document.title === 'ready');
  return page;
}

/** The sentence of the rejected promise. */
function failure(page, options) {
  return page.evaluate(
    (given) =>
      tab.wamplet.sharedRouter(given).then(
        () => 'it started',
        (error) => (error instanceof Error ? error.message : `no Error: ${error}`),
      ),
    options,
  );
}

const FAILURES = {
  'a worker script that is missing': [{ workerUrl: '/missing/worker.js' }, /missing\/worker\.js could not be loaded/],
  'a worker script that is no JavaScript': [
    { workerUrl: '/unparsable/worker.js' },
    /unparsable\/worker\.js could not be loaded/,
  ],
  'a wasm file that is missing': [{ workerUrl: '/nowasm/worker.js' }, /nowasm\/wamplet\.wasm .*status 404.*beside/],
  'a wasm file that is something else': [
    { workerUrl: '/garbled/worker.js' },
    /garbled\/wamplet\.wasm could not be compiled/,
  ],
  'wasm that the policy of the worker forbids': [{ workerUrl: '/forbidden/worker.js' }, /'wasm-unsafe-eval'/],
  'a worker that says nothing': [{ workerUrl: '/mute/worker.js', timeout: 300 }, /did not answer within 300 ms/],
  'a worker of something else': [{ workerUrl: '/strange/worker.js', timeout: 300 }, /did not answer within 300 ms/],
  'a worker that throws at once': [
    { workerUrl: '/throwing/worker.js', timeout: 300 },
    /did not answer within 300 ms|could not be/,
  ],
  'a worker of another origin': [{ workerUrl: 'http://elsewhere.test/worker.js' }, /could not be created .*workerUrl/],
  'a name that is none': [{ name: 'a:b' }, /options\.name: .*"a:b"/],
  'a mode that is none': [{ mode: 'tab' }, /options\.mode: .*"tab"/],
};

for (const [what, [options, sentence]] of Object.entries(FAILURES)) {
  test(`${what.replaceAll(' ', '_')}_rejects_with_a_sentence`, async () => {
    assert.match(await failure(await readyTab(), options), sentence);
  });
}

test('a_worker_that_the_policy_of_the_page_forbids_rejects_with_a_sentence', async () => {
  assert.match(await failure(await readyTab('/shut.html')), /worker-src|could not be created/);
});

test('a_sandboxed_page_is_told_to_use_a_port', async () => {
  const page = await profile.tab('/sandboxed.html');
  const message = await page.evaluate(() => wamplet.sharedRouter().catch((error) => error.message));
  assert.match(message, /sandboxed frame .*createPort\(\)/);
});

test('wasm_that_the_policy_of_the_page_forbids_rejects_with_a_sentence', async () => {
  const page = await readyTab('/strict.html');
  const message = await page.evaluate(() => tab.wamplet.createRouter().catch((error) => error.message));
  assert.match(message, /'wasm-unsafe-eval'/);
});

test('a_page_whose_policy_forbids_wasm_still_reaches_the_router_in_the_worker', async () => {
  const page = await readyTab('/strict.html');
  assert.equal(typeof (await page.evaluate(() => tab.join('me'))), 'number');
});

test('the_next_try_after_a_failure_may_succeed', async () => {
  const page = await readyTab();
  assert.match(await failure(page, { workerUrl: '/nowasm/worker.js' }), /status 404/);
  const missing = browser.site.files['/nowasm/wamplet.wasm'];
  browser.site.files['/nowasm/wamplet.wasm'] = { file: 'pkg/wamplet.wasm' };
  try {
    assert.equal(await failure(page, { workerUrl: '/nowasm/worker.js' }), 'it started');
  } finally {
    browser.site.files['/nowasm/wamplet.wasm'] = missing;
  }
});

test('Autobahn_says_unreachable_and_the_console_why', async () => {
  const page = await readyTab();
  const lines = [];
  page.on('console', (message) => lines.push(message.text()));
  const reason = await page.evaluate(() =>
    tab
      .join('me', { router: () => tab.wamplet.sharedRouter({ workerUrl: '/nowasm/worker.js' }), max_retries: 0 })
      .catch((error) => error.message),
  );
  assert.match(reason, /unreachable/);
  await until('the sentence on the console', () => lines.some((line) => /wamplet\.wasm.*status 404/.test(line)));
});
