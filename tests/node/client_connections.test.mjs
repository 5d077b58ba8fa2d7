// How connections of the small client begin, end and come back, over ports to routers in this process.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';
import { createRouter } from 'wamplet';
import { ClosedError, connect, WampError } from 'wamplet/client';
import { root, run } from '../../scripts/steps.mjs';
import { inbox, until, within } from '../fixtures/wait.mjs';

const LOST = 'wamplet.error.connection_lost';

let router;

beforeEach(async () => {
  router = await createRouter();
});
afterEach(() => router.close());

/** A port to the router, a way to break it, and what was posted over it. */
function breakablePort(to = router) {
  const { port1, port2 } = new MessageChannel();
  const detach = to.attach(port1);
  const posted = [];
  const post = port2.postMessage.bind(port2);
  port2.postMessage = (message, moved) => {
    posted.push(structuredClone(message));
    post(message, moved);
  };
  return { port: port2, posted, detach, cut: () => port1.close() };
}

/** One of everything that can wait. */
function waitingWork(session) {
  const stream = session.stream('com.example.wait');
  return {
    call: session.call('com.example.wait'),
    result: stream.result,
    iteration: stream[Symbol.asyncIterator]().next(),
    subscribe: session.subscribe('com.example.topic', () => {}),
    register: session.register('com.example.other', () => {}),
    publish: session.publish('com.example.topic', [], {}, { acknowledge: true }),
  };
}

async function assertAllRejected(work, uri) {
  for (const [name, promise] of Object.entries(work)) {
    await assert.rejects(within(`${name} rejects`, promise), (error) => {
      assert.ok(error instanceof ClosedError, `${name}: ${error}`);
      assert.equal(error.uri, uri, name);
      return true;
    });
  }
}

const ends = {
  the_router_is_closed: ['wamp.close.system_shutdown', () => router.close()],
  the_port_is_detached: [LOST, ({ detach }) => detach()],
  the_port_is_cut: [LOST, ({ cut }) => cut()],
};

for (const [name, [uri, end]] of Object.entries(ends)) {
  test(`all_that_waits_rejects_when_${name}`, async () => {
    const way = breakablePort();
    const session = await connect({ realm: 'realm1', port: way.port });
    const invoked = inbox('an invocation');
    await session.register('com.example.wait', () => {
      invoked.push(true);
      return new Promise(() => {});
    });
    const told = inbox('the event close');
    session.addEventListener('close', ({ detail }) => told.push(detail));
    const before = session.call('com.example.wait');
    await invoked.next();
    const work = { before, ...waitingWork(session) };
    for (const promise of Object.values(work)) promise.catch(() => {});
    await end(way);
    await assertAllRejected({ before: work.before, call: work.call, iteration: work.iteration }, uri);
    // What the router answered before it went may have come in time; nothing hangs.
    await within('all settles', Promise.allSettled(Object.values(work)));
    const { error, willReconnect } = await told.next();
    assert.deepEqual([error.uri, willReconnect, session.isOpen, told.waiting], [uri, false, false, 0]);
    await assert.rejects(session.call('com.example.wait'), (again) => again === error);
    await session.close();
  });
}

test('connecting_rejects_with_a_sentence_where_there_is_no_router', async () => {
  const closed = await createRouter();
  await closed.close();
  const { port1 } = new MessageChannel();
  const ways = [
    [{ router: closed }, /closed: create another one/],
    [{ router: Promise.reject(new Error('no such thing')) }, /no such thing/],
    [
      {
        router: () => {
          throw new Error('not today');
        },
      },
      /not today/,
    ],
    [{ router: () => undefined }, /expected a router/],
    [{ router: () => 'a text' }, /expected a router/],
    [{ router: {} }, /expected a router/],
    [{ port: null }, /expected a router/],
    [{ port: port1 }, /did not answer/],
    [
      { url: 'ws://127.0.0.1:1/ws', WebSocket: undefined },
      globalThis.WebSocket ? /was closed/ : /expected options.WebSocket/,
    ],
  ];
  for (const [way, message] of ways) {
    await assert.rejects(within('connecting rejects', connect({ realm: 'realm1', ...way })), { message });
  }
  port1.close();
});

