// One router for all tabs of the origin, in a SharedWorker; where there is none, a router in this page.
//
// Owns the public handle and the choice of who runs its router; each of those has a file of its own:
// `shared-worker-host.ts`, `page-host.ts`.

import type { CodeRegistry } from './code.ts';
import type { ComponentRegistry } from './components.ts';
import type { DeciderRegistry } from './deciders.ts';
import { asyncDispose, place } from './environment.ts';
import type { PortIdentity } from './identity.ts';
import { PageHost } from './page-host.ts';
import type { News, SharedHost } from './shared-host.ts';
import { WorkerHost } from './shared-worker-host.ts';
import type { Inspection, TransportInfo } from './wire.ts';

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
