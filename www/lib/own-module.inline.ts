// The WebAssembly module of the one-file worker: in the script, compressed, since Base64 of what is not gets no smaller on
// its way (a fifth more to download).
//
// In the place of `own-module.ts` in `worker.inline.js` and nowhere else. Fetches nothing, so that no `connect-src` matters.

import gzipped from 'wamplet.wasm.gz';
import type { WasmSource } from './wasm.ts';

export async function ownModule(): Promise<WasmSource> {
  if (typeof DecompressionStream === 'undefined') {
    throw new Error(
      'this browser has no DecompressionStream, which the one-file worker needs: serve worker.js and wamplet.wasm instead',
    );
  }
  return new Response(new Blob([gzipped]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}
