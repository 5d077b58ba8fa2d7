// The wasm module may only import what wasm-bindgen's glue provides. An import from "env" is a C function that some
// crate expects to be linked in: the module would fail to load in every browser.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, Stop, script } from './steps.mjs';

await script(async () => {
  const module = await WebAssembly.compile(readFileSync(join(root, 'pkg/wamplet.wasm')));
  const imports = WebAssembly.Module.imports(module);
  const stray = imports.filter((entry) => entry.module === 'env');
  if (stray.length > 0) {
    const names = stray.map((entry) => entry.name).join(', ');
    throw new Stop(
      `pkg/wamplet.wasm imports ${names} from "env": find the dependency that calls C, and drop that part.`,
    );
  }
  console.log(`pkg/wamplet.wasm: ${imports.length} imports, none from "env"`);
});
