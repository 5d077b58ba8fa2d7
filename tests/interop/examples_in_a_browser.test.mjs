// The same examples without a server: their configurations in the router that tabs share, their pages as they are.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { root } from '../../scripts/steps.mjs';
import { eventOf, openBrowser } from '../fixtures/browser.mjs';
import { until } from '../fixtures/wait.mjs';

const read = (path) => readFileSync(join(root, 'examples', path), 'utf8');
const configOf = (example) => JSON.parse(read(`${example}/.crossbar/config.json`));

/** In a browser every tab is anonymous: a tab can be the monitor where that role may do what the monitor may. */
function withMonitorAsTab(config) {
  const [{ roles }] = config.workers[0].realms;
  const [anonymous, monitor] = roles;
  anonymous.permissions.push(...monitor.permissions);
  return config;
}

const monitored = withMonitorAsTab(configOf('session-monitor'));

/** The page of an example behind lines of ours: its WebSocket ends at the shared router. */
const pageOf = (example, config) => ({
  body: `<script src="/pkg/wamplet.global.js"></script>
<script>
  wamplet.installWebSocket({
    match: 'ws://127.0.0.1:8080/ws',
    router: wamplet.sharedRouter({ config: ${JSON.stringify(config)} }),
  });
</script>
${read(`${example}/web/index.html`)}`,
});

const autobahn = { file: 'node_modules/autobahn-browser/autobahn.min.js' };
let browser;
let profile;

before(async () => {
  browser = await openBrowser({
    '/session-monitor/index.html': pageOf('session-monitor', monitored),
    '/session-monitor/autobahn/autobahn.min.js': autobahn,
    '/metaapi/index.html': pageOf('metaapi', configOf('metaapi')),
    '/metaapi/autobahn/autobahn.min.js': autobahn,
    '/metaapi/sessions.js': { file: 'examples/metaapi/web/sessions.js' },
  });
});
after(() => browser.close());
beforeEach(async () => {
  profile = await browser.profile();
});
afterEach(() => profile.context.close());

/** A tab with a session `me` in the router that has this configuration. */
async function joinedTab(config) {
  const page = await profile.tab();
  const id = await page.evaluate(
    (shared) => tab.join('me', { router: tab.wamplet.sharedRouter({ config: shared }) }),
    config,
  );
  return { page, id };
}

test('the_configuration_of_the_session_monitor_keeps_its_events_from_ordinary_tabs', async () => {
  const { page } = await joinedTab(configOf('session-monitor'));
  const refused = await page.evaluate(() =>
    tab.follow('me', 'wamp.metaevent.session.on_join').then(
      () => 'granted',
      ({ error }) => error,
    ),
  );
  assert.equal(refused, 'wamp.error.not_authorized');
  await page.evaluate(() => tab.follow('me', 'com.example.news'));
});

test('a_tab_as_session_monitor_sees_the_page_of_the_example_come_and_go', async () => {
  const monitor = await joinedTab(monitored);
  await monitor.page.evaluate(async () => {
    for (const event of ['on_join', 'on_leave']) await tab.follow('me', `wamp.metaevent.session.${event}`);
  });
  const page = await profile.tab('/session-monitor/index.html');
  const connected = page.getByText('Connected as session');
  await connected.waitFor();
  const id = Number(/\d+/.exec(await connected.textContent())[0]);
  const [joined] = await eventOf(monitor.page, 'me', 'wamp.metaevent.session.on_join');
  assert.deepEqual([joined.session, joined.realm, joined.authrole], [id, 'realm1', 'anonymous']);
  await page.close();
  const [left] = await eventOf(monitor.page, 'me', 'wamp.metaevent.session.on_leave');
  assert.equal(left.session, id);
});

test('the_pages_of_metaapi_list_both_tabs_and_one_kills_the_other', async () => {
  const one = await profile.tab('/metaapi/index.html');
  await one.getByText(/one of 1$/).waitFor();
  const two = await profile.tab('/metaapi/index.html');
  await two.getByText(/one of 2$/).waitFor();
  await one.getByText(/one of 2$/).waitFor();
  const [id] = /\d+/.exec(await two.locator('#state').textContent());
  await one.locator('li', { hasText: id }).getByRole('button', { name: 'Kill' }).click();
  await two.getByText('Gone: because I was told to').waitFor();
  await one.getByText(/one of 1$/).waitFor();
});

test('a_tab_as_monitor_gets_the_statistics_of_another_tab', async () => {
  const monitor = await joinedTab(configOf('statistics'));
  await monitor.page.evaluate(async () => {
    for (const event of ['on_join', 'on_stats', 'on_leave']) await tab.follow('me', `wamp.session.${event}`);
  });
  const client = await joinedTab(configOf('statistics'));
  await client.page.evaluate(async () => {
    const { session, connection } = tab.sessions.me;
    for (let number = 0; number < 12; number += 1) {
      await session.publish('com.example.tick', [number], {}, { acknowledge: true });
    }
    connection.close();
  });
  const events = await until('the last statistics', () =>
    monitor.page.evaluate(() => {
      const { events } = tab.sessions.me;
      return events.some(({ args }) => args[1]?.last) ? events : undefined;
    }),
  );
  const [joined, ...rest] = events.map(({ topic, args }) => ({ topic, args }));
  assert.equal(joined.topic, 'wamp.session.on_join');
  const left = rest.at(-2);
  assert.deepEqual(left, { topic: 'wamp.session.on_leave', args: [client.id] });
  const stats = rest.filter(({ topic }) => topic === 'wamp.session.on_stats').map(({ args }) => args);
  assert.ok(stats.length >= 4, `${stats.length} statistics`);
  stats.forEach(([session, figures], index) => {
    const { authid } = joined.args[0];
    assert.deepEqual(session, { realm: 'realm1', session: client.id, authid, authrole: 'anonymous' });
    const { bytes, cycle, duration, first, last, messages, rated_messages, serializer, timestamp } = figures;
    assert.deepEqual([cycle, first, last], [index + 1, index === 0, index === stats.length - 1]);
    assert.equal(serializer, 'json');
    assert.ok(messages > 0 && rated_messages >= messages && bytes > messages);
    assert.ok(duration >= 0 && timestamp > 0);
  });
});
