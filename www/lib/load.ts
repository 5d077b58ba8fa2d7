// Fetches the half of the library that runs a router, when a page is to run one itself.
//
// Most pages never do: their router is in a worker, and this keeps its driver and the wasm glue out of what they
// download. The module is the worker's script itself, which does nothing by itself when it is imported.

import { sentence } from './environment.ts';
import type { Router, RouterOptions } from './router.ts';
import type { Station } from './station.ts';

export async function createRouter(config?: unknown, options?: RouterOptions): Promise<Router> {
  return (await loadWorker()).createRouter(config, options);
}

export async function loadStation(): Promise<typeof Station> {
  return (await loadWorker()).Station;
}

function loadWorker(): Promise<typeof import('./worker.ts')> {
  return import('./worker.js').catch((error) => {
    throw new Error(`worker.js could not be loaded (${sentence(error)}): put it beside the library's script`);
  });
}
