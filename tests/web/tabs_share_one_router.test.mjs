// Tabs of one browser, one router for all, in a SharedWorker or in one of them: they find each other, and see each other come and go.

import assert from 'node:assert/strict';
import { browser, eventOf, expectLeave, inEachMode, mode, profile } from '../fixtures/browser.mjs';
import { until, within } from '../fixtures/wait.mjs';

const test = inEachMode({ '/other.html': { body: '<title>other</title>' } });

/** Two joined tabs; the first one follows who comes and goes. */
async function twoTabs() {
  const [one, two] = [await profile.tab(), await profile.tab()];
  await one.evaluate(async () => {
    await tab.join('me');
    await tab.follow('me', 'wamp.session.on_join');
    await tab.follow('me', 'wamp.session.on_leave');
  });
  const id = await two.evaluate(() => tab.join('me'));
  const [details] = await eventOf(one, 'me', 'wamp.session.on_join');
  assert.equal(details.session, id);
  return { one, two, id };
}

test('tabs_reach_the_same_router', async () => {
  const pages = [await profile.tab(), await profile.tab()];
  const routers = await Promise.all(
    pages.map((page) =>
      page.evaluate(async () => {
        const { mode: where, epoch, name } = await tab.wamplet.sharedRouter();
        return { where, epoch, name };
      }),
    ),
  );
  assert.equal(routers[0].where, mode);
  assert.equal(routers[0].name, 'default');
  assert.deepEqual(routers[0], routers[1]);
});

test('a_tab_calls_a_procedure_of_another_tab', async () => {
  const { one, two } = await twoTabs();
  await two.evaluate(() => tab.sessions.me.session.register('com.example.add', ([a, b]) => a + b));
  assert.equal(await one.evaluate(() => tab.sessions.me.session.call('com.example.add', [2, 3])), 5);
});

test('a_tab_hears_what_another_tab_publishes', async () => {
  const { one, two } = await twoTabs();
  await one.evaluate(() => tab.follow('me', 'com.example.news'));
  await two.evaluate(() => tab.sessions.me.session.publish('com.example.news', ['hello', { n: 1 }]));
  assert.deepEqual(await eventOf(one, 'me', 'com.example.news'), ['hello', { n: 1 }]);
});

test('bytes_cross_between_tabs_as_bytes', async () => {
  const { one, two } = await twoTabs();
  await two.evaluate(() => tab.sessions.me.session.register('com.example.reverse', ([bytes]) => bytes.reverse()));
  const [kind, bytes, left] = await one.evaluate(async () => {
    const sent = tab.wamplet.transfer(new Uint8Array(100_000).fill(1, 0, 1));
    const result = await tab.sessions.me.session.call('com.example.reverse', [sent]);
    return [result.constructor.name, [result.length, result[0], result[99_999]], sent.byteLength];
  });
  assert.deepEqual([kind, bytes, left], ['Uint8Array', [100_000, 0, 1], 0]);
});

test('a_tab_kills_the_session_of_another_tab', async () => {
  const { one, two, id } = await twoTabs();
  const kill = (victim) =>
    tab.sessions.me.session.call('wamp.session.kill', [victim], { reason: 'because', message: 'hm' });
  await one.evaluate(kill, id);
  const closed = await until('the victim is told', () => two.evaluate(() => tab.sessions.me.closed[0]));
  assert.deepEqual(closed, { reason: 'closed', why: 'because', message: 'hm' });
  await expectLeave(one, 'me', id);
});

test('a_closed_tab_leaves', async () => {
  const { one, two, id } = await twoTabs();
  await two.close();
  await expectLeave(one, 'me', id);
});

test('a_crashed_tab_leaves', async () => {
  const { one, two, id } = await twoTabs();
  const crashed = new Promise((resolve) => two.once('crash', resolve));
  two.goto('chrome://crash').catch(() => {});
  await within('the tab crashes', crashed);
  await expectLeave(one, 'me', id);
});

test('a_reloaded_tab_leaves_and_joins_anew', async () => {
  const { one, two, id } = await twoTabs();
  await two.reload();
  await two.waitForFunction(() => document.title === 'ready');
  await expectLeave(one, 'me', id);
  const again = await two.evaluate(() => tab.join('me'));
  assert.notEqual(again, id);
  assert.deepEqual(
    (await one.evaluate(() => tab.sessions.me.session.call('wamp.session.list'))).sort(),
    [again, await one.evaluate(() => tab.sessions.me.session.id)].sort(),
  );
});

