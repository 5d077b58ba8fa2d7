// Clients authenticate over ports as they do over sockets: Autobahn|JS over the transport, wampy over the WebSocket class.

// Before Autobahn, which keeps the console that it finds.
import '../fixtures/quiet-autobahn.mjs';

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import autobahn from 'autobahn';
import nacl from 'tweetnacl';
import { createRouter } from 'wamplet';
import * as wampyCryptosign from 'wampy/cryptosign.js';
import * as wampyCra from 'wampy/wampcra.js';
import { joinAutobahn, joinWampy, openPort } from '../fixtures/clients.mjs';

const permissions = [
  { uri: '', match: 'prefix', allow: { call: true, register: true, publish: true, subscribe: true } },
];
const realms = [{ name: 'realm1', roles: ['anonymous', 'backend', 'widget'].map((name) => ({ name, permissions })) }];

const keys = nacl.sign.keyPair.fromSeed(new Uint8Array(32).fill(7));
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const otherKeys = nacl.sign.keyPair.fromSeed(new Uint8Array(32).fill(8));

const auth = {
  ticket: { type: 'static', principals: { joe: { ticket: 'a ticket', role: 'backend' } } },
  wampcra: {
    type: 'static',
    users: {
      joe: { secret: 'a secret', role: 'backend' },
      ann: {
        secret: autobahn.auth_cra.derive_key('a password', 'some salt', 100, 32),
        salt: 'some salt',
        iterations: 100,
        keylen: 32,
        role: 'backend',
      },
    },
  },
  cryptosign: { type: 'static', principals: { joe: { authorized_keys: [hex(keys.publicKey)], role: 'backend' } } },
};

let router;
const { warn, error } = console;

beforeEach(() => {
  router = undefined;
  console.warn = () => {};
  console.error = () => {};
});
afterEach(async () => {
  Object.assign(console, { warn, error });
  await router?.close();
});

const seedOf = ({ secretKey }) => hex(secretKey.slice(0, 32));
const signCra =
  (secret) =>
  (_session, _method, { challenge, salt, iterations, keylen }) => {
    const key = salt === undefined ? secret : autobahn.auth_cra.derive_key(secret, salt, iterations, keylen);
    return autobahn.auth_cra.sign(key, challenge);
  };
const withKey = (pair) => ({ authextra: { pubkey: hex(pair.publicKey), channel_binding: null } });
const signCryptosign = (pair) => (_session, _method, extra) => autobahn.auth_cryptosign.sign_challenge(pair, extra);

/** What a client needs to authenticate, well or badly: by Autobahn, by wampy. */
const CASES = {
  'a ticket': {
    method: 'ticket',
    autobahn: { authid: 'joe', onchallenge: () => 'a ticket' },
    wampy: { authid: 'joe', onChallenge: () => 'a ticket' },
  },
  'a wrong ticket': {
    method: 'ticket',
    denied: true,
    autobahn: { authid: 'joe', onchallenge: () => 'another ticket' },
    wampy: { authid: 'joe', onChallenge: () => 'another ticket' },
  },
  'a ticket of nobody': {
    method: 'ticket',
    denied: true,
    autobahn: { authid: 'jim', onchallenge: () => 'a ticket' },
    wampy: { authid: 'jim', onChallenge: () => 'a ticket' },
  },
  'a shared secret': {
    method: 'wampcra',
    autobahn: { authid: 'joe', onchallenge: signCra('a secret') },
    wampy: { authid: 'joe', onChallenge: wampyCra.sign('a secret') },
  },
  'a salted password': {
    method: 'wampcra',
    autobahn: { authid: 'ann', onchallenge: signCra('a password') },
    wampy: { authid: 'ann', onChallenge: wampyCra.sign('a password') },
  },
  'a wrong secret': {
    method: 'wampcra',
    denied: true,
    autobahn: { authid: 'joe', onchallenge: signCra('another secret') },
    wampy: { authid: 'joe', onChallenge: wampyCra.sign('another secret') },
  },
  'a key': {
    method: 'cryptosign',
    autobahn: { authid: 'joe', ...withKey(keys), onchallenge: signCryptosign(keys) },
    wampy: { authid: 'joe', ...withKey(keys), onChallenge: wampyCryptosign.sign(seedOf(keys)) },
  },
  'a key of nobody': {
    method: 'cryptosign',
    denied: true,
    autobahn: { authid: 'joe', ...withKey(otherKeys), onchallenge: signCryptosign(otherKeys) },
    wampy: { authid: 'joe', ...withKey(otherKeys), onChallenge: wampyCryptosign.sign(seedOf(otherKeys)) },
  },
};

const WAYS = {
  'Autobahn over the transport': (options, method) =>
    joinAutobahn(router, 'realm1', { authmethods: [method], ...options.autobahn }),
  'Autobahn over a port': (options, method) =>
    joinAutobahn(router.createPort(), 'realm1', { authmethods: [method], ...options.autobahn }),
  'wampy over the WebSocket class': (options, method) =>
    joinWampy(router, 'realm1', { authmethods: [method], ...options.wampy }),
};

for (const [what, { method, denied, ...options }] of Object.entries(CASES)) {
  for (const [way, join] of Object.entries(WAYS)) {
    test(`${what}_${denied ? 'lets_nobody_in' : 'is_good'}_for_${way}`.replaceAll(' ', '_'), async () => {
      router = await createRouter({ realms, auth });
      if (denied) {
        await assert.rejects(join(options, method));
        assert.deepEqual(router.inspect().realms[0].sessions, []);
      } else {
        const { details, wampy } = await join(options, method);
        const { authid } = options.autobahn;
        assert.deepEqual([details.authid, details.authrole, details.authmethod], [authid, 'backend', method]);
        await wampy?.disconnect();
      }
    });
  }
}

