// Real clients over sockets, against the native router.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import autobahn from 'autobahn';
import { freePort } from '../fixtures/free-port.mjs';
import { inbox, within } from '../fixtures/wait.mjs';
import { nativeConfig, nativeTransports, startNativeClients } from './hosts.mjs';
import { startRouter } from './router.mjs';
import { runTable } from './run-table.mjs';
import { clients, columnsOf } from './table.mjs';

const HOST = 'the native router';

runTable([HOST]);

test('SIGTERM_says_goodbye_to_everybody_and_the_exit_code_is_0', async (t) => {
  const started = startNativeClients();
  t.after(() => Promise.all(Object.values(started).map((client) => client.stop?.())));
  const router = await startRouter(nativeConfig(HOST));
  const transports = nativeTransports(router);
  const sessions = [];
  for (const { client, transport, serializer, realm } of columnsOf(HOST)) {
    if (serializer !== 'json') continue;
    const peer = await started[client].join({ ...transports[transport]('static'), serializer, realm });
    sessions.push({ client, peer });
  }
  assert.equal(await router.stop(), 0);
  for (const { client, peer } of sessions) {
    const { reason } = await within(`${client} is told`, peer.closed);
    if (!clients[client].cannot.tells_why_it_closed) assert.equal(reason, 'wamp.close.system_shutdown', client);
  }
});

test('Autobahn_JS_that_closes_hears_that_its_connection_is_closed_and_not_lost', async (t) => {
  const router = await startRouter(nativeConfig(HOST));
  t.after(() => router.stop());
  const [{ realm }] = columnsOf(HOST);
  const connection = new autobahn.Connection({ url: `ws://127.0.0.1:${router.ports[0]}/static`, realm });
  const closed = inbox('Autobahn|JS is told');
  connection.onopen = () => connection.close();
  connection.onclose = (reason) => void closed.push(reason);
  connection.open();
  assert.equal(await closed.next(), 'closed');
});

const ends = { was_killed: (router) => router.crash(), hung_up: (router) => router.stop() };
for (const [name, end] of Object.entries(ends)) {
  test(`Autobahn_JS_comes_back_to_a_router_that_${name}_and_begins_anew`, async () => {
    const config = nativeConfig(HOST);
    const [web] = config.workers[0].transports;
    web.endpoint = { ...web.endpoint, port: await freePort() };
    config.workers[0].transports = [web];
    const [{ realm }] = columnsOf(HOST);
    const first = await startRouter(config, '--hang-up');
    const connection = new autobahn.Connection({
      url: `ws://127.0.0.1:${first.ports[0]}/static`,
      realm,
      initial_retry_delay: 0.05,
      max_retries: -1,
      max_retry_delay: 1,
    });
    const opened = inbox('Autobahn|JS joins');
    const closed = inbox('Autobahn|JS is told');
    connection.onopen = opened.push;
    connection.onclose = (reason) => void closed.push(reason);
    connection.open();
    const before = await opened.next();
    assert.equal(await before.call('wamp.session.count'), 1);
    await end(first);
    assert.equal(await closed.next(), 'lost');
    const second = await startRouter(config);
    const after = await opened.next();
    // Its requests count from 1 again, which the router would take for a violation of the session before.
    assert.equal(await after.call('wamp.session.count'), 1);
    connection.close();
    assert.equal(await second.stop(), 0);
  });
}
