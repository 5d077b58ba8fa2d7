// Answers to a router's challenges: WAMP-CRA and cryptosign, by the engine's own cryptography.
//
// A file of its own, so that who needs none of them does not load them. When they are asked is in `connection.ts`. [wamp: advanced/authentication]

/** Answers a CHALLENGE, given its Extra. `authextra` is what the HELLO says before that. */
export interface AuthMethod {
  (challenge: Record<string, unknown>, method: string): Signature | PromiseLike<Signature>;
  authextra?(): object | PromiseLike<object>;
}

/** What AUTHENTICATE says: the signature, and Extra where there is any. */
export type Signature = string | [signature: string, extra?: object];

type Bytes = Uint8Array<ArrayBuffer>;

export function wampcra(secret: string): AuthMethod {
  return async ({ challenge, salt, iterations = 1000, keylen = 32 }) => {
    const key = typeof salt === 'string' ? await derivedKey(secret, salt, Number(iterations), Number(keylen)) : secret;
    const hmac = await importKey(key, { name: 'HMAC', hash: 'SHA-256' }, 'sign');
    return base64(await subtle().sign('HMAC', hmac, utf8(String(challenge))));
  };
}

export function cryptosign(key: string | CryptoKeyPair): AuthMethod {
  const pair = async () => (typeof key === 'string' ? keyPair(key) : key);
  const sign: AuthMethod = async ({ challenge }) => {
    const message = bytes(String(challenge));
    const signature = await subtle().sign('Ed25519', (await pair()).privateKey, message);
    return hex(signature) + hex(message);
  };
  sign.authextra = async () => ({ pubkey: hex(await subtle().exportKey('raw', (await pair()).publicKey)) });
  return sign;
}

/** A seed of 64 hexadecimal digits, as Crossbar.io's key files have it. */
async function keyPair(seed: string): Promise<CryptoKeyPair> {
  // What is no digit would count as 0: a key that everybody knows.
  if (!/^[\da-f]{64}$/i.test(seed))
    throw new TypeError('cryptosign: expected a seed of 64 hexadecimal digits, or a key pair');
  // The engine takes a private key as PKCS #8 only: these octets say "Ed25519, and its seed follows". [RFC 8410]
  const pkcs8 = bytes(`302e020100300506032b657004220420${seed}`);
  const privateKey = await subtle().importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign']);
  // The public key comes out of it in this form only.
  const { kty, crv, x } = await subtle().exportKey('jwk', privateKey);
  return { privateKey, publicKey: await subtle().importKey('jwk', { kty, crv, x } as JsonWebKey, 'Ed25519', true, []) };
}

/** The text that the secret of a salted principal stands for: the key itself is its base64. */
async function derivedKey(secret: string, salt: string, iterations: number, length: number): Promise<string> {
  const key = await importKey(secret, 'PBKDF2', 'deriveBits');
  const pbkdf2 = { name: 'PBKDF2', hash: 'SHA-256', salt: utf8(salt), iterations };
  return base64(await subtle().deriveBits(pbkdf2, key, 8 * length));
}

function importKey(text: string, algorithm: string | HmacImportParams, use: KeyUsage): Promise<CryptoKey> {
  return subtle().importKey('raw', utf8(text), algorithm, false, [use]);
}

function subtle(): SubtleCrypto {
  if (crypto.subtle === undefined) {
    throw new Error('there is no crypto.subtle here to log in with: serve the page over https or from localhost');
  }
  return crypto.subtle;
}

function utf8(text: string): Bytes {
  return new TextEncoder().encode(text) as Bytes;
}

function base64(buffer: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(buffer)));
}

function hex(buffer: ArrayBuffer | Bytes): string {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function bytes(digits: string): Bytes {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