test('a_uri_that_is_no_text_costs_its_request_and_not_the_session', async () => {
  const session = await connect({ realm: 'realm1', router });
  for (const uri of [undefined, null, 42, {}]) {
    const requests = [
      session.call(uri),
      session.stream(uri).result,
      session.register(uri, () => {}),
      session.subscribe(uri, () => {}),
      session.publish(uri),
    ];
    for (const request of requests) await assert.rejects(request, { name: 'TypeError', message: 'expected a URI' });
  }
  assert.equal(await session.call('wamp.session.count'), 1);
  await session.close();
});

test('what_is_aborted_when_a_session_ends_is_no_error_of_its_own', async () => {
  const way = breakablePort();
  const session = await connect({ realm: 'realm1', port: way.port });
  const other = await connect({ realm: 'realm1', router });
  const invoked = inbox('an invocation');
  await other.register('com.example.wait', () => {
    invoked.push(true);
    return new Promise(() => {});
  });
  // One call by an app that gives up with its session, one for a caller, and one whose pieces come from another call.
  const app = new AbortController();
  session.addEventListener('close', () => app.abort());
  await session.register('com.example.forward', (args, kwargs, { signal }) =>
    session.call('com.example.wait', args, kwargs, { signal }),
  );
  const pieces = async function* () {
    yield 1;
    yield await session.call('com.example.wait');
  };
  const calls = {
    byTheApp: session.call('com.example.wait', [], {}, { signal: app.signal }),
    inPieces: session.call('com.example.wait', pieces()),
  };
  const forwarded = other.call('com.example.forward');
  for (let waiting = 0; waiting < 4; waiting += 1) await invoked.next();
  const rejected = assert.rejects(forwarded, { uri: 'wamp.error.canceled' });
  way.cut();
  // Anything uncaught meanwhile fails this test.
  await Promise.all([assertAllRejected(calls, LOST), rejected]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(app.signal.aborted);
  await other.close();
});

test('a_signal_has_nothing_to_give_up_once_connecting_has_failed', async () => {
  const giveUp = new AbortController();
  const { signal } = giveUp;
  class WebSocket {
    constructor() {
      throw new SyntaxError('no such address');
    }
  }
  await assert.rejects(connect({ realm: 'realm1', url: 'ws:', WebSocket, signal }), { message: 'no such address' });
  giveUp.abort();
  // Anything uncaught meanwhile fails this test.
  await new Promise((resolve) => setTimeout(resolve, 20));
});

test('one_port_serves_one_session_after_the_other', async () => {
  const { port } = breakablePort();
  for (let round = 0; round < 3; round += 1) {
    const session = await connect({ realm: 'realm1', port });
    assert.deepEqual(await session.call('wamp.session.list'), [session.id]);
    await session.close();
  }
  port.close();
});

test('a_port_serves_the_next_session_when_nobody_waited_for_the_first', async () => {
  for (const pause of [() => {}, () => new Promise((resolve) => setTimeout(resolve, 20))]) {
    const way = breakablePort();
    const giveUp = new AbortController();
    const first = connect({ realm: 'realm1', port: way.port, signal: giveUp.signal });
    const rejected = assert.rejects(first, { name: 'AbortError' });
    // Turns of promises: the router has had no time to answer.
    for (let turn = 0; way.posted.length === 0; turn += 1) {
      assert.ok(turn < 1000, 'it never said hello');
      await undefined;
    }
    giveUp.abort();
    await rejected;
    await pause();
    const session = await connect({ realm: 'realm1', port: way.port });
    assert.deepEqual(await session.call('wamp.session.list'), [session.id]);
    assert.equal(router.inspect().transports, 1);
    await session.close();
    way.port.close();
  }
});

test('a_session_that_is_over_leaves_no_listeners_at_signals_that_live_on', async () => {
  const { signal } = new AbortController();
  const way = breakablePort();
  const other = await connect({ realm: 'realm1', router });
  for (const [to, end] of [
    [{ router }, (session) => session.close()],
    [{ router }, ({ id }) => other.call('wamp.session.kill', [id])],
    [{ port: way.port }, way.cut],
  ]) {
    const session = await connect({ realm: 'realm1', ...to, signal });
    const told = inbox('the event close');
    session.addEventListener('close', () => told.push(true));
    await session.subscribe('com.example.topic', () => {}, { signal });
    await session.register('com.example.echo', () => {}, { signal });
    await session.call('com.example.echo', [], {}, { signal });
    end(session);
    await told.next();
    await assert.rejects(
      session.subscribe('com.example.topic', () => {}, { signal }),
      ClosedError,
    );
    await assert.rejects(session.call('com.example.echo', [], {}, { signal }), ClosedError);
    assert.deepEqual(getEventListeners(signal, 'abort'), []);
  }
  await other.close();
});

test('what_the_router_takes_away_leaves_no_listeners_at_signals_that_live_on', async () => {
  const { signal } = new AbortController();
  const { port, posted } = breakablePort();
  const session = await connect({ realm: 'realm1', port });
  const other = await connect({ realm: 'realm1', router });
  const told = inbox('the event revoked');
  session.addEventListener('revoked', ({ detail }) => told.push(detail.uri));
  for (let round = 0; round < 2; round += 1) {
    await session.register('com.example.echo', () => 'mine', { signal });
    await other.register('com.example.echo', () => 'theirs', { force_reregister: true });
    assert.equal(await told.next(), 'com.example.echo');
    await session.subscribe('com.example.topic', () => {}, { signal });
    await session.subscribe('com.example.topic', () => {}, { signal });
    const subscription = await session.call('wamp.subscription.lookup', ['com.example.topic']);
    await other.call('wamp.subscription.remove_subscriber', [subscription, session.id]);
    assert.equal(await told.next(), 'com.example.topic');
    assert.deepEqual(getEventListeners(signal, 'abort'), []);
    await session.call('com.example.echo', []);
    const registration = await other.call('wamp.registration.lookup', ['com.example.echo']);
    await other.call('wamp.registration.remove_callee', [registration, other.id]);
  }
  const givenBack = posted.flat().filter((part) => /^\[(34|66),/.test(part));
  assert.deepEqual(givenBack, [], 'nothing is given back that was taken away');
  await Promise.all([session.close(), other.close()]);
});

test('a_port_with_an_identity_needs_no_realm', async () => {
  const port = router.createPort({}, { authrole: 'anonymous', realm: 'fixed', authid: 'guest' });
  const session = await connect({ port });
  const { realm, authid, authrole } = session.details;
  assert.deepEqual([realm, authid, authrole], ['fixed', 'guest', 'anonymous']);
  await session.close();
  port.close();
});

test('what_one_task_asks_leaves_in_one_message_and_its_answers_come_in_one', async () => {
  const way = breakablePort();
  const other = breakablePort();
  const session = await connect({ realm: 'realm1', port: way.port });
  const callee = await connect({ realm: 'realm1', port: other.port });
  await callee.register('com.example.echo', async ([value]) => value);
  way.posted.length = 0;
  other.posted.length = 0;
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, index) => session.call('com.example.echo', [index])),
  );
  assert.deepEqual(
    answers,
    Array.from({ length: 100 }, (_, index) => index),
  );
  assert.deepEqual([way.posted.length, way.posted[0].length], [1, 200]);
  assert.deepEqual([other.posted.length, other.posted[0].length], [1, 200]);
  way.posted.length = 0;
  await session.call('com.example.echo', ['x'.repeat(40_000)]);
  await Promise.all(['x', 'y'].map((text) => session.call('com.example.echo', [text.repeat(30_000)])));
  assert.equal(way.posted.length, 3, 'a batch that is full leaves at once');
  await Promise.all([session.close(), callee.close()]);
  way.port.close();
  other.port.close();
});

