// A tab that runs the router for the others: how it comes to that, how it is left, and who takes over.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { openBrowser } from '../fixtures/browser.mjs';
import { until, within } from '../fixtures/wait.mjs';

let browser;
let profile;

before(async () => {
  const pages = {
    '/other.html': { body: '<title>other</title>', cache: 'max-age=60' },
    '/shut.html': {
      file: 'tests/fixtures/tab.html',
      headers: { 'Content-Security-Policy': "worker-src 'none'" },
    },
    '/sandboxed.html': {
      body: '<script src="/pkg/wamplet.global.js"></script>',
      headers: { 'Content-Security-Policy': 'sandbox allow-scripts' },
    },
  };
  browser = await openBrowser(pages, { ignoreDefaultArgs: ['--disable-back-forward-cache'] });
});
after(() => browser.close());
beforeEach(async () => {
  profile = await browser.profile('leader');
});
afterEach(() => profile.context.close());

/** A tab with a handle to the router and a session `me`, which are found again after each time that the router was lost. */
async function joinedTab(path = '/tab.html') {
  const page = await profile.tab(path);
  await page.waitForFunction(() => document.title === 'ready');
  await page.evaluate(async () => {
    globalThis.router = await tab.wamplet.sharedRouter();
    await tab.join('me', { router });
  });
  return page;
}

const rejoined = (page, times = 2) => page.waitForFunction((count) => tab.sessions.me.ids.length === count, times);
const epochOf = (page) => page.evaluate(() => router.epoch);
const count = (page) => page.evaluate(() => tab.sessions.me.session.call('wamp.session.count'));

/** Whether the worker that runs the router is this tab's. */
const leads = (page) => page.workers().length === 1;

const CRASH = async (page) => {
  const crashed = new Promise((resolve) => page.once('crash', resolve));
  page.goto('chrome://crash').catch(() => {});
  await within('the tab crashes', crashed);
};

const ENDS = {
  closed: (page) => page.close(),
  crashed: CRASH,
  reloaded: (page) => page.reload(),
  'left for another page': (page) => page.goto(`${browser.site.url}/other.html`),
};

for (const [how, end] of Object.entries(ENDS)) {
  test(`when_the_leading_tab_is_${how.replaceAll(' ', '_')}_another_one_leads_and_all_come_back`, async () => {
    const [first, second, third] = [await joinedTab(), await joinedTab(), await joinedTab()];
    assert.deepEqual([first, second, third].map(leads), [true, false, false]);
    const epoch = await epochOf(second);
    const id = await first.evaluate(() => tab.sessions.me.session.id);
    await third.evaluate(() => tab.follow('me', 'wamp.session.on_join'));
    await end(first);
    for (const page of [second, third]) {
      await rejoined(page);
      assert.equal(await page.evaluate(() => tab.sessions.me.closed[0].reason), 'lost');
    }
    await until('the handles agree', async () => {
      const epochs = await Promise.all([second, third].map(epochOf));
      return epochs[0] === epochs[1] && epochs[0] !== epoch;
    });
    await until('one of them leads', () => leads(second) !== leads(third));
    const list = await second.evaluate(() => tab.sessions.me.session.call('wamp.session.list'));
    const ids = await Promise.all([second, third].map((page) => page.evaluate(() => tab.sessions.me.session.id)));
    assert.deepEqual(list.sort(), ids.sort());
    assert.ok(!list.includes(id));
  });
}

test('the_router_ends_with_its_worker_and_another_one_is_elected', async () => {
  const [first, second] = [await joinedTab(), await joinedTab()];
  await browser.endRouter();
  for (const page of [first, second]) await rejoined(page);
  assert.equal(await count(first), 2);
});

test('a_call_in_flight_when_the_leading_tab_goes_ends_in_one_error', async () => {
  const [first, second, third] = [await joinedTab(), await joinedTab(), await joinedTab()];
  await third.evaluate(() => {
    return tab.sessions.me.session.register('com.example.never', () => {
      globalThis.called = true;
      return new Promise(() => {});
    });
  });
  const call = second.evaluate(() =>
    tab.sessions.me.session.call('com.example.never').catch(({ error, args }) => [error, args[0]]),
  );
  await third.waitForFunction(() => globalThis.called);
  await first.close();
  const [error, sentence] = await within('the answer', call);
  assert.equal(error, 'wamp.error.canceled');
  assert.match(sentence, /router/);
});

test('a_port_that_was_handed_to_a_worker_ends_with_the_router_and_its_holder_is_told', async () => {
  const [first, second] = [await joinedTab(), await joinedTab()];
  await second.evaluate(() => {
    const port = router.createPort();
    globalThis.heard = [];
    port.onmessage = ({ data }) => heard.push(Object.keys(data)[0]);
    port.postMessage({ hello: 1, serializer: 'json', transport: {} });
  });
  await second.waitForFunction(() => heard.includes('open'));
  await first.close();
  await second.waitForFunction(() => heard.includes('close'));
  assert.deepEqual(await second.evaluate(() => heard), ['wamplet', 'open', 'close']);
});

