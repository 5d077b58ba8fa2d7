// Real clients authenticate against the real router: by every method that each of them knows, over each of its transports.

import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, pbkdf2Sync } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { within } from '../fixtures/wait.mjs';
import { autobahnJs } from './autobahn-peers.mjs';
import { startPython } from './python-peers.mjs';
import { everything, startRouter } from './router.mjs';
import { wampy } from './wampy-peers.mjs';

// Its SCRAM with PBKDF2 fails in the library, before anything is sent: it takes the salt for bytes, which is text.
const python = ['ticket', 'wampcra', 'salted wampcra', 'scram', 'cryptosign'];
const javaScript = ['ticket', 'wampcra', 'salted wampcra', 'cryptosign'];

const clients = {
  'Autobahn|Python with asyncio': { start: () => startPython('asyncio'), knows: python, hasRawSocket: true },
  'Autobahn|Python with Twisted': { start: () => startPython('twisted'), knows: python, hasRawSocket: true },
  'Autobahn|JS': { start: () => autobahnJs, knows: javaScript, hasRawSocket: true },
  wampy: { start: () => wampy, knows: javaScript },
};

const seed = '4ffddd896a530ce5ee8c86b83b0d31835490a97a9cd718cb2f09c9fd31c4a7d7';
const password = 'pencil';

/** Who logs in by each of them, and how. */
const logins = {
  ticket: { method: 'ticket', authid: 'joe', secret: password },
  wampcra: { method: 'wampcra', authid: 'joe', secret: password },
  'salted wampcra': { method: 'wampcra', authid: 'salty', secret: password },
  scram: { method: 'scram', authid: 'joe', secret: password },
  cryptosign: { method: 'cryptosign', authid: 'joe', secret: seed },
};
const wrong = { cryptosign: seed.replaceAll('4', '5') };

function publicKey(seed) {
  // PKCS #8 of an Ed25519 key: the same beginning for all.
  const der = Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex');
  const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  return key.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
}

const auth = {
  ticket: { type: 'static', 'default-role': 'user', principals: { joe: { ticket: password } } },
  wampcra: {
    type: 'static',
    'default-role': 'user',
    users: {
      joe: { secret: password },
      salty: {
        secret: pbkdf2Sync(password, 'salt', 1_000, 32, 'sha256').toString('base64'),
        salt: 'salt',
        iterations: 1_000,
        keylen: 32,
      },
    },
  },
  scram: {
    type: 'static',
    'default-role': 'user',
    principals: {
      // What Autobahn|Python derives from the password.
      joe: {
        kdf: 'argon2id-13',
        iterations: 2,
        memory: 512,
        salt: '5b6d99689d12358eeca04b141236fa81',
        'stored-key': 'a5be9fcb7cdf9364b1fe5a352a955f17681faf9ae2d35f91c828238e60750345',
        'server-key': 'e61a78b5982994ebeda413d789406464801b3eec84dd9aad6645ade7bc8fba1f',
      },
    },
  },
  cryptosign: {
    type: 'static',
    'default-role': 'user',
    principals: { joe: { authorized_keys: [publicKey(seed)] } },
  },
};

const config = {
  version: 2,
  workers: [
    {
      type: 'router',
      realms: [{ name: 'realm1', roles: [{ name: 'user', permissions: [everything] }] }],
      transports: [
        {
          type: 'web',
          endpoint: { type: 'tcp', interface: '127.0.0.1', port: 0 },
          paths: { ws: { type: 'websocket', auth } },
        },
        { type: 'rawsocket', endpoint: { type: 'tcp', interface: '127.0.0.1', port: 0 }, auth },
      ],
    },
  ],
};

let router;
let transports;
const started = {};

before(async () => {
  for (const [name, { start }] of Object.entries(clients)) started[name] = start();
  router = await startRouter(config);
  const [web, raw] = router.ports;
  transports = {
    WebSocket: { transport: 'websocket', url: `ws://127.0.0.1:${web}/ws`, port: web },
    RawSocket: { transport: 'rawsocket', port: raw },
  };
});
after(async () => {
  for (const client of Object.values(started)) await client.stop?.();
  await router?.stop();
});

for (const [name, { knows, hasRawSocket }] of Object.entries(clients)) {
  for (const transport of hasRawSocket ? ['WebSocket', 'RawSocket'] : ['WebSocket']) {
    suite(`${name} over ${transport}`, () => {
      for (const way of knows) {
        const join = (login) =>
          started[name].join({ ...transports[transport], serializer: 'json', realm: 'realm1', login });

        test(`joins by ${way}`, async () => {
          const { method, authid } = logins[way];
          const peer = await join(logins[way]);
          const { authid: as, authrole, authmethod } = peer.welcome;
          assert.deepEqual({ as, authrole, authmethod }, { as: authid, authrole: 'user', authmethod: method });
          const [session] = (await peer.call('wamp.session.list')).args;
          assert.ok(session.includes(peer.session));
          await peer.leave();
          await within('it has left', peer.closed);
        });

        test(`is refused by ${way} with another secret`, async () => {
          const secret = wrong[way] ?? 'crayon';
          await assert.rejects(within('it is refused', join({ ...logins[way], secret })), (error) => {
            // wampy keeps the reason of an ABORT in the details of its error.
            assert.match(JSON.stringify([error.error, error.errorUri, error.message]), /authentication_denied|denied/);
            return true;
          });
        });
      }
    });
  }
}
