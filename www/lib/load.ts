// Fetches the half of the library that runs a router, when a page wants to run one itself.
//
// Most pages never do: their router is in the SharedWorker, and this keeps its driver and the wasm glue out of what they
// download. The module is the worker's script itself, which does nothing by itself when it is imported.

import { sentence } from './environment.ts';
import type { Router, RouterOptions } from './router.ts';

export async function createRouter(config?: unknown, options?: RouterOptions): Promise<Router> {
  const module = await import('./worker.js').catch((error) => {
    throw new Error(`worker.js could not be loaded (${sentence(error)}): put it beside the library's script`);
  });
  return module.createRouter(config, options);
}
