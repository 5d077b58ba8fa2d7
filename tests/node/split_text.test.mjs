// Splitting the text of a message into head and tail: for any text whatever, either exactly, or refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importSource } from '../fixtures/source.mjs';

const { splitMessage } = await importSource('www/lib/split.ts');
const { MAX_DEPTH } = await importSource('www/lib/tail.ts');

const ELEMENTS = { 3: 3, 8: 5, 16: 4, 36: 4, 48: 4, 50: 3, 68: 4, 70: 3 };

/** Deterministic chance (mulberry32): a failure names its seed and can be had again. */
function chance(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { below, pick: (list) => list[below(list.length)] };
}

const STRINGS = [
  '',
  'a',
  'com.example.x',
  '"',
  '\\',
  '\\"',
  '],',
  '[{',
  '\u2028',
  'é\u{1f600}',
  '\0',
  '\n',
  'x'.repeat(60),
];

function anyValue(random, depth = 3) {
  const scalars = [
    () => random.pick(STRINGS) + random.pick(STRINGS),
    () => random.pick([0, -0, 1, -1.5, 1e300, 2 ** 53, 5e-324]),
    () => random.pick([true, false, null]),
  ];
  const nested = [
    () => Array.from({ length: random.below(4) }, () => anyValue(random, depth - 1)),
    () =>
      Object.fromEntries(
        Array.from({ length: random.below(4) }, () => [random.pick(STRINGS), anyValue(random, depth - 1)]),
      ),
  ];
  return random.pick(depth > 0 ? [...scalars, ...nested] : scalars)();
}

function anyMessage(random) {
  const code = random.pick([1, 2, 3, 6, 8, 16, 32, 34, 36, 48, 50, 64, 68, 70, 99, 337]);
  const elements = ELEMENTS[code] ?? 2 + random.below(3);
  const message = [code];
  while (message.length < elements) message.push(anyValue(random));
  if (code in ELEMENTS && random.below(4) > 0) {
    message.push(Array.from({ length: random.below(4) }, () => anyValue(random)));
    if (random.below(2) > 0) message.push({ k: anyValue(random) });
  }
  return message;
}

