// Where worker.js has its WebAssembly module from: the file beside it.
//
// The one-file worker is built with `own-module.inline.ts` in the place of this.

import type { WasmSource } from './wasm.ts';

/** Bundlers look for exactly this expression. */
export const ownModule = async (): Promise<WasmSource> => new URL('./wamplet.wasm', import.meta.url);
