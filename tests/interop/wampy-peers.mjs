// wampy as a client of the table, in Node or in a page.

import { Wampy } from 'wampy';
import { CborSerializer } from 'wampy/CborSerializer.js';
import * as cryptosign from 'wampy/cryptosign.js';
import { JsonSerializer } from 'wampy/JsonSerializer.js';
import { MsgpackSerializer } from 'wampy/MsgpackSerializer.js';
import * as cra from 'wampy/wampcra.js';
import { inbox, within } from '../fixtures/wait.mjs';
import { authentication, authorization, bytesToText, mapped, PeerError, textToBytes } from './peers.mjs';

const SERIALIZERS = { json: JsonSerializer, msgpack: MsgpackSerializer, cbor: CborSerializer };
const asIs = (value) => value;

export const wampy = { join };

/** `through` is the WebSocket class; without it the library takes that of the page. */
async function join({ serializer, realm, url, login, through }) {
  const outgoing = serializer === 'json' ? bytesToText : asIs;
  const incoming = { json: textToBytes, msgpack: bigIntsToNumbers, cbor: asIs }[serializer];
  let closed;
  const closing = new Promise((resolve) => {
    closed = resolve;
  });
  const client = new Wampy(url, {
    realm,
    ...(through && { ws: through }),
    serializer: new SERIALIZERS[serializer](),
    autoReconnect: false,
    ...(login && loginOptions(login)),
    // The library keeps the reason of a GOODBYE to itself.
    onClose: () => closed({}),
  });
  const welcome = await within('wampy joins', client.connect()).catch((error) => {
    throw Object.assign(error, { error: error.errorUri });
  });
  const session = Number(client.getSessionId());

  const news = inbox('news of a behaviour');
  const subscriptions = new Map();
  const held = [];
  const payload = ({ argsList, argsDict }) => ({ args: incoming(argsList ?? []), kwargs: incoming(argsDict ?? {}) });
  const written = (args, kwargs) => ({ argsList: outgoing(args), argsDict: outgoing(kwargs) });
  const behaviours = {
    // What came by passthru goes back by it.
    echo: ({ argsList = [], argsDict, details: { ppt_scheme, ppt_serializer } }) => ({
      argsList,
      argsDict,
      options: ppt_scheme ? { ppt_scheme, ppt_serializer } : {},
    }),
    fail: ({ argsList, argsDict }) => {
      throw { error: 'com.example.failed', argsList, argsDict };
    },
    throw: () => {
      throw 'oops';
    },
    unavailable: () => {
      throw { error: 'wamp.error.unavailable' };
    },
    undefined: () => ({ argsList: [undefined, { a: undefined, b: 2 }] }),
    progress: ({ argsList: [steps], result_handler }) => {
      for (let step = 0; step < steps; step += 1) result_handler({ argsList: [step], options: { progress: true } });
      return { argsList: ['done'] };
    },
    wait: () => {
      news.push('called');
      return new Promise(() => {});
    },
    hold: () => {
      news.push('called');
      return new Promise((resolve) => held.push(() => resolve({ argsList: ['released'] })));
    },
    who: () => ({ argsList: [session] }),
    identify: ({ details: { procedure, caller, caller_authid, caller_authrole, trustlevel } }) => ({
      argsList: [{ procedure, caller: caller && Number(caller), caller_authid, caller_authrole, trustlevel }],
    }),
    authorize: ({ argsList: [, uri, action] }) => {
      news.push(`${action} ${uri}`);
      const { allow, after } = authorization(uri);
      return new Promise((resolve) => setTimeout(resolve, after, { argsList: [{ allow }] }));
    },
    authenticate: ({ argsList: [, , details] }) => {
      const answer = authentication(details);
      if (answer === undefined) throw { error: 'com.example.unknown', argsList: ['who are you?'] };
      return { argsList: [answer] };
    },
  };
  const answered = (promise) =>
    promise.catch(({ errorUri, error, argsList, argsDict, message }) => {
      const { args, kwargs } = payload({ argsList, argsDict });
      throw new PeerError(errorUri ?? error ?? message, args, kwargs);
    });

  return {
    session,
    welcome: { ...bigIntsToNumbers(welcome), realm: welcome.realm ?? realm },
    news,
    closed: closing,
    async call(procedure, args = [], kwargs = {}, { progress = false, ...options } = {}) {
      const got = [];
      const result = await answered(
        client.call(procedure, written(args, kwargs), {
          ...options,
          ...(progress && { progress_callback: (step) => got.push(payload(step)) }),
        }),
      );
      return { ...payload(result), progress: got };
    },
    async start(procedure) {
      const result = answered(client.call(procedure)).then(payload);
      const request = client.getOpStatus().reqId;
      result.catch(() => {});
      return { cancel: (mode) => client.cancel(request, { mode }), result };
    },
    register: async (procedure, behaviour, options) =>
      Number((await answered(client.register(procedure, behaviours[behaviour], options))).registrationId),
    unregister: (procedure) => answered(client.unregister(procedure)),
    release() {
      for (const end of held.splice(0)) end();
    },
    async subscribe(topic, options = {}) {
      const events = inbox(`an event of ${topic}`);
      const heard = (event) =>
        events.push({
          topic: event.details.topic ?? topic,
          ...payload(event),
          details: bigIntsToNumbers(event.details),
        });
      // It cannot unsubscribe what it subscribed to with options, none among them (8.0.2).
      const given = Object.keys(options).length > 0 ? options : undefined;
      const { subscriptionId, subscriptionKey } = await answered(client.subscribe(topic, heard, given));
      subscriptions.set(events, [subscriptionKey, heard]);
      return Object.assign(events, { subscription: Number(subscriptionId) });
    },
    unsubscribe: (events) => answered(client.unsubscribe(...subscriptions.get(events))),
    // It always asks to be acknowledged.
    publish: async (topic, args = [], kwargs = {}, { acknowledge, ...options } = {}) =>
      Number((await answered(client.publish(topic, written(args, kwargs), options))).publicationId),
    async leave() {
      await client.disconnect();
      return closing;
    },
  };
}

/** What the library wants to know in order to authenticate. */
function loginOptions({ method, authid, secret, pubkey }) {
  const plugins = { ticket: () => () => secret, wampcra: cra.sign, cryptosign: cryptosign.sign };
  return {
    authid,
    authmethods: [method],
    authextra: pubkey ? { pubkey } : {},
    authMode: 'auto',
    authPlugins: { [method]: plugins[method](secret) },
  };
}

function bigIntsToNumbers(value) {
  return typeof value === 'bigint' ? Number(value) : mapped(value, bigIntsToNumbers);
}
