// Binary data in arguments: as it is between Autobahn sessions, in WAMP's forms for those who speak JSON or frames.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createRouter, transfer } from 'wamplet';
import { CborSerializer } from 'wampy/CborSerializer.js';
import { MsgpackSerializer } from 'wampy/MsgpackSerializer.js';
import { joinAutobahn, joinWampy } from '../fixtures/clients.mjs';
import { inbox, within } from '../fixtures/wait.mjs';

let router;
let one;
let two;

beforeEach(async () => {
  router = await createRouter();
  one = await joinAutobahn(router);
  two = await joinAutobahn(router);
});
afterEach(() => router.close());

async function echo(args, kwargs) {
  const seen = inbox('the invocation');
  const { session } = one;
  const registration = await session.register('com.example.echo', (...call) => {
    seen.push(call);
    return call[0][0];
  });
  const result = await within('the result', two.session.call('com.example.echo', args, kwargs));
  await session.unregister(registration);
  const [seenArgs, seenKwargs] = await seen.next();
  return { result, args: seenArgs, kwargs: seenKwargs };
}

test('bytes_cross_both_ways_as_they_are', async () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index);
  const { result, args, kwargs } = await echo([bytes, 'text', { deep: [bytes] }], { k: bytes });
  assert.deepEqual(result, bytes);
  assert.deepEqual(args, [bytes, 'text', { deep: [bytes] }]);
  assert.deepEqual(kwargs, { k: bytes });
  assert.equal(bytes.length, 100_000, 'the sender still has it');
});

test('buffers_and_views_of_all_kinds_arrive_as_their_bytes', async () => {
  const { buffer } = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
  const cases = [
    [buffer, [0, 1, 2, 3, 4, 5, 6, 7]],
    [new Uint8Array(buffer, 2, 3), [2, 3, 4]],
    [new Uint16Array(buffer, 2, 1), [2, 3]],
    [new DataView(buffer, 6), [6, 7]],
    [Buffer.from('hi'), [104, 105]],
    [new Uint8Array(), []],
    [new SharedArrayBuffer(2), [0, 0]],
  ];
  for (const [sent, bytes] of cases) {
    const { args } = await echo([sent]);
    assert.deepEqual(args, [Uint8Array.from(bytes)], sent.constructor.name);
  }
});

test('a_view_brings_along_only_what_it_shows', async () => {
  const { args } = await echo([new Uint8Array(new ArrayBuffer(1_000_000), 10, 5)]);
  assert.equal(args[0].buffer.byteLength, 5);
});

test('binary_deep_inside_many_values_is_found', async () => {
  const rows = Array.from({ length: 500 }, (_, index) => ({ index, cells: [{ text: 'x' }] }));
  rows[499].cells.push({ raw: Uint8Array.of(9) });
  const { args } = await echo([rows]);
  assert.deepEqual(args[0][499].cells[1].raw, Uint8Array.of(9));
  assert.deepEqual(args[0][0], rows[0]);
});

test('values_beside_binary_follow_the_rules_of_JSON', async () => {
  const bytes = Uint8Array.of(1);
  const odd = [
    undefined,
    Number.NaN,
    -0,
    new Date(0),
    () => {},
    { gone: undefined, proxy: new Proxy({ p: 1 }, {}) },
    Object(5),
    Array.of(1, 2, 3).fill([new Array(2)]),
    { named: { toJSON: (key) => key } },
    Object.assign(() => {}, { toJSON: () => 'a function' }),
  ];
  const { args } = await echo([bytes, ...odd, { ['__proto__']: 1 }]);
  assert.deepEqual(args.slice(1, -1), JSON.parse(JSON.stringify(odd)));
  assert.deepEqual(Object.keys(args.at(-1)), Object.keys(JSON.parse(JSON.stringify({ ['__proto__']: 1 }))));
});

test('what_JSON_cannot_say_is_an_error_of_its_sender_beside_binary_too', async () => {
  const circle = {};
  circle.itself = circle;
  let deep = [];
  for (let level = 0; level < 130; level += 1) deep = [deep];
  for (const beside of [[], [Uint8Array.of(1)]]) {
    for (const value of [10n, Object(10n), circle]) {
      assert.throws(() => two.session.publish('com.example.frame', [...beside, value]), TypeError);
    }
  }
  assert.throws(() => two.session.publish('com.example.frame', [Uint8Array.of(1), deep]), /nested deeper than 128/);
  assert.equal(await two.session.call('wamp.session.count'), 2);
});

test('an_event_with_binary_reaches_every_subscriber_whole', async () => {
  const three = await joinAutobahn(router);
  const events = inbox('an event');
  for (const { session } of [one, three]) {
    await session.subscribe('com.example.frame', ([frame], { tag }) => events.push([frame, tag]));
  }
  two.session.publish('com.example.frame', [Uint8Array.of(1, 2)], { tag: 'x' });
  assert.deepEqual(await events.next(), [Uint8Array.of(1, 2), 'x']);
  assert.deepEqual(await events.next(), [Uint8Array.of(1, 2), 'x']);
});

