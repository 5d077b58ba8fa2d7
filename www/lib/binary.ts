// Messages with binary data in them, for the small client: structured over a port, "\0" + base64 in JSON.
//
// Owns how binary data is found without looking at every value, and JSON in both forms. `tail.ts` does the same for
// other clients, who may have buffers moved. [wamp: serialization_binary_json]

import { HEAD_ELEMENTS } from './tail.ts';

interface Written {
  head: string;
  tail: unknown;
  size: number;
  moved: ArrayBuffer[];
}

type Bytes = Uint8Array<ArrayBuffer>;

/** For a port: head and tail, text but for binary data. */
export function writeMessage(message: unknown[]): Written {
  const elements = HEAD_ELEMENTS.get(message[0] as number) ?? message.length;
  const head = JSON.stringify(message.slice(0, elements)).slice(0, -1);
  const payload = message.slice(elements);
  const moved: Bytes[] = [];
  // Nobody's text begins like that.
  const mark = `\0${Math.random()} `;
  let tail: unknown = stringify(payload, (bytes) => mark + (moved.push(bytes) - 1)).slice(1, -1);
  let size = head.length + (tail as string).length;
  if (moved.length > 0) {
    const revive = (_key: string, value: unknown) =>
      typeof value === 'string' && value.startsWith(mark) ? moved[Number(value.slice(mark.length))] : value;
    tail = JSON.parse(`[${tail}]`, revive);
    for (const { length } of moved) size += length;
  }
  return { head, tail, size, moved: moved.map(({ buffer }) => buffer) };
}

/** From a port. Throws where the text is not JSON. */
export function readMessage(head: string, tail: unknown): unknown[] {
  if (typeof tail === 'string') return parse(`${head}${tail}]`);
  return [...parse(`${head.replace(/,$/, '')}]`), ...(tail as unknown[])];
}

/** JSON text, with binary data as WAMP has it. */
export function writeText(message: unknown[]): string {
  return stringify(message, (bytes) => {
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    return `\0${btoa(text)}`;
  });
}

export function parse(text: string): unknown[] {
  // Looking for it costs next to nothing, unlike a function that is called for each value.
  return text.includes('"\\u0000') ? JSON.parse(text, revive) : JSON.parse(text);
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith('\0')) return value;
  try {
    return Uint8Array.from(atob(value.slice(1)), (character) => character.charCodeAt(0));
  } catch {
    // A text that happens to begin like that.
    return value;
  }
}

/**
 * JSON.stringify spells views out as objects with numeric keys, buffers as empty objects and Node's Buffers as records:
 * only where the text has one of these may there be binary data. A large buffer near the top is found before that.
 */
function stringify(values: unknown[], write: (bytes: Bytes) => string): string {
  if (!values.some((value) => Object.values(value ?? {}).some(isBinary))) {
    const text = JSON.stringify(values);
    if (!/\{"0":|\{\}|\{"type":"Buffer"/.test(text)) return text;
  }
  return JSON.stringify(values, function (this: Record<string, unknown>, key: string, value: unknown) {
    // Not the value, for which a Buffer was asked already.
    const member = this[key];
    return isBinary(member) ? write(bytesOf(member)) : value;
  });
}

function isBinary(value: unknown): value is ArrayBuffer | ArrayBufferView {
  // Not by `instanceof`: a buffer may come from a frame with constructors of its own.
  return ArrayBuffer.isView(value) || /ArrayBuffer]$/.test(Object.prototype.toString.call(value));
}

/** A copy of what is meant: its owner may go on with it, and a view's buffer may hold more. */
function bytesOf(value: ArrayBuffer | ArrayBufferView): Bytes {
  const isView = ArrayBuffer.isView(value);
  return (isView ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value)).slice() as Bytes;
}