test('what_is_sent_before_anybody_leads_arrives', async () => {
  const page = await profile.tab();
  const other = await profile.tab();
  const opened = (opening) => opening.evaluate(() => tab.join('me', { router: tab.wamplet.sharedRouter }));
  const ids = await Promise.all([page, other].map(opened));
  assert.equal(new Set(ids).size, 2);
  assert.equal(await count(page), 2);
});

test('a_tab_that_is_gone_before_the_router_has_started_costs_the_leading_page_no_error', async () => {
  let start;
  const isStarting = new Promise((resolve) => {
    start = resolve;
  });
  await profile.context.route('**/wamplet.wasm', async (route) => {
    await isStarting;
    await route.continue();
  });
  const [first, second] = [await profile.tab(), await profile.tab()];
  const errors = [];
  first.on('pageerror', (error) => errors.push(error.message));
  const joined = first.evaluate(() => tab.join('me', { router: tab.wamplet.sharedRouter }));
  await until('the first tab leads', () => leads(first));
  await second.evaluate(async () => {
    const called = new Promise((resolve) => {
      new BroadcastChannel('wamp:default:v1').onmessage = ({ data }) => data.call && resolve(data.call);
    });
    tab.wamplet.sharedRouter();
    // Until it has said what it wants.
    const line = new BroadcastChannel(await called);
    await new Promise((resolve) => {
      line.onmessage = ({ data }) => data.start && resolve();
    });
  });
  const locks = () => first.evaluate(async () => (await navigator.locks.query()).held.length);
  const before = await locks();
  await second.close();
  await until('its lock is free', async () => (await locks()) < before);
  start();
  await joined;
  assert.equal(await count(first), 1);
  assert.deepEqual(errors, []);
});

test('a_tab_that_falls_asleep_does_not_lead_and_follows_when_it_wakes_up', async () => {
  const [first, second] = [await joinedTab(), await joinedTab()];
  // Playwright keeps pages awake: this is what a page is told. tests/lifecycle freezes one in earnest.
  await first.evaluate(() => document.dispatchEvent(new Event('freeze')));
  await rejoined(second);
  assert.equal(await count(second), 1);
  await first.evaluate(() => document.dispatchEvent(new Event('resume')));
  await rejoined(first);
  assert.equal(await count(second), 2);
  assert.deepEqual([leads(first), leads(second)], [false, true]);
  await second.close();
  await rejoined(first, 3);
  assert.ok(leads(first));
});

test('a_leading_page_that_comes_back_from_the_back_forward_cache_follows', async () => {
  const [first, second] = [await joinedTab(), await joinedTab()];
  await first.evaluate(() => {
    globalThis.mark = 'the same page';
  });
  await first.goto(`${browser.site.url}/other.html`);
  await rejoined(second);
  assert.equal(await count(second), 1);
  await first.evaluate(() => setTimeout(() => history.back()));
  await until('the tab is back', () => first.evaluate(() => location.pathname === '/tab.html').catch(() => false));
  const mark = await first.evaluate(() => globalThis.mark);
  assert.equal(mark, 'the same page', 'the browser did not keep the page: the test shows nothing');
  await rejoined(first);
  assert.equal(await count(second), 2);
  assert.deepEqual([leads(first), leads(second)], [false, true]);
});

test('closing_its_handle_does_not_end_the_router_that_a_tab_runs_for_others', async () => {
  const [first, second] = [await joinedTab(), await joinedTab()];
  const epoch = await epochOf(second);
  await first.evaluate(() => router.close());
  await until('its session has left', async () => (await count(second)) === 1);
  assert.equal(await epochOf(second), epoch);
  assert.ok(leads(first));
});

test('where_workers_are_refused_the_router_runs_in_the_page_that_leads', async () => {
  const [first, second] = [await joinedTab('/shut.html'), await joinedTab('/shut.html')];
  assert.deepEqual([leads(first), leads(second)], [false, false]);
  assert.deepEqual(await Promise.all([count(first), count(second)]), [2, 2]);
  assert.equal(await second.evaluate(() => router.mode), 'leader');
  await first.close();
  await rejoined(second);
  assert.equal(await count(second), 1);
});

test('a_page_that_may_not_take_part_is_told_to_use_a_port', async () => {
  const page = await profile.tab('/sandboxed.html');
  const message = await page.evaluate(() => wamplet.sharedRouter({ mode: 'leader' }).catch((error) => error.message));
  assert.match(message, /sandboxed frame .*createPort\(\)/);
});

test('handles_that_come_and_go_leave_nothing_at_the_router_that_stays', async () => {
  const page = await joinedTab();
  const devtools = await profile.context.newCDPSession(page);
  const listeners = async () => {
    await devtools.send('HeapProfiler.collectGarbage');
    return (await devtools.send('Memory.getDOMCounters')).jsEventListeners;
  };
  const comeAndGo = () =>
    page.evaluate(async () => {
      for (let count = 0; count < 20; count += 1) await (await tab.wamplet.sharedRouter()).close();
    });
  await comeAndGo();
  const before = await listeners();
  await comeAndGo();
  const more = (await listeners()) - before;
  assert.ok(more < 20, `${more} more listeners after 20 handles`);
});
