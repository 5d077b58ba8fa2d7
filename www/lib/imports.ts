// What the WebAssembly module imports from us, and nothing else: it takes all that is exported here.

export { tailText } from './tail.ts';
