// The small client logs in to a router in this process.

import { after, before } from 'node:test';
import { createRouter } from 'wamplet';
import { connect } from 'wamplet/client';
import { auth, testLogins } from '../fixtures/client-logins.mjs';

const everything = { uri: '', match: 'prefix', allow: { call: true } };

let router;

before(async () => {
  router = await createRouter({
    realms: [{ name: 'realm1', roles: [{ name: 'user', permissions: [everything] }] }],
    auth,
  });
});
after(() => router.close());

testLogins((options) => connect({ realm: 'realm1', router, ...options }));
