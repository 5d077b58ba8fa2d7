// Autobahn|JS, the npm package as it is, joined to a router in this Node process.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createRouter } from 'wamplet';
import { joinAutobahn } from '../fixtures/clients.mjs';
import { inbox, within } from '../fixtures/wait.mjs';

let router;

beforeEach(async () => {
  router = await createRouter();
});
afterEach(() => router.close());

test('a_session_calls_a_procedure_of_another_one', async () => {
  const callee = await joinAutobahn(router);
  const caller = await joinAutobahn(router);
  await callee.session.register('com.example.add', ([a, b], kwargs) => a + b + (kwargs.c ?? 0));

  assert.equal(await caller.session.call('com.example.add', [2, 3]), 5);
  assert.equal(await caller.session.call('com.example.add', [2, 3], { c: 4 }), 9);
});

test('an_error_of_a_callee_reaches_its_caller_with_arguments', async () => {
  const callee = await joinAutobahn(router);
  const caller = await joinAutobahn(router);
  const { default: autobahn } = await import('autobahn');
  await callee.session.register('com.example.fail', () => {
    throw new autobahn.Error('com.example.error', ['why'], { code: 7 });
  });

  await assert.rejects(
    async () => caller.session.call('com.example.fail'),
    (error) => {
      assert.deepEqual([error.error, error.args, error.kwargs], ['com.example.error', ['why'], { code: 7 }]);
      return true;
    },
  );
});

test('progressive_results_arrive_in_order_before_the_result', async () => {
  const callee = await joinAutobahn(router);
  const caller = await joinAutobahn(router);
  await callee.session.register('com.example.count', ([to], _kwargs, { progress }) => {
    for (let number = 1; number <= to; number += 1) progress([number]);
    return 'done';
  });

  const seen = [];
  const result = new Promise((resolve, reject) => {
    caller.session
      .call('com.example.count', [5], {}, { receive_progress: true })
      .then(resolve, reject, (progress) => seen.push(progress));
  });
  assert.equal(await within('the result', result), 'done');
  assert.deepEqual(seen, [1, 2, 3, 4, 5]);
});

test('an_event_reaches_other_subscribers_and_not_its_publisher', async () => {
  const [publisher, subscriber] = [await joinAutobahn(router), await joinAutobahn(router)];
  const [own, events] = [inbox('own event'), inbox('an event')];
  await publisher.session.subscribe('com.example.news', (...event) => own.push(event));
  await subscriber.session.subscribe('com.example.news', (args, kwargs) => events.push([args, kwargs]));

  const publication = await publisher.session.publish('com.example.news', ['a', 1], { k: null }, { acknowledge: true });
  assert.equal(typeof publication.id, 'number');
  assert.deepEqual(await events.next(), [['a', 1], { k: null }]);
  assert.equal(own.waiting, 0);
});

test('joining_and_leaving_sessions_are_announced', async () => {
  const monitor = await joinAutobahn(router);
  const [joined, left] = [inbox('on_join'), inbox('on_leave')];
  await monitor.session.subscribe('wamp.session.on_join', ([details]) => joined.push(details));
  await monitor.session.subscribe('wamp.session.on_leave', (args) => left.push(args));

  const guest = await joinAutobahn(router);
  const details = await joined.next();
  assert.equal(details.session, guest.session.id);
  assert.equal(details.authrole, 'anonymous');
  assert.equal(details.transport.type, 'messageport');
  assert.equal(details.transport.protocol, 'wamp.2.json');

  const { id } = guest.session;
  guest.connection.close();
  assert.deepEqual(await left.next(), [id]);
});

test('the_old_names_of_the_session_events_carry_the_details_both_times', async () => {
  const monitor = await joinAutobahn(router);
  const [joined, left] = [inbox('on_join'), inbox('on_leave')];
  await monitor.session.subscribe('wamp.metaevent.session.on_join', ([details]) => joined.push(details));
  await monitor.session.subscribe('wamp.metaevent.session.on_leave', ([details]) => left.push(details));

  const guest = await joinAutobahn(router);
  const { id } = guest.session;
  guest.connection.close();
  assert.equal((await joined.next()).session, id);
  assert.equal((await left.next()).session, id);
});

