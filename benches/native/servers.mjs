// What is measured: the relays, wamplet, and routers given on the command line. Starts them, waits until they listen, and
// ends only what it started.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root, Stop } from '../../scripts/steps.mjs';

const ALL = ['json', 'msgpack', 'cbor'];
const running = new Set();
let over = false;

/** A relay of the generator; it chooses its ports and prints them. */
export function relay(generator, kind) {
  const command = `'${generator}' relay --kind ${kind}`;
  return { name: kind, relay: true, command, schemes: ['ws', 'rs'], serializers: ALL };
}

export const wamplet = {
  name: 'wamplet',
  command: `'${join(root, 'target/release/wamplet')}' start --config {config}`,
  urls: { ws: 'ws://127.0.0.1:{ws}/ws', rs: 'rs://127.0.0.1:{rs}' },
  schemes: ['ws', 'rs'],
  serializers: ALL,
  sessions: 2000,
};

/** A `--router`: `name=..;cmd=..;ws=..;rs=..;serializers=..;sessions=..`. */
export function parseRouter(text) {
  const fields = Object.fromEntries(text.split(';').map((field) => field.split(/=(.*)/s, 2)));
  const { name, cmd, ws, rs, serializers = ALL.join('+'), sessions = '2000', ...unknown } = fields;
  if (!name || !cmd || !(ws || rs) || Object.keys(unknown).length > 0) {
    throw new Stop(`--router: expected name=..;cmd=..;ws=..;rs=.. and found "${text}".`);
  }
  return {
    name,
    command: cmd,
    urls: { ws, rs },
    schemes: [ws && 'ws', rs && 'rs'],
    serializers: serializers.split('+'),
    sessions: Number(sessions),
  };
}

/** Starts a server; resolves to it with its addresses, `pids()` and `stop()` once it accepts connections. */
export async function startServer(server) {
  const ports = { ws: await freePort(), rs: await freePort() };
  if (over) throw new Stop('Interrupted.');
  const directory = mkdtempSync(join(tmpdir(), 'wamplet-bench-'));
  const config = join(directory, 'config.json');
  writeFileSync(config, JSON.stringify(configuration(ports)));
  const fill = (text) => text?.replaceAll('{ws}', ports.ws).replaceAll('{rs}', ports.rs).replaceAll('{config}', config);

  const child = spawn('sh', ['-c', `exec ${fill(server.command)}`], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  // The end of what it says, for when it does not come up; reading on keeps a talkative router from blocking.
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      output = (output + chunk).slice(-4096);
    });
  }
  const started = { ...server, pids: () => family(child.pid), stop };
  running.add(started);

  async function stop() {
    running.delete(started);
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(killer);
    rmSync(directory, { recursive: true, force: true });
  }

  for (let attempt = 0; attempt < 400; attempt += 1) {
    if (child.exitCode !== null) break;
    const urls = server.relay ? printedUrls(output) : { ws: fill(server.urls.ws), rs: fill(server.urls.rs) };
    const addresses = Object.values(urls ?? {}).filter((url) => url !== undefined);
    if (urls && (await Promise.all(addresses.map(listens))).every(Boolean)) return Object.assign(started, urls);
    await sleep(50);
  }
  await stop();
  throw new Stop(`${server.name} did not come up:\n${output.trim() || '(it said nothing)'}`);
}

/** Ends all that run; from then on none starts. */
export async function stopServers() {
  over = true;
  await Promise.all([...running].map((server) => server.stop()));
}

function printedUrls(output) {
  if (!output.includes('\n')) return undefined;
  const { ws, rs } = JSON.parse(output);
  return { ws: `ws://127.0.0.1:${ws}/`, rs: `rs://127.0.0.1:${rs}` };
}

/** Realm `realm1`, open to everybody, on both transports. */
function configuration({ ws, rs }) {
  const allow = { call: true, register: true, publish: true, subscribe: true };
  const role = { name: 'anonymous', permissions: [{ uri: '', match: 'prefix', allow }] };
  const auth = { anonymous: { type: 'static', role: 'anonymous' } };
  const tcp = (port) => ({ type: 'tcp', interface: '127.0.0.1', port });
  const transports = [
    { type: 'web', endpoint: tcp(ws), paths: { '/': { type: 'nodeinfo' }, ws: { type: 'websocket', auth } } },
    { type: 'rawsocket', endpoint: tcp(rs), auth },
  ];
  return { version: 2, workers: [{ type: 'router', realms: [{ name: 'realm1', roles: [role] }], transports }] };
}

/** A process and all that descend from it: some routers are several. */
function family(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return [pid, ...children.flatMap((child) => family(Number(child)))];
}

function listens(url) {
  const { hostname, port } = new URL(url.replace(/^(ws|rs):/, 'http:'));
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
