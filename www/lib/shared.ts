// One router for all tabs of the origin: in a SharedWorker, or in the tab that leads; else a router in this page.
//
// Owns the public handle and the choice of who runs its router; each of those has a file of its own:
// `shared-worker.ts`, `leader.ts` and `page-host.ts`.

import type { CodeRegistry } from './code.ts';
import type { ComponentRegistry } from './components.ts';
import type { DeciderRegistry } from './deciders.ts';
import { absolute, asyncDispose, place } from './environment.ts';
import type { PortIdentity } from './identity.ts';
import { canLead, LeaderWay } from './leader.ts';
import { LineHost } from './line-host.ts';
import { PageHost } from './page-host.ts';
import type { HostSettings, News, SharedHost } from './shared-host.ts';
import { Refused, SharedWorkerWay } from './shared-worker.ts';
import type { Inspection, TransportInfo } from './wire.ts';
import { expectKeys, shown } from './wording.ts';

export interface SharedRouterOptions {
  name?: string;
  config?: unknown;
  components?: ComponentRegistry;
  deciders?: DeciderRegistry;
  /** Text, URL, or what Trusted Types make of them, which stays as it is until a worker is made of it. */
  workerUrl?: string | URL | { toString(): string; toJSON(): string };
  extendedLifetime?: boolean;
  timeout?: number;
  mode?: 'auto' | SharedHost['mode'];
}

const OPTIONS = ['name', 'config', 'components', 'deciders', 'workerUrl', 'extendedLifetime', 'timeout', 'mode'];

/** Milliseconds for the worker to load and start its router: a busy machine with a cold cache needs more than three seconds. */
const PATIENCE = 10_000;

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
    expectKeys('options', options, OPTIONS);
    const { name = 'default', config, components, deciders, timeout = PATIENCE, mode = 'auto' } = options;
    const { extendedLifetime = false } = options;
    const workerUrl = options.workerUrl as string | URL | undefined;
    if (!/^[\w.-]{1,64}$/.test(name)) {
      throw new TypeError(`options.name: expected 1 to 64 letters, digits, ".", "_" or "-", found "${name}"`);
    }
    if (!(timeout > 0)) throw new TypeError(`options.timeout: expected milliseconds, found ${shown(timeout)}`);
    if (!['auto', 'shared-worker', 'leader', 'page'].includes(mode)) {
      throw new TypeError(`options.mode: expected "auto", "shared-worker", "leader" or "page", found "${mode}"`);
    }
    if (place() === 'node' && mode !== 'page') {
      // Whoever is served would share one router on the server.
      throw new Error(
        'sharedRouter() is for browsers, and this is Node: when rendering on a server call it in the browser only, ' +
          'and in tests use createRouter()',
      );
    }
    if (typeof extendedLifetime !== 'boolean') {
      throw new TypeError(`options.extendedLifetime: expected true or false, found ${shown(extendedLifetime)}`);
    }
    const router = new SharedRouter(name);
    if (place() === 'worker' && mode !== 'page') {
      throw new Error(
        'a worker cannot reach the router of its page by itself: let the page hand it a port, made by createPort() of its ' +
          'sharedRouter()',
      );
    }
    if (mode === 'page' || (mode === 'auto' && !hasSharedWorker() && !canLead())) {
      router.#host = await PageHost.open(workerUrl, timeout, config, { name, components, deciders });
      return router;
    }
    if (workerUrl !== undefined) absolute(workerUrl, 'options.workerUrl');
    const settings = {
      name,
      config,
      components: addresses('components', components),
      deciders: addresses('deciders', deciders),
      workerUrl,
      extendedLifetime,
      timeout,
    };
    const news: News = (type, detail) => router.dispatchEvent(new CustomEvent(type, { detail, cancelable: true }));
    const host = await openElsewhere(mode, settings, news);
    // A task later, whoever waits for the handle has had the chance to listen.
    setTimeout(() => host.begin());
    router.#host = host;
    return router;
  }

  get mode(): SharedHost['mode'] {
    return this.#host.mode;
  }

  get epoch(): string {
    return this.#host.epoch;
  }

  createPort(info?: TransportInfo, identity?: PortIdentity): MessagePort {
    this.#expectOpen();
    return this.#host.createPort(info, identity);
  }

  async inspect(): Promise<Inspection> {
    this.#expectOpen();
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

  #expectOpen(): void {
    if (this.#isClosed) throw new Error('the handle to the shared router was closed: call sharedRouter() again');
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

function hasSharedWorker(): boolean {
  return typeof SharedWorker !== 'undefined';
}

async function openElsewhere(mode: SharedRouterOptions['mode'], settings: HostSettings, news: News): Promise<LineHost> {
  if (mode !== 'leader' && hasSharedWorker()) {
    try {
      return await LineHost.open(new SharedWorkerWay(settings), settings, news);
    } catch (error) {
      if (!(error instanceof Refused) || mode !== 'auto' || !canLead()) throw error;
      return LineHost.open(new LeaderWay(settings), settings, news).catch(() => Promise.reject(error));
    }
  }
  if (mode === 'shared-worker') {
    throw new Error('there is no SharedWorker here: leave options.mode out, and a tab runs the router for all');
  }
  if (!canLead()) {
    throw new Error(
      'tabs cannot find each other here, for want of Web Locks or BroadcastChannel: serve the page over https or from ' +
        'localhost, or leave options.mode out, and the router runs in this page',
    );
  }
  return LineHost.open(new LeaderWay(settings), settings, news);
}

/** Code as a worker can load it: what is relative is so to this page. */
function addresses<Code>(option: string, registry: CodeRegistry<Code> | undefined): Record<string, string> | undefined {
  if (!registry) return undefined;
  const found: Record<string, string> = {};
  for (const [name, code] of Object.entries(registry)) {
    if (typeof code === 'function') {
      const reason = 'found a function, which cannot be sent to a worker';
      throw new TypeError(`options.${option}["${name}"]: expected the address of a module, ${reason}`);
    }
    found[name] = absolute(code as string | URL, `options.${option}["${name}"]`).href;
  }
  return found;
}
