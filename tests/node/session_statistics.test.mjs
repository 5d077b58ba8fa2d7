// Session statistics where the router runs on a page: `bytes` is the length of each message as its serializer writes
// it, though most of them never are bytes here.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createRouter, webSocketClass } from 'wamplet';
import { CborSerializer } from 'wampy/CborSerializer.js';
import { JsonSerializer } from 'wampy/JsonSerializer.js';
import { MsgpackSerializer } from 'wampy/MsgpackSerializer.js';
import { joinAutobahn, joinWampy } from '../fixtures/clients.mjs';
import { inbox } from '../fixtures/wait.mjs';

const SERIALIZERS = { json: JsonSerializer, msgpack: MsgpackSerializer, cbor: CborSerializer };

const permission = { uri: '*', allow: { call: true, register: true, publish: true, subscribe: true } };
const realm = (stats) => ({
  realms: [{ name: 'realm1', roles: [{ name: 'anonymous', permissions: [permission] }], stats }],
});

let router;
let stats;
let monitor;

/** A router whose sessions have these statistics, and an inbox of what it tells about them. */
async function start(options) {
  router = await createRouter(realm(options));
  monitor = await joinAutobahn(router);
  stats = inbox('on_stats');
  await monitor.session.subscribe('wamp.session.on_stats', ([session, numbers]) => stats.push([session, numbers]));
}

async function statsOf(id) {
  for (;;) {
    const [session, numbers] = await stats.next();
    if (session.session === id) return numbers;
  }
}

/** The WebSocket class, and the lengths of all frames that went through its sockets. */
function countingSocket() {
  const lengths = [];
  const count = (data) => lengths.push(typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength);
  class Counting extends webSocketClass(router) {
    constructor(...args) {
      super(...args);
      this.addEventListener('message', ({ data }) => count(data));
    }

    send(data) {
      count(data);
      super.send(data);
    }
  }
  return { Counting, lengths };
}

beforeEach(() => start({ trigger_on_join: false, rated_message_size: 64 }));
afterEach(() => router.close());

for (const [name, Serializer] of Object.entries(SERIALIZERS)) {
  test(`bytes_of_a_session_are_those_of_its_frames_in_${name}`, async () => {
    const { Counting, lengths } = countingSocket();
    const { wampy } = await joinWampy(router, 'realm1', { ws: Counting, serializer: new Serializer() });
    const id = Number(wampy.getSessionId());
    const seen = inbox('an event');
    await wampy.subscribe('com.example.topic', ({ argsList }) => seen.push(argsList));
    await wampy.register('com.example.echo', ({ argsList }) => ({ argsList }));
    const { session } = monitor;
    const args = ['é€\u{1f600}', 1.5, 'x'.repeat(500)];
    session.publish('com.example.topic', args, { kw: 'ä' });
    await seen.next();
    // Binary data is base64 in JSON, and bytes elsewhere.
    session.publish('com.example.topic', [Uint8Array.from({ length: 301 }, (_, index) => index), 'é']);
    await seen.next();
    assert.deepEqual(await session.call('com.example.echo', ['é']), 'é');
    await wampy.publish('com.example.nobody', { argsList: ['é'.repeat(100)], argsDict: { k: [true, null] } });
    await wampy.disconnect();

    const told = await statsOf(id);
    assert.deepEqual([told.serializer, told.cycle, told.first, told.last], [name, 1, true, true]);
    const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
    assert.equal(told.messages, lengths.length);
    assert.equal(told.bytes, sum(lengths));
    assert.equal(told.rated_messages, sum(lengths.map((length) => Math.ceil(length / 64))));
  });
}

test('a_session_without_frames_counts_the_text_of_its_messages', async () => {
  const { session, connection } = await joinAutobahn(router);
  const messages = [];
  const bytes = Uint8Array.of(1, 2, 3, 4);
  const options = { acknowledge: true };
  const { id: publication } = await session.publish('com.example.topic', ['é', bytes], { k: 1 }, options);
  connection.close();
  const told = await statsOf(session.id);
  const publish = [16, 1, options, 'com.example.topic', ['é', `\0${Buffer.from(bytes).toString('base64')}`], { k: 1 }];
  messages.push(publish, [17, 1, publication]);
  messages.push([6, {}, 'wamp.close.normal'], [6, {}, 'wamp.close.goodbye_and_out']);
  const known = messages.reduce((total, message) => total + Buffer.byteLength(JSON.stringify(message)), 0);
  assert.equal(told.messages, 2 + messages.length);
  // HELLO and WELCOME are longer than 500 bytes together, and far shorter than the same in UTF-16 would add.
  assert.ok(told.bytes > known + 500 && told.bytes < known + 5_000, `${told.bytes} bytes, ${known} known`);
});

test('an_idle_session_is_told_of_by_the_timer', async () => {
  router.close();
  await start({ trigger_after_duration: 1 });
  const { session } = await joinAutobahn(router);
  assert.equal((await statsOf(session.id)).cycle, 1);
  const told = await statsOf(session.id);
  assert.deepEqual([told.cycle, told.messages, told.last], [2, 0, false]);
});
