// Pages of two builds or releases in one browser: each page has a router that it understands, and two routers of one name
// are never a secret.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { root } from '../../scripts/steps.mjs';
import { openBrowser } from '../fixtures/browser.mjs';
import { buildRelease, releasePages } from '../fixtures/release.mjs';
import { until } from '../fixtures/wait.mjs';

const NEXT = 99;

let browser;
let profile;
let next;

before(async () => {
  next = await buildRelease(NEXT);
  browser = await openBrowser({
    // The same release, built again: bundlers give the worker another name.
    '/again/worker.js': { file: 'pkg/worker.js' },
    '/again/wamplet.wasm': { file: 'pkg/wamplet.wasm' },
    // The worker at an address that stays; what is there changes.
    '/stable/worker.js': {},
    '/stable/wamplet.wasm': { file: 'pkg/wamplet.wasm' },
    ...(await releasePages('/next', NEXT)),
  });
});
after(() => browser.close());
beforeEach(async () => {
  deploy('this release');
  profile = await browser.profile();
});
afterEach(() => profile.context.close());

/** Puts a release to the address that stays. */
function deploy(release) {
  const body = release === 'next' ? next['worker.js'] : readFileSync(join(root, 'pkg/worker.js'), 'utf8');
  browser.site.files['/stable/worker.js'] = { body };
}

/** A tab with a handle; `splits` and `logs` are what the handle tells. */
async function tabWith(options = {}, path = '/tab.html') {
  const page = await profile.tab(path);
  if (path !== '/tab.html') await page.waitForFunction(() => document.title === 'ready');
  await page.evaluate(async (given) => {
    globalThis.splits = [];
    globalThis.logs = [];
    globalThis.router = await tab.wamplet.sharedRouter(given);
    for (const [type, heard] of [
      ['split', splits],
      ['log', logs],
    ]) {
      router.addEventListener(type, (event) => {
        event.preventDefault();
        heard.push(event.detail.reason ?? event.detail.text);
      });
    }
    await tab.join('me', { router });
  }, options);
  return page;
}

const splitOf = (page) => until('the tab is told', () => page.evaluate(() => splits[0]));
const count = (page) => page.evaluate(() => tab.sessions.me.session.call('wamp.session.count'));

/** Both tabs must know that they are apart, and what to do. */
async function expectSplit(elder, newcomer, address) {
  for (const page of [elder, newcomer]) {
    const reason = await splitOf(page);
    assert.match(reason, /two routers named "default"/);
    assert.match(reason, /reload the tabs of an older release.*options\.workerUrl/);
    assert.ok(reason.includes(browser.site.url + address), reason);
    assert.equal(await count(page), 1);
  }
}

test('two_builds_whose_workers_have_other_addresses_are_told_of_each_other', async () => {
  const elder = await tabWith();
  const newcomer = await tabWith({ workerUrl: '/again/worker.js' });
  await expectSplit(elder, newcomer, '/again/worker.js');
});

test('pages_of_two_releases_are_told_of_each_other', async () => {
  const elder = await tabWith();
  const newcomer = await tabWith({}, '/next/tab.html');
  await expectSplit(elder, newcomer, '/next/worker.js');
});

test('a_new_release_at_the_same_address_is_not_mixed_with_the_worker_of_old_tabs', async () => {
  const elder = await tabWith({ workerUrl: '/stable/worker.js' });
  deploy('next');
  const newcomer = await tabWith({ workerUrl: '/stable/worker.js' }, '/next/tab.html');
  await expectSplit(elder, newcomer, '/stable/worker.js');
  assert.notEqual(await elder.evaluate(() => router.epoch), await newcomer.evaluate(() => router.epoch));
});

test('a_deployment_without_a_new_version_of_the_protocol_shares_the_worker_of_old_tabs', async () => {
  const elder = await tabWith({ workerUrl: '/stable/worker.js' });
  deploy('this release');
  const newcomer = await tabWith({ workerUrl: '/stable/worker.js' });
  assert.equal(await elder.evaluate(() => router.epoch), await newcomer.evaluate(() => router.epoch));
  assert.equal(await count(elder), 2);
});

test('tabs_that_come_later_are_told_until_the_other_router_is_gone', async () => {
  const elder = await tabWith();
  const newcomer = await tabWith({ workerUrl: '/again/worker.js' });
  await expectSplit(elder, newcomer, '/again/worker.js');
  const late = [await tabWith(), await tabWith({ workerUrl: '/again/worker.js' })];
  for (const page of late) await splitOf(page);

  // The old tabs are reloaded, as they were told: the others are all there is.
  await elder.close();
  await late[0].close();
  const [heir] = [late[1]];
  await until('the lock of the router that is gone is free', () =>
    heir.evaluate(async () => {
      const { held, pending } = await navigator.locks.query();
      const ofRouter = (locks) => locks.filter(({ name }) => name === 'wamp:default:router').length;
      return ofRouter(held) === 1 && ofRouter(pending) === 0;
    }),
  );
  const last = await tabWith({ workerUrl: '/again/worker.js' });
  assert.equal(await count(last), 3);
  assert.deepEqual(await last.evaluate(() => splits), []);
});

test('a_page_that_gets_the_worker_of_another_release_says_so_at_once', async () => {
  const page = await profile.tab('/next/tab.html');
  await page.waitForFunction(() => document.title === 'ready');
  const message = await page.evaluate(() =>
    tab.wamplet.sharedRouter({ workerUrl: '/stable/worker.js', timeout: 60_000 }).catch((error) => error.message),
  );
  assert.match(message, /\/stable\/worker\.js is of another release .*version 1 .* not 99.*reload the page/);
});

test('a_tab_that_finds_another_release_after_its_router_died_says_so', async () => {
  const page = await tabWith({ workerUrl: '/stable/worker.js' });
  deploy('next');
  await browser.endRouter();
  const log = await until('the handle says so', () => page.evaluate(() => logs.find((text) => /version/.test(text))));
  assert.match(log, /could not be reached again: .*of another release .*version 99 .*reload the page/);
  // Here the release of the tab comes back; at home the next one would come with the page.
  deploy('this release');
  await page.reload();
  await page.waitForFunction(() => document.title === 'ready');
  await page.evaluate(async () => {
    await tab.join('me', { router: await tab.wamplet.sharedRouter({ workerUrl: '/stable/worker.js' }) });
  });
  assert.equal(await count(page), 1);
});
