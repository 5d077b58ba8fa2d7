// What the cases ask of every client library, in one form: a client's `join` resolves to a peer.
// `join` takes where and how to connect, and `login`, where a client is to authenticate: `{ method, authid, secret }`, of
// which the secret of cryptosign is the seed of a key in hexadecimal digits.
//
// A peer has `session` (its id) and `welcome` (`realm`, `authid`, `authrole`, `authmethod`, as far as the library tells),
// and
//
// * `call(procedure, args, kwargs, { progress })` resolves to `{ args, kwargs, progress }`, the last a list of such
//   payloads; what fails rejects with a PeerError;
// * `start(procedure)` resolves to a call under way, `{ cancel(mode), result }`;
// * `register(procedure, behaviour, { match })` with one of the behaviours `echo` (answers what it was given), `fail`
//   (error com.example.failed with what it was given), `progress` (N progressive results, then "done") and `wait` (tells
//   `called` and never answers; where it is interrupted, tells so and fails with com.example.interrupted);
//   `unregister(procedure)`;
// * `subscribe(topic, { match })` resolves to an inbox of `{ topic, args, kwargs }`; `unsubscribe(topic)`;
// * `publish(topic, args, kwargs, { acknowledge })` resolves to the publication's id where that was asked for;
// * `leave()`, and `closed`, which resolves to `{ reason, message }`, as far as the library tells;
// * `news`: an inbox of what behaviours tell.
//
// Bytes are Buffers or Uint8Arrays.

/** What a peer was answered instead of a result. */
export class PeerError extends Error {
  constructor(error, args = [], kwargs = {}) {
    super(`${error} ${JSON.stringify(args)}`);
    Object.assign(this, { error, args, kwargs });
  }
}

/** JSON has no bytes: WAMP writes them as text that begins with a zero, and these clients leave that to their users. */
export function bytesToText(value) {
  if (ArrayBuffer.isView(value)) return `\0${Buffer.from(value).toString('base64')}`;
  return mapped(value, bytesToText);
}

/** The other way round. */
export function textToBytes(value) {
  if (typeof value === 'string' && value.startsWith('\0')) return Buffer.from(value.slice(1), 'base64');
  return mapped(value, textToBytes);
}

/** A value with `change` made to what it holds. */
export function mapped(value, change) {
  if (Array.isArray(value)) return value.map(change);
  if (value?.constructor !== Object) return value;
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, change(element)]));
}
