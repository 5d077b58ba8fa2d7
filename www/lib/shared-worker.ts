// The way to a router in a SharedWorker, one for all tabs of the origin.
//
// Owns the worker's name and address, and what is said when it cannot be had. Every client gets a port of its own,
// straight to the worker. What is spoken over a line is in `line-host.ts`, the worker's end in `worker.ts`.

import { sentence } from './environment.ts';
import type { HostSettings, Way } from './shared-host.ts';
import { type Start, versioned } from './wire.ts';

/** The browser allows no SharedWorker here; another host may do. */
export class Refused extends Error {}

export class SharedWorkerWay implements Way {
  readonly mode = 'shared-worker';
  readonly gone = 'the SharedWorker is gone';
  readonly #settings: HostSettings;

  constructor(settings: HostSettings) {
    this.#settings = settings;
  }

  async dial(fail: (error: Error) => void): Promise<MessagePort> {
    const worker = connect(this.#settings);
    // The script could not be loaded or does not parse; what goes wrong later does not come here.
    worker.addEventListener('error', (event) => fail(new Error(unloadable(this.#settings, event))), { once: true });
    return worker.port;
  }

  /**
   * Over a line of its own. The client's end has never been a line, so that whoever is handed it has no say in the
   * worker, nor in one that the browser starts anew with the same lines.
   */
  admit(start: Start): MessagePort {
    const { port1, port2 } = new MessageChannel();
    connect(this.#settings).port.postMessage({ ...start, port: port1 }, [port1]);
    return port2;
  }

  late(): string {
    const { timeout } = this.#settings;
    return (
      `the SharedWorker did not answer within ${timeout} ms: look for its errors in chrome://inspect/#workers or ` +
      'about:debugging, or wait longer with options.timeout'
    );
  }

  close(): void {}
}

/** Connects to the SharedWorker, which the browser starts if it does not run yet. */
function connect({ name: router, workerUrl }: HostSettings): SharedWorker {
  const name = versioned(router);
  try {
    if (workerUrl !== undefined) return new SharedWorker(workerUrl, { type: 'module', name });
    // Bundlers look for exactly this expression.
    return new SharedWorker(new URL('./worker.js', import.meta.url), { type: 'module', name });
  } catch (error) {
    if (isStorageDenied()) throw new Refused(STORAGE_DENIED);
    const isElsewhere = new URL(workerUrl ?? import.meta.url, document.baseURI).origin !== location.origin;
    throw new (isElsewhere ? Error : Refused)(
      `the SharedWorker could not be created (${sentence(error)}): name a script of the page's own origin in ` +
        'options.workerUrl (`npx wamplet init` writes one), and serve the page over http or https',
    );
  }
}

const STORAGE_DENIED =
  'the browser denies this page storage, and with it a SharedWorker: allow site data for it; in a sandboxed frame, or in one ' +
  'of another site than the page around it, use a port that this page made with createPort()';

/** Then the constructor throws, or the worker ends in an error of which nothing is said. */
function isStorageDenied(): boolean {
  try {
    return localStorage === undefined;
  } catch {
    return true;
  }
}

/** What to do about a worker's script that does not load. */
export function unloadable({ workerUrl }: HostSettings, event: Event): string {
  if (isStorageDenied()) return STORAGE_DENIED;
  const address = workerUrl ?? 'worker.js';
  const detail = (event as ErrorEvent).message;
  return (
    `the worker's script ${address} could not be loaded${detail ? ` (${detail})` : ''}: put worker.js and ` +
    "wamplet.wasm beside the library's script, or name in options.workerUrl the file that `npx wamplet init` wrote; it " +
    'must be served as JavaScript, and a Content-Security-Policy must allow it in worker-src'
  );
}
