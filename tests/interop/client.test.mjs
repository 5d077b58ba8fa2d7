// The small client over WebSockets to the native router, in Node: its own WebSocket where it has one, that of `ws`.

import { after, before, suite } from 'node:test';
import { connect } from 'wamplet/client';
import { WebSocket as Ws } from 'ws';
import { testClient } from '../fixtures/client-cases.mjs';
import { auth, testLogins } from '../fixtures/client-logins.mjs';
import { everything, startRouter } from './router.mjs';

const endpoint = { type: 'tcp', interface: '127.0.0.1', port: 0 };

const config = {
  version: 2,
  workers: [
    {
      type: 'router',
      realms: [{ name: 'realm1', roles: ['anonymous', 'user'].map((name) => ({ name, permissions: [everything] })) }],
      transports: [{ type: 'web', endpoint, paths: { ws: { type: 'websocket' }, login: { type: 'websocket', auth } } }],
    },
  ],
};

let router;

before(async () => {
  router = await startRouter(config);
});
after(() => router?.stop());

for (const [name, WebSocket] of Object.entries({ 'the WebSocket of Node': globalThis.WebSocket, ws: Ws })) {
  if (WebSocket === undefined) continue;
  const join = (path) => (options) =>
    connect({ realm: 'realm1', url: `ws://127.0.0.1:${router.ports[0]}/${path}`, WebSocket, ...options });
  suite(`over ${name}`, () => {
    testClient(join('ws'));
    testLogins(join('login'));
  });
}
