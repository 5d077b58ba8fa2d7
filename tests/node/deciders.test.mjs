// Functions of the program decide where the configuration names them.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createRouter } from 'wamplet';
import { joinAutobahn, joinWampy } from '../fixtures/clients.mjs';

const NAME = 'my authorizer';
const authorizer = { type: 'function', create: NAME };
const configWith = (more) => ({ realms: [{ name: 'realm1', roles: [{ name: 'anonymous', authorizer }] }], ...more });

let router;
let said;
const { warn, error } = console;

beforeEach(() => {
  router = undefined;
  said = [];
  console.warn = (text) => said.push(`warn ${text}`);
  console.error = (text) => said.push(`error ${text}`);
});
afterEach(async () => {
  Object.assign(console, { warn, error });
  await router?.close();
});

/** A session whose requests this function decides about. */
async function joinUnder(decider, limits = {}) {
  router = await createRouter(configWith({ limits }), { deciders: { [NAME]: decider } });
  return joinAutobahn(router);
}

const subscribe = (session, uri = 'com.example.topic') => Promise.resolve(session.subscribe(uri, () => {}));

test('a_function_is_asked_with_the_session_the_uri_the_action_and_the_options', async () => {
  const asked = [];
  const { session, details } = await joinUnder((...args) => {
    asked.push(args);
    return true;
  });
  await subscribe(session);
  await session.register('com.example', () => 'yes', { match: 'prefix', invoke: 'first' });
  await session.publish('com.example.news', [1], {}, { acknowledge: true });
  assert.equal(await session.call('com.example.procedure'), 'yes');
  assert.deepEqual(
    asked.map(([, uri, action]) => [action, uri]),
    [
      ['subscribe', 'com.example.topic'],
      ['register', 'com.example'],
      ['publish', 'com.example.news'],
      ['call', 'com.example.procedure'],
    ],
  );
  for (const [who] of asked) assert.deepEqual([who.session, who.authid], [session.id, details.authid]);
  assert.deepEqual(asked[1][3], { match: 'prefix', invoke: 'first' });
});

const ANSWERS = {
  true: [() => true, undefined],
  'an object that allows': [() => ({ allow: true }), undefined],
  'a promise of true': [async () => true, undefined],
  false: [() => false, 'wamp.error.not_authorized'],
  'a promise of an object that does not': [async () => ({ allow: false }), 'wamp.error.not_authorized'],
  nothing: [() => {}, 'wamp.error.authorization_failed'],
  'a text': [() => 'yes', 'wamp.error.authorization_failed'],
  'a number that no JSON holds': [() => 1n, 'wamp.error.authorization_failed'],
  'an exception': [
    () => {
      throw new Error('a secret of the program');
    },
    'wamp.error.authorization_failed',
  ],
  'a rejection': [() => Promise.reject(new Error('a secret of the program')), 'wamp.error.authorization_failed'],
  'a rejection with nothing': [() => Promise.reject(undefined), 'wamp.error.authorization_failed'],
};

for (const [what, [decider, expected]] of Object.entries(ANSWERS)) {
  test(`${what.replaceAll(' ', '_')}_is_${expected ?? 'allowed'}`, async () => {
    const { session } = await joinUnder(decider);
    const outcome = await subscribe(session).then(
      () => undefined,
      (error) => error,
    );
    assert.equal(outcome?.error, expected);
    assert.ok(!JSON.stringify(outcome ?? '').includes('a secret'));
  });
}

test('what_a_function_throws_is_logged', async () => {
  const { session } = await joinUnder(() => {
    throw new Error('of the program');
  });
  await assert.rejects(subscribe(session));
  assert.deepEqual(said, [`error wamplet: the function ${JSON.stringify(NAME)} failed: of the program`]);
});

test('an_error_that_is_no_URI_is_a_failure_of_the_function_and_named', async () => {
  const { session } = await joinUnder(() => {
    throw Object.assign(new Error('of the program'), { error: 'not a URI' });
  });
  await assert.rejects(subscribe(session), { error: 'wamp.error.authorization_failed' });
  const failure = 'failed with the error "not a URI", which is no URI: of the program';
  assert.deepEqual(said, [`error wamplet: the function ${JSON.stringify(NAME)} ${failure}`]);
});

