// Fetches the half of the library that runs a router, when a page is to run one itself.
//
// Most pages never do: their router is in a worker, and this keeps its driver and the wasm glue out of what they
// download. The module is the worker's script itself, which does nothing by itself when it is imported.

import { absolute, sentence } from './environment.ts';
import type { Router, RouterOptions } from './router.ts';
import type { Station } from './station.ts';

export async function createRouter(config?: unknown, options?: RouterOptions): Promise<Router> {
  return (await loadWorker()).createRouter(config, options);
}

export async function loadStation(workerUrl: string | URL | undefined): Promise<typeof Station> {
  return (await loadWorker(workerUrl)).Station;
}

/** By the script that the page named, if it did. */
export function loadWorker(workerUrl?: string | URL): Promise<typeof import('./worker.ts')> {
  const url = workerUrl && absolute(workerUrl, 'options.workerUrl').href;
  const loading = url ? import(/* webpackIgnore: true */ /* @vite-ignore */ url) : import('./worker.js');
  return loading.catch((error) => {
    const cure = "put it beside the library's script, or say where it is with the option `workerUrl` of sharedRouter()";
    throw new Error(`${url ?? 'worker.js'} could not be loaded (${sentence(error)}): ${cure}`);
  });
}
