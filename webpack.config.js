// Builds the demo as a user's app would be built: it imports `wamplet` by its package name, and webpack finds the
// worker and the wasm file by itself. No plugins, no experiments, no aliases.

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

// The page and whatever it shows (style sheet, icons) go to the output as they are.
const assets = readdirSync(here('./www/demo')).filter((file) => /\.(html|css|svg|png)$/.test(file));

export default {
  mode: 'production',
  context: here('./www/demo'),
  entry: { main: ['./main.js', ...assets.map((file) => `./${file}`)] },
  output: { path: here('./www/demo/dist'), clean: true },
  module: {
    rules: [{ test: /\.(html|css|svg|png)$/, type: 'asset/resource', generator: { filename: '[name][ext]' } }],
  },
  cache: {
    type: 'filesystem',
    cacheDirectory: here('./target/webpack'),
    buildDependencies: { config: [here('./webpack.config.js')] },
  },
  // Autobahn|JS is most of the demo's size, which is fine here.
  performance: { hints: false },
  stats: 'errors-warnings',
};