test('an_answer_that_says_so_is_remembered', async () => {
  let count = 0;
  const { session } = await joinUnder((_session, uri) => {
    count += 1;
    return { allow: true, cache: uri.endsWith('often') };
  });
  for (let round = 0; round < 3; round += 1) await session.publish('com.example.often', [], {}, { acknowledge: true });
  assert.equal(count, 1);
  for (let round = 0; round < 3; round += 1) await session.publish('com.example.x', [], {}, { acknowledge: true });
  assert.equal(count, 4);
});

test('a_function_that_never_answers_has_failed_after_the_limit', async () => {
  const { session } = await joinUnder(() => new Promise(() => {}), { answer_timeout_ms: 50 });
  await assert.rejects(subscribe(session), { error: 'wamp.error.authorization_failed' });
});

test('requests_of_a_session_stay_in_order_while_its_function_thinks', async () => {
  const waiting = [];
  const { session } = await joinUnder((_session, uri) => new Promise((resolve) => waiting.push({ uri, resolve })));
  const done = [];
  const requests = ['com.example.a', 'com.example.b', 'com.example.c'].map((topic) =>
    session.publish(topic, [], {}, { acknowledge: true }).then(() => done.push(topic)),
  );
  while (done.length < 3) {
    await new Promise((resolve) => setTimeout(resolve));
    assert.ok(waiting.length <= 1);
    waiting.pop()?.resolve(true);
  }
  await Promise.all(requests);
  assert.deepEqual(done, ['com.example.a', 'com.example.b', 'com.example.c']);
});

test('a_function_may_close_the_router_that_asks_it', async () => {
  const { session, closed } = await joinUnder(() => {
    router.close();
    return true;
  });
  subscribe(session).catch(() => {});
  await closed.next();
  assert.deepEqual(said, []);
});

test('an_answer_for_a_session_that_has_left_goes_nowhere', async () => {
  const answer = {};
  const { session, connection, closed } = await joinUnder(
    () =>
      new Promise((resolve) => {
        answer.give = resolve;
        connection.close();
      }),
  );
  subscribe(session).catch(() => {});
  await closed.next();
  answer.give(true);
  // Others are served as before.
  const { wampy } = await joinWampy(router);
  answer.give = undefined;
  const pending = wampy.subscribe('com.example.topic', () => {}).catch(() => 'refused');
  assert.equal(router.inspect().realms[0].sessions.length, 1);
  await wampy.disconnect();
  await pending;
});

test('a_module_decides_by_its_default_export', async () => {
  const { session } = await joinUnder(new URL('../fixtures/decider.mjs', import.meta.url));
  await subscribe(session, 'com.example.open.topic');
  await assert.rejects(subscribe(session, 'com.example.topic'), { error: 'wamp.error.not_authorized' });
});

const REFUSED = {
  'no function of that name': [
    undefined,
    'Error',
    /role 'anonymous' in the realm 'realm1'.*found "my authorizer": name it in options\.deciders$/s,
  ],
  'a number': [
    { [NAME]: 5 },
    'TypeError',
    /^options\.deciders\["my authorizer"\]: expected a function or the address of/,
  ],
  'a module that is not there': [
    { [NAME]: new URL('missing.mjs', import.meta.url) },
    'Error',
    /^options\.deciders\["my authorizer"\]: .*missing\.mjs/,
  ],
  'a module without a default': [
    { [NAME]: new URL('../fixtures/wait.mjs', import.meta.url) },
    'Error',
    /^options\.deciders\["my authorizer"\]: expected .*wait\.mjs to export a function as its default/,
  ],
};

for (const [what, [deciders, name, message]] of Object.entries(REFUSED)) {
  test(`a_router_does_not_start_with_${what.replaceAll(' ', '_')}_for_a_function`, async () => {
    await assert.rejects(createRouter(configWith(), { deciders }), { name, message });
  });
}
