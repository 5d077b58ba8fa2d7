// Where the tail of a WAMP message begins, and how a tail becomes what the other end takes.
//
// This is all that the browser side knows of WAMP: eight message types end in Args and Kwargs, behind so many elements.
// Owns binary data in tails: structured clone between our own ends, WAMP's binary-in-JSON form ("\0" + base64) for
// those who speak JSON. Splitting a text without parsing it is in `split.ts`. [wamp: serialization_binary_json]

import type { StructuredTail, Tail } from './wire.ts';

/** How many elements stand before Args, by message code. */
export const HEAD_ELEMENTS: ReadonlyMap<number, number> = /* @__PURE__ */ new Map([
  [3, 3], // ABORT
  [8, 5], // ERROR
  [16, 4], // PUBLISH
  [36, 4], // EVENT
  [48, 4], // CALL
  [50, 3], // RESULT
  [68, 4], // INVOCATION
  [70, 3], // YIELD
]);

export interface EncodedMessage {
  head: string;
  tail: Tail;
  size: number;
  transfer: ArrayBuffer[];
  /** Holds memory that is still the sender's: it must leave before the sender goes on. */
  isBorrowing: boolean;
}

/** Deepest nesting of arrays and objects, the message array included; the router's codec has the same limit. */
export const MAX_DEPTH = 128;

/** Bytes up to which binary data is copied at once, so that its message can wait for others of the same task. */
const SMALL = 4096;

/** Binary data whose owner said that it may be moved instead of copied. */
const movable = /* @__PURE__ */ new WeakSet<ArrayBufferLike>();

/** Marks binary data to be moved to its receiver by the next message that holds it: its sender can no longer use it. */
export function transfer<Binary extends ArrayBuffer | ArrayBufferView>(binary: Binary): Binary {
  movable.add(ArrayBuffer.isView(binary) ? binary.buffer : binary);
  return binary;
}

/** A message array to head and tail, with the semantics of JSON.stringify for everything but binary data. */
export function encodeMessage(message: readonly unknown[]): EncodedMessage {
  const elements = HEAD_ELEMENTS.get(message[0] as number);
  if (elements === undefined || message.length <= elements) {
    const head = JSON.stringify(message).slice(0, -1);
    return { head, tail: '', size: head.length, transfer: [], isBorrowing: false };
  }
  const head = JSON.stringify(message.slice(0, elements)).slice(0, -1);
  const payload = message.slice(elements);
  // A buffer near the top is found before JSON.stringify spells out its every byte, one deep inside after that.
  const text = holdsBinaryNearTop(payload) ? undefined : JSON.stringify(payload).slice(1, -1);
  if (text === undefined || mayHoldBinary(text)) {
    const found: Uint8Array[] = [];
    const tail = payload.map((element) => toCloneable(element, found) ?? null);
    if (text === undefined || found.length > 0) {
      const buffers = new Set<ArrayBuffer>();
      for (const { buffer } of found) if (movable.delete(buffer)) buffers.add(buffer as ArrayBuffer);
      const size = head.length + byteLength(found);
      // Whatever is small or a part of something was copied already.
      const isBorrowing = buffers.size > 0 || found.some(({ byteLength }) => byteLength > SMALL);
      return { head, tail, size, transfer: [...buffers], isBorrowing };
    }
  }
  return { head, tail: text, size: head.length + text.length, transfer: [], isBorrowing: false };
}

/** Whether a head says that a text or binary stands in the place of Args. */
export function hasEncodedArgs(head: string): boolean {
  return head.includes('"enc_algo"');
}

/** Head and tail to the message array. Throws where the text is not JSON. */
export function decodeMessage(head: string, tail: Tail): unknown[] {
  if (typeof tail === 'string') return JSON.parse(messageText(head, tail));
  return [...JSON.parse(`${withoutComma(head)}]`), ...tail];
}

/** Head and tail to the text of the message, as a client that speaks JSON gets it. */
export function messageText(head: string, tail: Tail): string {
  return typeof tail === 'string' ? `${head}${tail}]` : `${withoutComma(head)},${tailText(tail)}]`;
}

/** A tail as JSON text; the router asks for it where it counts bytes. */
export function tailText(tail: Tail): string {
  if (typeof tail === 'string') return tail;
  return JSON.stringify(tail, (_key, value) => (isBinary(value) ? `\0${base64(bytesOf(value))}` : value)).slice(1, -1);
}

/** The binary data in a structured tail, each once. */
export function binaryOf(tail: StructuredTail): Uint8Array[] {
  const found: Uint8Array[] = [];
  const look = (value: unknown) => {
    if (isBinary(value)) found.push(bytesOf(value));
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(look);
  };
  look(tail);
  return found;
}

/**
 * About the characters that a structured tail has as JSON, binary data counted by its bytes; where that is more than
 * `limit`, no more is known. Undefined for what others could not read, and our own clients do not send.
 */