test('calls_that_are_in_flight_together_travel_together', async () => {
  const way = breakablePort();
  const other = breakablePort();
  const session = await connect({ realm: 'realm1', port: way.port });
  const callee = await connect({ realm: 'realm1', port: other.port });
  await callee.register('com.example.echo', async ([value]) => value);
  way.posted.length = 0;
  other.posted.length = 0;
  let asked = 0;
  const ask = async () => {
    for (; asked < 320; await session.call('com.example.echo', [asked])) asked += 1;
  };
  await Promise.all(Array.from({ length: 32 }, ask));
  assert.deepEqual([way.posted.length, other.posted.length], [10, 10]);
  await Promise.all([session.close(), callee.close()]);
  way.port.close();
  other.port.close();
});

test('bytes_leave_as_bytes_and_text_as_text', async () => {
  const way = breakablePort();
  const session = await connect({ realm: 'realm1', port: way.port });
  way.posted.length = 0;
  await session.publish('com.example.topic', [new Uint8Array([1, 2])], { a: '\0text' });
  await session.publish('com.example.topic', [1]);
  await session.call('wamp.session.count');
  const tails = way.posted.flat().filter((_, index) => index % 2 === 1);
  assert.deepEqual(tails, [[[new Uint8Array([1, 2])], { a: '\0text' }], '[1]', '']);
  await session.close();
  way.port.close();
});

