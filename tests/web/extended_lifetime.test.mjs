// The router of a lone tab that is reloaded: gone with its tab, or there again where the app asked for it.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { openBrowser } from '../fixtures/browser.mjs';
import { until } from '../fixtures/wait.mjs';

const permissions = [
  { uri: '', match: 'prefix', allow: { call: true, register: true, publish: true, subscribe: true } },
];
const realm = { name: 'realm1', roles: [{ name: 'anonymous', permissions }] };
/** Realms that no configuration names end with their last session. */
const config = { realms: [realm] };
const kept = { realms: [{ ...realm, store: { type: 'database' } }] };

let browser;
let profile;

before(async () => {
  browser = await openBrowser({
    '/other.html': { body: '<title>other</title>' },
    '/again/worker.js': { file: 'pkg/worker.js' },
    '/again/wamplet.wasm': { file: 'pkg/wamplet.wasm' },
  });
});
after(() => browser.close());
beforeEach(async () => {
  profile = await browser.profile();
});
afterEach(() => profile.context.close());

/** Joins, in a tab that is ready; answers the epoch of its router. */
const join = (page, options) =>
  page.evaluate(async (given) => {
    globalThis.splits = [];
    globalThis.logs = [];
    globalThis.router = await tab.wamplet.sharedRouter(given);
    router.addEventListener('split', (event) => splits.push(event.detail.reason));
    router.addEventListener('log', (event) => {
      event.preventDefault();
      logs.push(event.detail.text);
    });
    await tab.join('me', { router });
    return router.epoch;
  }, options);

async function reload(page) {
  await page.reload();
  await page.waitForFunction(() => document.title === 'ready');
}

const publish = (page) =>
  page.evaluate(() =>
    tab.sessions.me.session.publish('com.example.state', ['here'], {}, { acknowledge: true, retain: true }),
  );

/** What is retained for a new subscriber. */
const retained = (page) =>
  page.evaluate(async () => {
    const { session } = tab.sessions.me;
    const events = [];
    await session.subscribe('com.example.state', ([value]) => events.push(value), { get_retained: true });
    await session.call('wamp.session.count');
    return events;
  });

test('a_lone_tab_that_is_reloaded_finds_its_router_again_if_the_app_asked_for_that', async () => {
  const page = await profile.tab();
  const epoch = await join(page, { config, extendedLifetime: true });
  await publish(page);
  const session = await page.evaluate(() => tab.sessions.me.session.id);
  await reload(page);
  assert.equal(await join(page, { config, extendedLifetime: true }), epoch);
  assert.deepEqual(await retained(page), ['here']);
  // Sessions end with their page all the same.
  const list = await page.evaluate(() => tab.sessions.me.session.call('wamp.session.list'));
  assert.equal(list.length, 1);
  assert.ok(!list.includes(session));
});

test('a_lone_tab_that_goes_to_another_page_and_on_finds_its_router_again', async () => {
  const page = await profile.tab();
  const epoch = await join(page, { config, extendedLifetime: true });
  await publish(page);
  await page.goto(`${browser.site.url}/other.html`);
  await page.goto(`${browser.site.url}/tab.html`);
  await page.waitForFunction(() => document.title === 'ready');
  assert.equal(await join(page, { config, extendedLifetime: true }), epoch);
  assert.deepEqual(await retained(page), ['here']);
});

test('without_the_option_a_lone_tab_that_is_reloaded_has_a_new_router', async () => {
  const page = await profile.tab();
  const epoch = await join(page, { config });
  await publish(page);
  await reload(page);
  assert.notEqual(await join(page, { config }), epoch);
  assert.deepEqual(await retained(page), []);
});

for (const first of [true, false]) {
  test(`a_tab_that_asks_for_another_lifetime_than_${first}_shares_the_router_and_is_told`, async () => {
    const [one, two] = [await profile.tab(), await profile.tab()];
    const epoch = await join(one, { extendedLifetime: first });
    assert.equal(await join(two, { extendedLifetime: !first }), epoch);
    const log = await until('the tab is told', () => two.evaluate(() => logs[0]));
    assert.match(log, new RegExp(`asked for options.extendedLifetime ${!first}: the ${first} of the first tab stays`));
    assert.equal(await two.evaluate(() => tab.sessions.me.session.call('wamp.session.count')), 2);
    assert.deepEqual(await one.evaluate(() => [...logs, ...splits]), []);
  });
}

test('tabs_of_both_lifetimes_that_open_at_once_share_one_router', async () => {
  const pages = await Promise.all([0, 1, 2, 3].map(() => profile.tab()));
  const epochs = await Promise.all(pages.map((page, index) => join(page, { extendedLifetime: index % 2 === 0 })));
  assert.equal(new Set(epochs).size, 1, epochs.join(', '));
  assert.equal(await pages[0].evaluate(() => tab.sessions.me.session.call('wamp.session.count')), 4);
});

test('tabs_of_both_lifetimes_come_back_to_one_router_when_theirs_died', async () => {
  const [one, two] = [await profile.tab(), await profile.tab()];
  await join(one, { extendedLifetime: true });
  await join(two, { extendedLifetime: false });
  await browser.endRouter();
  for (const page of [one, two]) {
    await until('the session joins again', () => page.evaluate(() => tab.sessions.me.ids.length >= 2));
  }
  await until('both are in one router', () =>
    one.evaluate(async () => (await tab.sessions.me.session.call('wamp.session.count')) === 2),
  );
});

test('where_the_constructor_refuses_the_option_the_router_runs_without', async () => {
  await profile.context.addInitScript(() => {
    const Original = SharedWorker;
    globalThis.SharedWorker = class extends Original {
      constructor(url, options) {
        if (options.extendedLifetime) throw new TypeError('not on this site');
        super(url, options);
      }
    };
  });
  const page = await profile.tab();
  await join(page, { config, extendedLifetime: true });
  assert.equal(await page.evaluate(() => router.mode), 'shared-worker');
});

test('an_option_that_is_no_boolean_is_refused_with_a_sentence', async () => {
  const page = await profile.tab();
  const message = await page.evaluate(() =>
    tab.wamplet.sharedRouter({ extendedLifetime: 'yes' }).catch((error) => `${error.name}: ${error.message}`),
  );
  assert.equal(message, 'TypeError: options.extendedLifetime: expected true or false, found "yes"');
});

test('a_router_that_outlived_its_tabs_gives_way_to_the_one_of_another_build', async () => {
  const page = await profile.tab();
  const epoch = await join(page, { config: kept, extendedLifetime: true });
  await publish(page);
  // The next deployment has its worker elsewhere.
  await reload(page);
  const next = { config: kept, extendedLifetime: true, workerUrl: '/again/worker.js' };
  assert.notEqual(await join(page, next), epoch);
  assert.deepEqual(await retained(page), ['here'], 'the database was not free');
  // The lock is what a split is known by.
  const held = await page.evaluate(async () => {
    const { held: locks, pending } = await navigator.locks.query();
    const ofRouter = ({ name }) => name === 'wamp:default:router';
    return [locks.filter(ofRouter).length, pending.filter(ofRouter).length];
  });
  assert.deepEqual(held, [1, 0]);
  assert.deepEqual(await page.evaluate(() => splits), []);
});
