// Autobahn|JS as a client of the table.

// Before Autobahn, which keeps the console that it finds.
import '../fixtures/quiet-autobahn.mjs';

import autobahn from 'autobahn';
import { inbox, within } from '../fixtures/wait.mjs';
import { bytesToText, PeerError, textToBytes } from './peers.mjs';

const { serializer: serializers } = autobahn;
const SERIALIZERS = {
  json: serializers.JSONSerializer,
  msgpack: serializers.MsgpackSerializer,
  cbor: serializers.CBORSerializer,
};
const asIs = (value) => value;

export const autobahnJs = { join };

async function join({ transport, serializer, realm, url, port, path, login }) {
  const [outgoing, incoming] = serializer === 'json' ? [bytesToText, textToBytes] : [asIs, asIs];
  const serializerOption = { serializers: [new SERIALIZERS[serializer]()] };
  const connection = new autobahn.Connection({
    transports: [
      transport === 'websocket'
        ? { type: 'websocket', url, ...serializerOption }
        : { type: 'rawsocket', host: '127.0.0.1', port, path },
    ],
    realm,
    max_retries: 0,
    ...(login && authentication(login)),
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
  const behaviours = {
    echo: (args, kwargs) => new autobahn.Result(args, kwargs),
    fail: (args, kwargs) => {
      throw new autobahn.Error('com.example.failed', args, kwargs);
    },
    progress: ([steps], _kwargs, { progress }) => {
      for (let step = 0; step < steps; step += 1) progress([step]);
      return 'done';
    },
    wait: () => {
      news.push('called');
      return new Promise(() => {});
    },
  };
  const answered = (promise) =>
    promise.then(undefined, (error) => {
      throw error instanceof autobahn.Error
        ? new PeerError(error.error, incoming(error.args), incoming(error.kwargs))
        : error;
    });

  return {
    session: session.id,
    welcome: { realm: session.realm, ...details },
    news,
    closed: closing,
    async call(procedure, args, kwargs, { progress = false } = {}) {
      const got = [];
      const call = session.call(
        procedure,
        outgoing(args),
        outgoing(kwargs),
        progress ? { receive_progress: true } : {},
      );
      const result = await answered(progress ? call.then(asIs, undefined, (step) => got.push(outcome(step))) : call);
      return incoming({ ...outcome(result), progress: got });
    },
    async start(procedure) {
      const call = session.call(procedure);
      const result = answered(call);
      result.catch(() => {});
      return { cancel: (mode) => call.cancel({ mode }), result };
    },
    async register(procedure, behaviour, { match } = {}) {
      registrations.set(procedure, await answered(session.register(procedure, behaviours[behaviour], { match })));
    },
    unregister: (procedure) => answered(registrations.get(procedure).unregister()),
    async subscribe(topic, { match } = {}) {
      const events = inbox(`an event of ${topic}`);
      const heard = (args, kwargs, details) =>
        events.push(incoming({ topic: details.topic, args: args ?? [], kwargs: kwargs ?? {} }));
      subscriptions.set(topic, await answered(session.subscribe(topic, heard, { match })));
      return events;
    },
    unsubscribe: (topic) => answered(subscriptions.get(topic).unsubscribe()),
    async publish(topic, args, kwargs, { acknowledge = false } = {}) {
      const publication = session.publish(topic, outgoing(args), outgoing(kwargs), { acknowledge });
      return (await (publication && answered(publication)))?.id;
    },
    async leave() {
      // Closing twice is an error to it.
      if (connection.isOpen) connection.close();
      return closing;
    },
  };
}

/** What the library wants to know in order to authenticate, and what it answers a challenge with. */
function authentication({ method, authid, secret }) {
  const { auth_cra: cra, auth_cryptosign: cryptosign, nacl } = autobahn;
  const pair = method === 'cryptosign' && nacl.sign.keyPair.fromSeed(Uint8Array.from(Buffer.from(secret, 'hex')));
  const answers = {
    ticket: () => secret,
    wampcra: ({ challenge, salt, iterations, keylen }) =>
      cra.sign(salt ? cra.derive_key(secret, salt, iterations, keylen) : secret, challenge),
    cryptosign: (extra) => cryptosign.sign_challenge(pair, extra),
  };
  return {
    authmethods: [method],
    authid,
    authextra: pair ? { pubkey: cryptosign.public_key(pair) } : {},
    onchallenge: (_session, method, extra) => answers[method](extra),
  };
}

/** The library makes a bare value of a result that is one. */
function outcome(result) {
  if (result instanceof autobahn.Result) return { args: result.args ?? [], kwargs: result.kwargs ?? {} };
  return { args: result === null || result === undefined ? [] : [result], kwargs: {} };
}
