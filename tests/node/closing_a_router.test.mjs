// What closing a router does to its clients, and to those who come too late.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRouter } from 'wamplet';
import { HELLO, joinAutobahn, joinWampy, openPort } from '../fixtures/clients.mjs';
import { inbox, within } from '../fixtures/wait.mjs';

test('every_session_gets_goodbye_system_shutdown', async () => {
  const router = await createRouter();
  const { closed } = await joinAutobahn(router);
  const left = inbox('onClose of wampy');
  await joinWampy(router, 'realm1', { onClose: () => left.push('closed') });

  await router.close();
  const { reason, details } = await closed.next();
  assert.equal(reason, 'closed');
  assert.equal(details.reason, 'wamp.close.system_shutdown');
  assert.equal(await left.next(), 'closed');
});

test('goodbye_comes_before_the_end_of_the_port', async () => {
  const router = await createRouter();
  const { port, received } = await openPort(router.createPort());
  port.postMessage([HELLO, '']);
  assert.match((await received.next())[0], /^\[2,/);
  await router.close();
  assert.match((await received.next())[0], /^\[6,.*wamp\.close\.system_shutdown/);
  assert.equal((await received.next()).close, 1001);
});

test('closing_again_does_nothing', async () => {
  const router = await createRouter();
  await router.close();
  await router.close();
  await router[Symbol.asyncDispose ?? 'close']();
});

test('a_closed_router_says_so_to_whoever_still_uses_it', async () => {
  const router = await createRouter();
  await router.close();
  for (const use of [
    () => router.createPort(),
    () => router.attach(new MessageChannel().port1),
    () => router.inspect(),
  ]) {
    assert.throws(use, /the router was closed/);
  }
});

test('closing_one_router_leaves_another_one_of_the_process_alone', async (t) => {
  const [one, two] = [await createRouter(), await createRouter()];
  t.after(() => two.close());
  const { session } = await joinAutobahn(two);
  await joinAutobahn(one);
  await one.close();
  assert.equal(await within('the count', session.call('wamp.session.count')), 1);
});
