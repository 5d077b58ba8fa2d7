// What the cases ask of every client library, in one form: a client's `join` resolves to a peer.
// `join` takes where and how to connect, and `login`, where a client is to authenticate: `{ method, authid, secret, pubkey }`,
// of which the secret of cryptosign is the seed of a key, and `pubkey` its public half, both in hexadecimal digits. What
// refuses a client rejects with an error that has the URI as `error`.
//
// A peer has `session` (its id) and `welcome` (`realm`, `authid`, `authrole`, `authmethod`, `authextra` and the router's
// `roles`, as far as the library tells), and
//
// * `call(procedure, args, kwargs, options)` resolves to `{ args, kwargs, progress }`, the last a list of such payloads, which
//   the option `progress` asks for; what fails rejects with a PeerError;
// * `start(procedure)` resolves to a call under way, `{ cancel(mode), result }`;
// * `register(procedure, behaviour, options)` with one of the behaviours below, resolves to the registration's id;
//   `unregister(procedure)`; `release()` ends what holds a call;
// * `subscribe(topic, options)` resolves to an inbox of `{ topic, args, kwargs, details }`, with the `subscription`'s id;
//   `unsubscribe(inbox)`;
// * `publish(topic, args, kwargs, options)` resolves to the publication's id where `acknowledge` asks for it;
// * `leave()`, and `closed`, which resolves to `{ reason, message }`, as far as the library tells;
// * `news`: an inbox of what behaviours tell, and of what the library tells about registrations and subscriptions that the
//   router takes away: `unregistered REASON`, `unsubscribed REASON`.
//
// Options not explained here have the names and values of WAMP; `details` has those of WAMP, too. Bytes are Uint8Arrays.
//
// | behaviour | what a procedure does that has it |
// | --- | --- |
// | `echo` | answers what it was given |
// | `fail` | error com.example.failed with what it was given |
// | `throw` | throws "oops", which is no error of WAMP |
// | `unavailable` | error wamp.error.unavailable |
// | `undefined` | answers `undefined`, alone and inside of an object |
// | `progress` | N progressive results, then "done" |
// | `wait` | tells `called` and never answers; interrupted, it tells so and fails with com.example.interrupted |
// | `hold` | tells `called` and answers "released" when that is said |
// | `who` | answers the session that runs it |
// | `identify` | answers procedure, caller, caller_authid, caller_authrole and trustlevel, as far as it is told |
// | `authorize` | allows what is under com.example.allowed, of which it thinks longer where the URI ends with `slow` |
// | `authenticate` | lets in whoever has the ticket "open sesame", and "open sesame" is the secret of everybody |

/** What a peer was answered instead of a result. */
export class PeerError extends Error {
  constructor(error, args = [], kwargs = {}) {
    super(`${error} ${JSON.stringify(args)}`);
    Object.assign(this, { error, args, kwargs });
  }
}

/** What `authorize` answers, and after how many milliseconds. */
export function authorization(uri) {
  return { allow: uri.startsWith('com.example.allowed'), after: uri.endsWith('slow') ? 100 : 0 };
}

/** What `authenticate` answers; undefined where it refuses. */
export function authentication({ authmethod, ticket }) {
  if (authmethod === 'ticket' && ticket !== 'open sesame') return undefined;
  return { role: 'backend', secret: 'open sesame', extra: { level: 9 } };
}

/** JSON has no bytes: WAMP writes them as text that begins with a zero, and these clients leave that to their users. */
export function bytesToText(value) {
  if (ArrayBuffer.isView(value)) return `\0${toBase64(value)}`;
  return mapped(value, bytesToText);
}

/** The other way round. */
export function textToBytes(value) {
  if (typeof value === 'string' && value.startsWith('\0')) return fromBase64(value.slice(1));
  return mapped(value, textToBytes);
}

/** What goes to a peer elsewhere as JSON, with `{ $bytes }` in the place of bytes. */
export function writable(value) {
  if (ArrayBuffer.isView(value)) return { $bytes: toBase64(value) };
  return mapped(value, writable);
}

/** The other way round. */
export function revive(value) {
  if (typeof value?.$bytes === 'string') return fromBase64(value.$bytes);
  return mapped(value, revive);
}

/** A value with `change` made to what it holds. */
export function mapped(value, change) {
  if (Array.isArray(value)) return value.map(change);
  if (value?.constructor !== Object) return value;
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, change(element)]));
}

export function hexToBytes(digits) {
  return Uint8Array.from(digits.match(/../g), (byte) => Number.parseInt(byte, 16));
}

// By what browsers have, too.
const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