/** What the router answers to a HELLO over this port. */
async function answerTo(port, details = {}) {
  const { received } = await openPort(port);
  port.postMessage([`[1,"realm1",${JSON.stringify({ roles: { caller: {} }, ...details })}`, '']);
  return JSON.parse(`${(await received.next())[0]}]`);
}

test('whoever_does_not_authenticate_stays_out_where_nobody_is_anonymous', async () => {
  router = await createRouter({ realms, auth });
  for (const details of [{}, { authmethods: ['anonymous'] }, { authmethods: ['tls'], authid: 'joe' }]) {
    const [type, , reason] = await answerTo(router.createPort(), details);
    assert.deepEqual([type, reason], [3, 'wamp.error.no_matching_auth_method']);
  }
});

test('the_one_wrong_answer_ends_the_transport', async () => {
  router = await createRouter({ realms, auth });
  const { port, received } = await openPort(router.createPort());
  const hello = { roles: { caller: {} }, authmethods: ['ticket'], authid: 'joe' };
  port.postMessage([`[1,"realm1",${JSON.stringify(hello)}`, '']);
  assert.match((await received.next())[0], /^\[4,"ticket"/);
  port.postMessage(['[5,"wrong",{}', '', '[5,"a ticket",{}', '']);
  assert.match((await received.next())[0], /^\[3,.*"wamp\.error\.authentication_denied"/);
  assert.equal(typeof (await received.next()).close, 'number');
  assert.deepEqual(router.inspect().realms[0].sessions, []);
});

test('a_port_with_an_identity_need_not_authenticate', async () => {
  router = await createRouter({ realms, auth });
  const port = router.createPort({}, { authrole: 'widget', authid: 'left' });
  const [type, , details] = await answerTo(port, { authmethods: ['ticket'], authid: 'joe' });
  assert.deepEqual([type, details.authid, details.authrole, details.authmethod], [2, 'left', 'widget', 'port']);
});

test('the_auth_of_a_transport_of_type_messageport_is_that_of_all_ports', async () => {
  const transports = [{ type: 'messageport', auth: { anonymous: { type: 'static', role: 'widget' } } }];
  router = await createRouter({ workers: [{ type: 'router', realms, transports }] });
  const [type, , details] = await answerTo(router.createPort());
  assert.deepEqual([type, details.authrole], [2, 'widget']);
});

const byFunction = { ...auth, ticket: { type: 'function', create: 'tickets' } };

const TICKETS = {
  role: [() => 'backend', { authrole: 'backend', authid: 'joe' }],
  'promise of more': [
    async () => ({ role: 'backend', authid: 'Joe', extra: { level: 3 } }),
    { authrole: 'backend', authid: 'Joe', authextra: { level: 3 } },
  ],
  exception: [
    () => {
      throw new Error('a secret of the program');
    },
    'wamp.error.authentication_failed',
  ],
  'number that means nothing': [() => 5, 'wamp.error.authentication_failed'],
  'error of its own': [
    () => Promise.reject(Object.assign(new Error('come back tomorrow'), { error: 'com.example.locked' })),
    'com.example.locked',
    'come back tomorrow',
  ],
  'error of Autobahn': [
    () => {
      throw new autobahn.Error('com.example.locked', ['come back tomorrow'], {});
    },
    'com.example.locked',
    'come back tomorrow',
  ],
  'role that there is not': [() => 'nobody', 'wamp.error.no_such_role'],
};

for (const [what, [tickets, expected, text]] of Object.entries(TICKETS)) {
  test(`a_function_authenticates_with_a_${what.replaceAll(' ', '_')}`, async () => {
    const asked = [];
    const deciders = {
      tickets: (...args) => {
        asked.push(args);
        return tickets();
      },
    };
    router = await createRouter({ realms, auth: byFunction }, { deciders });
    const { port, received } = await openPort(router.createPort());
    const hello = { roles: { caller: {} }, authmethods: ['ticket'], authid: 'joe' };
    port.postMessage([`[1,"realm1",${JSON.stringify(hello)}`, '']);
    assert.match((await received.next())[0], /^\[4,"ticket"/);
    port.postMessage(['[5,"any ticket",{}', '']);
    const [head] = await received.next();
    const [type, first, second] = JSON.parse(`${head}]`);
    const [[realm, authid, details]] = asked;
    assert.deepEqual([realm, authid, details.ticket], ['realm1', 'joe', 'any ticket']);
    if (typeof expected === 'string') {
      assert.deepEqual([type, second], [3, expected]);
      assert.equal(first.message.includes('a secret'), false);
      if (text !== undefined) assert.equal(first.message, text);
    } else {
      assert.deepEqual([type, second.authmethod, second.authprovider], [2, 'ticket', 'function']);
      for (const [key, value] of Object.entries(expected)) assert.deepEqual(second[key], value);
    }
  });
}

test('a_router_does_not_start_without_a_function_that_authenticates', async () => {
  await assert.rejects(createRouter({ realms, auth: byFunction }), /"tickets": name it in options\.deciders$/);
});

test('components_need_not_authenticate', async () => {
  const component = { type: 'class', classname: 'mine', realm: 'realm1', role: 'backend' };
  const joined = new Promise((resolve) => {
    const components = { mine: async (port) => resolve((await joinAutobahn(port)).details) };
    createRouter({ realms, auth, components: [component] }, { components }).then((started) => {
      router = started;
    });
  });
  assert.equal((await joined).authmethod, 'component');
});
