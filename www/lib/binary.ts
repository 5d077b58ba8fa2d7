// Messages with binary data in them, for the small client: structured over a port, "\0" + base64 in JSON.
//
// Owns how binary data is found without looking at every value, and JSON in both forms. `tail.ts` does the same for
// other clients, who may have buffers moved. [wamp: serialization_binary_json]

type Bytes = Uint8Array<ArrayBuffer>;

/** For a port: head and tail, text but for binary data; their size, and the buffers to be moved. */
export function writeMessage(message: unknown[], payload: unknown[]): [string, unknown, number, ArrayBuffer[]] {
  const head = JSON.stringify(message).slice(0, -1);
  const found: Bytes[] = [];
  // Nobody's text begins like that.
  const mark = `\0${Math.random()} `;
  const text = stringify(payload, (bytes) => mark + (found.push(bytes) - 1));
  const reviver = (_key: string, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark) ? found[+value.slice(mark.length)] : value;
  const size = found.reduce((sum, { length }) => sum + length, head.length + text.length);
  const tail = found.length > 0 ? JSON.parse(text, reviver) : text.slice(1, -1);
  return [head, tail, size, found.map(({ buffer }) => buffer)];
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
    if (!/\{("0":|\}|"type":"Buffer")/.test(text)) return text;
  }
  return JSON.stringify(values, function (this: Record<string, unknown>, key: string, value: unknown) {
    // Not the value, for which a Buffer was asked already.
    const member = this[key];
    return isBinary(member) ? write(bytesOf(member)) : value;
  });
}

function isBinary(value: unknown): value is ArrayBuffer | ArrayBufferView {
  // Not by `instanceof`: a buffer may come from a frame with constructors of its own.
  return ArrayBuffer.isView(value) || /ArrayBuffer]/.test({}.toString.call(value));
}

/** A copy of what is meant: its owner may go on with it, and a view's buffer may hold more. */
function bytesOf(value: ArrayBuffer | ArrayBufferView): Bytes {
  const { buffer = value, byteOffset, byteLength } = value as Partial<ArrayBufferView<ArrayBuffer>>;
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength).slice();
}
