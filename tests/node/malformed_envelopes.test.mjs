// What is no message of the port protocol closes the one port it came over; what is no WAMP ends the one session.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createRouter } from 'wamplet';
import { HELLO, joinAutobahn, openPort } from '../fixtures/clients.mjs';

let router;
let bystander;

beforeEach(async () => {
  // Warnings about closed ports are what these tests provoke.
  console.warn = () => {};
  router = await createRouter({ limits: { transports: 3, message_length: 1000 } });
  bystander = await joinAutobahn(router);
});

afterEach(async () => {
  const { session } = bystander;
  await session.register('com.example.alive', () => 'yes');
  assert.equal(await session.call('com.example.alive'), 'yes', 'the bystander was disturbed');
  await router.close();
});

const nested = (depth) => (depth === 0 ? [] : [nested(depth - 1)]);

const call = '[48,1,{},"com.example.x"';
const round = {};
round.itself = round;
const deep = (depth) => {
  let list = [];
  for (let level = 1; level < depth; level += 1) list = [list];
  return list;
};

const ENVELOPES = {
  'a number': 7,
  null: null,
  'a text': HELLO,
  'an unknown object': { hullo: 1 },
  'a head without its tail': [HELLO],
  'a head that is a number': [1, ''],
  'a head that is an object': [{}, ''],
  'a tail that is a number': [HELLO, 5],
  'a tail that is null': [HELLO, null],
  'a tail of no elements': [HELLO, []],
  'a tail of three elements': [HELLO, [[], {}, {}]],
  'a tail whose args are an object': [HELLO, [{}]],
  'a tail whose kwargs are a list': [HELLO, [[], []]],
  'a frame on a text transport': [new Uint8Array([147, 1])],
  'two frames on a text transport': [new Uint8Array([147, 1]), new Uint8Array([147, 1])],
  'a bare buffer': new Uint8Array([147, 1]),
  'a message over the limit': ['[16,1,{},"com.example.x"', `["${'x'.repeat(1000)}"]`],
  'a structured message over the limit': ['[16,1,{},"com.example.x"', [[new Uint8Array(1000)]]],
  'more messages than a batch has': Array.from({ length: 40_000 }, () => ''),
  'a payload that goes round': [call, [[round]]],
  'a payload that is nested deep': [call, [deep(200)]],
  'a payload that is nested very deep': [call, [deep(3000)]],
  'a payload that no JSON holds': [call, [[1n]]],
  'a payload with a map': [call, [[new Map()]]],
  'a payload with shared memory': [call, [[new Uint8Array(new SharedArrayBuffer(4))]]],
  'a payload of very many nothings': [call, [new Array(4_000_000_000)]],
  'a structured payload over the limit': [call, [[], { text: 'x'.repeat(1000) }]],
  'a close that cannot be read': { close: 1000, reason: { toString: 1 } },
  'a start of a worker': { start: 1, config: {}, handle: 'x', lock: undefined, info: undefined },
  'a question about the router': { inspect: 1 },
  'a leave of a page': { leave: true },
};

for (const [what, envelope] of Object.entries(ENVELOPES)) {
  test(`${what.replaceAll(' ', '_')}_closes_the_port_with_a_reason`, async () => {
    const { port, received } = await openPort(router.createPort());
    port.postMessage(envelope);
    const { close, reason } = await received.next();
    assert.ok([1002, 1003, 1009].includes(close), `close code ${close}`);
    assert.match(reason, /\w+ \w+/);
    assert.equal(router.inspect().transports, 1);
  });
}

test('a_second_hello_closes_a_port_that_is_in_use', async () => {
  const { port, received } = await openPort(router.createPort());
  port.postMessage([HELLO, '']);
  await received.next();
  port.postMessage({ hello: 1, serializer: 'json', transport: {} });
  const { close, reason } = await received.next();
  assert.equal(close, 1002);
  assert.match(reason, /second hello/);
  assert.equal(router.inspect().transports, 1);
});

const HELLOS = {
  'another wire version': { hello: 99 },
  'no serializer': { serializer: undefined },
  'an unknown serializer': { serializer: 'ubjson' },
  'no transport': { transport: undefined },
  'a transport that is a list': { transport: [] },
  'a transport of too many words': { transport: { text: 'x'.repeat(10_000) } },
  'a transport that JSON cannot hold': { transport: { big: 1n } },
};

for (const [what, hello] of Object.entries(HELLOS)) {
  test(`a_hello_with_${what.replaceAll(' ', '_')}_is_refused_with_a_reason`, async () => {
    const { opened } = await openPort(router.createPort(), hello);
    assert.equal(opened.close, 1002);
    assert.match(opened.reason, /\w+ \w+/);
  });
}

