// Loads the WebAssembly module that the router is compiled to, wherever it is run, and says plainly when that fails.

import initialize, { WasmRouter } from 'wamplet-wasm';
import { absolute, hasNode, placed, randomBytes, readFile, sentence } from './environment.ts';
import { ownModule } from './own-module.ts';

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
  if (typeof WebAssembly === 'undefined') {
    throw new Error('there is no WebAssembly here, and the router needs it: a Lockdown Mode or a policy turns it off');
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
  if (typeof WebAssembly === 'undefined') return;
  loading ??= load();
  loading.catch(() => {
    loading = undefined;
  });
}

async function load(given?: WasmSource): Promise<void> {
  const module = await compile(given ?? (await ownModule()));
  try {
    await initialize({ module_or_path: module });
  } catch (error) {
    throw new Error(`wamplet.wasm could not be started (${sentence(error)}): is it of the release of worker.js?`);
  }
}

async function compile(source: WasmSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  let what = 'the WebAssembly module';
  let bytes = source as BufferSource;
  if (typeof source === 'string' || source instanceof URL) {
    const url = absolute(source, 'options.wasm');
    what = url.href;
    bytes = await (hasNode() && url.protocol === 'file:' ? read(url) : download(url));
  }
  try {
    // Of bytes and not of a stream: what type the server says the file has does not matter.
    return await WebAssembly.compile(bytes);
  } catch (error) {
    const text = sentence(error);
    let cure = 'is the file complete, and is it wamplet.wasm?';
    if (/unsafe-eval|Content Security Policy|blocked by CSP|disallowed by embedder/i.test(text)) {
      cure =
        "the Content-Security-Policy of the page or worker forbids WebAssembly: add 'wasm-unsafe-eval' to its script-src";
    } else if (new Uint8Array(bytes as ArrayBuffer)[0] === LESS_THAN) {
      cure = `it is a page of HTML, as a server answers for what it does not have: ${placeIt()}`;
    }
    throw new Error(`${what} could not be compiled (${text}): ${cure}`);
  }
}

async function read(url: URL): Promise<BufferSource> {
  try {
    return (await readFile(url)) as Uint8Array<ArrayBuffer>;
  } catch (error) {
    throw new Error(`${url.pathname} could not be read (${sentence(error)}): ${placeIt()}`);
  }
}

async function download(url: URL): Promise<BufferSource> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new AbortController();
  try {
    // Whichever request brings it first: one that stands still would keep all tabs of a SharedWorker without a router.
    return await new Promise((resolve, reject) => {
      let open = 0;
      const ask = (patience: number, cache?: RequestCache) => {
        // Not behind the one before, as browsers have it for what they keep.
        timer = setTimeout(() => ask(2 * patience, 'reload'), patience);
        open++;
        // One that fails is no answer while another may still come.
        request(url, { cache, signal: over.signal }).then(resolve, (error) => --open || reject(error));
      };
      ask(PATIENCE);
    });
  } catch (error) {
    const allowed = 'a Content-Security-Policy must allow it in connect-src';
    throw new Error(`${url} could not be loaded (${sentence(error)}): ${placeIt()}; ${allowed}`);
  } finally {
    clearTimeout(timer);
    // The others would hold a connection, and with it a process of Node.
    over.abort();
  }
}

async function request(url: URL, options: RequestInit): Promise<ArrayBuffer> {
  const found = await fetch(url, options);
  if (!found.ok) throw new Error(`HTTP status ${found.status}`);
  return found.arrayBuffer();
}

const placeIt = () => placed('put wamplet.wasm', 'say where it is with the option `wasm`');

/** Milliseconds for the file to come, before it is asked for once more; twice as many for the next request, and so on. */
const PATIENCE = 10_000;

/** What HTML begins with. */
const LESS_THAN = 0x3c;
