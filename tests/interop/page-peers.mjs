// Peers in a page of a browser: Autobahn|JS as a script of the page, wampy as a bundler builds it in. hosts.mjs makes the
// page and has it open the routers; then it obeys what comes over a WebSocket of its own.

import * as wamplet from '/pkg/index.js';
import { autobahnJs } from './autobahn-peers.mjs';
import { obedient } from './obedient-peers.mjs';
import { wampy } from './wampy-peers.mjs';

const clients = { 'Autobahn|JS': autobahnJs(globalThis.autobahn), wampy };
const routers = {};

const urlOf = (door) => `ws://wamplet.test/${door}`;

/** How a client is connected, by the names of the table. */
const ways = {
  'the port transport': (door) => ({ transport: 'port', through: wamplet.autobahnTransport(routers[door]) }),
  'an intercepted WebSocket': (door) => ({ transport: 'websocket', url: urlOf(door) }),
  'the WebSocket class': (door) => ({ url: urlOf(door), through: wamplet.webSocketClass(routers[door]) }),
};

globalThis.openRouters = async ({ configs, mode, url }) => {
  for (const { door, config } of configs) {
    routers[door] = await wamplet.sharedRouter({ name: door, config, mode });
    if (routers[door].mode !== mode) throw new Error(`the router runs in ${routers[door].mode}, not in ${mode}`);
    wamplet.installWebSocket({ match: urlOf(door), router: routers[door] });
  }
  const socket = new WebSocket(url);
  const obey = obedient(
    ({ client, way, door, ...where }) => clients[client].join({ ...where, ...ways[way](door) }),
    (line) => socket.send(JSON.stringify(line)),
  );
  socket.onmessage = ({ data }) => obey(JSON.parse(data));
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
};
document.title = 'ready';
