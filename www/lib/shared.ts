// One router for all tabs of the origin, in a SharedWorker; where there is none, a router in this page.
//
// Owns the page's line to the SharedWorker: its start, its death, its restart, its news. Every client gets a port of
// its own, straight to the worker. The worker's end is in `worker.ts`. A further host (a leader tab, for browsers
// without SharedWorker) would be one more class with the members of `SharedHost`.

import type { CodeRegistry } from './code.ts';
import type { ComponentRegistry } from './components.ts';
import type { DeciderRegistry } from './deciders.ts';
import { closePort, listen } from './endpoint.ts';
import { asyncDispose, place, randomName, sentence } from './environment.ts';
import { type Identity, identityOfPort, type PortIdentity } from './identity.ts';
import { ownLock, watchPage, whenReleased } from './liveness.ts';
import { createRouter } from './load.ts';
import type { Router, RouterOptions } from './router.ts';
import { type Inspection, isMessage, type LogLevel, type Start, type TransportInfo, WIRE_VERSION } from './wire.ts';

export interface SharedRouterOptions {
  name?: string;
  config?: unknown;
  components?: ComponentRegistry;
  deciders?: DeciderRegistry;
  workerUrl?: string | URL;
  timeout?: number;
  mode?: 'auto' | 'shared-worker' | 'page';
}

/** Milliseconds for the worker to load and start its router: a busy machine with a cold cache needs more than three seconds. */
const PATIENCE = 10_000;

/** Milliseconds before another attempt to reach a router that was lost: the first, which doubles, and the most. */
const FIRST_RETRY = 500;
const LONGEST_RETRY = 30_000;

/** What a handle needs of whatever runs its router. */
interface SharedHost {
  readonly mode: 'shared-worker' | 'page';
  readonly epoch: string;
  createPort(info?: TransportInfo, identity?: PortIdentity): MessagePort;
  inspect(): Promise<Inspection>;
  close(): Promise<void>;
}

type News = (type: 'lost' | 'split' | 'log', detail: unknown) => boolean;

export class SharedRouter extends EventTarget {
  readonly name: string;
  #host!: SharedHost;
  #isClosed = false;

  constructor(name: string) {
    super();
    this.name = name;
  }

  /** Not part of the public face: `sharedRouter` is how to get one. */
  static async open(options: SharedRouterOptions): Promise<SharedRouter> {
    const { name = 'default', config, components, deciders, workerUrl, timeout = PATIENCE, mode = 'auto' } = options;
    if (!/^[\w.-]{1,64}$/.test(name)) {
      throw new TypeError(`options.name: expected 1 to 64 letters, digits, ".", "_" or "-", found "${name}"`);
    }
    if (!['auto', 'shared-worker', 'page'].includes(mode)) {
      throw new TypeError(`options.mode: expected "auto", "shared-worker" or "page", found "${mode}"`);
    }
    const router = new SharedRouter(name);
    if (mode === 'page' || (mode === 'auto' && typeof SharedWorker === 'undefined' && place() !== 'worker')) {
      router.#host = await PageHost.open(config, { name, components, deciders });
    } else if (typeof SharedWorker === 'undefined') {
      throw new Error(
        place() === 'worker'
          ? 'a worker cannot reach a SharedWorker: let its page hand it a port, made by createPort() of its sharedRouter()'
          : 'there is no SharedWorker here: leave options.mode out, and the router runs in this page',
      );
    } else {
      const news: News = (type, detail) => router.dispatchEvent(new CustomEvent(type, { detail, cancelable: true }));
      const modules = {
        components: addresses('components', components),
        deciders: addresses('deciders', deciders),
      };
      const settings = { name, config, ...modules, workerUrl, timeout };
      const host = await WorkerHost.open(settings, news);
      // A task later, whoever waits for the handle has had the chance to listen.
      setTimeout(() => host.begin());
      router.#host = host;
    }
    return router;
  }

  get mode(): 'shared-worker' | 'page' {
    return this.#host.mode;
  }

  get epoch(): string {
    return this.#host.epoch;
  }

