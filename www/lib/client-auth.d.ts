// wamplet/client/auth: methods of authentication for `wamplet/client`, by the engine's own cryptography.
//
// Kept by hand; `tests/package/declarations.ts` proves that it matches the library.

import type { AuthMethod } from './client.js';

// Both need `crypto.subtle`, which pages have over https and from localhost only; `connect` rejects where it is missing.

/**
 * WAMP-CRA, salted or not, as the router's challenge says.
 *
 * ```js
 * await connect({ realm: 'realm1', authid: 'joe', auth: { wampcra: wampcra('secret') } });
 * ```
 */
export function wampcra(secret: string): AuthMethod;

/**
 * Cryptosign. The engine must know Ed25519: Chrome 137, Firefox 129, Safari 17, Node 20.
 *
 * @param key The seed, 64 hexadecimal digits; or a pair of keys, whose private one may be one that cannot be exported. Of
 * another text `connect` rejects with a `TypeError`.
 */
export function cryptosign(key: string | CryptoKeyPair): AuthMethod;
