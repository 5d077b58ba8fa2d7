// Components of a configuration in a browser: modules in a worker, functions in a page.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/steps.mjs';
import { eventOf, inEachMode, mode, profile } from '../fixtures/browser.mjs';
import { until } from '../fixtures/wait.mjs';

/** The session monitor of the documentation of Crossbar.io. */
const config = JSON.parse(readFileSync(join(root, 'tests/configs/good/session-monitor.json'), 'utf8'));
// Ours publishes what it sees, where theirs prints.
config.workers[0].realms[0].roles[1].permissions.push({ uri: 'com.example.seen', publish: true });
config.workers[0].components[0].extra = { topic: 'com.example.seen' };

const test = inEachMode({
  '/monitor.js': { file: 'tests/fixtures/monitor.js' },
  '/broken.js': { body: 'export const notTheDefault = 1;' },
  '/talking.js': {
    body: `export default (port, { realm }) => {
      const circle = {};
      circle.circle = circle;
      console.log('in', { realm }, [1, null], undefined);
      console.info(circle, new Error('of nothing'));
    };`,
  },
  '/failing-later.js': {
    body: `export default () => {
      setTimeout(() => {
        throw new TypeError('in a handler');
      });
      Promise.reject(new RangeError('in a promise'));
    };`,
  },
});

/** A tab whose session `me` has joined the shared router, which has the monitor for a component. */
async function tabWithMonitor() {
  const page = await profile.tab();
  await page.evaluate(async (node) => {
    const components = { 'monitor.MySessionMonitor': 'monitor.js' };
    globalThis.router = await tab.wamplet.sharedRouter({ config: node, components });
    await tab.join('me', { router });
    await tab.follow('me', 'com.example.seen');
  }, config);
  return page;
}

test('a_module_is_a_component_of_the_router_in_a_worker_and_has_its_role', async () => {
  const [page, other] = [await tabWithMonitor(), await profile.tab()];
  await page.waitForFunction(async () => (await router.inspect()).realms[0].subscriptions.length === 3);
  const id = await other.evaluate(async (node) => {
    const router = await tab.wamplet.sharedRouter({ config: node });
    return tab.join('another', { router });
  }, config);
  const [where, session, authrole] = await eventOf(page, 'me', 'com.example.seen');
  const scope = mode === 'leader' ? 'DedicatedWorkerGlobalScope' : 'SharedWorkerGlobalScope';
  assert.deepEqual([where, session, authrole], [scope, id, 'monitor']);

  const refused = await page.evaluate(() =>
    Promise.resolve(tab.sessions.me.session.subscribe('wamp.metaevent.session.on_join', () => {})).catch(
      ({ error }) => error,
    ),
  );
  assert.equal(refused, 'wamp.error.not_authorized');
});

test('a_component_in_a_worker_outlives_the_tab_that_brought_it_or_is_started_anew', async () => {
  const [page, other] = [await tabWithMonitor(), await tabWithMonitor()];
  await page.waitForFunction(async () => (await router.inspect()).realms[0].subscriptions.length === 3);
  const { sessions } = (await other.evaluate(() => router.inspect())).realms[0];
  assert.equal(sessions.filter(({ authmethod }) => authmethod === 'component').length, 1);
  await page.close();
  if (mode === 'leader') await other.waitForFunction(() => tab.sessions.me.ids.length === 2);
  else await other.waitForFunction(() => tab.sessions.me.events.some(({ args }) => args[0] === 'left'));
  const roles = async () => {
    const { realms } = await other.evaluate(() => router.inspect());
    return realms[0].sessions.map(({ authrole }) => authrole).sort();
  };
  await until('the monitor is there', async () => (await roles()).includes('monitor'));
  assert.deepEqual(await roles(), ['anonymous', 'monitor']);
});

test('a_component_that_cannot_start_is_told_to_the_tabs_and_the_router_runs', async () => {
  const page = await profile.tab();
  const texts = await page.evaluate(async (node) => {
    const twice = structuredClone(node);
    const { components } = twice.workers[0];
    components.push(
      { ...components[0], classname: 'monitor.Missing' },
      { ...components[0], classname: 'monitor.None' },
    );
    const modules = { 'monitor.MySessionMonitor': '/broken.js', 'monitor.Missing': '/missing.js' };
    const router = await tab.wamplet.sharedRouter({ config: twice, components: modules });
    const heard = [];
    const done = new Promise((resolve) => {
      router.addEventListener('log', ({ detail }) => {
        if (heard.push(`${detail.level} ${detail.text}`) === 5) resolve();
      });
    });
    await Promise.all([done, tab.join('me', { router })]);
    return heard.filter((text) => text.includes('monitor.')).sort();
  }, config);
  assert.equal(texts.length, 3, texts.join('\n'));
  assert.match(texts[0], /^error .*"monitor\.Missing" failed: .*\/missing\.js/);
  assert.match(
    texts[1],
    /^error .*"monitor\.MySessionMonitor" failed: expected http.*\/broken\.js to export a function/,
  );
  assert.match(texts[2], /^warn .*components\[2\]: nothing runs "monitor\.None"/);
});

