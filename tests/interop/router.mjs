// The native router as a process: the real binary, with a configuration of the test's own.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../scripts/steps.mjs';
import { pythonProgram } from '../../scripts/toolchain.mjs';
import { within } from '../fixtures/wait.mjs';
import { lines } from './lines.mjs';

/** The binary under test: of the debug build, unless the variable WAMPLET_BINARY names another one. */
export const program =
  process.env.WAMPLET_BINARY ?? join(root, 'target/debug', process.platform === 'win32' ? 'wamplet.exe' : 'wamplet');

/** What the router may take to listen, in milliseconds, with all that may run beside the tests. */
const startPatience = 30_000;

/** A folder that goes when the process ends. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'wamplet-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A role's permission to do everything, in the form of configuration version 2. */
export const everything = {
  uri: '',
  match: 'prefix',
  allow: { call: true, register: true, publish: true, subscribe: true },
};

/**
 * Starts the router with a configuration, written into a folder of its own, and further arguments; resolves to what
 * `startNode` does.
 */
export function startRouter(config, ...more) {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  return startNode({
    args: ['start', '--config', 'config.json', ...more],
    cwd: folder,
    listeners: listenersOf(config),
  });
}

/** How many sockets a node listens on. */
export function listenersOf({ workers }) {
  return workers.flatMap(({ transports = [] }) => transports).length;
}

/**
 * Starts a node in a folder and waits until it listens on so many sockets. `command` may be a program that runs the router,
 * such as `make`. Resolves to `{ ports, paths, log, logged, stop, crash }`: the TCP ports and the paths of unix sockets in the
 * order of the configuration, the lines of the log so far, a wait for a line of it, an end that resolves to the exit code,
 * and one that comes without a word.
 */
export async function startNode({ command = program, args, cwd, listeners, env }) {
  if (!existsSync(program)) throw new Error(`there is no ${program}: run \`cargo build\``);
  const child = spawn(command, args, {
    cwd,
    // Components run with the Python that has Autobahn|Python.
    env: { ...process.env, WAMPLET_PYTHON: pythonProgram, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that a signal reaches the router behind `make`.
    detached: true,
  });
  const signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch (error) {
      // It has ended already.
      if (error.code !== 'ESRCH') throw error;
    }
  };
  // A test that fails before its `stop` must not leave a router behind.
  const kill = () => signal('SIGKILL');
  process.on('exit', kill);
  const ended = new Promise((resolve) => child.on('close', (code, name) => resolve(code ?? name)));
  ended.then(() => process.off('exit', kill));

  const log = lines(child.stdout, child.stderr);
  const listening = (async () => {
    for (let count = 0; count < listeners; count += 1) await log.next(/\blistening\b/, startPatience);
  })();
  const early = ended.then((code) => {
    throw new Error(`the router ended with ${code}:\n${log.all.join('\n')}`);
  });
  await Promise.race([listening, early]).catch((error) => {
    kill();
    throw error;
  });
  early.catch(() => {});
  const found = (pattern) => log.all.flatMap((line) => pattern.exec(line)?.[1] ?? []);
  return {
    ports: found(/\blistening\b.*\btcp \S*:(\d+)/).map(Number),
    paths: found(/\blistening\b.*\bunix (\S+)/),
    log: log.all,
    logged: (pattern, patience) => log.next(pattern, patience),
    crash() {
      kill();
      return within('the router is gone', ended);
    },
    async stop() {
      signal('SIGTERM');
      try {
        return await within('the router ends', ended);
      } catch (error) {
        kill();
        throw new Error(`${error.message}; its log:\n${log.all.join('\n')}`);
      }
    },
  };
}
