// Autobahn|JS as a client of the table, in Node or in a page: whoever has the library hands it in.

import { inbox, within } from '../fixtures/wait.mjs';
import { authentication, authorization, bytesToText, hexToBytes, PeerError, textToBytes } from './peers.mjs';

const asIs = (value) => value;

/** How many transports this place has registered with the library. */
let types = 0;

export function autobahnJs(autobahn) {
  return { join: (where) => join(autobahn, where) };
}

/** `where.transport` is `websocket`, `rawsocket`, or `port`, with the transport class of a port as `where.through`. */
async function join(autobahn, { transport, serializer, realm, url, port, path, login, through }) {
  const { serializer: serializers } = autobahn;
  const SERIALIZERS = {
    json: serializers.JSONSerializer,
    msgpack: serializers.MsgpackSerializer,
    cbor: serializers.CBORSerializer,
  };
  // Over a port bytes travel as they are, but come as text from a client that wrote them so.
  const outgoing = serializer === 'json' && transport !== 'port' ? bytesToText : asIs;
  const incoming = serializer === 'json' ? textToBytes : asIs;
  const connection = new autobahn.Connection({
    transports: [
      {
        websocket: () => ({ type: 'websocket', url, serializers: [new SERIALIZERS[serializer]()] }),
        rawsocket: () => ({ type: 'rawsocket', host: '127.0.0.1', port, path }),
        port: () => ({ type: registered(autobahn, through), url: 'wamplet:' }),
      }[transport](),
    ],
    realm,
    max_retries: 0,
    ...(login && loginOptions(autobahn, login)),
    on_user_error: () => {},
  });
  let closed;
  const closing = new Promise((resolve) => {
    closed = resolve;
  });
  const { session, details } = await within(
    'Autobahn|JS joins',
    new Promise((resolve, reject) => {
      connection.onopen = (session, details) => resolve({ session, details });
      connection.onclose = (reason, { reason: why, message }) => {
        // It takes a WebSocket that was closed without a code, as its own close does, for a lost one.
        closed({ reason: why ?? reason, message });
        reject(Object.assign(new Error(`Autobahn|JS could not join: ${reason} ${message}`), { error: why }));
      };
      connection.open();
    }),
  );

  const news = inbox('news of a behaviour');
  const subscriptions = new Map();
  const registrations = new Map();
  const held = [];
  const behaviours = {
    echo: (args, kwargs) => new autobahn.Result(args, kwargs),
    fail: (args, kwargs) => {
      throw new autobahn.Error('com.example.failed', args, kwargs);
    },
    throw: () => {
      throw 'oops';
    },
    unavailable: () => {
      throw new autobahn.Error('wamp.error.unavailable');
    },
    undefined: () => new autobahn.Result([undefined, { a: undefined, b: 2 }]),
    progress: ([steps], _kwargs, { progress }) => {
      for (let step = 0; step < steps; step += 1) progress([step]);
      return 'done';
    },
    wait: () => {
      news.push('called');
      return new Promise(() => {});
    },
    hold: () => {
      news.push('called');
      return new Promise((resolve) => held.push(() => resolve('released')));
    },
    who: () => session.id,
    identify: (_args, _kwargs, { procedure, caller, caller_authid, caller_authrole }) => ({
      procedure,
      caller,
      caller_authid,
      caller_authrole,
    }),
    authorize: ([, uri, action]) => {
      news.push(`${action} ${uri}`);
      const { allow, after } = authorization(uri);
      return new Promise((resolve) => setTimeout(resolve, after, { allow }));
    },
    authenticate: ([, , details]) => {
      const answer = authentication(details);
      if (answer === undefined) throw new autobahn.Error('com.example.unknown', ['who are you?']);
      return answer;
    },
  };
  const answered = (promise) =>
    promise.then(undefined, (error) => {
      throw error instanceof autobahn.Error
        ? new PeerError(error.error, incoming(error.args), incoming(error.kwargs))
        : error;
    });

  /** The library makes a bare value of a result that is one. */
  const outcome = (result) => {
    if (result instanceof autobahn.Result) return { args: result.args ?? [], kwargs: result.kwargs ?? {} };
    return { args: result === null || result === undefined ? [] : [result], kwargs: {} };
  };

  return {
    session: session.id,
    welcome: { realm: session.realm, ...details },
    news,
    closed: closing,
    async call(procedure, args, kwargs, { progress = false, ...options } = {}) {
      const got = [];
      const call = session.call(procedure, outgoing(args), outgoing(kwargs), {
        ...options,
        ...(progress && { receive_progress: true }),
      });
      const result = await answered(progress ? call.then(asIs, undefined, (step) => got.push(outcome(step))) : call);
      return incoming({ ...outcome(result), progress: got });
    },
    async start(procedure) {
      const call = session.call(procedure);
      const result = answered(call).then(outcome);
      result.catch(() => {});
      return { cancel: (mode) => call.cancel({ mode }), result };
    },
    async register(procedure, behaviour, options = {}) {
      const registration = await answered(session.register(procedure, behaviours[behaviour], options));
      registrations.set(procedure, registration);
      registration.on_unregister.then((reason) => news.push(`unregistered ${reason}`));
      return registration.id;
    },
    unregister: (procedure) => answered(registrations.get(procedure).unregister()),
    release() {
      for (const end of held.splice(0)) end();
    },
    async subscribe(topic, options = {}) {
      const events = inbox(`an event of ${topic}`);
      const heard = (args, kwargs, { topic, ...details }) =>
        events.push({ ...incoming({ topic, args: args ?? [], kwargs: kwargs ?? {} }), details });
      const subscription = await answered(session.subscribe(topic, heard, options));
      subscriptions.set(events, subscription);
      subscription.on_unsubscribe.then((reason) => reason && news.push(`unsubscribed ${reason}`));
      return Object.assign(events, { subscription: subscription.id });
    },
    unsubscribe: (events) => answered(subscriptions.get(events).unsubscribe()),
    async publish(topic, args, kwargs, options = {}) {
      const publication = session.publish(topic, outgoing(args), outgoing(kwargs), options);
      return (await (publication && answered(publication)))?.id;
    },
    async leave() {
      // Closing twice is an error to it.
      if (connection.isOpen) connection.close();
      return closing;
    },
  };
}

/** The type under which the library knows a transport class. */
function registered(autobahn, transport) {
  types += 1;
  const type = `wamplet-${types}`;
  autobahn.transports.register(type, transport);
  return type;
}

/** What the library wants to know in order to authenticate, and what it answers a challenge with. */
function loginOptions(autobahn, { method, authid, secret, pubkey }) {
  const { auth_cra: cra, auth_cryptosign: cryptosign, nacl } = autobahn;
  const answers = {
    ticket: () => secret,
    wampcra: ({ challenge, salt, iterations, keylen }) =>
      cra.sign(salt ? cra.derive_key(secret, salt, iterations, keylen) : secret, challenge),
    cryptosign: (extra) => cryptosign.sign_challenge(nacl.sign.keyPair.fromSeed(hexToBytes(secret)), extra),
  };
  return {
    authmethods: [method],
    authid,
    authextra: pubkey ? { pubkey } : {},
    onchallenge: (_session, method, extra) => answers[method](extra),
  };
}
