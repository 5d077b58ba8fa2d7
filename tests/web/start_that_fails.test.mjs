// A router that cannot start is a rejected promise with a sentence that says what to do, soon, and never a hang.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { root } from '../../scripts/steps.mjs';
import { openBrowser } from '../fixtures/browser.mjs';
import { until } from '../fixtures/wait.mjs';

const POLICY = { 'Content-Security-Policy': "script-src 'self'" };
const library = (folder, extra = {}) => ({
  [`/${folder}/worker.js`]: { file: 'pkg/worker.js', ...extra },
  [`/${folder}/wamplet.wasm`]: { file: 'pkg/wamplet.wasm' },
});

const worker = readFileSync(join(root, 'pkg/worker.js'), 'utf8');

let browser;
let profile;
/** One page for the whole table of failures: each row has a worker of its own, or none. */
let standing;

before(async () => {
  browser = await openBrowser({
    ...library('forbidden', { headers: POLICY }),
    ...library('unreachable', { headers: { 'Content-Security-Policy': "default-src 'none'; script-src 'self'" } }),
    ...library('nowasm'),
    '/nowasm/wamplet.wasm': { status: 404 },
    ...library('mislaid'),
    '/mislaid/wamplet.wasm': { status: 404 },
    ...library('garbled'),
    '/garbled/wamplet.wasm': { body: 'not what you think' },
    ...library('mixed'),
    '/mixed/wamplet.wasm': { body: otherImports(readFileSync(join(root, 'pkg/wamplet.wasm'))) },
    ...library('mistyped', { headers: { 'Content-Type': 'text/html' } }),
    ...library('wasm-as-text'),
    '/wasm-as-text/wamplet.wasm': { file: 'pkg/wamplet.wasm', headers: { 'Content-Type': 'text/plain' } },
    '/.vite/deps/wamplet.js': { file: 'pkg/index.js' },
    '/node_modules/.vite/deps/wamplet.js': { file: 'pkg/index.js' },
    '/node_modules/.vite/deps/worker.js': { file: 'pkg/worker.js' },
    '/node_modules/.vite/deps/wamplet.wasm': { body: '<!doctype html><title>app</title>' },
    // What a server of single-page apps answers to everything that it does not know.
    ...library('every-path-a-page'),
    '/every-path-a-page/wamplet.wasm': { body: '<!doctype html><title>app</title>' },
    ...library('waiting'),
    '/waiting/wamplet.wasm': { never: true },
    '/silent/worker.js': { never: true },
    '/old-browser/worker.js': { body: `delete globalThis.WebAssembly;${worker}` },
    // The greeting is what all releases agree on.
    '/other-release/worker.js': {
      body: 'onconnect = ({ ports: [port] }) => port.postMessage({ wamplet: 99, epoch: "0" });',
    },
    '/mute/worker.js': { body: '' },
    '/strange/worker.js': { body: 'onconnect = ({ ports: [port] }) => port.postMessage({ hello: "who are you?" });' },
    '/throwing/worker.js': { body: 'throw new Error("of the worker");' },
    '/unparsable/worker.js': { body: 'this is no JavaScript' },
    '/strict.html': { file: 'tests/fixtures/tab.html', headers: POLICY },
    '/trusting.html': {
      file: 'tests/fixtures/tab.html',
      headers: { 'Content-Security-Policy': "require-trusted-types-for 'script'" },
    },
    '/shut.html': {
      file: 'tests/fixtures/tab.html',
      headers: { 'Content-Security-Policy': "script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'" },
    },
    '/around.html': { body: '<title>around</title>' },
    '/sandboxed.html': {
      body: '<script src="/pkg/wamplet.global.js"></script>',
      headers: { 'Content-Security-Policy': 'sandbox allow-scripts' },
    },
  });
  profile = await browser.profile();
  standing = await readyTab();
});
after(() => browser.close());
afterEach(async () => {
  for (const page of profile.context.pages()) if (page !== standing) await page.close();
});

