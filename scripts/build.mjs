// Builds the npm package into pkg/: Rust to wasm, its bindings, the JavaScript bundles. Unchanged parts are skipped.
//
//   node scripts/build.mjs         pkg/
//   node scripts/build.mjs demo    pkg/ and www/demo/dist/

import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { npmTool, root, run, Stop, script, step } from './steps.mjs';
import { target, wasmBindgen, wasmBindgenVersion, wasmToolchain } from './toolchain.mjs';

const goal = process.argv[2];
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const pkg = join(root, 'pkg');
const bindings = join(root, 'target/wasm-bindgen');
// Apart from the native build's directory: each would otherwise throw out the other's work.
const wasmTarget = join(root, 'target/wasm');
const compiled = join(wasmTarget, target, 'wasm/wamplet.wasm');

// A login hashes a few hundred bytes: rounds in a loop instead of one after the other save 4.7 KB gzipped, arithmetic on
// 64 bits 0.3 KB.
const smallHashes = ['sha2_backend="soft"', 'sha2_backend_soft="compact"', 'curve25519_dalek_bits="64"'].map(
  (cfg) => `--cfg=${cfg}`,
);

await script(async () => {
  if (goal !== undefined && goal !== 'demo') {
    throw new Stop(`There is no build of "${goal}": leave it out, or say "demo".`);
  }
  mkdirSync(pkg, { recursive: true });
  await step('Rust to wasm', compile);
  await step('bindings', bind);
  await step('bundles', bundle);
  await step('types', checkTypes);
  if (goal === 'demo') await step('demo', bundleDemo);
}, 'Build');

async function compile(say) {
  const toolchain = await wasmToolchain();
  if (toolchain === undefined) throw new Stop('The wasm toolchain is missing: run `node scripts/setup.mjs`.');
  const args = ['build', '--profile', 'wasm', '--no-default-features', '--features', 'wasm'];
  if (!existsSync(compiled)) say('cargo build: the first time takes a minute or two');
  await run(toolchain.cargo, [...args, '--target', target, '--target-dir', wasmTarget, ...toolchain.args], {
    env: { ...toolchain.env, CARGO_ENCODED_RUSTFLAGS: [...withoutPaths(toolchain), ...smallHashes].join('\x1f') },
    orStop: 'The Rust sources do not build for wasm: the compiler says why above.',
  });
  return `compiled by ${toolchain.name}`;
}

/** Panic messages name source files; this keeps the folders of the machine that builds out of the package. */
function withoutPaths({ sysroot }) {
  const cargoHome = process.env.CARGO_HOME ?? join(homedir(), '.cargo');
  // The compiler names the standard library's sources by where they are on this machine, if they are.
  const folders = [root, join(cargoHome, 'registry/src'), join(sysroot, 'lib/rustlib/src/rust')];
  return folders.map((folder) => `--remap-path-prefix=${folder}=`);
}

async function bind() {
  const wasm = join(pkg, 'wamplet.wasm');
  const stamp = join(bindings, 'stamp');
  const input = createHash('sha256').update(readFileSync(compiled)).update(wasmBindgenVersion()).digest('hex');
  if (existsSync(wasm) && existsSync(stamp) && readFileSync(stamp, 'utf8') === input) return 'up to date';

  const program = await wasmBindgen();
  if (program === undefined) throw new Stop('The wasm-bindgen command is missing: run `node scripts/setup.mjs`.');
  // The library says where the wasm file is; a second place in the glue would confuse bundlers.
  const flags = ['--target', 'web', '--omit-default-module-path'];
  await run(program, [...flags, '--out-dir', bindings, '--out-name', 'wamplet', compiled], {
    orStop: 'wasm-bindgen could not read the compiled module: it says why above.',
  });
  // No feature flags: wasm-opt reads the module's own list of features.
  // What gzip makes of the module counts, not the module: it finds more to repeat where functions stay functions and
  // common subexpressions stay where they are (5 % of the download, measured).
  const forGzip = ['--one-caller-inline-max-function-size=30', '--always-inline-max-function-size=1'];
  const optimize = [
    '-Oz',
    // Again, until nothing gets smaller.
    '--converge',
    ...forGzip,
    '--skip-pass=local-cse',
    '--skip-pass=merge-similar-functions',
    '--strip-debug',
    '--strip-producers',
  ];
  await run(...npmTool('binaryen/bin/wasm-opt', ...optimize, join(bindings, 'wamplet_bg.wasm'), '-o', wasm), {
    orStop: 'wasm-opt could not shrink the module: it says why above.',
  });
  writeFileSync(stamp, input);
  return sizes('wamplet.wasm');
}

