// The router's own life, in a SharedWorker and in the leading tab: restarted, lost, split in two, and pages that are put away meanwhile.

import assert from 'node:assert/strict';
import { browser, expectLeave, inEachMode, profile } from '../fixtures/browser.mjs';
import { until, within } from '../fixtures/wait.mjs';

const pages = {
  '/other.html': { body: '<title>other</title>', cache: 'max-age=60' },
  // A second copy of the worker, as a second deployment leaves behind.
  '/old/worker.js': { file: 'pkg/worker.js' },
  '/old/wamplet.wasm': { file: 'pkg/wamplet.wasm' },
};
// Playwright turns the back/forward cache off, which users have.
const test = inEachMode(pages, { ignoreDefaultArgs: ['--disable-back-forward-cache'] });

test('a_router_that_dies_is_a_lost_connection_and_clients_come_back_to_the_next_one', async () => {
  const [one, two] = [await profile.tab(), await profile.tab()];
  for (const page of [one, two]) {
    await page.evaluate(async () => {
      globalThis.lost = [];
      globalThis.handle = await tab.wamplet.sharedRouter();
      handle.addEventListener('lost', (event) => lost.push(event.detail.reason));
      globalThis.before = handle.epoch;
      await tab.join('me', { router: handle });
    });
  }
  await browser.endRouter();
  for (const page of [one, two]) {
    await until('the session joins again', () => page.evaluate(() => tab.sessions.me.ids.length === 2));
    assert.equal(await page.evaluate(() => tab.sessions.me.closed[0].reason), 'lost');
    await until('the handle says so', () => page.evaluate(() => lost.length === 1));
    assert.notEqual(await page.evaluate(() => handle.epoch), await page.evaluate(() => before));
  }
  const epochs = await Promise.all([one, two].map((page) => page.evaluate(() => handle.epoch)));
  assert.equal(epochs[0], epochs[1]);
  assert.equal(await one.evaluate(() => tab.sessions.me.session.call('wamp.session.count')), 2);
});

test('a_tab_that_takes_the_router_with_it_when_it_crashes_costs_the_others_a_reconnection', async () => {
  // Chromium runs a SharedWorker in the process of the tab that came first, which is also the one that leads.
  const [first, second] = [await profile.tab(), await profile.tab()];
  await first.evaluate(() => tab.join('me'));
  await second.evaluate(() => tab.join('me'));
  const crashed = new Promise((resolve) => first.once('crash', resolve));
  first.goto('chrome://crash').catch(() => {});
  await within('the tab crashes', crashed);
  // Either the router died with the tab, or it lives on: the other tab is alone in a router that answers.
  await until('the other tab has a router', () =>
    second.evaluate(async () => {
      const { session } = tab.sessions.me;
      // A call that is under way when the router dies fails with it.
      const count = session.isOpen && session.call('wamp.session.count').catch(() => 'lost');
      return (await Promise.race([count, later()])) === 1;
      function later() {
        return new Promise((resolve) => setTimeout(resolve, 500));
      }
    }),
  );
});

test('the_router_ends_with_its_last_tab', async () => {
  const epoch = async () => (await tab.wamplet.sharedRouter()).epoch;
  const one = await profile.tab();
  const before = await one.evaluate(epoch);
  await one.close();
  const two = await profile.tab('/other.html');
  await two.goto(`${browser.site.url}/tab.html`);
  await two.waitForFunction(() => document.title === 'ready');
  assert.notEqual(await two.evaluate(epoch), before);
});

test('a_page_in_the_back_forward_cache_has_left_and_joins_again_when_it_comes_back', async () => {
  const [one, two] = [await profile.tab(), await profile.tab()];
  await one.evaluate(async () => {
    await tab.join('me');
    await tab.follow('me', 'wamp.session.on_leave');
  });
  const id = await two.evaluate(() => tab.join('me'));
  await two.evaluate(() => {
    globalThis.mark = 'the same page';
  });
  await two.goto(`${browser.site.url}/other.html`);
  await expectLeave(one, 'me', id);
  // The session is over; a page in the cache must not get messages, or the browser throws it out.
  await one.evaluate(() => tab.sessions.me.session.publish('com.example.news', ['to whom?']));

  // Not page.goBack(), which waits for a page to load that is there already.
  await two.evaluate(() => setTimeout(() => history.back()));
  await until('the tab is back', () => two.evaluate(() => location.pathname === '/tab.html').catch(() => false));
  const mark = await two.evaluate(() => globalThis.mark);
  assert.equal(mark, 'the same page', 'the browser did not keep the page: the test shows nothing');
  await until('it joins again', () => two.evaluate(() => tab.sessions.me.ids.length === 2));
  assert.equal(await two.evaluate(() => tab.sessions.me.closed[0].reason), 'lost');
  const again = await two.evaluate(() => tab.sessions.me.session.id);
  assert.notEqual(again, id);
  assert.ok((await one.evaluate(() => tab.sessions.me.session.call('wamp.session.list'))).includes(again));
});

const SPLITS = {
  'of a worker at another address': { workerUrl: '/old/worker.js' },
  'of another mode': { mode: 'leader' },
};

for (const [what, options] of Object.entries(SPLITS)) {
  const split = async () => {
    const [one, two] = [await profile.tab(), await profile.tab()];
    await one.evaluate(() => tab.join('me'));
    const reason = await two.evaluate(async (given) => {
      const router = await tab.wamplet.sharedRouter(given);
      return new Promise((resolve) => {
        router.addEventListener('split', (event) => {
          event.preventDefault();
          resolve(event.detail.reason);
        });
      });
    }, options);
    assert.match(reason, /two routers named "default"/);
  };
  test(`a_second_router_${what.replaceAll(' ', '_')}_is_reported_to_its_tabs`, split, ['shared-worker']);
}

test('a_router_alone_is_never_reported_as_split', async () => {
  const page = await profile.tab();
  const splits = await page.evaluate(async () => {
    const seen = [];
    const router = await tab.wamplet.sharedRouter();
    router.addEventListener('split', (event) => seen.push(event.detail.reason));
    // Twice the patience of a router that waits for another one to go.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    return seen;
  });
  assert.deepEqual(splits, []);
});

test('a_reloaded_lone_tab_gets_a_router_that_is_not_split_from_the_one_before', async () => {
  const page = await profile.tab();
  await page.evaluate(() => tab.join('me'));
  await page.reload();
  await page.waitForFunction(() => document.title === 'ready');
  const splits = await page.evaluate(async () => {
    const seen = [];
    const router = await tab.wamplet.sharedRouter();
    router.addEventListener('split', (event) => seen.push(event.detail.reason));
    await tab.join('me');
    await new Promise((resolve) => setTimeout(resolve, 2000));
    return seen;
  });
  assert.deepEqual(splits, []);
});
