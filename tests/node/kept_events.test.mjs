// A store of type "database" where there is no database: in a Node process.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRouter } from 'wamplet';
import { joinAutobahn } from '../fixtures/clients.mjs';
import { inbox } from '../fixtures/wait.mjs';

const permissions = [
  { uri: '', match: 'prefix', allow: { call: true, register: true, publish: true, subscribe: true } },
];
const realm = { name: 'realm1', roles: [{ name: 'anonymous', permissions }], store: { type: 'database' } };

test('without_a_database_events_are_kept_in_memory_and_one_warning_says_so', async (t) => {
  const warn = t.mock.method(console, 'warn', () => {});
  const router = await createRouter({ realms: [realm] });
  t.after(() => router.close());
  const { session } = await joinAutobahn(router);
  const options = { acknowledge: true, exclude_me: false, retain: true };
  await session.publish('com.example.state', ['kept'], {}, options);
  const events = inbox('the retained event');
  await session.subscribe('com.example.state', ([value]) => events.push(value), { get_retained: true });
  assert.equal(await events.next(), 'kept');
  assert.equal(warn.mock.callCount(), 1);
  assert.match(warn.mock.calls[0].arguments[0], /store\.type: .*in memory alone.*no IndexedDB here/);
});
