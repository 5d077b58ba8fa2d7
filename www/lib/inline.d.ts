// What the build puts in the place of the module's name: its compressed bytes.

declare module 'wamplet.wasm.gz' {
  const gzipped: Uint8Array<ArrayBuffer>;
  export default gzipped;
}