/** The value as JSON with spaces and line breaks wherever they are allowed, and some characters escaped. */
function write(value, random) {
  const space = () => random.pick(['', '', '', ' ', '\n', '\t\r\n ']);
  const plain = (inner) => {
    if (Array.isArray(inner)) return `[${space()}${inner.map(plain).join(`${space()},${space()}`)}${space()}]`;
    if (typeof inner === 'object' && inner !== null) {
      const members = Object.entries(inner).map(
        ([key, member]) => `${plain(key)}${space()}:${space()}${plain(member)}`,
      );
      return `{${space()}${members.join(`${space()},${space()}`)}${space()}}`;
    }
    const text = JSON.stringify(inner);
    return typeof inner === 'string' && random.below(3) === 0 ? text.replace(/[a-z](?![^\\]*\\)/, escaped) : text;
  };
  const escaped = (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`;
  return `${space()}${plain(value)}${space()}`;
}

const join = ({ head, tail }) => (tail === '' ? `${head}]` : `${head},${tail}]`);

/** Whether these can be Args, or Args and Kwargs. */
function isPayload([args, kwargs = {}, ...more]) {
  return Array.isArray(args) && kwargs?.constructor === Object && more.length === 0;
}

function parses(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('head_and_tail_together_are_the_message_and_the_tail_is_Args_and_Kwargs', () => {
  for (let seed = 1; seed <= 20_000; seed += 1) {
    const random = chance(seed);
    const message = anyMessage(random);
    const text = write(message, random);
    const split = splitMessage(text);
    const what = `seed ${seed}: ${text}`;
    assert.deepEqual(JSON.parse(join(split)), JSON.parse(text), what);
    const elements = ELEMENTS[message[0]];
    const hasTail = elements !== undefined && message.length > elements;
    assert.equal(split.tail !== '', hasTail, what);
    if (hasTail) {
      assert.deepEqual(JSON.parse(`${split.head}]`), JSON.parse(text).slice(0, elements), what);
      assert.deepEqual(JSON.parse(`[${split.tail}]`), JSON.parse(text).slice(elements), what);
    }
  }
});

test('a_text_that_is_no_JSON_stays_none_and_never_leaves_a_malformed_tail', () => {
  let broken = 0;
  for (let seed = 1; seed <= 30_000; seed += 1) {
    const random = chance(seed);
    const text = write(anyMessage(random), random);
    const at = random.below(text.length);
    const other = random.pick(['', '"', '\\', '[', ']', '{', '}', ',', ':', '0', '-', 'e', 't', '\n', '\0', ' ']);
    const mangled = text.slice(0, at) + other + text.slice(at + random.below(3));
    const split = splitMessage(mangled);
    const what = `seed ${seed}: ${mangled}`;
    if (split.tail !== '') assert.ok(parses(`[${split.tail}]`), what);
    if (parses(mangled)) {
      const value = JSON.parse(mangled);
      // What has more than Args and Kwargs, or others than these, or is no array, is refused as well.
      if (parses(join(split))) assert.deepEqual(JSON.parse(join(split)), value, what);
      else assert.ok(!Array.isArray(value) || !isPayload(value.slice(ELEMENTS[value[0]])), what);
    } else {
      broken += 1;
      assert.ok(!parses(join(split)), what);
    }
  }
  assert.ok(broken > 5_000, 'the mangling mangles');
});

test('Args_are_a_list_and_Kwargs_a_dictionary_or_the_text_is_refused', () => {
  const isTaken = (tail, options = '{}') => {
    const text = `[16,1,${options},"com.example.x",${tail}]`;
    const split = splitMessage(text);
    assert.equal(parses(join(split)), split.tail !== '', text);
    return split.tail === tail;
  };
  for (const tail of ['[]', ' [1]', '[],{}', '[] , {"k":1} ']) assert.ok(isTaken(tail), tail);
  for (const tail of ['{}', 'null', '"a"', '1', '{},{}', '[],[]', '[],null', '[],"a"', 'null,{}']) {
    assert.ok(!isTaken(tail), tail);
  }
  const encoded = '{"enc_algo":"x_own"}';
  assert.ok(isTaken('"opaque"', encoded));
  assert.ok(!isTaken('null', encoded));
  assert.ok(!isTaken('"opaque"', '{"algo":"x_own"}'));
});

test('a_truncated_text_is_refused_wherever_it_breaks_off', () => {
  const text = '[16,1,{"acknowledge":true},"com.example.x",[1,[2],"a]"],{"k":{"l":[3]}}]';
  for (let length = 0; length < text.length; length += 1) {
    assert.ok(!parses(join(splitMessage(text.slice(0, length)))), text.slice(0, length));
  }
  assert.ok(parses(join(splitMessage(text))));
});

test('nesting_is_limited_as_in_the_router', () => {
  // The message array is the first level.
  const args = (depth) => `[16,1,{},"x",${'['.repeat(depth)}${']'.repeat(depth)}]`;
  assert.notEqual(splitMessage(args(MAX_DEPTH - 1)).tail, '');
  assert.equal(splitMessage(args(MAX_DEPTH)).tail, '');
  assert.ok(!parses(join(splitMessage(args(MAX_DEPTH)))));
  const objects = (depth) => `[16,1,{},"x",[${'{"k":'.repeat(depth)}1${'}'.repeat(depth)}]]`;
  assert.notEqual(splitMessage(objects(MAX_DEPTH - 2)).tail, '');
  assert.equal(splitMessage(objects(MAX_DEPTH - 1)).tail, '');
  assert.equal(splitMessage(args(1_000_000)).tail, '', 'without recursion');
});
