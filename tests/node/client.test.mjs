// The small client over ports to a router in this process.

import { afterEach, beforeEach } from 'node:test';
import { createRouter } from 'wamplet';
import { connect } from 'wamplet/client';
import { testClient } from '../fixtures/client-cases.mjs';

let router;

beforeEach(async () => {
  router = await createRouter();
});
afterEach(() => router.close());

testClient((options) => connect({ realm: 'realm1', router, ...options }));