test('a_tab_that_goes_to_another_page_leaves', async () => {
  const { one, two, id } = await twoTabs();
  await two.goto(`${browser.site.url}/other.html`);
  await expectLeave(one, 'me', id);
});

test('a_call_to_a_callee_whose_tab_is_closed_is_answered', async () => {
  const { one, two } = await twoTabs();
  await two.evaluate(() => {
    return tab.sessions.me.session.register('com.example.never', () => {
      globalThis.called = true;
      return new Promise(() => {});
    });
  });
  const call = one.evaluate(() => tab.sessions.me.session.call('com.example.never').catch((error) => error.error));
  await until('the invocation arrives', () => two.evaluate(() => globalThis.called));
  await two.close();
  assert.equal(await within('the answer', call), 'wamp.error.canceled');
});

test('routers_of_different_names_do_not_know_each_other', async () => {
  const page = await profile.tab();
  const [counts, epochs] = await page.evaluate(async () => {
    const { sharedRouter } = tab.wamplet;
    const routers = [await sharedRouter({ name: 'a' }), await sharedRouter({ name: 'b' })];
    for (const [index, router] of routers.entries()) await tab.join(`s${index}`, { router });
    const count = (name) => tab.sessions[name].session.call('wamp.session.count');
    return [[await count('s0'), await count('s1')], routers.map(({ epoch }) => epoch)];
  });
  assert.deepEqual(counts, [1, 1]);
  assert.notEqual(epochs[0], epochs[1]);
});

test('the_first_tab_configures_the_router_and_a_differing_one_is_told', async () => {
  const [one, two] = [await profile.tab(), await profile.tab()];
  const open = async (permissions) => {
    const config = { realms: [{ name: 'lab', roles: [{ name: 'anonymous', permissions }] }] };
    const router = await tab.wamplet.sharedRouter({ name: 'lab', config });
    globalThis.logs = [];
    router.addEventListener('log', (event) => {
      logs.push(event.detail);
      event.preventDefault();
    });
    await tab.join('me', { router, realm: 'lab' });
    return tab.sessions.me.session.call('wamp.session.count').catch((error) => error.error);
  };
  assert.equal(await one.evaluate(open, []), 'wamp.error.not_authorized');
  assert.equal(await two.evaluate(open, [{ uri: '*', allow: { call: true } }]), 'wamp.error.not_authorized');
  const [log] = await until('the tab is told', () => two.evaluate(() => logs.length > 0 && logs));
  assert.equal(log.level, 'warn');
  assert.match(log.text, /another configuration.* stays, until all tabs .* are closed/);
});

test('a_wrong_configuration_rejects_with_its_place_and_the_next_try_may_be_right', async () => {
  const page = await profile.tab();
  const message = await page.evaluate(() =>
    tab.wamplet.sharedRouter({ name: 'lab', config: { realms: [{ name: 'lab' }] } }).catch((error) => error.message),
  );
  assert.match(message, /realms\[0\]/);
  assert.equal(await page.evaluate(async () => (await tab.wamplet.sharedRouter({ name: 'lab' })).mode), mode);
});

test('closing_a_handle_ends_its_sessions_and_no_others', async () => {
  const { one, two, id } = await twoTabs();
  await two.evaluate(async () => {
    globalThis.handle = await tab.wamplet.sharedRouter();
    await tab.join('second', { router: handle, max_retries: 0 });
    await handle.close();
  });
  await until('the session over the handle ends', () => two.evaluate(() => tab.sessions.second.closed.length > 0));
  const list = await one.evaluate(() => tab.sessions.me.session.call('wamp.session.list'));
  assert.equal(list.length, 2);
  assert.ok(list.includes(id));
  assert.match(
    await two.evaluate(() => {
      try {
        handle.createPort();
      } catch (error) {
        return error.message;
      }
    }),
    /was closed/,
  );
});

test('inspect_shows_all_sessions_of_all_tabs', async () => {
  const { one, id } = await twoTabs();
  const ids = await one.evaluate(async () => {
    const { realms } = await (await tab.wamplet.sharedRouter()).inspect();
    return realms[0].sessions.map(({ session }) => session);
  });
  assert.equal(ids.length, 2);
  assert.ok(ids.includes(id));
});
