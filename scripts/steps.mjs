// How the scripts talk to a person: numbered steps, one live line while a child works, one sentence at a stop.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';

/** The directory of the checkout, which every path in these scripts starts from. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** Ends a script: the message is the sentence that a person reads (what is missing, what for, what to do). */
export class Stop extends Error {
  exitCode = 1;
}

const terminal = process.stdout.isTTY;
const column = ' '.repeat(20);

let heading;
let number = 0;
let live = false;

/**
 * Runs one numbered step. `work` gets `say`, which prints what is being done when that takes long, and returns the
 * outcome to print on the step's closing line.
 */
export async function step(title, work) {
  number += 1;
  if (number === 1) print(`\n${heading}`);
  const label = `${String(number).padStart(2)}  ${title}`.padEnd(column.length);
  const begun = performance.now();
  const outcome = await work((text) => print(label + text));
  const seconds = `${((performance.now() - begun) / 1000).toFixed(1)} s`;
  print(`${(label + outcome).padEnd(72)} ${seconds.padStart(8)}`);
}

/**
 * What the command line says, of these options of `parseArgs` and `--help`. For that, and with what is wrong, the script
 * stops with `help`.
 */
export function optionsOf(options, help) {
  let values;
  try {
    ({ values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } }));
  } catch (error) {
    throw new Stop(`${error.message}.\n\n${help}`);
  }
  if (values.help) throw Object.assign(new Stop(help), { exitCode: 0 });
  return values;
}

/**
 * Runs the body of a script; its steps, if it has any, stand under the heading. A `Stop` becomes its sentence and its exit
 * code; anything else stays a stack trace.
 */
export async function script(body, stepsHeading) {
  heading = stepsHeading;
  try {
    await body();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    print(`\n${error.message}`);
    process.exitCode = error.exitCode;
  }
}

/**
 * Runs a program and shows its latest line of output until it ends.
 *
 * Resolves to `{ ok, output }`; with `orStop`, a failure prints the end of the output and stops with that sentence.
 */
export function run(command, args, { cwd = root, env, limitSeconds, orStop } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const begun = performance.now();
    const lines = [];
    const show = () => {
      const seconds = Math.round((performance.now() - begun) / 1000);
      progress(`${seconds} s  ${lines.at(-1) ?? ''}`);
    };
    // A terminal has a line to rewrite; a log gets a line now and then, enough to see that it is alive.
    const ticker = setInterval(show, terminal ? 500 : 20_000);
    const killer = limitSeconds && setTimeout(() => child.kill(), limitSeconds * 1000);
    const collect = (chunk) => {
      for (const line of stripVTControlCharacters(chunk).split(/[\r\n]+/)) {
        if (line.trim() !== '') lines.push(line.trimEnd());
      }
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);

    let finished = false;
    const finish = (ok) => {
      if (finished) return;
      finished = true;
      clearInterval(ticker);
      clearTimeout(killer);
      clearLive();
      if (ok || orStop === undefined) return resolve({ ok, output: lines.join('\n') });
      for (const line of lines.slice(-40)) print(`    | ${line}`);
      reject(new Stop(orStop));
    };
    // A program that does not exist ends with an error, and on some systems with an exit code as well.
    child.on('error', (error) => {
      lines.push(error.message);
      finish(false);
    });
    child.on('close', (code) => finish(code === 0));
  });
}

/** How to run npm: the one that runs us if any, since on Windows `npm` is not a program that can be spawned. */
export function npm(...args) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('.js') ? [process.execPath, [cli, ...args]] : ['npm', args];
}

/** How to run a command-line tool of an npm package: the path of the file in that package. */
export function npmTool(path, ...args) {
  return [process.execPath, [fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url)), ...args]];
}

function print(text) {
  clearLive();
  process.stdout.write(`${text.trimEnd()}\n`);
}

function progress(text) {
  const line = (column + text).slice(0, terminal ? process.stdout.columns - 1 : 100);
  if (!terminal) return print(line);
  clearLive();
  process.stdout.write(line);
  live = true;
}

function clearLive() {
  if (live) process.stdout.write('\r\x1b[K');
  live = false;
}
