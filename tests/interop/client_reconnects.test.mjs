// The small client and a native router that goes away, by the book and without a word, and comes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClosedError, connect } from 'wamplet/client';
import { WebSocketServer, WebSocket as Ws } from 'ws';
import { freePort } from '../fixtures/free-port.mjs';
import { inbox, within } from '../fixtures/wait.mjs';
import { everything, startRouter } from './router.mjs';

const config = (port) => ({
  version: 2,
  workers: [
    {
      type: 'router',
      realms: [{ name: 'realm1', roles: [{ name: 'anonymous', permissions: [everything] }] }],
      transports: [
        {
          type: 'web',
          endpoint: { type: 'tcp', interface: '127.0.0.1', port },
          paths: { ws: { type: 'websocket' } },
        },
      ],
    },
  ],
});

test('a_session_comes_back_to_a_server_that_was_restarted', async () => {
  const port = await freePort();
  let router = await startRouter(config(port));
  const options = { realm: 'realm1', url: `ws://127.0.0.1:${port}/ws`, WebSocket: globalThis.WebSocket ?? Ws };
  const session = await connect({ ...options, reconnect: true });
  const told = inbox('an event of the session');
  for (const type of ['open', 'close']) session.addEventListener(type, ({ detail }) => told.push([type, detail]));
  const invoked = inbox('an invocation');
  await session.register('com.example.wait', ([forever]) => {
    invoked.push(true);
    return forever ? new Promise(() => {}) : 'answered';
  });
  const call = session.call('com.example.wait', [true]);
  const rejected = assert.rejects(within('the call ends', call), (error) => {
    assert.ok(error instanceof ClosedError);
    assert.equal(error.uri, 'wamp.close.system_shutdown');
    return true;
  });
  await invoked.next();
  await router.stop();
  await rejected;
  const [type, { willReconnect }] = await told.next();
  assert.deepEqual([type, willReconnect], ['close', true]);
  await assert.rejects(session.call('com.example.wait'), ClosedError);
  await assert.rejects(connect(options), { uri: 'wamplet.error.connection_lost' });

  router = await startRouter(config(port));
  assert.deepEqual(await told.next(), ['open', null]);
  const other = await connect(options);
  assert.equal(await other.call('com.example.wait', [false]), 'answered');
  await Promise.all([session.close(), other.close()]);
  assert.equal(await router.stop(), 0);
});

test('all_that_waits_rejects_when_a_server_goes_without_a_word', async () => {
  // A server that welcomes, and is silent from then on.
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await new Promise((resolve) => server.once('listening', resolve));
  server.on('connection', (socket) => {
    socket.once('message', () => socket.send('[2,7,{"roles":{"broker":{},"dealer":{}}}]'));
  });
  const url = `ws://127.0.0.1:${server.address().port}`;
  const session = await connect({ realm: 'realm1', url, WebSocket: globalThis.WebSocket ?? Ws });
  assert.equal(session.id, 7);
  const work = [
    session.call('com.example.any'),
    session.subscribe('com.example.any', () => {}),
    session.register('com.example.any', () => {}),
    session.publish('com.example.any', [], {}, { acknowledge: true }),
    session.stream('com.example.any').result,
  ];
  for (const socket of server.clients) socket.terminate();
  for (const promise of work) {
    await assert.rejects(within('it rejects', promise), { name: 'ClosedError', uri: 'wamplet.error.connection_lost' });
  }
  await session.close();
  server.close();
});