export function sizeOfTail(tail: StructuredTail, limit: number): number | undefined {
  let size = 0;
  const isPlain = (value: unknown, depth: number): boolean => {
    if (size > limit) return true;
    if (typeof value === 'string') size += value.length + 2;
    else if (typeof value !== 'object' || value === null) size += 4;
    else if (isBinary(value)) size += value.byteLength;
    else if (depth >= MAX_DEPTH) return false;
    else if (Array.isArray(value)) {
      // First of all, because an array of no elements may be of any length.
      size += value.length;
      return size > limit || value.every((element) => isPlain(element, depth + 1));
    } else {
      return (
        Object.prototype.toString.call(value) === '[object Object]' &&
        Object.entries(value).every(([key, member]) => isPlain(key, depth) && isPlain(member, depth + 1))
      );
    }
    return typeof value !== 'bigint' && !(isBinary(value) && isShared(bytesOf(value).buffer));
  };
  return tail.every((element) => isPlain(element, 1)) ? size : undefined;
}

export function byteLength(binary: readonly Uint8Array[]): number {
  return binary.reduce((sum, bytes) => sum + bytes.byteLength, 0);
}

/** A head comes from the router with a comma where a tail follows. */
function withoutComma(head: string): string {
  return head.endsWith(',') ? head.slice(0, -1) : head;
}

/** Looks at the first few values only, so that it costs the same for every payload. */
function holdsBinaryNearTop(payload: readonly unknown[]): boolean {
  let budget = 64;
  const waiting: unknown[] = [payload];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    for (const key in value as object) {
      if (budget-- === 0) return false;
      const member = (value as Record<string, unknown>)[key];
      if (typeof member !== 'object' || member === null) continue;
      if (isBinary(member)) return true;
      waiting.push(member);
    }
  }
  return false;
}

/**
 * Whether the text may come from values with binary data in them: JSON.stringify turns views into objects with numeric
 * keys, buffers into empty objects and Node's Buffers into records. Looking for these costs next to nothing, unlike a
 * walk over all values.
 */
function mayHoldBinary(text: string): boolean {
  return text.includes('{"0":') || text.includes('{}') || text.includes('{"type":"Buffer"');
}

/**
 * What JSON.stringify would make of a value, as plain data, but with binary data left in place as Uint8Arrays, which
 * are added to `found`. Structured clone by itself would throw on proxies and functions and would not know `toJSON`.
 * Throws a TypeError for what JSON cannot say, and for what is nested deeper than a router takes.
 */
function toCloneable(value: unknown, found: Uint8Array[], key: string | number = '', depth = 1): unknown {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null || value === undefined) return value;
  // JSON has no -0.
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : null;
  if (isBinary(value)) {
    const bytes = cloneableBytes(value);
    found.push(bytes);
    return bytes;
  }
  if (depth >= MAX_DEPTH) throw new TypeError(`a payload is a circle, or nested deeper than ${MAX_DEPTH} levels`);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return toCloneable(toJSON.call(value, `${key}`), found, key, depth + 1);
  // Holes are null, too.
  if (Array.isArray(value)) return [...value].map((member, at) => toCloneable(member, found, at, depth + 1) ?? null);
  if (typeof value !== 'object' || isBoxed(value)) {
    const text = JSON.stringify(value);
    return text && JSON.parse(text);
  }
  const plain: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const member = toCloneable((value as Record<string, unknown>)[key], found, key, depth + 1);
    if (member === undefined) continue;
    // Assigning would set the prototype.
    if (key === '__proto__') Object.defineProperty(plain, key, { value: member, enumerable: true });
    else plain[key] = member;
  }
  return plain;
}

function isBoxed(value: unknown): boolean {
  return value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt;
}

type Binary = ArrayBufferLike | ArrayBufferView;

function isBinary(value: unknown): value is Binary {
  if (ArrayBuffer.isView(value)) return true;
  // Not by `instanceof`: a buffer may come from a frame or a test runner with constructors of its own.
  const tag = Object.prototype.toString.call(value);
  return tag === '[object ArrayBuffer]' || tag === '[object SharedArrayBuffer]';
}

function bytesOf(value: Binary): Uint8Array {
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
}

/** Structured clone copies the whole buffer behind a view, and shared memory does not travel: cut out what is meant. */
function cloneableBytes(value: Binary): Uint8Array {
  const bytes = bytesOf(value);
  const { buffer } = bytes;
  if (movable.has(buffer)) return bytes;
  const isWhole = buffer.byteLength === bytes.byteLength && !isShared(buffer);
  return isWhole && bytes.byteLength > SMALL ? bytes : bytes.slice();
}

function isShared(buffer: ArrayBufferLike): boolean {
  return Object.prototype.toString.call(buffer) === '[object SharedArrayBuffer]';
}

function base64(bytes: Uint8Array): string {
  let text = '';
  // An engine takes only so many arguments at once.
  const step = 8192;
  for (let start = 0; start < bytes.length; start += step) {
    text += String.fromCharCode(...bytes.subarray(start, start + step));
  }
  return btoa(text);
}
