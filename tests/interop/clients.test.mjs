// Real clients against the real router: one table, clients by transports by serializers, each row with all the cases.

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { within } from '../fixtures/wait.mjs';
import { autobahnJs } from './autobahn-peers.mjs';
import { cases } from './cases.mjs';
import { startPython } from './python-peers.mjs';
import { everything, startRouter } from './router.mjs';
import { wampy } from './wampy-peers.mjs';

const all = ['json', 'msgpack', 'cbor'];
const batched = ['json.batched', 'msgpack.batched', 'cbor.batched'];

/**
 * `isInterrupted`: its callees understand INTERRUPT. `answersInSteps`: they announce progressive results.
 * `tellsWhyItClosed`: it passes on the reason of a GOODBYE.
 */
const clients = {
  'Autobahn|Python with asyncio': {
    start: () => startPython('asyncio'),
    isInterrupted: true,
    answersInSteps: true,
    tellsWhyItClosed: true,
    speaks: { WebSocket: [...all, ...batched], 'RawSocket over TCP': all, 'RawSocket over a unix socket': all },
  },
  'Autobahn|Python with Twisted': {
    start: () => startPython('twisted'),
    isInterrupted: true,
    answersInSteps: true,
    tellsWhyItClosed: true,
    speaks: { WebSocket: [...all, ...batched], 'RawSocket over TCP': all, 'RawSocket over a unix socket': all },
  },
  'Autobahn|JS': {
    start: () => autobahnJs,
    answersInSteps: true,
    tellsWhyItClosed: true,
    speaks: { WebSocket: all, 'RawSocket over TCP': ['json'], 'RawSocket over a unix socket': ['json'] },
  },
  wampy: { start: () => wampy, speaks: { WebSocket: all } },
};

const rows = Object.entries(clients).flatMap(([name, client]) =>
  Object.entries(client.speaks).flatMap(([transport, serializers]) =>
    serializers.map((serializer) => ({ name, client, transport, serializer })),
  ),
);
/** Each row has a realm of its own, where nobody else comes and goes. */
rows.forEach((row, number) => {
  row.realm = `row${number + 1}`;
});

const realm = (name) => ({ name, roles: [{ name: 'anonymous', permissions: [everything] }] });
const config = {
  version: 2,
  controller: {},
  workers: [
    {
      type: 'router',
      realms: rows.map((row) => realm(row.realm)),
      transports: [
        {
          type: 'web',
          endpoint: { type: 'tcp', interface: '127.0.0.1', port: 0 },
          paths: { ws: { type: 'websocket' } },
        },
        { type: 'rawsocket', endpoint: { type: 'tcp', interface: '127.0.0.1', port: 0 } },
        { type: 'rawsocket', endpoint: { type: 'unix', path: 'router.sock' } },
      ],
    },
  ],
};

let router;
let transports;
const started = {};

before(async () => {
  for (const [name, { start }] of Object.entries(clients)) started[name] = start();
  router = await startRouter(config);
  const [web, raw] = router.ports;
  transports = {
    WebSocket: { transport: 'websocket', url: `ws://127.0.0.1:${web}/ws`, port: web },
    'RawSocket over TCP': { transport: 'rawsocket', port: raw },
    'RawSocket over a unix socket': { transport: 'rawsocket', path: router.paths[0] },
  };
});
after(async () => {
  for (const client of Object.values(started)) await client.stop?.();
  await router?.stop();
});

/** Who stands at the other end: another language and, for most rows, another transport and serializer. */
const pythonPeer = { name: 'Autobahn|Python with asyncio', transport: 'WebSocket', serializer: 'cbor' };
const javaScriptPeer = { name: 'Autobahn|JS', transport: 'WebSocket', serializer: 'json' };

for (const row of rows) {
  const { name, transport, serializer, realm } = row;
  suite(`${name} over ${transport} in ${serializer}`, () => {
    for (const [title, run] of Object.entries(cases)) {
      test(title, async () => {
        const joined = [];
        const join = async (which) => {
          const peer = which === 'python' ? pythonPeer : row;
          joined.push(await joinRow({ ...peer, realm }));
          return joined.at(-1);
        };
        const me = await join();
        const other = await joinRow({ ...(name.includes('Python') ? javaScriptPeer : pythonPeer), realm });
        joined.push(other);
        try {
          await run({ me, other, join, ...row, transport: transports[transport].transport });
        } finally {
          await Promise.allSettled(joined.map((peer) => peer.leave()));
          await within('all have left', Promise.all(joined.map((peer) => peer.closed)));
        }
      });
    }
  });
}

test('SIGTERM_says_goodbye_to_everybody_and_the_exit_code_is_0', async () => {
  const router = await startRouter(config);
  const [web, raw] = router.ports;
  const websocket = { transport: 'websocket', url: `ws://127.0.0.1:${web}/ws`, port: web };
  const rawsocket = { transport: 'rawsocket', port: raw };
  const sessions = [];
  for (const [name, client] of Object.entries(started)) {
    const join = (transport) => client.join({ ...transport, serializer: 'json', realm: rows[0].realm });
    sessions.push({ name, peer: await join(websocket) });
    if (clients[name].speaks['RawSocket over TCP']) sessions.push({ name, peer: await join(rawsocket) });
  }
  assert.equal(await router.stop(), 0);
  for (const { name, peer } of sessions) {
    const { reason } = await within(`${name} is told`, peer.closed);
    if (clients[name].tellsWhyItClosed) assert.equal(reason, 'wamp.close.system_shutdown', name);
  }
});

function joinRow({ name, transport, serializer, realm }) {
  return started[name].join({ ...transports[transport], serializer, realm });
}