test('marked_data_is_moved_once_and_copied_when_sent_unmarked', async () => {
  const moved = new Uint8Array(70_000).fill(7);
  const { args } = await echo([transfer(moved)]);
  assert.deepEqual(args, [new Uint8Array(70_000).fill(7)]);
  assert.equal(moved.byteLength, 0, 'it was copied');

  const kept = Uint8Array.of(1);
  await echo([kept]);
  assert.equal(kept.byteLength, 1);
});

test('what_the_sender_does_with_its_buffer_after_sending_does_not_show', async () => {
  const events = inbox('an event');
  await one.session.subscribe('com.example.frame', ([index, frame]) => events.push([index, frame[0], frame.length]));
  for (const [index, size] of [1, 4096, 4097, 100_000].entries()) {
    const scratch = new Uint8Array(size).fill(7);
    two.session.publish('com.example.frame', [index, scratch]);
    two.session.publish('com.example.frame', [`${index}, a part`, scratch.subarray(0, size)]);
    scratch.fill(0);
    // Its memory may even go elsewhere before this task ends.
    structuredClone(scratch, { transfer: [scratch.buffer] });
    assert.deepEqual(await events.next(), [index, 7, size]);
    assert.deepEqual(await events.next(), [`${index}, a part`, 7, size]);
  }
});

test('a_buffer_that_is_gone_is_an_error_of_its_sender_and_takes_no_earlier_message_along', async () => {
  const events = inbox('an event');
  await one.session.subscribe('com.example.frame', (args) => events.push(args));
  const gone = new Uint8Array(10);
  structuredClone(gone, { transfer: [gone.buffer] });
  two.session.publish('com.example.frame', ['before']);
  assert.throws(() => two.session.publish('com.example.frame', [gone]), TypeError);
  assert.deepEqual(await events.next(), ['before']);
});

test('a_JSON_client_gets_and_sends_the_text_form_of_binary', async () => {
  const { wampy } = await joinWampy(router);
  const calls = inbox('the invocation');
  await wampy.register('com.example.hash', ({ argsList }) => {
    calls.push(argsList);
    return { argsList: ['\0AQI='] };
  });
  const result = await two.session.call('com.example.hash', [Uint8Array.of(1, 2, 255), 'x']);
  assert.deepEqual(await calls.next(), ['\0AQL/', 'x']);
  assert.equal(result, '\0AQI=', 'text stays text, as over WebSocket and JSON');
});

for (const [name, Serializer] of Object.entries({ msgpack: MsgpackSerializer, cbor: CborSerializer })) {
  test(`a_${name}_client_gets_bytes_and_its_own_arrive_in_the_text_form`, async () => {
    const { wampy } = await joinWampy(router, 'realm1', { serializer: new Serializer() });
    const calls = inbox('the invocation');
    await wampy.register('com.example.hash', ({ argsList }) => {
      calls.push(argsList);
      return { argsList: [Uint8Array.of(3, 4)] };
    });
    const result = await two.session.call('com.example.hash', [Uint8Array.of(1, 2, 255), 'x']);
    const [bytes, text] = await calls.next();
    assert.deepEqual([...bytes], [1, 2, 255]);
    assert.equal(text, 'x');
    assert.equal(result, '\0AwQ=');
  });
}

test('large_payloads_arrive_whole_and_in_order', async () => {
  const events = inbox('an event');
  await one.session.subscribe('com.example.big', ([index, text]) => events.push([index, text.length]));
  const sizes = [10, 200_000, 20, 49_152, 1_000_000, 0, 30_000, 30_000];
  sizes.forEach((size, index) => {
    two.session.publish('com.example.big', [index, 'x'.repeat(size)]);
  });
  for (const [index, size] of sizes.entries()) assert.deepEqual(await events.next(), [index, size]);
});

test('a_testament_with_binary_arguments_is_published_in_the_text_form', async () => {
  const seen = inbox('the testament');
  await two.session.subscribe('com.example.gone', (...event) => seen.push(event.slice(0, 2)));
  const { wampy } = await joinWampy(router, 'realm1', { serializer: new CborSerializer() });
  const packed = inbox('the testament as CBOR');
  await wampy.subscribe('com.example.gone', ({ argsList, argsDict }) => packed.push([argsList, argsDict]));
  const bytes = Uint8Array.of(1, 2, 255);
  const testament = ['com.example.gone', [bytes, 'x'], { k: bytes }];
  await one.session.call('wamp.session.add_testament', testament, { scope: 'detached' });
  await wampy.call('wamp.session.add_testament', { argsList: ['com.example.gone', [bytes], {}] });
  one.connection.close();
  assert.deepEqual(await seen.next(), [['\0AQL/', 'x'], { k: '\0AQL/' }]);
  const [[first], { k }] = await packed.next();
  assert.deepEqual([[...first], [...k]], [[...bytes], [...bytes]]);
  wampy.disconnect();
  const [[alone]] = await seen.next();
  assert.equal(alone, '\0AQL/');
});