test('a_batch_before_hello_closes_the_port', async () => {
  const port = router.createPort();
  port.postMessage([HELLO, '']);
  const { opened } = await openPort(port);
  assert.equal(opened.close, 1002);
});

test('a_client_cannot_choose_its_peer_or_protocol_in_the_session_details', async () => {
  const transport = { type: 'test', peer: 'tcp4:1.2.3.4:5', protocol: 'wamp.2.cbor', serializer: 'cbor', channel: 1 };
  const { port, received } = await openPort(router.createPort({ frame: 'left' }), { transport });
  port.postMessage([HELLO, '']);
  await received.next();
  const [{ sessions }] = router.inspect().realms;
  const found = sessions.find((session) => session.transport.frame === 'left').transport;
  assert.match(found.peer, /^port:\d+$/);
  assert.equal(found.protocol, 'wamp.2.json');
});

test('one_transport_more_than_the_limit_is_told_to_come_back_later', async () => {
  await openPort(router.createPort());
  const last = await openPort(router.createPort());
  assert.equal(typeof last.opened.open, 'string');
  const { opened, port, received } = await openPort(router.createPort());
  assert.equal(opened.close, 1013);
  assert.match(opened.reason, /transports/);

  // The port is as good as new once there is room.
  last.port.postMessage({ close: 1000, reason: '' });
  assert.equal((await last.received.next()).close, 1000);
  port.postMessage({ hello: 1, serializer: 'json', transport: {} });
  assert.equal(typeof (await received.next()).open, 'string');
});

const GARBAGE = {
  'no JSON': ['hello?', ''],
  nothing: ['', ''],
  'an empty message': ['[', ''],
  'an unknown code': ['[99,1,{}', ''],
  'a code that is a text': ['["16",1,{},"com.example.x"', ''],
  'a message of the router': ['[2,1,{}', ''],
  'too few elements': ['[16,1', ''],
  'a wrong type': ['[16,1,[],"com.example.x"', ''],
  'deep nesting': [`[16,1,{"x":${JSON.stringify(nested(200))}},"com.example.x"`, ''],
  'a second HELLO': [HELLO, ''],
};

for (const [what, message] of Object.entries(GARBAGE)) {
  test(`${what.replaceAll(' ', '_')}_after_HELLO_aborts_the_session_alone`, async () => {
    const { port, received } = await openPort(router.createPort());
    port.postMessage([HELLO, '']);
    assert.match((await received.next())[0], /^\[2,/);
    port.postMessage(message);
    const [head] = await received.next();
    assert.match(head, /^\[3,.*wamp\.error\.protocol_violation/);
    assert.equal((await received.next()).close, 1002);
  });
}

test('a_message_before_HELLO_aborts', async () => {
  const { port, received } = await openPort(router.createPort());
  port.postMessage(['[34,1,5', '']);
  assert.match((await received.next())[0], /^\[3,/);
  assert.equal((await received.next()).close, 1002);
});

test('a_line_break_in_a_head_does_not_split_it', async () => {
  const { port, received } = await openPort(router.createPort());
  port.postMessage([
    HELLO.replace('{', '\n{\n'),
    '',
    '[32,1,\n{},"com.example.x"',
    '',
    '[32,2,{},"com.exa\nmple.x"',
    '',
  ]);
  const batch = await received.next();
  const heads = batch.filter((_entry, index) => index % 2 === 0);
  assert.match(heads[0], /^\[2,/);
  assert.match(heads[1], /^\[33,1,/);
  assert.match(heads[2], /^\[3,/, 'a raw line break inside a string is no JSON');
});

test('a_payload_that_is_no_JSON_costs_its_receiver_that_message_alone', async (t) => {
  const complaint = t.mock.method(console, 'error', () => {});
  const events = [];
  const { session } = bystander;
  await session.subscribe('com.example.x', ([value]) => events.push(value));
  const { port, received } = await openPort(router.createPort());
  port.postMessage([HELLO, '']);
  await received.next();
  const publish = (request) => `[16,${request},{"acknowledge":true},"com.example.x"`;
  port.postMessage([publish(1), '[1]],[', publish(2), '[2]']);
  await received.next();
  await session.call('wamp.session.count');
  assert.deepEqual(events, [2]);
  assert.equal(complaint.mock.callCount(), 1);
  assert.match(complaint.mock.calls[0].arguments[0], /payload is no JSON/);
});