/** Names of imports change with what the module does and with the tools that it is made by. */
function otherImports(wasm) {
  wasm.write('__wbx_', wasm.indexOf('__wbg_'), 'latin1');
  return wasm;
}

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
  'a wasm file of another release': [
    { workerUrl: '/mixed/worker.js' },
    /wamplet\.wasm could not be started \(.+\): is it of the release of worker\.js\?$/,
  ],
  'a worker script of the wrong type': [
    { workerUrl: '/mistyped/worker.js' },
    /mistyped\/worker\.js could not be loaded.*served as JavaScript/,
  ],
  'a worker script that never comes': [
    { workerUrl: '/silent/worker.js', timeout: 300 },
    /did not answer within 300 ms/,
  ],
  'a wasm file that never comes': [{ workerUrl: '/waiting/worker.js', timeout: 300 }, /did not answer within 300 ms/],
  'a wasm file that never comes to the page': [
    { workerUrl: '/waiting/worker.js', timeout: 300, mode: 'page' },
    /did not start within 300 ms/,
  ],
  'a page in the place of the wasm file': [
    { workerUrl: '/every-path-a-page/worker.js' },
    /every-path-a-page\/wamplet\.wasm could not be compiled .*: it is a page of HTML, .*put wamplet\.wasm beside/,
  ],
  'a worker of another release': [
    { workerUrl: '/other-release/worker.js' },
    /other-release\/worker\.js is of another release .*npx wamplet init/,
  ],
  'a browser without WebAssembly': [{ workerUrl: '/old-browser/worker.js' }, /no WebAssembly here/],
  'a configuration that is wrong': [{ config: { relams: [] } }, /relams: .*did you mean "realms"/],
  'wasm that the policy of the worker forbids': [{ workerUrl: '/forbidden/worker.js' }, /'wasm-unsafe-eval'/],
  'a worker that says nothing': [{ workerUrl: '/mute/worker.js', timeout: 300 }, /did not answer within 300 ms/],
  'a worker of something else': [{ workerUrl: '/strange/worker.js', timeout: 300 }, /did not answer within 300 ms/],
  'a worker that throws at once': [
    { workerUrl: '/throwing/worker.js', timeout: 300 },
    /did not answer within 300 ms|could not be/,
  ],
  'a worker of another origin': [{ workerUrl: 'http://elsewhere.test/worker.js' }, /could not be created .*workerUrl/],
  'wasm that the policy of the worker forbids to fetch': [
    { workerUrl: '/unreachable/worker.js' },
    /unreachable\/wamplet\.wasm could not be loaded.*connect-src/,
  ],
  'an address that is none': [{ workerUrl: 'http://[' }, /^options\.workerUrl: expected a URL, found "http:\/\/\["/],
  'a module whose address is none': [
    { components: { 'a.B': 'http://[' } },
    /^options\.components\["a\.B"\]: expected a URL, found "http:\/\/\["/,
  ],
  'a key of the configuration among the options': [
    { realms: [] },
    /^options\.realms: expected one of the keys "name", "config", .*found "realms"/,
  ],
  'options that are none': ['lab', /^options: expected an object, found "lab"/],
  'a timeout that is no time': [{ timeout: 'soon' }, /^options\.timeout: expected milliseconds, found "soon"/],
  'a timeout in the past': [{ timeout: -1 }, /^options\.timeout: expected milliseconds, found -1/],
  'a name that is none': [{ name: 'a:b' }, /options\.name: .*"a:b"/],
  'a mode that is none': [{ mode: 'tab' }, /options\.mode: .*"tab"/],
};

for (const [what, [options, sentence]] of Object.entries(FAILURES)) {
  test(`${what.replaceAll(' ', '_')}_rejects_with_a_sentence`, async () => {
    assert.match(await failure(standing, options), sentence);
  });
}

test('a_worker_that_the_policy_of_the_page_forbids_rejects_with_a_sentence', async () => {
  assert.match(await failure(await readyTab('/shut.html')), /worker-src|could not be created/);
});

test('a_browser_without_extended_lifetimes_asks_for_a_missing_script_once_and_is_told_at_once', async () => {
  const page = await readyTab();
  const [message, asked] = await page.evaluate(async () => {
    // As Firefox does: the option is not read, and a second worker of the name is not told to have failed.
    const Native = SharedWorker;
    let count = 0;
    globalThis.SharedWorker = class {
      constructor(url, { type, name }) {
        const worker = new Native(url, { type, name });
        count += 1;
        // biome-ignore lint/correctness/noConstructorReturn: what is constructed is the browser's own
        return count === 1 ? worker : Object.assign(new EventTarget(), { port: worker.port });
      }
    };
    const options = { workerUrl: '/missing/worker.js', timeout: 3000 };
    return [await tab.wamplet.sharedRouter(options).catch((error) => error.message), count];
  });
  assert.match(message, /missing\/worker\.js could not be loaded.*served as JavaScript/);
  assert.equal(asked, 1);
});

test('a_configuration_that_is_no_plain_data_rejects_with_a_sentence', async () => {
  const page = await readyTab();
  const message = await page.evaluate(() =>
    tab.wamplet.sharedRouter({ config: { realms: () => [] } }).catch((error) => error.message),
  );
  assert.match(message, /options\.config: expected plain data/);
});

test('a_page_in_a_browser_without_WebAssembly_rejects_with_a_sentence', async () => {
  const page = await readyTab();
  const message = await page.evaluate(() => {
    delete globalThis.WebAssembly;
    return tab.wamplet.createRouter().catch((error) => error.message);
  });
  assert.match(message, /no WebAssembly here/);
});

test('a_timeout_longer_than_timers_can_last_does_not_end_at_once', async () => {
  for (const timeout of [1e12, Number.POSITIVE_INFINITY]) {
    assert.equal(await failure(standing, { name: 'patient', timeout }), 'it started');
  }
});

test('a_handle_that_was_closed_is_asked_nothing_any_more', async () => {
  const messages = await standing.evaluate(async () => {
    const router = await tab.wamplet.sharedRouter({ name: 'closed' });
    await router.close();
    const inspected = await router.inspect().catch((error) => error.message);
    try {
      return router.createPort();
    } catch (error) {
      return [inspected, error.message];
    }
  });
  for (const message of messages) assert.match(message, /the handle .* was closed: call sharedRouter\(\) again/);
});

