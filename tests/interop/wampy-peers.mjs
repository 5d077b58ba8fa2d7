// wampy as a client of the table, with the `ws` package below it.

import autobahn from 'autobahn';
import { Wampy } from 'wampy';
import { CborSerializer } from 'wampy/CborSerializer.js';
import * as cryptosign from 'wampy/cryptosign.js';
import { JsonSerializer } from 'wampy/JsonSerializer.js';
import { MsgpackSerializer } from 'wampy/MsgpackSerializer.js';
import * as cra from 'wampy/wampcra.js';
import { WebSocket } from 'ws';
import { inbox, within } from '../fixtures/wait.mjs';
import { bytesToText, mapped, PeerError, textToBytes } from './peers.mjs';

// It makes keys, which wampy leaves to others.
const { nacl } = autobahn;

const SERIALIZERS = { json: JsonSerializer, msgpack: MsgpackSerializer, cbor: CborSerializer };
const asIs = (value) => value;

export const wampy = { join };

async function join({ serializer, realm, url, login }) {
  const outgoing = serializer === 'json' ? bytesToText : asIs;
  const incoming = { json: textToBytes, msgpack: bigIntsToNumbers, cbor: asIs }[serializer];
  let closed;
  const closing = new Promise((resolve) => {
    closed = resolve;
  });
  const client = new Wampy(url, {
    realm,
    ws: WebSocket,
    serializer: new SERIALIZERS[serializer](),
    autoReconnect: false,
    ...(login && authentication(login)),
    // The library keeps the reason of a GOODBYE to itself.
    onClose: () => closed({}),
  });
  const welcome = await within('wampy joins', client.connect());

  const news = inbox('news of a behaviour');
  const subscriptions = new Map();
  const payload = ({ argsList = [], argsDict = {} }) => ({ args: incoming(argsList), kwargs: incoming(argsDict) });
  const written = (args, kwargs) => ({ argsList: outgoing(args), argsDict: outgoing(kwargs) });
  const behaviours = {
    echo: ({ argsList = [], argsDict }) => ({ argsList, argsDict }),
    fail: ({ argsList, argsDict }) => {
      throw { error: 'com.example.failed', argsList, argsDict };
    },
    progress: ({ argsList: [steps], result_handler }) => {
      for (let step = 0; step < steps; step += 1) result_handler({ argsList: [step], options: { progress: true } });
      return { argsList: ['done'] };
    },
    wait: () => {
      news.push('called');
      return new Promise(() => {});
    },
  };
  const answered = (promise) =>
    promise.catch(({ errorUri, error, argsList, argsDict, message }) => {
      const { args, kwargs } = payload({ argsList: argsList ?? [], argsDict: argsDict ?? {} });
      throw new PeerError(errorUri ?? error ?? message, args, kwargs);
    });

  return {
    session: Number(client.getSessionId()),
    welcome: { ...welcome, realm: welcome.realm ?? realm },
    news,
    closed: closing,
    async call(procedure, args = [], kwargs = {}, { progress = false } = {}) {
      const got = [];
      const options = progress ? { progress_callback: (step) => got.push(payload(step)) } : {};
      const result = await answered(client.call(procedure, written(args, kwargs), options));
      return { ...payload(result), progress: got };
    },
    async start(procedure) {
      const result = answered(client.call(procedure));
      const request = client.getOpStatus().reqId;
      result.catch(() => {});
      return { cancel: (mode) => client.cancel(request, { mode }), result };
    },
    register: (procedure, behaviour, { match } = {}) =>
      answered(client.register(procedure, behaviours[behaviour], match && { match })),
    unregister: (procedure) => answered(client.unregister(procedure)),
    async subscribe(topic, { match } = {}) {
      const events = inbox(`an event of ${topic}`);
      const heard = (event) => events.push({ topic: event.details.topic ?? topic, ...payload(event) });
      const subscription = await answered(client.subscribe(topic, heard, match && { match }));
      subscriptions.set(topic, subscription.subscriptionKey);
      return events;
    },
    unsubscribe: (topic) => answered(client.unsubscribe(subscriptions.get(topic))),
    // It always asks to be acknowledged.
    publish: async (topic, args = [], kwargs = {}) =>
      Number((await answered(client.publish(topic, written(args, kwargs)))).publicationId),
    async leave() {
      await client.disconnect();
      return closing;
    },
  };
}

/** What the library wants to know in order to authenticate. */
function authentication({ method, authid, secret }) {
  const plugins = { ticket: () => () => secret, wampcra: cra.sign, cryptosign: cryptosign.sign };
  const authextra =
    method === 'cryptosign'
      ? { pubkey: cryptosign.bytes2hex(nacl.sign.keyPair.fromSeed(cryptosign.hex2bytes(secret)).publicKey) }
      : {};
  return {
    authid,
    authmethods: [method],
    authextra,
    authMode: 'auto',
    authPlugins: { [method]: plugins[method](secret) },
  };
}

function bigIntsToNumbers(value) {
  return typeof value === 'bigint' ? Number(value) : mapped(value, bigIntsToNumbers);
}