test('a_port_that_brings_nothing_of_ours_leads_to_no_router_any_more', async () => {
  for (const foreign of [null, 0, 'text', {}]) {
    const { port1, port2 } = new MessageChannel();
    const detach = router.attach(port1);
    const session = await connect({ router: port2, realm: 'realm1' });
    const work = waitingWork(session);
    port1.postMessage(foreign);
    await assertAllRejected(work, LOST);
    detach();
  }
});

test('a_garbled_payload_costs_its_one_message', async () => {
  const way = breakablePort();
  const session = await connect({ realm: 'realm1', port: way.port });
  const events = inbox('an event');
  const subscriber = await connect({ realm: 'realm1', router });
  await subscriber.subscribe('com.example.topic', ([value]) => events.push(value));
  const errors = inbox('an uncaught error');
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => errors.push(error));
  try {
    way.port.postMessage(['[16,1,{},"com.example.topic"', '[garbled']);
    way.port.postMessage(['[16,2,{},"com.example.topic"', '["good"]']);
    assert.equal(await events.next(), 'good');
    assert.ok((await errors.next()) instanceof SyntaxError);
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
  }
  await Promise.all([session.close(), subscriber.close()]);
  way.port.close();
});

/** A session that comes back over another port each time, and what it tells. */
async function comingBack({ wait = () => {}, chosen = () => router, opened = () => {} } = {}) {
  const ways = [];
  const told = inbox('an event of the session');
  const session = await connect({
    realm: 'realm1',
    reconnect: true,
    router: async () => {
      await wait();
      ways.push(breakablePort(chosen()));
      opened(ways.at(-1), ways.length);
      return ways.at(-1).port;
    },
  });
  for (const type of ['open', 'close', 'revoked']) {
    session.addEventListener(type, ({ detail }) => told.push([type, detail]));
  }
  return { session, ways, told };
}

