// The routers of the table, and how its clients reach them. `start` of a host resolves to
// `{ join(column, { realm, login, door, encrypts, tab }), stop }`; what `join` resolves to is a peer.

// Before Autobahn, which keeps the console that it finds.
import '../fixtures/quiet-autobahn.mjs';

import { Worker } from 'node:worker_threads';
import autobahn from 'autobahn';
import { build } from 'esbuild';
import { createRouter } from 'wamplet';
import { WebSocket, WebSocketServer } from 'ws';
import { root } from '../../scripts/steps.mjs';
import { openBrowser } from '../fixtures/browser.mjs';
import { autobahnJs } from './autobahn-peers.mjs';
import { startPython } from './python-peers.mjs';
import { remotePeers } from './remote-peers.mjs';
import { startRouter } from './router.mjs';
import { columnsOf, hosts } from './table.mjs';
import { wampy } from './wampy-peers.mjs';
import { doors, realmNamed } from './world.mjs';

export function start(host) {
  if (host === 'the native router') return startNative(host);
  return host === 'Node' ? startNode(host) : startBrowser(host);
}

const realmsOf = (host) => columnsOf(host).map(({ realm }) => realmNamed(realm));
/** What a router in JavaScript is given, for each of its doors: there it has one `auth`. */
const configsOf = (host) =>
  Object.entries(doors).map(([door, auth]) => ({ door, config: { realms: realmsOf(host), auth } }));

const local = { type: 'tcp', interface: '127.0.0.1', port: 0 };

/** A configuration of the native router, with every door on every transport. */
export function nativeConfig(host) {
  const raw = (endpoint) =>
    Object.entries(doors).map(([door, auth]) => ({ ...endpoint(door), type: 'rawsocket', auth }));
  return {
    version: 2,
    controller: {},
    workers: [
      {
        type: 'router',
        realms: realmsOf(host),
        transports: [
          {
            type: 'web',
            endpoint: local,
            paths: Object.fromEntries(Object.entries(doors).map(([door, auth]) => [door, { type: 'websocket', auth }])),
          },
          ...raw(() => ({ endpoint: local })),
          ...raw((door) => ({ endpoint: { type: 'unix', path: `${door}.sock` } })),
        ],
      },
    ],
  };
}

/** Where the transports of a native router are, by their names in the table. */
export function nativeTransports({ ports, paths }) {
  const names = Object.keys(doors);
  const [web, ...raws] = ports;
  return {
    WebSocket: (door) => ({ transport: 'websocket', url: `ws://127.0.0.1:${web}/${door}`, port: web }),
    'RawSocket over TCP': (door) => ({ transport: 'rawsocket', port: raws[names.indexOf(door)] }),
    'RawSocket over a unix socket': (door) => ({ transport: 'rawsocket', path: paths[names.indexOf(door)] }),
  };
}

export function startNativeClients() {
  return {
    'Autobahn|Python with asyncio': startPython('asyncio'),
    'Autobahn|Python with Twisted': startPython('twisted'),
    'Autobahn|JS': autobahnJs(autobahn),
    wampy: { join: (where) => wampy.join({ ...where, through: WebSocket }) },
  };
}

async function startNative(host) {
  const started = startNativeClients();
  const router = await startRouter(nativeConfig(host));
  const transports = nativeTransports(router);
  return {
    join: ({ client, transport, serializer }, { door, ...how }) =>
      started[client].join({ ...transports[transport](door), serializer, ...how }),
    async stop() {
      for (const client of Object.values(started)) await client.stop?.();
      await router.stop();
    },
  };
}

/** One browser; peers are in pages of one profile, which take commands over sockets, as it is quicker than the debugger's. */
async function startBrowser(host) {
  const { mode, tabs } = hosts[host];
  const script = await build({
    absWorkingDir: root,
    entryPoints: ['tests/interop/page-peers.mjs'],
    bundle: true,
    format: 'esm',
    // The latter is for Node, where wampy runs there.
    external: ['/pkg/index.js', 'crypto'],
    write: false,
  });
  const browser = await openBrowser({
    '/peers.html': {
      body: '<!DOCTYPE html><title>peers</title><script src="/autobahn.min.js"></script><script type="module" src="/peers.js"></script>',
    },
    '/peers.js': { body: script.outputFiles[0].text },
  });
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  const profile = await browser.profile();
  const pages = [];
  for (let tab = 0; tab < tabs; tab += 1) {
    const page = await profile.tab('/peers.html');
    await page.waitForFunction(() => document.title === 'ready');
    const connected = new Promise((resolve) => server.once('connection', resolve));
    const url = `ws://127.0.0.1:${server.address().port}/`;
    await page.evaluate((given) => globalThis.openRouters(given), { configs: configsOf(host), mode, url });
    const socket = await connected;
    const peers = remotePeers((command) => socket.send(JSON.stringify(command)));
    socket.on('message', (line) => peers.heard(JSON.parse(line)));
    pages.push(peers);
  }
  return {
    join: ({ client, transport, serializer }, { tab, ...how }) =>
      pages[tab % tabs].join({ client, way: transport, serializer, ...how }),
    async stop() {
      await browser.close();
      server.close();
    },
  };
}

/** Routers in this process, peers in a worker thread: each has a port of its own. */
async function startNode(host) {
  const routers = {};
  for (const { door, config } of configsOf(host)) routers[door] = await createRouter(config);
  const thread = new Worker(new URL('thread-peers.mjs', import.meta.url));
  const peers = remotePeers((command, port) => thread.postMessage({ command, port }, port ? [port] : []));
  thread.on('message', peers.heard);
  return {
    join: ({ client, serializer }, { door, tab: _, ...how }) =>
      peers.join({ client, serializer, ...how, through: routers[door].createPort() }),
    async stop() {
      await thread.terminate();
      for (const router of Object.values(routers)) await router.close();
    },
  };
}