test('what_a_component_in_a_worker_logs_is_told_to_the_tabs_with_the_objects_in_it', async () => {
  const page = await profile.tab();
  const texts = await page.evaluate(async (node) => {
    const components = { 'monitor.MySessionMonitor': 'talking.js' };
    const router = await tab.wamplet.sharedRouter({ config: node, components });
    const heard = [];
    return new Promise((resolve) => {
      router.addEventListener('log', ({ detail: { level, text } }) => {
        if (level === 'info' && heard.push(text) === 2) resolve(heard);
      });
    });
  }, config);
  assert.deepEqual(texts, ['in {"realm":"realm1"} [1,null] undefined', '[object Object] Error: of nothing']);
});

test('what_the_router_warns_of_is_told_to_the_tabs_without_the_name_that_their_consoles_put_before_it', async () => {
  const page = await profile.tab();
  const said = [];
  page.on('console', (message) => said.push(message.text()));
  await page.evaluate(async (node) => {
    await tab.wamplet.sharedRouter({ config: node, components: { 'monitor.MySessionMonitor': '/monitor.js' } });
  }, config);
  const warning = await until('the warning', () => said.find((text) => text.includes('no listeners')));
  assert.match(warning, /^wamplet router: workers\[0\]\.transports: /);
});

test('what_nobody_catches_in_a_component_is_told_to_a_tab', async () => {
  const page = await profile.tab();
  const told = [];
  page.on('pageerror', ({ message }) => told.push(message));
  page.on('console', (message) => message.type() === 'error' && told.push(message.text()));
  await page.evaluate(async (node) => {
    const components = { 'monitor.MySessionMonitor': 'failing-later.js' };
    await tab.wamplet.sharedRouter({ config: node, components });
  }, config);
  for (const what of [/in a handler/, /in a promise/]) {
    await until(`the tab says ${what}`, () => told.some((text) => what.test(text)));
  }
});

test('a_function_cannot_be_a_component_in_a_worker_and_its_tab_is_told_so', async () => {
  const page = await profile.tab();
  const [name, message] = await page.evaluate(() =>
    tab.wamplet.sharedRouter({ components: { 'a.B': () => {} } }).catch((error) => [error.name, error.message]),
  );
  assert.equal(name, 'TypeError');
  assert.match(message, /^options\.components\["a\.B"\]: expected the address of a module, found a function/);
});

test('a_registry_that_is_null_is_as_good_as_none', async () => {
  const page = await profile.tab();
  const said = await page.evaluate(async () => {
    const router = await tab.wamplet.sharedRouter({ components: null, deciders: null });
    return Object.keys(await router.inspect());
  });
  assert.deepEqual(said, ['transports', 'realms']);
});

test('a_component_that_is_wrong_is_an_error_for_every_tab', async () => {
  const page = await profile.tab();
  const message = await page.evaluate((node) => {
    node.workers[0].components[0].role = 'monitr';
    return tab.wamplet.sharedRouter({ config: node }).catch((error) => error.message);
  }, structuredClone(config));
  const expected = 'workers[0].components[0].role: expected a role of realm "realm1" ("anonymous", "monitor")';
  assert.equal(message, `${expected}, found "monitr"`);
});

for (const how of ['function', 'module']) {
  test(`a_router_in_a_page_runs_a_${how}_as_a_component`, async () => {
    const page = await profile.tab();
    const id = await page.evaluate(
      async ([node, wanted]) => {
        const run = async (port, { realm, extra }) => {
          await tab.join('monitor', { router: port, realm });
          const { session, connection } = tab.sessions.monitor;
          await session.subscribe('wamp.metaevent.session.on_join', ([{ session: joined }]) =>
            session.publish(extra.topic, [self.constructor.name, joined, tab.sessions.monitor.details.authrole]),
          );
          return () => connection.close();
        };
        const components = { 'monitor.MySessionMonitor': wanted === 'function' ? run : 'monitor.js' };
        globalThis.router = await tab.wamplet.sharedRouter({ mode: 'page', config: node, components });
        await tab.join('me', { router });
        await tab.follow('me', 'com.example.seen');
        while ((await router.inspect()).realms[0].subscriptions.length < 2)
          await new Promise((turn) => setTimeout(turn));
        return tab.join('another', { router });
      },
      [config, how],
    );
    await page.waitForFunction((joined) => tab.sessions.me.events.some(({ args }) => args[1] === joined), id);
    const seen = await page.evaluate(() => tab.sessions.me.events.at(-1).args);
    assert.deepEqual(seen, ['Window', id, 'monitor']);
    await page.evaluate(() => router.close());
    await page.waitForFunction(() => tab.sessions.me.closed.length === 1);
  });
}
