// The way to a router in a SharedWorker, one for all tabs of the origin.
//
// Owns the worker's name and address, and what is said when it cannot be had. Every client gets a port of its own,
// straight to the worker. What is spoken over a line is in `line-host.ts`, the worker's end in `worker.ts`.

import { placed, sentence } from './environment.ts';
import { type HostSettings, Superseded, type Way } from './shared-host.ts';
import { type Start, versioned } from './wire.ts';

declare global {
  interface WorkerOptions {
    /** Chromium 148; others ignore it. */
    extendedLifetime?: boolean;
  }
}

/** The browser allows no SharedWorker here; another host may do. */
export class Refused extends Error {}

export class SharedWorkerWay implements Way {
  readonly mode = 'shared-worker';
  readonly gone = 'the SharedWorker is gone';
  readonly #settings: HostSettings;
  /** Of the worker that runs, as far as we know. */
  #extendedLifetime: boolean;
  #isSecondTry = false;

  constructor(settings: HostSettings) {
    this.#settings = settings;
    this.#extendedLifetime = settings.extendedLifetime;
  }

  async dial(fail: (error: Error) => void): Promise<MessagePort> {
    const worker = connect(this.#settings, this.#extendedLifetime);
    // What goes wrong after the start of the worker does not come here.
    worker.addEventListener('error', (event) => fail(this.#failure(event)), { once: true });
    return worker.port;
  }

  /**
   * Either the script could not be loaded, or does not parse; or the worker that runs has another lifetime, and browsers
   * let nobody in who asks for another one. As with the configuration, the first tab has decided.
   */
  #failure(event: Event): Error {
    // Firefox tells nothing of a second worker that fails as the first one did, if it is asked for so soon.
    if (!hasLifetimes()) return new Error(unloadable(this.#settings, event));
    const wanted = this.#extendedLifetime;
    this.#extendedLifetime = !wanted;
    this.#isSecondTry = !this.#isSecondTry;
    if (!this.#isSecondTry) return new Error(unloadable(this.#settings, event));
    return new Superseded(`a tab asked for options.extendedLifetime ${wanted}: the ${!wanted} of the first tab stays`);
  }

  /**
   * Over a line of its own. The client's end has never been a line, so that whoever is handed it has no say in the
   * worker, nor in one that the browser starts anew with the same lines.
   */
  admit(start: Start): MessagePort {
    const { port1, port2 } = new MessageChannel();
    connect(this.#settings, this.#extendedLifetime).port.postMessage({ ...start, port: port1 }, [port1]);
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
function connect(settings: HostSettings, extendedLifetime: boolean): SharedWorker {
  const { name: router, workerUrl } = settings;
  const name = versioned(router);
  try {
    if (workerUrl !== undefined) return new SharedWorker(workerUrl, { type: 'module', name, extendedLifetime });
    // Bundlers look for exactly this expression. Vite 5 evaluates its options, with no variables: it asks what `typeof` knows.
    return new SharedWorker(new URL('./worker.js', import.meta.url), {
      type: 'module',
      name: typeof name === 'string' ? name : '',
      extendedLifetime: typeof extendedLifetime === 'boolean' && extendedLifetime,
    });
  } catch (error) {
    // It may be the longer life alone that is not allowed here.
    if (extendedLifetime) return connect(settings, false);
    if (isStorageDenied()) throw new Refused(STORAGE_DENIED);
    const isElsewhere = new URL(workerUrl ?? import.meta.url, document.baseURI).origin !== location.origin;
    throw new (isElsewhere ? Error : Refused)(
      `the SharedWorker could not be created (${sentence(error)}): name a script of the page's own origin in ` +
        'options.workerUrl (`npx wamplet init` writes one), and serve the page over http or https',
    );
  }
}

/** Whether workers have other lifetimes than that of their last tab here: then the option is read, also for no address. */
function hasLifetimes(): boolean {
  let isRead = false;
  try {
    const options = {
      get extendedLifetime() {
        isRead = true;
        return false;
      },
    };
    // Not by `new`: Parcel would look for the script.
    Reflect.construct(SharedWorker, ['http://[', options]);
  } catch {
    // As it must.
  }
  return isRead;
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
    `the worker's script ${address} could not be loaded${detail ? ` (${detail})` : ''}: ` +
    placed('put worker.js and wamplet.wasm', 'name in options.workerUrl the file that `npx wamplet init` wrote') +
    '; it must be served as JavaScript, with the Cross-Origin-Embedder-Policy of the page if it has one, and a ' +
    'Content-Security-Policy must allow it in worker-src'
  );
}