test('sessions_are_counted_listed_and_described', async () => {
  const one = await joinAutobahn(router);
  const two = await joinAutobahn(router);
  await joinAutobahn(router, 'another.realm');

  assert.equal(await one.session.call('wamp.session.count'), 2);
  const ids = [one.session.id, two.session.id].sort();
  assert.deepEqual((await one.session.call('wamp.session.list')).sort(), ids);
  const details = await one.session.call('wamp.session.get', [two.session.id]);
  assert.equal(details.session, two.session.id);
  assert.equal(details.realm, 'realm1');
  await assert.rejects(
    async () => one.session.call('wamp.session.get', [1]),
    (error) => error.error === 'wamp.error.no_such_session',
  );
});

test('a_killed_session_learns_the_reason_and_the_message', async () => {
  const killer = await joinAutobahn(router);
  const victim = await joinAutobahn(router);

  await killer.session.call('wamp.session.kill', [victim.session.id], { reason: 'com.example.tired', message: 'bye' });
  const { reason, details } = await victim.closed.next();
  assert.equal(reason, 'closed');
  assert.equal(details.reason, 'com.example.tired');
  assert.equal(details.message, 'bye');
  assert.equal(await killer.session.call('wamp.session.count'), 1);
});

test('arguments_follow_the_rules_of_JSON', async () => {
  const callee = await joinAutobahn(router);
  const caller = await joinAutobahn(router);
  await callee.session.register('com.example.echo', (args, kwargs) => ({ args, kwargs }));

  const proxy = new Proxy({ p: 1 }, {});
  const args = [
    undefined,
    Number.NaN,
    new Date(0),
    proxy,
    () => {},
    { gone: undefined, toJSON: undefined, kept: null },
  ];
  const { args: seen, kwargs } = await caller.session.call('com.example.echo', args, {
    n: undefined,
    text: 'ü\n"\u2028',
  });
  assert.deepEqual(seen, JSON.parse(JSON.stringify(args)));
  assert.deepEqual(kwargs, { text: 'ü\n"\u2028' });
});

test('what_an_app_awaits_goes_on_before_the_next_message_of_the_same_batch', async () => {
  // A hand-made router end, to be sure of what is in one batch: a RESULT and, right behind it, an EVENT.
  const { port1, port2 } = new MessageChannel();
  port1.on('message', (data) => {
    if (!Array.isArray(data)) return port1.postMessage({ open: 'epoch' });
    const roles = '{"broker":{"features":{}},"dealer":{"features":{}}}';
    if (data[0].startsWith('[1,')) port1.postMessage([`[2,7,{"roles":${roles}}`, '']);
    else if (data[0].startsWith('[32,')) port1.postMessage(['[33,1,9', '']);
    else if (data[0].startsWith('[48,')) port1.postMessage(['[50,2,{},', '["job 1"]', '[36,9,1,{},', '["half"]']);
  });
  const { session } = await joinAutobahn(port2);

  let job;
  const seen = inbox('the event');
  await session.subscribe('com.example.progress', () => seen.push(job));
  const start = async () => {
    const result = await session.call('com.example.start');
    job = result;
  };
  await within('the result', start());
  assert.equal(await seen.next(), 'job 1');
  port1.close();
});

test('a_call_times_out_by_the_clock_of_the_router', async () => {
  const callee = await joinAutobahn(router);
  const caller = await joinAutobahn(router);
  await callee.session.register('com.example.never', () => new Promise(() => {}));
  await assert.rejects(
    async () => within('the timeout', caller.session.call('com.example.never', [], {}, { timeout: 50 })),
    (error) => error.error === 'wamp.error.timeout',
  );
});

test('a_realm_of_the_configuration_is_the_only_one_to_join', async (t) => {
  const strict = await createRouter({ realms: [{ name: 'realm1', roles: [{ name: 'anonymous', permissions: [] }] }] });
  t.after(() => strict.close());
  const { session } = await joinAutobahn(strict);
  await assert.rejects(
    async () => session.call('com.example.add'),
    (error) => error.error === 'wamp.error.not_authorized',
  );
  await assert.rejects(joinAutobahn(strict, 'realm2'), /no_such_realm/);
});

test('a_wrong_configuration_is_refused_with_the_place_of_the_mistake', async () => {
  await assert.rejects(createRouter({ realms: [{ name: 'realm1', rolls: [] }] }), /realms\[0\].*rolls/s);
});

test('equal_seeds_give_equal_session_ids', async (t) => {
  const ids = [];
  for (const fill of [7, 7, 8]) {
    const seeded = await createRouter(undefined, { seed: new Uint8Array(32).fill(fill) });
    t.after(() => seeded.close());
    ids.push((await joinAutobahn(seeded)).session.id);
  }
  assert.equal(ids[0], ids[1]);
  assert.notEqual(ids[0], ids[2]);
});
