// All that this demo does with WAMP. Read it from top to bottom: an app of your own does the same.
//
// The client is Autobahn|JS, as with any WAMP router. Only step 1 is about wamplet.

import autobahn from 'autobahn-browser';
import { autobahnTransport, sharedRouter } from 'wamplet';

/** What every session here offers, what they all share, and what they talk about. */
const helloOf = (sessionId) => `com.example.hello.${sessionId}`;
const helloOfAnyone = 'com.example.hello';
const chat = 'com.example.chat';

// 1. The router. The first tab of an origin that asks for it starts it, in a SharedWorker; later ones find it there. Where
// there is no SharedWorker, one of the tabs runs it.

/** Rejects with a plain sentence when no router can run here. Leave `mode` out: the library knows what the browser can. */
export const startRouter = (mode) => sharedRouter({ name: 'demo', mode });

/**
 * Teaches Autobahn|JS a transport that leads to `router`: what `startRouter` gave or, in a worker, a port of it.
 * `wrap` may put something around the transport; the message log does.
 */
export function useRouter(router, wrap = (Transport) => Transport) {
  autobahn.transports.register('wamplet', wrap(autobahnTransport(router)));
}

// 2. A session.

/**
 * Joins `realm`. `about` is told to the other sessions as it is: here the name of its tab.
 * `onopen(session, details)` and `onclose(reason, details)` are Autobahn's; its `close()` leaves again.
 */
export function join({ realm, about, onopen, onclose }) {
  const connection = new autobahn.Connection({
    transports: [{ type: 'wamplet', url: 'wamplet:' }],
    realm,
    authextra: about,
    // A router in the same browser is back at once, if it comes back.
    initial_retry_delay: 0.5,
    max_retry_delay: 5,
  });
  connection.onopen = onopen;
  connection.onclose = onclose;
  connection.open();
  return connection;
}

// 3. Who is here: the router tells of every session that comes and goes, and lists those that came before.

/** Calls `joined(details)` for each session in the realm, also our own, and `left(id)` when it is gone. */
export async function watchSessions(session, { joined, left }) {
  let listing = true;
  const leftMeanwhile = new Set();
  await session.subscribe('wamp.session.on_join', ([details]) => joined(details));
  await session.subscribe('wamp.session.on_leave', ([id]) => {
    if (listing) leftMeanwhile.add(id);
    left(id);
  });

  const ids = await session.call('wamp.session.list');
  const answers = await Promise.allSettled(ids.map((id) => sessionDetails(session, id)));
  listing = false;
  for (const { value } of answers) {
    if (value && !leftMeanwhile.has(value.session)) joined(value);
  }
}

export const sessionDetails = (session, id) => session.call('wamp.session.get', [id]);

/** Ends somebody else's session. It gets GOODBYE with the reason, a URI, and the message. */
export const killSession = (session, id, reason, message) =>
  session.call('wamp.session.kill', [id], { reason, message });

// 4. Calls: each session registers a procedure under a name of its own, and all share another one.

/** `answer(caller)` gets the id of the calling session; what it returns goes back to the caller. */
export async function offerHello(session, answer) {
  const procedure = (_args, _kwargs, { caller }) => answer(caller);
  await session.register(helloOf(session.id), procedure);
  await session.register(helloOfAnyone, procedure, { invoke: 'random' });
}

/** Says hello to one session, or to whichever the router chooses. `disclose_me` tells it who is calling. */
export const sayHello = (session, id) =>
  session.call(id === undefined ? helloOfAnyone : helloOf(id), [], {}, { disclose_me: true });

/** The session that a procedure belongs to, or undefined. */
export const ownerOf = (procedure) => Number(/^com\.example\.hello\.(\d+)$/.exec(procedure)?.[1]) || undefined;

// 5. Events: one topic, on which everybody publishes and to which everybody subscribes.

/** Calls `posted(text, publisher)` for each event; `publisher` is a session id. */
export const followChat = (session, posted) =>
  session.subscribe(chat, ([text], _kwargs, event) => posted(text, event.publisher));

/** Resolves when the router has taken it. Without `exclude_me: false` a publisher does not get its own event. */
export const postToChat = (session, text) =>
  session.publish(chat, [text], {}, { acknowledge: true, exclude_me: false, disclose_me: true });

// 6. Errors: a URI for programs, and by custom a sentence for people as the first argument.

export function sentenceOf(error) {
  if (error instanceof autobahn.Error) return [error.args[0], `(${error.error})`].filter(Boolean).join(' ');
  return error instanceof Error ? error.message : String(error);
}
