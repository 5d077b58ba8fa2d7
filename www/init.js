#!/usr/bin/env node
// `npx wamplet init FOLDER`: puts the one-file worker at an address of the app's own that stays when releases come and go.
//
// Ships as `pkg/init.js`, the program of the npm package. Plain Node, no dependency. Writes one file and nothing else:
// refuses where there is no such folder, and leaves a file alone that is not ours.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FILE = 'wamplet-worker.js';

/** How the build begins every one-file worker. */
const OURS = /^\/\*! wamplet (\S+):/;

const HELP = `wamplet ${version()}

  npx wamplet init FOLDER

writes FOLDER/${FILE}: the worker that holds the router, with its WebAssembly
module, in one file. FOLDER is what your site serves as it is: public/ with Vite
and Next.js, static/ with SvelteKit, the folder of your page without a bundler.
Run it again after each upgrade of wamplet.

The server, \`wamplet start\`, is another program: see "As a server" in the README.`;

/** Ends the program with one sentence. */
class Refusal extends Error {}

try {
  console.log(answer(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  console.error(`wamplet: ${error.message}`);
  process.exitCode = 1;
}

function answer(args) {
  if (args.length === 0 || args.some((arg) => ['--help', '-h', 'help'].includes(arg))) return HELP;
  if (args.length === 1 && ['--version', '-V'].includes(args[0])) return version();
  const [command, folder, ...rest] = args;
  if (command !== 'init') {
    throw new Refusal(
      `there is no command "${command}" here: \`npx wamplet init FOLDER\` is the one of the npm package, and ` +
        '`wamplet start` is the native program',
    );
  }
  const option = args.find((arg) => arg.startsWith('-'));
  if (option !== undefined) throw new Refusal(`init has no option "${option}": \`npx wamplet init FOLDER\` is all`);
  if (folder === undefined || folder === '') {
    throw new Refusal('say into which folder: `npx wamplet init public/`, the one that your site serves as it is');
  }
  if (rest.length > 0) throw new Refusal(`init takes one folder, and "${rest[0]}" is another`);
  return init(folder);
}

function init(folder) {
  const worker = shipped();
  const path = join(folder, FILE);
  if (!isFolder(folder)) {
    throw new Refusal(`there is no folder "${folder}": make it, or name the one that your site serves as it is`);
  }
  const before = existing(path);
  const found = before && OURS.exec(before)?.[1];
  if (before !== undefined && found === undefined) {
    throw new Refusal(`${path} is there and not a worker of wamplet: move it away, and run this again`);
  }
  if (before !== worker) write(path, worker);
  const done = before === undefined ? 'Wrote' : before === worker ? 'Nothing to do: up to date is' : 'Replaced';
  const was = before !== undefined && found !== version() ? ` (was ${found})` : '';
  return `${done} ${path}, wamplet ${version()}${was}.

If your site serves this folder at its root, name the worker so in every page:

  sharedRouter({ workerUrl: '/${FILE}' })

or, with the script line: data-worker="/${FILE}". In a Content-Security-Policy
that is sent with this file, script-src needs 'wasm-unsafe-eval'.

After an upgrade of wamplet run this again: a page and a worker that do not fit
end in an error that says so.`;
}

function shipped() {
  const path = fileURLToPath(new URL('worker.inline.js', import.meta.url));
  const text = read(path);
  if (text === undefined || !OURS.test(text)) {
    throw new Refusal(`the package is broken (${path} is not the worker): run \`npm install wamplet\` again`);
  }
  return text;
}

function isFolder(path) {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory();
  } catch (error) {
    throw new Refusal(
      `${path} is no folder that can be read (${error.code}): name the one that your site serves as it is`,
    );
  }
}

function existing(path) {
  try {
    return read(path);
  } catch (error) {
    throw new Refusal(`${path} cannot be read (${error.code}): move it away, and run this again`);
  }
}

function write(path, text) {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new Refusal(`${path} cannot be written (${error.code}): may this user write there?`);
  }
}

/** A file's text, if there is one. */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function version() {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;
}
