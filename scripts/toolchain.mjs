// Which programs turn the Rust sources into WebAssembly, found afresh each time (it takes a few milliseconds), so that
// nothing remembered can be stale. `setup.mjs` installs what these functions miss.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './steps.mjs';

export const target = 'wasm32-unknown-unknown';

/** Where `setup.mjs` installs a program that belongs to this checkout alone. */
export const toolsDir = join(root, 'target/tools');

/**
 * How to build for wasm: `{ name, sysroot, cargo, args, env }`, or undefined when no toolchain for it is installed.
 *
 * The toolchain of the native build comes first. Debian's own Rust is the way out where rustup cannot download: it has
 * no standard library for this target, so cargo builds that from source, which a stable compiler only does when told
 * to accept unstable options.
 */
export async function wasmToolchain() {
  const sysroot = await run('rustc', ['--print', 'sysroot']);
  if (sysroot.ok && existsSync(join(sysroot.output, 'lib/rustlib', target))) {
    return { name: await version('rustc'), sysroot: sysroot.output, cargo: 'cargo', args: [], env: {} };
  }
  const debian = [
    '/usr/bin/cargo',
    '/usr/bin/rustc',
    '/usr/bin/wasm-ld',
    '/usr/lib/rustlib/src/rust/library/Cargo.toml',
  ];
  if (!debian.every(existsSync)) return undefined;
  return {
    name: `${await version('/usr/bin/rustc')} of Debian, standard library from source`,
    sysroot: '/usr',
    cargo: '/usr/bin/cargo',
    args: ['-Z', 'build-std=std,panic_abort'],
    env: {
      PATH: `/usr/bin:${process.env.PATH}`,
      RUSTC_BOOTSTRAP: '1',
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: 'wasm-ld',
    },
  };
}

/** The version of wasm-bindgen in Cargo.lock: its command line only reads what exactly this version wrote. */
export function wasmBindgenVersion() {
  const lock = readFileSync(join(root, 'Cargo.lock'), 'utf8');
  return /name = "wasm-bindgen"\nversion = "(.+)"/.exec(lock.replaceAll('\r\n', '\n'))[1];
}

/** The path of a wasm-bindgen command of the right version, or undefined. */
export async function wasmBindgen() {
  const wanted = `wasm-bindgen ${wasmBindgenVersion()}`;
  for (const program of [join(toolsDir, 'bin/wasm-bindgen'), 'wasm-bindgen']) {
    const { output } = await run(program, ['--version']);
    if (output.startsWith(wanted)) return program;
  }
  return undefined;
}

/** Where `setup.mjs` installs the Python clients of the tests. */
export const pythonDir = join(root, 'target/python');

/** The Python of that folder, which sees those clients and nothing else. */
export const pythonProgram = join(pythonDir, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');

/** The oldest Python that Autobahn|Python runs on. */
export const pythonWanted = '3.11';

/** The Python 3 of this machine: `{ program, version }`, or undefined. */
export async function findPython() {
  for (const program of ['python3', 'python']) {
    const found = (await version(program))?.split(' ')[1];
    if (found?.startsWith('3.')) return { program, version: found };
  }
  return undefined;
}

/** "rustc 1.95.0" of "rustc 1.95.0 (59807616e 2026-04-14)"; undefined when the program cannot be run. */
export async function version(program) {
  const { ok, output } = await run(program, ['--version']);
  return ok ? output.split(' ').slice(0, 2).join(' ') : undefined;
}
