// Tabs authenticate at the router that they share.

import assert from 'node:assert/strict';
import { inEachMode, profile } from '../fixtures/browser.mjs';

const config = {
  realms: [{ name: 'realm1', roles: [{ name: 'backend', permissions: [{ uri: 'com.example.*', call: true }] }] }],
  auth: {
    ticket: { type: 'static', principals: { joe: { ticket: 'a ticket', role: 'backend' } } },
    wampcra: { type: 'static', users: { joe: { secret: 'a secret', role: 'backend' } } },
  },
};

const test = inEachMode();

/** Joins with Autobahn|JS by a method, with a secret; answers who one is then, or why not. */
const join = (page, method, secret) =>
  page.evaluate(
    async ([given, authmethod, key]) => {
      const router = await tab.wamplet.sharedRouter({ config: given });
      const onchallenge = (_session, asked, { challenge }) =>
        asked === 'ticket' ? key : autobahn.auth_cra.sign(key, challenge);
      const options = { router, authmethods: [authmethod], authid: 'joe', onchallenge, max_retries: 0 };
      return tab.join('me', options).then(
        () => {
          const { authid, authrole, authmethod: by } = tab.sessions.me.details;
          return [authid, authrole, by];
        },
        (error) => error.message,
      );
    },
    [config, method, secret],
  );

test('a_tab_authenticates_with_Autobahn_by_ticket_and_by_shared_secret', async () => {
  assert.deepEqual(await join(await profile.tab(), 'ticket', 'a ticket'), ['joe', 'backend', 'ticket']);
  assert.deepEqual(await join(await profile.tab(), 'wampcra', 'a secret'), ['joe', 'backend', 'wampcra']);
});

test('a_tab_with_a_wrong_secret_stays_out', async () => {
  const page = await profile.tab();
  assert.match(await join(page, 'ticket', 'a secret'), /wamp\.error\.authentication_denied/);
  assert.match(await join(page, 'wampcra', 'a ticket'), /wamp\.error\.authentication_denied/);
});

test('a_socket_of_the_WebSocket_class_authenticates', async () => {
  const page = await profile.tab();
  const heard = await page.evaluate(async (given) => {
    const Socket = tab.wamplet.webSocketClass(tab.wamplet.sharedRouter({ config: given }));
    const socket = new Socket('ws://wamplet.test/', 'wamp.2.json');
    const hello = { roles: { caller: {} }, authmethods: ['ticket'], authid: 'joe' };
    socket.onopen = () => socket.send(JSON.stringify([1, 'realm1', hello]));
    return new Promise((resolve) => {
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message[0] === 4) socket.send('[5,"a ticket",{}]');
        else resolve(message);
      };
    });
  }, config);
  assert.deepEqual([heard[0], heard[2]?.authid, heard[2]?.authmethod], [2, 'joe', 'ticket']);
});
