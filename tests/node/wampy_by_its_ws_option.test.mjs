// wampy, the npm package as it is, given our WebSocket class: three serializers, one router.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createRouter } from 'wamplet';
import { CborSerializer } from 'wampy/CborSerializer.js';
import { JsonSerializer } from 'wampy/JsonSerializer.js';
import { MsgpackSerializer } from 'wampy/MsgpackSerializer.js';
import { joinAutobahn, joinWampy } from '../fixtures/clients.mjs';
import { inbox, within } from '../fixtures/wait.mjs';

const SERIALIZERS = { json: JsonSerializer, msgpack: MsgpackSerializer, cbor: CborSerializer };

let router;

beforeEach(async () => {
  router = await createRouter();
});
afterEach(() => router.close());

/** An id as a number: MessagePack's large integers are BigInts in wampy. */
const number = (id) => Number(id);

for (const [name, Serializer] of Object.entries(SERIALIZERS)) {
  const join = () => joinWampy(router, 'realm1', { serializer: new Serializer() });

  test(`wampy_calls_and_is_called_in_${name}`, async () => {
    const { wampy: callee } = await join();
    const { wampy: caller } = await join();
    await callee.register('com.example.add', ({ argsList: [a, b] }) => ({ argsList: [a + b] }));
    const { argsList } = await within('the result', caller.call('com.example.add', [2, 3]));
    assert.deepEqual(argsList, [5]);
  });

  test(`wampy_publishes_to_autobahn_and_hears_it_in_${name}`, async () => {
    const { wampy } = await join();
    const { session } = await joinAutobahn(router);
    const [toAutobahn, toWampy] = [inbox('event at Autobahn'), inbox('event at wampy')];
    await session.subscribe('com.example.one', (args, kwargs) => toAutobahn.push([args, kwargs]));
    await wampy.subscribe('com.example.two', ({ argsList, argsDict }) => toWampy.push([argsList, argsDict]));

    await wampy.publish('com.example.one', { argsList: ['é', 1.5, null, [true]], argsDict: { k: 'v' } });
    session.publish('com.example.two', ['é', 1.5, null, [true]], { k: 'v' });
    assert.deepEqual(await toAutobahn.next(), [['é', 1.5, null, [true]], { k: 'v' }]);
    assert.deepEqual(await toWampy.next(), [['é', 1.5, null, [true]], { k: 'v' }]);
  });

  test(`wampy_sees_sessions_come_and_go_and_kills_one_in_${name}`, async () => {
    const { wampy: monitor } = await join();
    const [joined, left] = [inbox('on_join'), inbox('on_leave')];
    await monitor.subscribe('wamp.session.on_join', ({ argsList: [details] }) => joined.push(details));
    await monitor.subscribe('wamp.session.on_leave', ({ argsList }) => left.push(argsList));

    const guest = await joinAutobahn(router);
    const { id } = guest.session;
    assert.equal(number((await joined.next()).session), id);
    assert.equal(number((await monitor.call('wamp.session.count')).argsList[0]), 2);
    const { argsList: list } = await monitor.call('wamp.session.list');
    assert.ok(list[0].map(number).includes(id));
    const { argsList: got } = await monitor.call('wamp.session.get', [id]);
    assert.equal(number(got[0].session), id);
    assert.equal(got[0].transport.type, 'messageport');

    await monitor.call('wamp.session.kill', { argsList: [id], argsDict: { reason: 'com.example.tired' } });
    assert.equal((await guest.closed.next()).details.reason, 'com.example.tired');
    assert.deepEqual((await left.next()).map(number), [id]);
  });

  test(`the_transport_of_a_wampy_session_tells_its_subprotocol_in_${name}`, async () => {
    const { details } = await join();
    const [{ sessions }] = router.inspect().realms;
    const mine = sessions.find(({ session }) => session === number(details.session ?? sessions[0].session));
    assert.equal(mine.transport.type, 'websocket');
    assert.equal(mine.transport.protocol, `wamp.2.${name}`);
  });
}

test('wampy_says_goodbye_and_the_session_is_gone', async () => {
  const { wampy } = await joinWampy(router);
  const { session } = await joinAutobahn(router);
  const left = inbox('on_leave');
  await session.subscribe('wamp.session.on_leave', (args) => left.push(args));
  await within('wampy disconnects', wampy.disconnect());
  await left.next();
  assert.equal(await session.call('wamp.session.count'), 1);
});