test('a_lost_session_comes_back_with_what_it_held', async () => {
  const { session, ways, told } = await comingBack();
  const other = await connect({ realm: 'realm1', router });
  const events = inbox('an event');
  await session.subscribe('com.example.topic', ([value]) => events.push(value));
  await session.subscribe('com.example', ([value]) => events.push(value), { match: 'prefix' });
  const given = await session.subscribe('com.example.given', () => assert.fail('was given back'));
  await given.stop();
  await session.register('com.example.echo', ([value]) => value);
  const invoked = inbox('an invocation');
  await session.register('com.example.wait', () => {
    invoked.push(true);
    return new Promise(() => {});
  });
  const { id } = session;
  for (let round = 0; round < 3; round += 1) {
    const call = session.call('com.example.wait');
    const theirs = other.call('com.example.wait');
    await Promise.all([invoked.next(), invoked.next()]);
    const rejected = Promise.all([
      assertAllRejected({ call }, LOST),
      assert.rejects(theirs, { uri: 'wamp.error.canceled' }),
    ]);
    ways[round].cut();
    await rejected;
    const [type, { willReconnect }] = await told.next();
    assert.deepEqual([type, willReconnect, session.isOpen], ['close', true, false]);
    await assert.rejects(session.call('com.example.echo'), ClosedError);
    assert.deepEqual(await told.next(), ['open', null]);
    assert.notEqual(session.id, id);
    assert.equal(await other.call('com.example.echo', [round]), round);
    await other.publish('com.example.topic', [round]);
    assert.deepEqual([await events.next(), await events.next()], [round, round]);
    await other.publish('com.example.given', []);
    assert.equal(await events.next(), undefined);
    assert.deepEqual((await other.call('wamp.session.list')).sort(), [session.id, other.id].sort());
  }
  assert.deepEqual([ways.length, told.waiting, events.waiting], [4, 0, 0]);
  await Promise.all([session.close(), other.close()]);
});

test('a_session_comes_back_to_the_next_router', async () => {
  const second = await createRouter();
  let current = router;
  const { session, told } = await comingBack({ chosen: () => current });
  await session.register('com.example.echo', ([value]) => value);
  current = second;
  await router.close();
  assert.equal((await told.next())[1].error.uri, 'wamp.close.system_shutdown');
  assert.equal((await told.next())[0], 'open');
  const other = await connect({ realm: 'realm1', router: second });
  assert.equal(await other.call('com.example.echo', [7]), 7);
  await Promise.all([session.close(), other.close()]);
  await second.close();
});

test('what_somebody_else_has_meanwhile_is_told_and_not_asked_for_again', async () => {
  /** Set while the session must stay away. */
  let away;
  const { session, ways, told } = await comingBack({ wait: () => away });
  const registration = await session.register('com.example.echo', () => 'mine');
  let comeBack;
  away = new Promise((resolve) => {
    comeBack = resolve;
  });
  ways[0].cut();
  assert.equal((await told.next())[0], 'close');
  const other = await connect({ realm: 'realm1', router });
  await other.register('com.example.echo', () => 'theirs');
  comeBack();
  const [type, { uri, error }] = await told.next();
  assert.deepEqual([type, uri, error.uri], ['revoked', 'com.example.echo', 'wamp.error.procedure_already_exists']);
  assert.ok(error instanceof WampError);
  assert.equal((await told.next())[0], 'open');
  assert.equal(await session.call('com.example.echo'), 'theirs');
  await registration.stop();
  assert.equal(await session.call('com.example.echo'), 'theirs');
  await Promise.all([session.close(), other.close()]);
});

test('a_session_that_is_not_let_in_again_is_over', async () => {
  const strict = await createRouter({ realms: [{ name: 'other', roles: [{ name: 'anonymous', permissions: [] }] }] });
  let current = router;
  const { session, ways, told } = await comingBack({ chosen: () => current });
  current = strict;
  ways[0].cut();
  assert.equal((await told.next())[1].willReconnect, true);
  const [type, { error, willReconnect }] = await told.next();
  assert.deepEqual([type, error.uri, willReconnect], ['close', 'wamp.error.no_such_realm', false]);
  await assert.rejects(session.call('com.example.any'), { uri: 'wamp.error.no_such_realm' });
  await session.close();
  assert.equal(ways.length, 2);
  await strict.close();
});

