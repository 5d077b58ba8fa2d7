// A router in this page alone, behind the same handle as one that is shared.

import type { PortIdentity } from './identity.ts';
import { createRouter } from './load.ts';
import type { Router, RouterOptions } from './router.ts';
import type { SharedHost } from './shared-host.ts';
import type { Inspection, TransportInfo } from './wire.ts';

export class PageHost implements SharedHost {
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
