// What every router of the table serves, natively and in a browser: the realms of the columns, and who may join them as whom.

import { pbkdf2Sync } from 'node:crypto';
import { publicKey } from '../fixtures/ed25519.mjs';
import { everything } from './router.mjs';

const seed = '4ffddd896a530ce5ee8c86b83b0d31835490a97a9cd718cb2f09c9fd31c4a7d7';
const password = 'pencil';

const byTicket = (authid) => ({ method: 'ticket', authid, secret: password });
const withKey = (secret) => ({ method: 'cryptosign', authid: 'joe', secret, pubkey: publicKey(secret) });

/** Who logs in, and how. The role of each is in `auth` below. */
export const logins = {
  ticket: byTicket('joe'),
  wampcra: { method: 'wampcra', authid: 'joe', secret: password },
  salted_wampcra: { method: 'wampcra', authid: 'salty', secret: password },
  scram: { method: 'scram', authid: 'joe', secret: password },
  cryptosign: withKey(seed),
  /** A key that nobody has been told of. */
  stranger: withKey(seed.replaceAll('4', '5')),
  /** Two of the role `backend`. */
  alice: byTicket('alice'),
  bob: byTicket('bob'),
  /** Whose role has an authorizer. */
  guarded: byTicket('guarded'),
  /** Whose role may do little. */
  limited: byTicket('limited'),
};

const ticket = (role) => ({ ticket: password, role });

const staticAuth = {
  anonymous: { type: 'static', role: 'anonymous' },
  ticket: {
    type: 'static',
    principals: {
      joe: ticket('user'),
      alice: ticket('backend'),
      bob: ticket('backend'),
      guarded: ticket('guarded'),
      limited: ticket('limited'),
    },
  },
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

const asked = { type: 'dynamic', authenticator: 'com.example.authenticate' };

/** How clients authenticate, behind each of the doors of a router: against the configuration, or by a procedure. */
export const doors = {
  static: staticAuth,
  dynamic: { anonymous: staticAuth.anonymous, ticket: asked, wampcra: asked },
};

const trusted = { ...everything, uri: 'com.example.trusted', trustlevel: 3 };
const allowed = { ...everything, uri: 'com.example.allowed' };

/** A realm of the table. */
export function realmNamed(name) {
  return {
    name,
    roles: [
      { name: 'anonymous', permissions: [everything, trusted] },
      { name: 'user', permissions: [everything] },
      { name: 'backend', permissions: [everything] },
      { name: 'guarded', authorizer: 'com.example.authorize' },
      { name: 'limited', permissions: [allowed] },
    ],
    store: { type: 'memory', 'event-history': [{ uri: 'com.example.log', limit: 10 }] },
  };
}