  createPort(info?: TransportInfo, identity?: PortIdentity): MessagePort {
    if (this.#isClosed) throw new Error('the handle to the shared router was closed: call sharedRouter() again');
    return this.#host.createPort(info, identity);
  }

  inspect(): Promise<Inspection> {
    return this.#host.inspect();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#host.close();
  }

  async [asyncDispose](): Promise<void> {
    await this.close();
  }
}

export function sharedRouter(options: SharedRouterOptions = {}): Promise<SharedRouter> {
  return SharedRouter.open(options);
}

/** A handle that is opened when first asked for, and again when that failed. */
export function lazyRouter(options?: SharedRouterOptions): () => Promise<SharedRouter> {
  let standing: Promise<SharedRouter> | undefined;
  return () => {
    standing ??= sharedRouter(options).catch((error) => {
      standing = undefined;
      throw error;
    });
    return standing;
  };
}

/** The router of those who name none: one handle for the whole page. */
export const defaultRouter = /* @__PURE__ */ lazyRouter();

class PageHost implements SharedHost {
  readonly mode = 'page';
  readonly #router: Router;

  constructor(router: Router) {
    this.#router = router;
  }

  static async open(config: unknown, options: RouterOptions): Promise<PageHost> {
    return new PageHost(await createRouter(config, options));
  }

  get epoch(): string {
    return this.#router.epoch;
  }

  createPort(info?: TransportInfo, identity?: PortIdentity): MessagePort {
    return this.#router.createPort(info, identity);
  }

  async inspect(): Promise<Inspection> {
    return this.#router.inspect();
  }

  close(): Promise<void> {
    return this.#router.close();
  }
}

interface WorkerSettings {
  name: string;
  config: unknown;
  components: Record<string, string> | undefined;
  deciders: Record<string, string> | undefined;
  workerUrl: string | URL | undefined;
  timeout: number;
}

class WorkerHost implements SharedHost {
  readonly mode = 'shared-worker';
  epoch = '';
  readonly #settings: WorkerSettings;
  readonly #news: News;
  readonly #lock: string | undefined;
  /** Names this handle to the worker. */
  readonly #handle = randomName();
  #line: MessagePort | undefined;
  #hangUp = () => {};
  #isClosed = false;
  #isReconnecting = false;
  #questions = new Map<number, (answer: Inspection) => void>();
  #asked = 0;
  #unwatch = () => {};
  /** News that came before anybody could listen. */
  #early: unknown[] | undefined = [];

  constructor(settings: WorkerSettings, news: News, lock: string | undefined) {
    this.#settings = settings;
    this.#news = news;
    this.#lock = lock;
  }

