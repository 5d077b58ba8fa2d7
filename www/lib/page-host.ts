// A router in this page alone, behind the same handle as one that is shared.

import type { PortIdentity } from './identity.ts';
import { loadWorker } from './load.ts';
import type { Router, RouterOptions } from './router.ts';
import { type SharedHost, within } from './shared-host.ts';
import type { Inspection, TransportInfo } from './wire.ts';

export class PageHost implements SharedHost {
  readonly mode = 'page';
  readonly #router: Router;

  constructor(router: Router) {
    this.#router = router;
  }

  static async open(
    workerUrl: string | URL | undefined,
    timeout: number,
    config: unknown,
    options: RouterOptions,
  ): Promise<PageHost> {
    const opened = loadWorker(workerUrl).then(({ createRouter }) => createRouter(config, options));
    const late = `the router did not start within ${timeout} ms: is its wasm file served? if so, raise options.timeout`;
    try {
      return new PageHost(await within(timeout, opened, late));
    } catch (error) {
      opened.then((router) => router.close()).catch(() => {});
      throw error;
    }
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
