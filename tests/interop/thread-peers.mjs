// Peers in a worker thread of Node: each joins over the MessagePort that comes with the command to join.

// Before Autobahn, which keeps the console that it finds.
import '../fixtures/quiet-autobahn.mjs';

import { parentPort } from 'node:worker_threads';
import autobahn from 'autobahn';
import { autobahnTransport, webSocketClass } from 'wamplet';
import { autobahnJs } from './autobahn-peers.mjs';
import { obedient } from './obedient-peers.mjs';
import { wampy } from './wampy-peers.mjs';

const js = autobahnJs(autobahn);
const clients = {
  'Autobahn|JS': (where, port) => js.join({ ...where, transport: 'port', through: autobahnTransport(port) }),
  wampy: (where, port) => wampy.join({ ...where, url: 'ws://wamplet.test/', through: webSocketClass(port) }),
};

const obey = obedient(
  ({ client, ...where }, port) => clients[client](where, port),
  (line) => parentPort.postMessage(line),
);
parentPort.on('message', ({ command, port }) => obey(command, port));
