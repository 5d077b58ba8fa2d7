// A router in this page, worker or Node process, with a port for each client.
//
// Part of worker.js, which `load.ts` fetches when somebody wants a router here.

import { type ComponentRegistry, readComponents, startComponents } from './components.ts';
import { type DeciderRegistry, Deciders } from './deciders.ts';
import type { Endpoint } from './endpoint.ts';
import { asyncDispose, type Place, place } from './environment.ts';
import { Host } from './host.ts';
import { identityOfPort, type PortIdentity } from './identity.ts';
import { ownLock } from './liveness.ts';
import { Store } from './store.ts';
import { startWasmRouter, type WasmSource } from './wasm.ts';
import type { Inspection, LogLevel, TransportInfo } from './wire.ts';
import { expectKeys } from './wording.ts';

export interface RouterOptions {
  name?: string;
  wasm?: WasmSource;
  seed?: Uint8Array;
  components?: ComponentRegistry;
  deciders?: DeciderRegistry;
}

const OPTIONS = ['name', 'wasm', 'seed', 'components', 'deciders'];

export class Router {
  readonly mode: Place = place();
  readonly #host: Host;
  readonly #endComponents: () => void;
  #isClosed = false;

  constructor(host: Host, endComponents: () => void) {
    this.#host = host;
    this.#endComponents = endComponents;
  }

  get epoch(): string {
    return this.#host.epoch;
  }

  attach(endpoint: Endpoint, info?: TransportInfo, identity?: PortIdentity): () => void {
    this.#expectOpen();
    const port = this.#host.attach(endpoint, { info, identity: identityOfPort(identity) });
    return () => port.drop({ code: 1001, reason: 'the port was detached from the router', wasClean: true });
  }

  createPort(info?: TransportInfo, identity?: PortIdentity): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.attach(port1, info, identity);
    return port2;
  }

  inspect(): Inspection {
    this.#expectOpen();
    return this.#host.inspect();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#endComponents();
    await this.#host.close();
  }

  async [asyncDispose](): Promise<void> {
    await this.close();
  }

  #expectOpen(): void {
    if (this.#isClosed) throw new Error('the router was closed: create another one');
  }
}

export async function createRouter(config?: unknown, options: RouterOptions = {}): Promise<Router> {
  expectKeys('options', options, OPTIONS);
  const { name = 'default', wasm, seed, components, deciders: registry } = options;
  const deciders = await Deciders.load(registry, log);
  const [router, lock] = await Promise.all([startWasmRouter(config, deciders.names, wasm, seed), ownLock()]);
  const found = readComponents(config, components, (text) => log('warn', text));
  let endComponents = () => {};
  const host = new Host({ log, onBroken: () => endComponents() });
  const store = await Store.open(router, name, log);
  host.run(router, deciders, store, lock);
  endComponents = startComponents(host, found);
  return new Router(host, endComponents);
}

function log(level: LogLevel, text: string): void {
  console[level](`wamplet: ${text}`);
}