test('a_session_that_is_closed_while_it_is_away_stays_away', async () => {
  const { session, ways, told } = await comingBack();
  ways[0].cut();
  assert.equal((await told.next())[0], 'close');
  await session.close();
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual([ways.length, session.isOpen, told.waiting], [1, false, 0]);
  await assert.rejects(session.call('com.example.any'), ClosedError);
});

test('a_session_that_is_lost_again_while_it_comes_back_keeps_what_it_held', async () => {
  const opened = (way, number) => {
    if (number !== 2) return;
    const post = way.port.postMessage;
    // Gone when the subscription is asked for again.
    way.port.postMessage = (message, moved) => {
      if (JSON.stringify(message).includes('[32,')) way.cut();
      else post(message, moved);
    };
  };
  const { session, ways, told } = await comingBack({ opened });
  const events = inbox('an event');
  await session.subscribe('com.example.topic', ([value]) => events.push(value));
  ways[0].cut();
  const types = [await told.next(), await told.next(), await told.next()].map(([type]) => type);
  assert.deepEqual([types, session.isOpen, ways.length], [['close', 'close', 'open'], true, 3]);
  const other = await connect({ realm: 'realm1', router });
  await other.publish('com.example.topic', [7]);
  assert.equal(await events.next(), 7);
  assert.equal(told.waiting, 0);
  await Promise.all([session.close(), other.close()]);
});

test('a_session_that_is_closed_stays_away_whatever_the_reason', async () => {
  const { session, ways, told } = await comingBack();
  await session.close('wamp.close.system_shutdown');
  const [type, { willReconnect }] = await told.next();
  assert.deepEqual([type, willReconnect, ways.length], ['close', false, 1]);
});

test('a_message_that_is_too_long_ends_its_session_with_a_sentence', async () => {
  const small = await createRouter({ limits: { message_length: 10_000 } });
  const { session, told } = await comingBack({ chosen: () => small });
  await assert.rejects(session.call('com.example.any', ['x'.repeat(20_000)]), { message: /takes at most 10000/ });
  assert.equal((await told.next())[0], 'close');
  assert.equal((await told.next())[0], 'open');
  assert.equal(await session.call('wamp.session.count'), 1);
  await session.close();
  await small.close();
});

test('a_handler_of_a_lost_session_answers_nobody', async () => {
  const { session, ways, told } = await comingBack();
  const other = await connect({ realm: 'realm1', router });
  const finish = [];
  const reasons = inbox('the signal of a handler');
  await session.register('com.example.slow', (_args, _kwargs, { signal }) => {
    signal.addEventListener('abort', () => reasons.push(signal.reason));
    return new Promise((resolve) => finish.push(resolve));
  });
  const first = assert.rejects(other.call('com.example.slow'), { uri: 'wamp.error.canceled' });
  await until('the handler runs', () => finish.length === 1);
  ways[0].cut();
  await first;
  assert.ok((await reasons.next()) instanceof ClosedError);
  await told.next();
  assert.equal((await told.next())[0], 'open');
  const second = other.call('com.example.slow');
  await until('the handler runs again', () => finish.length === 2);
  // Both had request 1 of their sessions.
  finish[0]('of the first');
  await other.call('wamp.session.count');
  finish[1]('of the second');
  assert.equal(await second, 'of the second');
  await Promise.all([session.close(), other.close()]);
});

test('a_process_ends_by_itself_after_its_last_session', async () => {
  const program = `
    import { createRouter } from 'wamplet';
    import { connect } from 'wamplet/client';
    const router = await createRouter();
    const session = await connect({ realm: 'realm1', router });
    const away = await connect({ realm: 'realm1', router, reconnect: true });
    await session.call('wamp.session.count');
    await session.close();
    await router.close();
    await away.close();`;
  const { ok, output } = await run(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: root,
    limitSeconds: 20,
  });
  assert.ok(ok, output || 'the process did not end by itself');
});
