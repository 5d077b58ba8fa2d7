// Session statistics as the documentation of Crossbar.io shows them: a monitor in one tab, a client in another.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/steps.mjs';
import { inEachMode, profile } from '../fixtures/browser.mjs';

/** The node of the statistics example. Its monitor is in a container, for which there is a tab here. */
const config = JSON.parse(readFileSync(join(root, 'tests/configs/node/good/statistics.json'), 'utf8'));
const TOPICS = ['wamp.session.on_join', 'wamp.session.on_stats', 'wamp.session.on_leave'];

const test = inEachMode();

const joinAs = async (page, name) =>
  page.evaluate(
    async ([node, session]) => {
      const router = await tab.wamplet.sharedRouter({ config: node });
      return tab.join(session, { router });
    },
    [config, name],
  );

test('a_tab_that_monitors_sees_the_statistics_of_another_tab_from_its_first_message_to_its_last', async () => {
  const [monitor, client] = [await profile.tab(), await profile.tab()];
  await joinAs(monitor, 'monitor');
  await monitor.evaluate(async (topics) => {
    for (const topic of topics) await tab.follow('monitor', topic);
  }, TOPICS);
  const id = await joinAs(client, 'client');
  // Ten rated messages make an event; nobody else is there to be counted.
  const authid = await client.evaluate(async () => {
    const { session, details } = tab.sessions.client;
    await session.register('com.example.add', ([a, b]) => a + b);
    for (let round = 0; round < 4; round += 1) await session.call('com.example.add', [round, 1]);
    return details.authid;
  });
  await client.close();
  await monitor.waitForFunction(() => tab.sessions.monitor.events.some(({ args }) => args[1]?.last));

  const events = await monitor.evaluate(
    (wanted) =>
      tab.sessions.monitor.events
        .filter(({ args: [who] }) => wanted === (who?.session ?? who))
        .map(({ topic, args, kwargs }) => ({ topic, args, kwargs })),
    id,
  );
  const [joined, left] = ['on_join', 'on_leave'].map((name) => `wamp.session.${name}`);
  const stats = events.filter(({ topic }) => topic === 'wamp.session.on_stats');
  assert.deepEqual([events[0].topic, events.at(-2).topic], [joined, left]);
  assert.deepEqual(events.at(-2).args, [id]);

  // REGISTER and its answer, then CALL, INVOCATION, YIELD and RESULT four times: 18 rated messages.
  const numbers = stats.map(({ args: [, told] }) => told);
  assert.deepEqual(
    numbers.map(({ cycle, first, last }) => [cycle, first, last]),
    [
      [1, true, false],
      [2, false, false],
      [3, false, true],
    ],
  );
  assert.deepEqual(
    numbers.map(({ messages }) => messages),
    [2, 10, 8],
  );
  for (const { args, kwargs } of stats) {
    assert.equal(args.length, 2);
    assert.deepEqual(kwargs ?? {}, {});
    const [session, told] = args;
    assert.deepEqual(session, { authid, authrole: 'anonymous', realm: 'realm1', session: id });
    const fields = 'bytes cycle duration first last messages rated_messages serializer timestamp'.split(' ');
    assert.deepEqual(Object.keys(told).sort(), fields);
    assert.equal(told.serializer, 'json');
    assert.ok(told.bytes >= 10 * told.messages && told.rated_messages >= told.messages, JSON.stringify(told));
    assert.ok(told.duration >= 0 && told.timestamp > 1.7e18, JSON.stringify(told));
  }
  // HELLO and WELCOME are longer than the 256 bytes of a rated message.
  assert.ok(numbers[0].rated_messages > 2, JSON.stringify(numbers[0]));
});
