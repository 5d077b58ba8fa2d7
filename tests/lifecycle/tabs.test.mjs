// Tabs that come, go and are put away, in browsers as their users have them: what the other tabs' sessions see of it.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { missing } from '../../scripts/webdrivers.mjs';
import { startSite } from '../fixtures/site.mjs';
import { until } from '../fixtures/wait.mjs';
import { openEngine } from '../fixtures/webdriver.mjs';

/** How the tabs of an origin may share a router. */
const MODES = ['shared-worker', 'leader'];

/** What differs between the engines, as docs/lifecycle.md says. */
const ENGINES = {
  chromium: { keepsPages: true, crashes: true, freezes: true, extendsLifetimes: true, prerenders: true },
  // Firefox keeps no page that holds a Web Lock.
  firefox: { keepsPages: false, crashes: false, freezes: false, extendsLifetimes: false, prerenders: false },
};

const config = {
  realms: [
    {
      name: 'realm1',
      roles: [{ name: 'anonymous', permissions: [{ uri: '', match: 'prefix', allow: everything() }] }],
    },
  ],
};

function everything() {
  return { call: true, register: true, publish: true, subscribe: true };
}

/** Joins as soon as it is loaded, with the options that its address has, and says whether that was too soon. */
const prepared = `<!doctype html><script type="module">
  import { sharedRouter } from '/pkg/index.js';
  import { connect } from '/pkg/client.js';
  const { prerendering } = document;
  const router = sharedRouter(JSON.parse(decodeURIComponent(location.search.slice(1))));
  const session = await connect({ realm: 'realm1', router });
  session.publish('com.example.prepared', [prerendering]);
</script>`;

const crash = (tab) => tab.goto('chrome://crash').catch(() => {});
const freeze = (tab, state) => tab.cdp('Page.setWebLifecycleState', { state });