  static async open(settings: WorkerSettings, news: News): Promise<WorkerHost> {
    const host = new WorkerHost(settings, news, await ownLock());
    host.epoch = await host.#call();
    host.#unwatch = watchPage({
      // News for a page in the back/forward cache would throw it out of there.
      onPageHide: () => host.#disconnect(),
      onPageShow: () => host.#reconnect('the page was left, and came back'),
    });
    return host;
  }

  begin(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const data of early) this.#hear(data);
  }

  /**
   * Over a line of its own, which wakes a new worker if the old one has died. The client's end has never been a line, so
   * that whoever is handed it has no say in the worker, nor in one that the browser starts anew with the same lines.
   */
  createPort(info?: TransportInfo, identity?: PortIdentity): MessagePort {
    const fixed = identityOfPort(identity);
    const { port1, port2 } = new MessageChannel();
    connect(this.#settings).port.postMessage(this.#start(port1, info, fixed), [port1]);
    return port2;
  }

  inspect(): Promise<Inspection> {
    this.#asked += 1;
    const question = this.#asked;
    const answer = new Promise<Inspection>((resolve) => this.#questions.set(question, resolve));
    this.#line?.postMessage({ inspect: question });
    const { timeout } = this.#settings;
    return within(timeout, answer, `the shared router did not answer within ${timeout} ms`).finally(() =>
      this.#questions.delete(question),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unwatch();
    this.#line?.postMessage({ leave: true });
    this.#disconnect();
  }

  #start(port?: MessagePort, info?: TransportInfo, identity?: Identity): Start {
    const { config, components, deciders } = this.#settings;
    const page = { handle: this.#handle, lock: this.#lock };
    return { start: WIRE_VERSION, config, components, deciders, ...page, port, info, identity };
  }

  /** Opens the line to the worker; answers the epoch of the router there. */
  #call(): Promise<string> {
    const { timeout } = this.#settings;
    const worker = connect(this.#settings);
    const line = worker.port;
    this.#line = line;
    const answered = new Promise<string>((resolve, reject) => {
      // The script could not be loaded or does not parse; what goes wrong later does not come here.
      worker.addEventListener('error', (event) => reject(new Error(unloadable(this.#settings, event))), { once: true });
      let isStarted = false;
      let stopWaiting = () => {};
      const lost = (reason: string) => {
        if (isStarted) this.#reconnect(reason);
      };
      const stop = listen(line, {
        onMessage: (data) => {
          if (isMessage(data, 'started')) {
            isStarted = true;
            const lock = (data as { lock?: unknown }).lock;
            if (typeof lock === 'string') stopWaiting = whenReleased(lock, () => lost('the SharedWorker is gone'));
            resolve(String(data.started));
          } else if (isMessage(data, 'fatal')) {
            reject(new Error(String(data.fatal)));
            lost(String(data.fatal));
          } else if (isMessage(data, 'wamplet') && isStarted) {
            lost('the browser restarted the SharedWorker');
          } else this.#hear(data);
        },
        onGone: () => {},
      });
      this.#hangUp = () => {
        stop();
        stopWaiting();
        line.postMessage({ gone: true });
        closePort(line);
      };
    });
    line.postMessage(this.#start());
    const late =
      `the SharedWorker did not answer within ${timeout} ms: look for its errors in chrome://inspect/#workers or ` +
      'about:debugging, or wait longer with options.timeout';
    return within(timeout, answered, late).catch((error) => {
      this.#disconnect();
      throw error;
    });
  }

  #hear(data: unknown): void {
    if (this.#early !== undefined) this.#early.push(data);
    else if (isMessage(data, 'log')) {
      const level = data.log as LogLevel;
      const text = String((data as { text?: unknown }).text);
      if (this.#news('log', { level, text })) console[level](`wamplet router: ${text}`);
    } else if (isMessage(data, 'split')) {
      if (this.#news('split', { reason: String(data.split) })) console.warn(`wamplet: ${data.split}`);
    } else if (isMessage(data, 'inspected')) {
      this.#questions.get(Number(data.inspected))?.((data as unknown as { value: Inspection }).value);
    }
  }

  #disconnect(): void {
    this.#hangUp();
    this.#hangUp = () => {};
    this.#line = undefined;
  }

  /** The router was lost, with all sessions; their clients learn it by themselves and come back to the next one. */
  async #reconnect(reason: string): Promise<void> {
    if (this.#isReconnecting) return;
    this.#isReconnecting = true;
    this.#disconnect();
    const before = this.epoch;
    for (let delay = FIRST_RETRY; !this.#isClosed; delay = Math.min(2 * delay, LONGEST_RETRY)) {
      try {
        this.epoch = await this.#call();
        break;
      } catch (error) {
        console.warn(`wamplet: ${reason}, and the router could not be reached again: ${sentence(error)}`);
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
    this.#isReconnecting = false;
    if (this.#isClosed) this.#disconnect();
    else if (this.epoch !== before) this.#news('lost', { reason });
  }
}

/** Code as the SharedWorker can load it: what is relative is so to this page. */
function addresses<Code>(option: string, registry: CodeRegistry<Code> | undefined): Record<string, string> | undefined {
  if (registry === undefined) return undefined;
  const found: Record<string, string> = {};
  for (const [name, code] of Object.entries(registry)) {
    if (typeof code === 'function') {
      const reason = 'found a function, which cannot be sent to a SharedWorker';
      throw new TypeError(`options.${option}["${name}"]: expected the address of a module, ${reason}`);
    }
    found[name] = new URL(code as string | URL, document.baseURI).href;
  }
  return found;
}

/** Connects to the SharedWorker, which the browser starts if it does not run yet. */
function connect({ name: router, workerUrl }: WorkerSettings): SharedWorker {
  const name = `wamp:${router}:v${WIRE_VERSION}`;
  try {
    if (workerUrl !== undefined) return new SharedWorker(workerUrl, { type: 'module', name });
    // Bundlers look for exactly this expression.
    return new SharedWorker(new URL('./worker.js', import.meta.url), { type: 'module', name });
  } catch (error) {
    throw new Error(
      `the SharedWorker could not be created (${sentence(error)}): in a sandboxed frame use a port that the page ` +
        'around it made with createPort(); for a script of another origin say with options.workerUrl where yours has it',
    );
  }
}

function unloadable({ workerUrl }: WorkerSettings, event: Event): string {
  const address = workerUrl ?? 'worker.js';
  const detail = (event as ErrorEvent).message;
  return (
    `the SharedWorker's script ${address} could not be loaded${detail ? ` (${detail})` : ''}: put worker.js and ` +
    "wamplet.wasm beside the library's script, or say with options.workerUrl where worker.js is; " +
    'a Content-Security-Policy must allow it in worker-src'
  );
}

function within<Value>(milliseconds: number, promise: Promise<Value>, late: string): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(late)), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
