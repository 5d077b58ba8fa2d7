// The classic-script build has no `import.meta.url`; the bundler puts this in its place. `currentScript` is only set
// while the script runs for the first time, so it is read at once. An inline script has no
// address: there the page's stands in, and in a worker the worker's.
export const scriptUrl =
  typeof document === 'undefined' ? location.href : document.currentScript?.src || document.baseURI;