for (const [engine, able] of Object.entries(ENGINES)) {
  for (const mode of MODES) {
    describe(`${engine}, ${mode}`, { skip: missing(engine) }, () => {
      let site;
      let browser;
      /** Each test has a router of its own. */
      let name;
      let tests = 0;

      before(async () => {
        site = await startSite({
          '/other.html': { body: '<title>ready</title>', cache: 'max-age=60' },
          '/pkg/client.js': { file: 'pkg/client.js' },
          '/prepared.html': { body: prepared },
        });
        browser = await openEngine(engine);
      });
      after(async () => {
        await browser?.close();
        await site?.close();
      });
      afterEach(() => browser.closeTabs());

      const join = (tab, options = {}) =>
        tab.evaluate(
          async (given) => {
            globalThis.router = await globalThis.tab.wamplet.sharedRouter(given);
            return globalThis.tab.join('me', { router });
          },
          { name, mode, config, ...options },
        );

      /** A tab whose session `me` has joined; its id is `id`. */
      async function open(type) {
        const page = await browser.open(`${site.url}/tab.html`, type);
        return Object.assign(page, { id: await join(page) });
      }

      /** Two tabs, of which the first follows who leaves, and has a call to the second that waits for an answer. */
      async function callerAndCallee() {
        const [one, two] = [await open(), await open()];
        await two.evaluate(async () => {
          const { session } = tab.sessions.me;
          await session.register('com.example.never', () => {
            globalThis.called = true;
            return new Promise(() => {});
          });
          await session.register('com.example.add', ([a, b]) => a + b);
        });
        await one.evaluate(async () => {
          await tab.follow('me', 'wamp.session.on_leave');
          tab.sessions.me.session.call('com.example.never').catch(({ error }) => {
            globalThis.answer = error;
          });
        });
        await two.until('the invocation arrives', () => globalThis.called);
        return { one, two };
      }

      const list = (tab) => tab.evaluate(() => globalThis.tab.sessions.me.session.call('wamp.session.list'));

      /** The session of `gone` must have left for everybody, and the call to it must have an answer. */
      async function expectLeft(one, gone) {
        const left = await one.until('the session leaves', () =>
          tab.sessions.me.events.find(({ topic }) => topic === 'wamp.session.on_leave'),
        );
        assert.deepEqual(left.args, [gone.id]);
        assert.ok(!(await list(one)).includes(gone.id));
        assert.equal(await one.until('the call is answered', () => globalThis.answer), 'wamp.error.canceled');
        const later = await one.evaluate(() =>
          tab.sessions.me.session.call('com.example.add', [2, 3]).catch(({ error }) => error),
        );
        assert.equal(later, 'wamp.error.no_such_procedure');
      }

      /** A page that was put away must have learnt of an unclean end, and its client must have joined again. */
      async function expectBack(one, back) {
        await back.until('the session joins again', () => tab.sessions.me.ids.length === 2);
        const { closed, again } = await back.evaluate(() => {
          const { closed, session } = tab.sessions.me;
          return { closed, again: session.id };
        });
        assert.deepEqual(
          closed.map(({ reason }) => reason),
          ['lost'],
        );
        assert.notEqual(again, back.id);
        assert.deepEqual((await list(one)).sort(), [one.id, again].sort());
      }

      function scenario(title, { skip = false }, work) {
        test(title, { skip }, async () => {
          tests += 1;
          name = `test${tests}`;
          await work();
        });
      }

      /** What may become of a tab, and why an engine does not show it. */
      const ENDS = {
        closed: { end: (tab) => tab.close() },
        crashed: { end: crash, skip: !able.crashes && 'no WebDriver command crashes a tab' },
        reloaded: { end: (tab) => tab.reload() },
        left: { end: (tab) => tab.goto(`${site.url}/other.html`) },
        frozen: { end: (tab) => freeze(tab, 'frozen'), skip: !able.freezes && 'it freezes no pages' },
      };

      scenario('a_closed_tab_leaves', ENDS.closed, async () => {
        const { one, two } = await callerAndCallee();
        await two.close();
        await expectLeft(one, two);
        assert.deepEqual(await list(one), [one.id]);
      });

      scenario('a_crashed_tab_leaves', ENDS.crashed, async () => {
        const { one, two } = await callerAndCallee();
        await crash(two);
        await expectLeft(one, two);
        assert.deepEqual(await list(one), [one.id]);
      });

      scenario('a_reloaded_tab_leaves_and_comes_anew', {}, async () => {
        const { one, two } = await callerAndCallee();
        await two.reload();
        await expectLeft(one, two);
        await two.ready();
        const again = await join(two);
        assert.deepEqual((await list(one)).sort(), [one.id, again].sort());
      });

      scenario('a_tab_that_goes_to_another_page_leaves_and_comes_back_by_itself', {}, async () => {
        const { one, two } = await callerAndCallee();
        await two.evaluate(() => {
          globalThis.mark = 'the same page';
        });
        await two.goto(`${site.url}/other.html`);
        await expectLeft(one, two);
        // A page in the cache must not get messages, or the browser throws it out.
        await one.evaluate(() => tab.sessions.me.session.publish('com.example.news', ['to whom?']));
        await two.back();
        await two.until('the tab is back', () => location.pathname === '/tab.html');
        await two.ready();
        assert.equal(await two.evaluate(() => globalThis.mark === 'the same page'), able.keepsPages);
        if (able.keepsPages) await expectBack(one, two);
        else {
          const again = await join(two);
          assert.deepEqual((await list(one)).sort(), [one.id, again].sort());
        }
      });

      scenario(
        'a_frozen_tab_leaves_and_comes_back_by_itself',
        { skip: !able.freezes && 'it freezes no pages' },
        async () => {
          const { one, two } = await callerAndCallee();
          await freeze(two, 'frozen');
          await expectLeft(one, two);
          await freeze(two, 'active');
          await expectBack(one, two);
        },
      );

      scenario('a_hidden_tab_stays_and_answers', {}, async () => {
        const one = await open();
        const two = await open('window');
        await two.evaluate(async () => {
          await tab.sessions.me.session.register('com.example.add', ([a, b]) => a + b);
        });
        await two.hide();
        assert.equal(await two.evaluate(() => document.visibilityState), 'hidden');
        // More of them, one after the other, than a timer of a hidden page would fire while the test waits.
        const sum = await one.evaluate(async () => {
          let total = 0;
          for (let n = 0; n < 200; n += 1) total = await tab.sessions.me.session.call('com.example.add', [total, 1]);
          return total;
        });
        assert.equal(sum, 200);
        assert.deepEqual((await list(one)).sort(), [one.id, two.id].sort());
      });

      // The one that leads, or in whose process Chromium runs the SharedWorker.
      for (const [how, { end, skip }] of Object.entries(ENDS)) {
        scenario(`the_tab_that_came_first_is_${how}_and_the_others_find_each_other`, { skip }, async () => {
          const first = await open();
          const [one, two] = [await open(), await open()];
          await end(first);
          for (const page of [one, two]) {
            await page.until(
              'the others are there and the first one is not',
              async (gone) => {
                const ids = await tab.sessions.me.session.call('wamp.session.list');
                return ids.length === 2 && !ids.includes(gone);
              },
              first.id,
            );
          }
          await two.evaluate(() => tab.follow('me', 'com.example.news'));
          await one.evaluate(async () => {
            await tab.sessions.me.session.publish('com.example.news', ['hello'], {}, { acknowledge: true });
          });
          await two.until('the event comes', () => tab.sessions.me.events.length > 0);
        });
      }

      scenario(
        'a_session_of_the_small_client_leaves_with_its_frozen_tab_and_comes_back',
        { skip: !able.freezes && 'it freezes no pages' },
        async () => {
          const one = await open();
          const two = await browser.open(`${site.url}/tab.html`);
          await two.evaluate(
            async (given) => {
              const { connect } = await import('/pkg/client.js');
              const router = await tab.wamplet.sharedRouter(given);
              globalThis.session = await connect({ realm: 'realm1', router, reconnect: true });
              // An event of the app's own.
              document.body.dispatchEvent(new Event('freeze', { bubbles: true }));
            },
            { name, mode, config },
          );
          const before = await two.evaluate(() => session.id);
          assert.ok((await list(one)).includes(before));
          await freeze(two, 'frozen');
          await until('the session leaves', async () => (await list(one)).length === 1);
          await freeze(two, 'active');
          await until('the session comes back', async () => (await list(one)).length === 2);
          assert.ok(!(await list(one)).includes(before));
        },
      );

      scenario(
        'a_page_that_is_prerendered_reaches_the_router_when_it_is_opened',
        { skip: !able.prerenders && 'it prerenders no pages' },
        async () => {
          const one = await open();
          await one.evaluate(() => tab.follow('me', 'com.example.prepared'));
          const two = await browser.open(`${site.url}/tab.html`);
          const address = `/prepared.html?${encodeURIComponent(JSON.stringify({ name, mode, config, timeout: 1000 }))}`;
          await two.evaluate(async (url) => {
            const rules = document.createElement('script');
            rules.type = 'speculationrules';
            rules.textContent = JSON.stringify({ prerender: [{ urls: [url], eagerness: 'immediate' }] });
            document.head.append(rules);
            // Longer than it waits for the router, and for a lock.
            await new Promise((resolve) => setTimeout(resolve, 3000));
            location.href = url;
          }, address);
          // WebDriver loses the window then: what becomes of it is seen by the other tab.
          const heard = await one.until('the page is heard', () =>
            tab.sessions.me.events.find(({ topic }) => topic === 'com.example.prepared'),
          );
          assert.deepEqual(heard.args, [true]);
          assert.equal((await list(one)).length, 2);
        },
      );

      scenario('a_missing_script_of_the_worker_is_told_as_that_and_not_waited_for', {}, async () => {
        const page = await browser.open(`${site.url}/tab.html`);
        const message = await page.evaluate(
          (options) => tab.wamplet.sharedRouter(options).catch((error) => error.message),
          { name, mode, workerUrl: '/missing.js' },
        );
        assert.match(message, /missing\.js could not be loaded/);
      });

      for (const extendedLifetime of [false, true]) {
        const isKept = extendedLifetime && able.extendsLifetimes && mode === 'shared-worker';
        const outcome = isKept ? 'finds_its_router_again' : 'has_a_new_router';
        scenario(`a_lone_tab_that_is_reloaded_with_extendedLifetime_${extendedLifetime}_${outcome}`, {}, async () => {
          const page = await browser.open(`${site.url}/tab.html`);
          await join(page, { extendedLifetime });
          const epoch = await page.evaluate(() => router.epoch);
          await page.reload();
          await page.ready();
          const again = await join(page, { extendedLifetime });
          assert.equal((await page.evaluate(() => router.epoch)) === epoch, isKept);
          assert.deepEqual(await list(page), [again]);
        });
      }
    });
  }
}
