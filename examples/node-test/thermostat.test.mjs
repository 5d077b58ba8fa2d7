import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import autobahn from 'autobahn';
import { autobahnTransport, createRouter } from 'wamplet';
import { startThermostat } from './thermostat.mjs';

let router;
let thermostat;
let user;

/** Joins the router of this test, and resolves to the connection. */
function join() {
  const connection = new autobahn.Connection({ transports: [{ type: 'wamplet' }], realm: 'house' });
  return new Promise((resolve, reject) => {
    connection.onopen = () => resolve(connection);
    connection.onclose = reject;
    connection.open();
  });
}

beforeEach(async () => {
  router = await createRouter();
  autobahn.transports.register('wamplet', autobahnTransport(router));
  thermostat = await join();
  await startThermostat(thermostat.session);
  user = await join();
});

// Ends all sessions, so that nothing of one test reaches the next.
afterEach(() => router.close());

test('the thermostat keeps within 5 and 25 degrees', async () => {
  assert.equal(await user.session.call('com.example.thermostat.set', [30]), 25);
  assert.equal(await user.session.call('com.example.thermostat.set', [-3]), 5);
  assert.equal(await user.session.call('com.example.thermostat.get'), 5);
});

test('a change is announced to everybody', async () => {
  const changed = new Promise((resolve) => {
    user.session.subscribe('com.example.thermostat.changed', ([degrees]) => resolve(degrees));
  });
  await user.session.call('com.example.thermostat.set', [21.5]);
  assert.equal(await changed, 21.5);
});

test('what is no number is refused', async () => {
  await assert.rejects(
    async () => user.session.call('com.example.thermostat.set', ['warm']),
    (error) => error.error === 'wamp.error.runtime_error',
  );
});

test('when the last session leaves, the room may cool down', async () => {
  const { id } = user.session;
  const left = new Promise((resolve) => {
    thermostat.session.subscribe('wamp.session.on_leave', ([gone]) => resolve(gone));
  });
  user.close();
  assert.equal(await left, id);
  assert.equal(await (await join()).session.call('com.example.thermostat.get'), 5);
});