test('what_type_the_wasm_file_has_does_not_matter', async () => {
  assert.equal(await failure(await readyTab(), { workerUrl: '/wasm-as-text/worker.js' }), 'it started');
});

test('a_page_whose_library_an_older_Vite_has_moved_is_told_the_setting', async () => {
  const failures = await standing.evaluate(async () => {
    const { sharedRouter } = await import('/.vite/deps/wamplet.js');
    const { createRouter } = await import('/node_modules/.vite/deps/wamplet.js');
    const started = [sharedRouter({ mode: 'shared-worker' }), createRouter()];
    return Promise.all(started.map((starting) => starting.catch((error) => error.message)));
  });
  for (const message of failures) assert.match(message, /optimizeDeps: \{ exclude: \['wamplet'\] \}/);
});

test('a_page_opened_as_a_file_is_told_to_be_served', async () => {
  const page = await profile.context.newPage();
  await page.goto(pathToFileURL(join(root, 'tests/fixtures/frame.html')).href);
  await page.addScriptTag({ url: pathToFileURL(join(root, 'pkg/wamplet.global.js')).href });
  const message = await page.evaluate(() => wamplet.sharedRouter().catch((error) => error.message));
  assert.match(message, /could not be (created|loaded).*http/);
});

test('a_frame_of_opaque_origin_is_told_to_use_a_port', async () => {
  const page = await profile.tab('/around.html');
  const source = `<script src="${browser.site.url}/pkg/wamplet.global.js"></script><title>opaque</title>`;
  await page.evaluate((text) => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    frame.src = `data:text/html,${encodeURIComponent(text)}`;
  }, source);
  const frame = await until('the frame is there', () => page.frames().find((one) => one.parentFrame()));
  await frame.waitForFunction(() => document.title === 'opaque');
  const message = await frame.evaluate(() => wamplet.sharedRouter().catch((error) => error.message));
  assert.match(message, /denies this page storage.*sandboxed frame.*createPort\(\)/);
});

test('a_frame_of_another_site_without_storage_is_told_to_use_a_port', async () => {
  const page = await profile.tab('/around.html');
  // Contexts of Playwright are private windows, which deny storage to frames of other sites.
  await page.evaluate((port) => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    frame.src = `http://localhost:${port}/tab.html`;
  }, browser.site.port);
  const frame = await until('the frame is there', () => page.frames().find((one) => one.url().includes('localhost')));
  await frame.waitForFunction(() => document.title === 'ready');
  assert.match(await failure(frame), /denies this page storage.*createPort\(\)/);
});

test('a_sandboxed_page_is_told_to_use_a_port', async () => {
  const page = await profile.tab('/sandboxed.html');
  const message = await page.evaluate(() => wamplet.sharedRouter().catch((error) => error.message));
  assert.match(message, /sandboxed frame.*createPort\(\)/);
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

test('a_page_that_trusts_no_texts_as_addresses_names_one_that_its_policy_made', async () => {
  const page = await readyTab('/trusting.html');
  const modes = await page.evaluate(async () => {
    const { sharedRouter } = tab.wamplet;
    const policy = trustedTypes.createPolicy('app', { createScriptURL: (address) => address });
    const workerUrl = policy.createScriptURL('/pkg/worker.js');
    const opening = [
      {},
      { workerUrl, mode: 'shared-worker' },
      { workerUrl, mode: 'leader' },
      { workerUrl, mode: 'page' },
    ];
    const routers = await Promise.all(
      opening.map((options, number) => sharedRouter({ ...options, name: `trusted${number}` })),
    );
    return routers.map((router) => router.mode);
  });
  assert.deepEqual(modes, ['leader', 'shared-worker', 'leader', 'page']);
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

test('a_wasm_file_that_never_came_is_asked_for_again', async () => {
  const page = await readyTab();
  const start = (mode, timeout) => failure(page, { workerUrl: '/waiting/worker.js', mode, name: 'again', timeout });
  const modes = ['shared-worker', 'page'];
  const late = modes.map((mode) => start(mode, 500));
  for (const message of await Promise.all(late)) assert.match(message, /within 500 ms/);
  const never = browser.site.files['/waiting/wamplet.wasm'];
  browser.site.files['/waiting/wamplet.wasm'] = { file: 'pkg/wamplet.wasm' };
  try {
    const next = modes.map((mode) => start(mode, 15_000));
    assert.deepEqual(await Promise.all(next), ['it started', 'it started']);
  } finally {
    browser.site.files['/waiting/wamplet.wasm'] = never;
  }
});

test('Autobahn_says_unreachable_and_the_console_why', async () => {
  const page = await readyTab();
  const lines = [];
  page.on('console', (message) => lines.push(message.text()));
  const reason = await page.evaluate(() =>
    tab
      .join('me', { router: () => tab.wamplet.sharedRouter({ workerUrl: '/mislaid/worker.js' }), max_retries: 0 })
      .catch((error) => error.message),
  );
  assert.match(reason, /unreachable/);
  await until('the sentence on the console', () => lines.some((line) => /wamplet\.wasm.*status 404/.test(line)));
});
