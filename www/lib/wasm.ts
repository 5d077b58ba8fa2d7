// Loads the WebAssembly module that the router is compiled to, wherever it is run, and says plainly when that fails.

import initialize, { WasmRouter } from 'wamplet-wasm';
import { place, randomBytes, readFile, sentence } from './environment.ts';

export { WasmRouter };

/** The module itself, its bytes, or where to find them. */
export type WasmSource = URL | string | BufferSource | WebAssembly.Module;

let loading: Promise<unknown> | undefined;

/**
 * A router, once the module is loaded; a page or worker loads it once, whatever `source` says later. `functions` are those
 * that the configuration may name.
 */
export async function startWasmRouter(
  config: unknown,
  functions: string[],
  source?: WasmSource,
  seed?: Uint8Array,
): Promise<WasmRouter> {
  if (seed !== undefined && !(seed instanceof Uint8Array && seed.length === 32)) {
    throw new TypeError('options.seed: expected a Uint8Array of 32 bytes');
  }
  loading ??= load(source);
  try {
    await loading;
  } catch (error) {
    // The next attempt may do better.
    loading = undefined;
    throw error;
  }
  return new WasmRouter(config, seed ?? randomBytes(32), undefined, functions);
}

/** Begins to load the module, since a router is about to be wanted. Whoever wants it is told should that fail. */
export function preload(): void {
  loading ??= load();
  loading.catch(() => {
    loading = undefined;
  });
}

async function load(source: WasmSource = new URL('./wamplet.wasm', import.meta.url)): Promise<void> {
  const isAddress = typeof source === 'string' || source instanceof URL;
  const module = isAddress ? await compile(absolute(source)) : source;
  await initialize({ module_or_path: module });
}

/** Relative to the page or worker: where a bundle put the library is nobody's business. */
export function absolute(source: URL | string): URL {
  return source instanceof URL ? source : new URL(source, globalThis.document?.baseURI ?? globalThis.location?.href);
}

async function compile(url: URL): Promise<WebAssembly.Module> {
  if (place() === 'node' && url.protocol === 'file:') return WebAssembly.compile(await read(url));
  const response = await download(url);
  try {
    return await WebAssembly.compile(await response.arrayBuffer());
  } catch (error) {
    const text = sentence(error);
    const isForbidden = /unsafe-eval|Content Security Policy|blocked by CSP|disallowed by embedder/i.test(text);
    const cure = isForbidden
      ? "the Content-Security-Policy of the page or worker forbids WebAssembly: add 'wasm-unsafe-eval' to its script-src"
      : 'is the file complete, and is it wamplet.wasm?';
    throw new Error(`${url} could not be compiled (${text}): ${cure}`);
  }
}

async function read(url: URL): Promise<BufferSource> {
  try {
    return (await readFile(url)) as Uint8Array<ArrayBuffer>;
  } catch (error) {
    throw new Error(`${url.pathname} could not be read (${sentence(error)}): ${PLACE_IT}`);
  }
}

async function download(url: URL): Promise<Response> {
  let found: Response;
  try {
    found = await fetch(url);
  } catch (error) {
    throw new Error(`${url} could not be loaded (${sentence(error)}): ${PLACE_IT}`);
  }
  if (!found.ok) throw new Error(`${url} could not be loaded (HTTP status ${found.status}): ${PLACE_IT}`);
  return found;
}

const PLACE_IT = "put wamplet.wasm beside the library's script, or say where it is with the option `wasm`";
