// Autobahn|Python as a client of the table: one process for each of its two frameworks.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../scripts/steps.mjs';
import { pythonProgram } from '../../scripts/toolchain.mjs';
import { within } from '../fixtures/wait.mjs';
import { lines } from './lines.mjs';
import { deferred, remotePeers } from './remote-peers.mjs';

/** Starts Python with `asyncio` or `twisted`. */
export function startPython(framework) {
  const child = spawn(pythonProgram, ['-u', join(root, 'tests/interop/python_peer.py'), framework], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  child.on('close', () => process.off('exit', kill));

  const errors = lines(child.stderr);
  const ready = deferred();
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop();
    for (const line of parts.map((part) => JSON.parse(part))) {
      if (line.news === 'ready') ready.resolve();
      else peers.heard(line);
    }
  });
  child.stdin.on('error', () => {});
  const peers = remotePeers(
    (command) => child.stdin.write(`${JSON.stringify(command)}\n`),
    () => `; Autobahn|Python printed:\n${errors.all.slice(-20).join('\n')}`,
  );

  return {
    async join(where) {
      await within('Python starts', ready.promise, 30_000);
      return peers.join(where);
    },
    stop() {
      child.stdin.end();
      return within('Python ends', new Promise((resolve) => child.on('close', resolve)));
    },
  };
}
