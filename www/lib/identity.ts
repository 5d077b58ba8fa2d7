// Who a port is for, as whoever made the port says.
//
// Owns the form of an identity. That nothing which comes in over the port changes it is kept by `port.ts`; that none but
// a page of this origin can give one to a SharedWorker, by `line.ts`.

import { expectKeys, shown } from './wording.ts';

export interface PortIdentity {
  authrole: string;
  realm?: string | undefined;
  authid?: string | undefined;
}

/** Who a session over a port is, and how the session details say that this is known. */
export interface Identity extends PortIdentity {
  /** `port`: a page handed the port to somebody else. */
  authmethod: 'component' | 'port';
}

const KEYS = ['authrole', 'realm', 'authid'];

/** A copy, for its maker may change theirs. Throws a TypeError that says what is wrong with it. */
export function identityOfPort(identity: unknown): Identity | undefined {
  if (identity === undefined) return undefined;
  expectKeys('identity', identity, KEYS);
  const { authrole, realm, authid } = identity as PortIdentity;
  for (const [key, value] of Object.entries({ authrole, realm, authid })) {
    const isMissing = value === undefined && key !== 'authrole';
    if (isMissing || (typeof value === 'string' && value !== '')) continue;
    throw new TypeError(`identity.${key}: expected a text, found ${shown(value)}`);
  }
  return { authrole, realm, authid, authmethod: 'port' };
}
