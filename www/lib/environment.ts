// What the surroundings offer: a page, a worker or a Node process, each asked when needed and never on import.

/// <reference lib="esnext.disposable" />

import { shown } from './wording.ts';

interface NodeProcess {
  versions?: { node?: string };
  getBuiltinModule?(name: string): unknown;
}

declare const process: NodeProcess | undefined;

/** Where a router or a client runs. */
export type Place = 'page' | 'worker' | 'node';

export function place(): Place {
  // Electron's pages have a `process` too, and are pages; so is what a test makes a page of by jsdom.
  if (typeof document !== 'undefined') return 'page';
  return hasNode() ? 'node' : 'worker';
}

export function hasNode(): boolean {
  return typeof process !== 'undefined' && process.versions?.node !== undefined;
}

/** Relative to the page or worker: where a bundle put the library is nobody's business. `what` names it in an error. */
export function absolute(address: URL | string, what: string): URL {
  try {
    return new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    throw new TypeError(`${what}: expected a URL, found ${shown(address)}`);
  }
}

/** Where the engine has no `await using` yet, a symbol that nobody asks for. */
export const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? (Symbol() as typeof Symbol.asyncDispose);

/** 16 random hexadecimal digits: names that nobody else has. */
export function randomName(): string {
  return Array.from(randomBytes(8), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function randomBytes(count: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(count));
}

/** Reads a file in Node; bundlers for browsers never see the name of a Node module. */
export async function readFile(url: URL): Promise<Uint8Array> {
  const builtin = (process as NodeProcess).getBuiltinModule?.('node:fs/promises');
  // Node before 20.16 cannot be asked that way.
  const fs = builtin ?? (await new Function('return import("node:fs/promises")')());
  return (fs as { readFile(url: URL): Promise<Uint8Array> }).readFile(url);
}

/** Milliseconds for a fresh lock, which is granted at once; a lock manager that does not answer must keep nobody from connecting. */
export const LOCK_PATIENCE = 1000;

/** 2^31 - 1: the longest that setTimeout waits; for more it does not wait at all. */
export const LONGEST_TIMEOUT = 2_147_483_647;

/** Lets Node end the process although this timer or port is still there; browsers have no such notion. */
export function unref(handle: unknown): void {
  (handle as { unref?(): void } | undefined)?.unref?.();
}

/** Shows a mistake in an app's handler as the browser would, and goes on. */
export function report(error: unknown): void {
  // As `reportError` does, which Node has not.
  queueMicrotask(() => {
    throw error;
  });
}

/**
 * What to do about files that are not where the library's script is. Vite before 8 runs a copy of that script in
 * development, in a folder of its own.
 */
export function placed(put: string, or: string): string {
  return import.meta.url.includes('/.vite/deps/')
    ? "Vite has moved the library: say optimizeDeps: { exclude: ['wamplet'] } in its configuration"
    : `${put} beside the library's script, or ${or}`;
}

/** The sentence in whatever was thrown. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