async function bundle() {
  const { build } = await import('esbuild');
  const options = {
    absWorkingDir: root,
    bundle: true,
    outdir: pkg,
    // The oldest engines that have Web Locks and the wasm features that the Rust compiler uses.
    target: ['chrome96', 'firefox96', 'safari15.4', 'node20'],
    legalComments: 'none',
    logLevel: 'silent',
  };
  try {
    // Minified, because a page without a bundler downloads them as they are.
    await build({
      ...options,
      minify: true,
      entryPoints: ['index', 'worker', 'client', 'client-auth'].map((name) => `www/lib/${name}.ts`),
      format: 'esm',
      // The library imports the worker's script when it is to run a router itself: most pages never load it. The client
      // imports the library when nobody tells it of a router.
      external: ['node:*', './worker.js', './index.js'],
    });
    await build({
      ...options,
      minify: true,
      entryPoints: { 'worker.inline': 'www/lib/worker.ts' },
      format: 'esm',
      external: ['node:*'],
      plugins: [inlineModule()],
      // `wamplet init` knows its own file by this.
      banner: { js: `/*! wamplet ${version}: the worker, in one file */` },
    });
    await build({
      ...options,
      minify: true,
      entryPoints: { 'wamplet.global': 'www/lib/global.ts' },
      format: 'iife',
      globalName: 'wamplet',
      inject: ['scripts/script-url.js'],
      define: { 'import.meta.url': 'scriptUrl' },
      external: ['node:*'],
    });
  } catch (error) {
    throw new Stop(`The library in www/lib could not be bundled:\n${error.message}`);
  }
  for (const file of ['index.js', 'worker.js', 'worker.inline.js']) keepImportAtRunTime(join(pkg, file));
  for (const types of ['index.d.ts', 'client.d.ts', 'client-auth.d.ts']) {
    copyFileSync(join(root, 'www/lib', types), join(pkg, types));
  }
  copyFileSync(join(root, 'www/init.js'), join(pkg, 'init.js'));
  return sizes('index.js', 'worker.js', 'worker.inline.js', 'client.js', 'client-auth.js', 'wamplet.global.js');
}

/** Puts the WebAssembly module into the script, compressed. */
function inlineModule() {
  const setup = (build) => {
    build.onResolve({ filter: /\/own-module\.ts$/ }, () => ({ path: join(root, 'www/lib/own-module.inline.ts') }));
    build.onResolve({ filter: /^wamplet\.wasm\.gz$/ }, ({ path }) => ({ path, namespace: 'gzipped' }));
    build.onLoad({ filter: /./, namespace: 'gzipped' }, () => {
      return { contents: gzipSync(readFileSync(join(pkg, 'wamplet.wasm')), { level: 9 }), loader: 'binary' };
    });
  };
  return { name: 'inline module', setup };
}

/**
 * What a component's module is called is known when the router starts, and where the worker's script is when the page
 * says so: the bundler of an app must let such an import be. Minifying took away the comments that say so.
 */
function keepImportAtRunTime(file) {
  const code = readFileSync(file, 'utf8');
  const kept = code.replaceAll(/\bimport\((?=[\w$]+\))/g, 'import(/* webpackIgnore: true *//* @vite-ignore */');
  if (kept === code) throw new Stop(`There is no import of a module that is named at run time in ${file} any more.`);
  writeFileSync(file, kept);
}

async function checkTypes() {
  await run(...npmTool('typescript/bin/tsc'), { orStop: 'The TypeScript in www/lib has type errors: see above.' });
  return 'checked';
}

async function bundleDemo() {
  await run(...npmTool('webpack-cli/bin/cli.js'), { orStop: 'webpack could not build the demo: it says why above.' });
  return 'www/demo/dist';
}

/** "index 7.9, worker 7.2 KB gzipped": the files of pkg/ as they travel. */
function sizes(...files) {
  const one = (file) => {
    const kilobytes = gzipSync(readFileSync(join(pkg, file))).length / 1024;
    return `${file.replace(/^wamplet\.|\.js$/g, '')} ${kilobytes.toFixed(1)}`;
  };
  return `${files.map(one).join(', ')} KB gzipped`;
}
