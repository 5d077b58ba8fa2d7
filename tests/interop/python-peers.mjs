// Autobahn|Python as a client of the table: one process for each of its two frameworks.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../scripts/steps.mjs';
import { pythonProgram } from '../../scripts/toolchain.mjs';
import { inbox, within } from '../fixtures/wait.mjs';
import { lines } from './lines.mjs';
import { mapped, PeerError } from './peers.mjs';

/** Starts Python with `asyncio` or `twisted`. */
export function startPython(framework) {
  const child = spawn(pythonProgram, ['-u', join(root, 'tests/interop/python_peer.py'), framework], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  child.on('close', () => process.off('exit', kill));

  const errors = lines(child.stderr);
  const answers = new Map();
  const peers = new Map();
  let commands = 0;
  let names = 0;
  const ready = deferred();
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop();
    for (const part of parts) heard(JSON.parse(part));
  });
  child.stdin.on('error', () => {});

  function heard({ id, ok, error, peer, news, ...fields }) {
    if (id !== undefined) {
      const { resolve, reject } = answers.get(id);
      answers.delete(id);
      if (error === undefined) resolve(ok);
      else reject(new PeerError(error.error, revive(error.args), revive(error.kwargs)));
    } else if (peer === undefined) {
      ready.resolve();
    } else {
      peers.get(peer)(news, revive(fields));
    }
  }

  function obey(command) {
    commands += 1;
    const answer = deferred();
    answers.set(commands, answer);
    child.stdin.write(`${JSON.stringify({ id: commands, ...writable(command) })}\n`);
    const said = () => `Autobahn|Python does ${command.do}; it printed:\n${errors.all.slice(-20).join('\n')}`;
    return within(command.do, answer.promise).catch((error) => {
      throw error instanceof PeerError ? error : new Error(`${error.message}: ${said()}`);
    });
  }

  return {
    async join({ transport, serializer, realm, url, port, path, login }) {
      await within('Python starts', ready.promise, 30_000);
      names += 1;
      const name = names;
      const subscriptions = new Map();
      const news = inbox('news of a behaviour');
      const closed = deferred();
      peers.set(name, (what, fields) => {
        if (what === 'event') subscriptions.get(fields.subscribed)?.push(fields);
        else if (what === 'closed') closed.resolve(fields);
        else if (what === 'disconnected') closed.resolve({ reason: 'lost' });
        else news.push(what === 'user error' ? fields.text : what);
      });
      const tell = (what, fields) => obey({ peer: name, do: what, ...fields });
      const welcome = await tell('join', { transport, serializer, realm, url, port, path, login });
      return {
        session: welcome.session,
        welcome,
        news,
        closed: closed.promise,
        call: async (procedure, args, kwargs, { progress = false } = {}) =>
          revive(await tell('call', { procedure, args, kwargs, progress })),
        async start(procedure) {
          const call = await tell('start', { procedure });
          const result = tell('result', { call });
          result.catch(() => {});
          return { cancel: (mode) => tell('cancel', { call, mode }), result };
        },
        register: (procedure, behaviour, { match } = {}) => tell('register', { procedure, behaviour, match }),
        unregister: (procedure) => tell('unregister', { procedure }),
        async subscribe(topic, { match } = {}) {
          const events = inbox(`an event of ${topic}`);
          subscriptions.set(topic, events);
          await tell('subscribe', { topic, match });
          return events;
        },
        unsubscribe: (topic) => tell('unsubscribe', { topic }),
        publish: (topic, args, kwargs, { acknowledge = false } = {}) =>
          tell('publish', { topic, args, kwargs, acknowledge }),
        async leave() {
          await tell('leave');
          return closed.promise;
        },
      };
    },
    stop() {
      child.stdin.end();
      return within('Python ends', new Promise((resolve) => child.on('close', resolve)));
    },
  };
}

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}

function writable(value) {
  if (ArrayBuffer.isView(value)) return { $bytes: Buffer.from(value).toString('base64') };
  return mapped(value, writable);
}

function revive(value) {
  if (typeof value?.$bytes === 'string') return Buffer.from(value.$bytes, 'base64');
  return mapped(value, revive);
}
