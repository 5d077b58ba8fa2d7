// The WebSocket class by itself: states, events, errors and codes as the browsers' own has them.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createRouter, webSocketClass } from 'wamplet';
import { HELLO, joinAutobahn } from '../fixtures/clients.mjs';
import { inbox, until } from '../fixtures/wait.mjs';

const URL_OF_SERVER = 'ws://127.0.0.1:8080/ws';

let router;
let Socket;

beforeEach(async () => {
  router = await createRouter();
  Socket = webSocketClass(router);
});
afterEach(() => router.close());

/** A socket with an inbox of its events. */
function connect(protocols = 'wamp.2.json', url = URL_OF_SERVER) {
  const socket = new Socket(url, protocols);
  const events = inbox(`an event of ${url}`);
  for (const type of ['open', 'message', 'error', 'close'])
    socket.addEventListener(type, (event) => events.push(event));
  return { socket, events };
}

async function opened(protocols) {
  const { socket, events } = connect(protocols);
  assert.equal((await events.next()).type, 'open');
  return { socket, events };
}

async function joined() {
  const { socket, events } = await opened();
  socket.send(`${HELLO}]`);
  assert.match((await events.next()).data, /^\[2,/);
  return { socket, events };
}

test('open_comes_in_a_task_of_its_own_after_the_constructor', async () => {
  const { socket, events } = connect();
  const states = [socket.readyState];
  await Promise.resolve();
  states.push(socket.readyState);
  assert.deepEqual(states, [0, 0]);
  const event = await events.next();
  assert.equal(event.type, 'open');
  assert.equal(event.target, socket);
  assert.equal(socket.readyState, 1);
  assert.equal(socket.extensions, '');
});

test('the_first_offered_subprotocol_that_we_speak_is_chosen', async () => {
  const offers = [
    ['wamp.2.json', 'wamp.2.json'],
    [['wamp.2.json', 'wamp.2.msgpack'], 'wamp.2.json'],
    [['wamp.2.ubjson', 'wamp.2.cbor', 'wamp.2.json'], 'wamp.2.cbor'],
    [['wamp.2.json.batched', 'wamp.2.msgpack'], 'wamp.2.msgpack'],
  ];
  for (const [offered, chosen] of offers) {
    const { socket } = connect(offered);
    assert.equal(socket.protocol, '', 'none is chosen before open');
    await until('open', () => socket.readyState === 1);
    assert.equal(socket.protocol, chosen);
  }
});

test('offering_nothing_that_we_speak_fails_as_with_a_server_that_does_not_agree', async (t) => {
  t.mock.method(console, 'warn', () => {});
  for (const offered of [undefined, [], 'chat', ['mqtt', 'wamp.2.ubjson']]) {
    const socket = new Socket(URL_OF_SERVER, offered);
    const events = inbox('an event');
    for (const type of ['open', 'error', 'close']) socket.addEventListener(type, (event) => events.push(event));
    assert.equal(socket.readyState, 0);
    assert.equal((await events.next()).type, 'error');
    const { type, code, reason, wasClean } = await events.next();
    assert.deepEqual([type, code, reason, wasClean], ['close', 1006, '', false]);
    assert.equal(socket.readyState, 3);
  }
});

test('wrong_arguments_of_the_constructor_are_syntax_errors', () => {
  const wrong = [
    ['no url'],
    ['ftp://127.0.0.1/'],
    ['wamplet:'],
    ['ws://127.0.0.1/ws#fragment'],
    ['ws://127.0.0.1/ws#'],
    [URL_OF_SERVER, ''],
    [URL_OF_SERVER, 'wamp 2 json'],
    [URL_OF_SERVER, ['wamp.2.json', 'wamp.2.json']],
    [URL_OF_SERVER, ['wamp.2.json', 'WAMP.2.json']],
  ];
  for (const args of wrong) assert.throws(() => new Socket(...args), { name: 'SyntaxError' }, args.join(' '));
});

test('the_url_is_made_complete', async () => {
  const urls = {
    'ws://127.0.0.1:80/ws': 'ws://127.0.0.1/ws',
    'http://example.test/a b': 'ws://example.test/a%20b',
    'https://example.test': 'wss://example.test/',
    'WS://EXAMPLE.test/Ws': 'ws://example.test/Ws',
  };
  for (const [given, normal] of Object.entries(urls)) {
    assert.equal(new Socket(given, 'wamp.2.json').url, normal);
    assert.equal(new Socket(new URL(given), 'wamp.2.json').url, normal);
  }
});

test('send_before_open_throws_InvalidStateError', async () => {
  const { socket } = connect();
  assert.throws(() => socket.send('[1]'), { name: 'InvalidStateError' });
});

test('send_after_close_is_counted_and_goes_nowhere', async () => {
  const { socket, events } = await joined();
  socket.close();
  socket.send('[32,1,{},"com.example.é"]');
  socket.send(new Uint8Array(3));
  assert.equal(socket.bufferedAmount, '[32,1,{},"com.example.é"]'.length + 1 + 3);
  assert.equal((await events.next()).type, 'close');
});

test('bufferedAmount_shows_what_waits_and_falls_to_zero', async () => {
  const { socket } = await joined();
  // What is sent in the task that brought WELCOME leaves at its end; this is about the next one.
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(socket.bufferedAmount, 0);
  const text = '[16,1,{},"com.example.x",["aaaa"]]';
  socket.send(text);
  assert.ok(socket.bufferedAmount > 0 && socket.bufferedAmount <= text.length);
  await Promise.resolve();
  assert.equal(socket.bufferedAmount, 0);
  // What waits is bounded by the size of a batch, however much is sent in one go.
  let most = 0;
  for (let request = 2; request < 200; request += 1) {
    socket.send(`[16,${request},{},"com.example.x",["${'a'.repeat(2000)}"]]`);
    most = Math.max(most, socket.bufferedAmount);
  }
  assert.ok(most < 64 * 1024, `${most} bytes waited`);
});

test('close_codes_and_reasons_are_checked', async () => {
  const { socket } = await opened();
  for (const code of [0, 999, 1001, 1005, 1006, 2999, 5000, Number.NaN]) {
    assert.throws(() => socket.close(code), { name: 'InvalidAccessError' }, String(code));
  }
  assert.throws(() => socket.close(1000, 'é'.repeat(62)), { name: 'SyntaxError' });
  assert.equal(socket.readyState, 1);
});

test('a_clean_close_tells_the_code_and_the_reason_that_were_given', async () => {
  for (const [args, code, reason] of [
    [[], 1005, ''],
    [[1000], 1000, ''],
    [[3002, 'é'.repeat(61)], 3002, 'é'.repeat(61)],
    [[4999, 'x'], 4999, 'x'],
  ]) {
    const { socket, events } = await opened();
    socket.close(...args);
    assert.equal(socket.readyState, 2);
    socket.close();
    const event = await events.next();
    assert.deepEqual([event.type, event.code, event.reason, event.wasClean], ['close', code, reason, true]);
    assert.equal(socket.readyState, 3);
    socket.close(1000);
    assert.equal(events.waiting, 0);
  }
});

test('closing_while_connecting_fails_the_connection', async () => {
  const { socket, events } = connect();
  socket.close();
  assert.equal(socket.readyState, 2);
  assert.equal((await events.next()).type, 'error');
  const { type, code, wasClean } = await events.next();
  assert.deepEqual([type, code, wasClean], ['close', 1006, false]);
});

test('messages_sent_before_close_arrive', async () => {
  const { session } = await joinAutobahn(router);
  const events = inbox('an event');
  await session.subscribe('com.example.last', (args) => events.push(args));
  const { socket } = await joined();
  socket.send('[16,1,{},"com.example.last",["word"]]');
  socket.close();
  assert.deepEqual(await events.next(), ['word']);
});

test('no_message_arrives_after_close', async () => {
  const { socket, events } = await joined();
  socket.send('[32,1,{},"com.example.x"]');
  socket.close();
  assert.equal((await events.next()).type, 'close');
});

test('the_router_closes_with_a_code_and_no_error', async () => {
  const { socket, events } = await opened();
  socket.send('no WAMP');
  assert.match((await events.next()).data, /^\[3,.*protocol_violation/);
  const { type, code, wasClean } = await events.next();
  assert.deepEqual([type, code, wasClean], ['close', 1002, true]);
});

test('a_router_that_cannot_be_had_is_an_error_and_an_unclean_close', async (t) => {
  const warned = t.mock.method(console, 'warn', () => {});
  const Unreachable = webSocketClass(() => Promise.reject(new Error('the moon is in the way')));
  const socket = new Unreachable(URL_OF_SERVER, 'wamp.2.json');
  const events = inbox('an event');
  for (const type of ['error', 'close']) socket.addEventListener(type, (event) => events.push(event));
  assert.equal((await events.next()).type, 'error');
  assert.equal((await events.next()).code, 1006);
  assert.match(warned.mock.calls[0].arguments[0], /the moon is in the way/);
});

test('handler_properties_and_listeners_are_called_in_order', async () => {
  const { socket } = connect();
  const calls = [];
  const order = inbox('all calls');
  socket.onopen = () => calls.push('replaced');
  socket.addEventListener('open', () => calls.push('second'));
  socket.onopen = function (event) {
    calls.push(this === socket && event.type);
  };
  socket.addEventListener('open', {
    handleEvent() {
      calls.push('third');
      order.push(calls);
    },
  });
  assert.deepEqual(await order.next(), ['open', 'second', 'third']);
  assert.equal(typeof socket.onopen, 'function');
  socket.onopen = null;
  assert.equal(socket.onopen, null);
  socket.onopen = 'nothing to call';
  assert.equal(socket.onopen, null);
});

test('a_throwing_handler_does_not_keep_the_next_message_from_arriving', async () => {
  const { socket, events } = await joined();
  const thrown = inbox('the uncaught error');
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', (error) => thrown.push(error));
  socket.addEventListener(
    'message',
    () => {
      throw new Error('of the app');
    },
    { once: true },
  );
  socket.send('[32,1,{},"com.example.x"]');
  socket.send('[32,2,{},"com.example.y"]');
  assert.match((await events.next()).data, /^\[33,1,/);
  assert.match((await events.next()).data, /^\[33,2,/);
  assert.equal((await thrown.next()).message, 'of the app');
  for (const listener of listeners) process.on('uncaughtException', listener);
});

test('constants_are_on_the_class_and_on_its_sockets', () => {
  const { socket } = connect();
  for (const [name, value] of Object.entries({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 })) {
    assert.equal(Socket[name], value);
    assert.equal(socket[name], value);
  }
  assert.ok(socket instanceof Socket);
  assert.ok(socket instanceof EventTarget);
});

test('binary_frames_arrive_as_binaryType_says', async () => {
  const { socket, events } = await opened('wamp.2.msgpack');
  assert.equal(socket.binaryType, 'blob');
  socket.binaryType = 'nodebuffer';
  assert.equal(socket.binaryType, 'blob');
  // HELLO to a realm whose name is no URI: answered with ABORT, in MessagePack an array of three that begins with 3.
  const hello = Uint8Array.of(0x93, 1, 0xa1, 0x23, 0x80);
  socket.send(hello);
  const { data, origin } = await events.next();
  assert.ok(data instanceof Blob);
  assert.deepEqual([...new Uint8Array(await data.arrayBuffer())].slice(0, 2), [0x93, 3]);
  assert.equal(origin, 'ws://127.0.0.1:8080');

  const again = await opened('wamp.2.msgpack');
  again.socket.binaryType = 'arraybuffer';
  again.socket.send(hello.buffer);
  const answer = (await again.events.next()).data;
  assert.ok(answer instanceof ArrayBuffer);
  assert.deepEqual([...new Uint8Array(answer)].slice(0, 2), [0x93, 3]);
});

test('what_is_sent_behind_a_Blob_does_not_overtake_it', async () => {
  const { socket, events } = await opened('wamp.2.msgpack');
  socket.binaryType = 'arraybuffer';
  const hello = [0x93, 1, 0xa6, ...Buffer.from('realm1'), 0x81, 0xa5, ...Buffer.from('roles'), 0x81, 0xa6];
  hello.push(...Buffer.from('caller'), 0x80);
  socket.send(new Blob([Uint8Array.from(hello)]));
  // CALL [48, 1, {}, "wamp.session.count"]; the buffer is the app's again as soon as send() has returned.
  const call = Uint8Array.of(0x94, 48, 1, 0x80, 0xa0 | 18, ...Buffer.from('wamp.session.count'));
  socket.send(call);
  call.fill(0);
  socket.close(3000, 'after all that');
  assert.equal((await events.next()).code, 3000);
  // Nothing arrives after close(); what the router got shows in that it did not abort.
  const next = await opened('wamp.2.msgpack');
  next.socket.send(new Blob([Uint8Array.from(hello)]));
  next.socket.send(Uint8Array.of(0x94, 48, 1, 0x80, 0xa0 | 18, ...Buffer.from('wamp.session.count')));
  const heads = [await next.events.next(), await next.events.next()];
  const codes = await Promise.all(heads.map(async ({ data }) => new Uint8Array(await data.arrayBuffer())[1]));
  assert.deepEqual(codes, [2, 50]);
});

test('the_wrong_kind_of_frame_closes_with_1003', async () => {
  for (const [protocol, data] of [
    ['wamp.2.json', new Uint8Array([0x93])],
    ['wamp.2.json', new ArrayBuffer(1)],
    ['wamp.2.msgpack', '[1]'],
    ['wamp.2.cbor', '[1]'],
  ]) {
    const { socket, events } = await opened(protocol);
    socket.send(data);
    const { type, code } = await events.next();
    assert.deepEqual([type, code], ['close', 1003]);
  }
});

test('text_that_no_router_takes_ends_this_session_and_disturbs_nobody', async () => {
  const { session } = await joinAutobahn(router);
  const seen = [];
  await session.subscribe('com.example.x', (args) => seen.push(args));
  const texts = [
    '',
    ' ',
    '{}',
    '[',
    '[]',
    '"[16,1]"',
    '[16',
    '[16,1,{},"com.example.x",[1]',
    '[16,1,{},"com.example.x",[1',
    '[16,1,{},"com.example.x",[1]]]',
    '[16,1,{},"com.example.x",[1,]]',
    '[16,1,{},"com.example.x",[\'a\']]',
    '[16,1,{},"com.example.x",["a\nb"]]',
    '[16,1,{},"com.example.x",["\\x"]]',
    '[16,1,{},"com.example.x",[01]]',
    '[16,1,{},"com.example.x",[1],{"k":1},2]',
    `[16,1,{},"com.example.x",${'['.repeat(200)}${']'.repeat(200)}]`,
    '[16,1,{},"com.example.x",[tru]]',
    '[32,1,{},"com.example.x"',
  ];
  for (const text of texts) {
    const { socket, events } = await joined();
    socket.send(text);
    const answer = await events.next();
    assert.match(answer.data, /^\[3,.*wamp\.error\.protocol_violation/, text);
    assert.equal((await events.next()).type, 'close');
  }
  assert.equal(await session.call('wamp.session.count'), 1);
  assert.deepEqual(seen, []);
});
