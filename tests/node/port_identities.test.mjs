// Ports with an identity that their maker fixed: the holder is who the page says, and can harm nobody.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createRouter, webSocketClass } from 'wamplet';
import { HELLO, joinAutobahn, joinWampy, openPort } from '../fixtures/clients.mjs';
import { until } from '../fixtures/wait.mjs';

const permissions = [
  { uri: '', match: 'prefix', allow: { call: true, register: true, publish: true, subscribe: true } },
];
const role = (name) => ({ name, permissions });
const realms = [
  { name: 'realm1', roles: [role('anonymous'), role('widget')] },
  { name: 'realm2', roles: [role('widget')] },
  { name: 'realm3', roles: [role('anonymous')] },
];
const widget = { realm: 'realm1', authid: 'left', authrole: 'widget' };

let router;
const { warn } = console;

beforeEach(async () => {
  console.warn = () => {};
  router = await createRouter({ realms });
});
afterEach(async () => {
  console.warn = warn;
  await router.close();
});

/** What the router answers to a HELLO over this port. */
async function answerTo(port, hello = HELLO, options = {}) {
  const { received } = await openPort(port, options);
  port.postMessage([hello, '']);
  return JSON.parse(`${(await received.next())[0]}]`);
}

const helloWith = (details, realm = 'realm1') =>
  `[1,"${realm}",${JSON.stringify({ roles: { caller: {} }, ...details })}`;

test('a_port_has_the_realm_role_and_authid_that_its_maker_gave_it', async () => {
  const { details, session } = await joinAutobahn(router.createPort({ frame: 'left' }, widget));
  const { realm, authid, authrole, authmethod, authprovider } = details;
  assert.deepEqual([realm, authid, authrole, authmethod, authprovider], ['realm1', 'left', 'widget', 'port', 'static']);
  const known = await session.call('wamp.session.get', [session.id]);
  assert.deepEqual([known.authid, known.authrole, known.transport.frame], ['left', 'widget', 'left']);
});

test('an_endpoint_is_attached_with_an_identity_like_a_port', async () => {
  const { port1, port2 } = new MessageChannel();
  router.attach(port1, {}, widget);
  assert.equal((await answerTo(port2))[2].authid, 'left');
});

const CLAIMS = {
  'an authid': { authid: 'admin' },
  'a role': { authrole: 'trusted', role: 'trusted' },
  'a method of authentication': { authmethods: ['ticket'], authid: 'admin' },
  'an anonymous one': { authmethods: ['anonymous'] },
  'an identity': { identity: { authrole: 'trusted' }, authmethod: 'component', authprovider: 'page' },
};

for (const [what, claim] of Object.entries(CLAIMS)) {
  test(`a_client_that_claims_${what.replaceAll(' ', '_')}_is_who_its_port_says`, async () => {
    const options = { ...claim, transport: claim, identity: { authrole: 'trusted' } };
    const [type, , details] = await answerTo(router.createPort({}, widget), helloWith(claim), options);
    const { authid, authrole, authmethod, authprovider } = details;
    assert.deepEqual([type, authid, authrole, authmethod, authprovider], [2, 'left', 'widget', 'port', 'static']);
  });
}

test('every_session_over_the_port_has_its_identity', async () => {
  const port = router.createPort({}, widget);
  for (const join of [joinAutobahn, joinWampy, joinAutobahn]) {
    const { details, connection, wampy, closed } = await join(port);
    assert.deepEqual([details.authid, details.authrole], ['left', 'widget']);
    connection?.close();
    await (closed?.next() ?? wampy.disconnect());
  }
});

test('a_port_for_one_realm_joins_no_other', async () => {
  const [type, , reason] = await answerTo(router.createPort({}, widget), helloWith({}, 'realm2'));
  assert.deepEqual([type, reason], [3, 'wamp.error.not_authorized']);
});

test('a_port_for_one_realm_needs_no_name_of_it', async () => {
  const [type, , details] = await answerTo(router.createPort({}, widget), '[1,null,{"roles":{"caller":{}}}');
  assert.deepEqual([type, details.realm], [2, 'realm1']);
});

test('a_port_for_a_role_alone_joins_the_realms_that_have_it', async () => {
  const join = (realm) => answerTo(router.createPort({}, { authrole: 'widget' }), helloWith({ authid: 'me' }, realm));
  const [first, second, third] = await Promise.all(['realm1', 'realm2', 'realm3'].map(join));
  assert.deepEqual([first[2].realm, first[2].authrole], ['realm1', 'widget']);
  assert.deepEqual([second[2].realm, second[2].authrole], ['realm2', 'widget']);
  assert.deepEqual([third[0], third[2]], [3, 'wamp.error.no_such_role']);
  assert.ok(first[2].authid !== 'me' && first[2].authid !== second[2].authid, 'generated for each session');
});

test('an_identity_that_its_maker_changes_later_stays_as_it_was', async () => {
  const identity = { ...widget };
  const port = router.createPort({}, identity);
  identity.authid = 'right';
  assert.equal((await answerTo(port))[2].authid, 'left');
});

const IDENTITIES = {
  null: [null, /^identity: expected an object, found null$/],
  'a text': ['widget', /^identity: expected an object, found "widget"$/],
  'a list': [[widget], /^identity: expected an object, found an array$/],
  'no role': [{ realm: 'realm1' }, /^identity\.authrole: expected a text, found nothing$/],
  'an empty role': [{ authrole: '' }, /^identity\.authrole: expected a text, found ""$/],
  'a realm that is a number': [{ authrole: 'widget', realm: 1 }, /^identity\.realm: expected a text, found 1$/],
  'an authid that is null': [{ authrole: 'widget', authid: null }, /^identity\.authid: expected a text, found null$/],
  'an unknown key': [
    { authrole: 'widget', authId: 'left' },
    /^identity\.authId: expected one of the keys "authrole", "realm", "authid", found "authId"$/,
  ],
};

for (const [what, [identity, message]] of Object.entries(IDENTITIES)) {
  test(`an_identity_with_${what.replaceAll(' ', '_')}_is_refused_with_a_sentence`, () => {
    assert.throws(() => router.createPort({}, identity), { name: 'TypeError', message });
  });
}

const TAILS = {
  'no JSON': 'hello?',
  'a half of JSON': '["a"',
  'two messages in one': '["a"]],[36,1,2,{},["b"]',
  'three elements': '["a"],{},[]',
  'Args that are a number': '5',
  'Args that are an object': '{}',
  'Kwargs that are a list': '[],[]',
  'deep nesting': `${'['.repeat(200)}${']'.repeat(200)}`,
  'very deep nesting': `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
};

for (const [what, tail] of Object.entries(TAILS)) {
  test(`a_payload_of_${what.replaceAll(' ', '_')}_reaches_nobody_and_costs_its_sender_the_port`, async () => {
    const { session } = await joinAutobahn(router);
    const events = [];
    await session.subscribe('com.example.x', (args) => events.push(args));
    // A client that gets the text as it came.
    const Socket = webSocketClass(router);
    const frames = [];
    const socket = new Socket('ws://wamplet.test/', 'wamp.2.json');
    socket.onopen = () => socket.send('[1,"realm1",{"roles":{"subscriber":{}}}]');
    const subscribed = new Promise((resolve) => {
      socket.onmessage = ({ data }) => {
        if (data.startsWith('[2,')) socket.send('[32,1,{},"com.example.x"]');
        else if (data.startsWith('[33,')) resolve();
        else frames.push(JSON.parse(data));
      };
    });
    await subscribed;

    const { port, received } = await openPort(router.createPort({}, widget));
    port.postMessage([HELLO, '']);
    await received.next();
    port.postMessage(['[16,1,{},"com.example.x"', '["well"],{"made":true}', '[16,2,{},"com.example.x"', '']);
    port.postMessage(['[16,3,{},"com.example.x"', tail]);
    const { close, reason } = await received.next();
    assert.equal(close, 1002);
    assert.match(reason, /\w+ \w+/);
    session.publish('com.example.x', ['last'], {}, { exclude_me: false });
    await until('the last event comes to both', () => frames.length >= 3 && events.length >= 3);
    assert.deepEqual(events, [['well'], [], ['last']]);
    assert.deepEqual(
      frames.map((frame) => frame[4]),
      [['well'], undefined, ['last']],
    );
    socket.close();
  });
}

test('a_text_or_binary_in_the_place_of_Args_comes_through_where_enc_algo_says_so', async () => {
  const hello = helloWith({
    roles: {
      publisher: { features: { payload_transparency: true } },
      subscriber: { features: { payload_transparency: true } },
    },
  });
  const subscriber = await openPort(router.createPort());
  subscriber.port.postMessage([hello, '', '[32,1,{},"com.example.x"', '']);
  assert.match((await subscriber.received.next())[2], /^\[33,/);

  const { port, received } = await openPort(router.createPort({}, widget));
  port.postMessage([hello, '']);
  await received.next();
  const publish = (request) => `[16,${request},{"enc_algo":"x_own"},"com.example.x"`;
  const bytes = Uint8Array.of(1, 2);
  port.postMessage([publish(1), '"opaque"', publish(2), [bytes]]);
  const [, text, , binary] = await subscriber.received.next();
  assert.deepEqual([text, binary], ['"opaque"', [bytes]]);

  port.postMessage(['[16,3,{},"com.example.x"', '"opaque"']);
  assert.equal((await received.next()).close, 1002);
});

test('the_payloads_of_trusted_ports_are_not_read', async (t) => {
  const { port, received } = await openPort(router.createPort());
  const parse = t.mock.method(JSON, 'parse');
  port.postMessage([HELLO, '']);
  await received.next();
  const payload = `["${'x'.repeat(1000)}"]`;
  port.postMessage(['[48,1,{},"com.example.none"', payload]);
  assert.match((await received.next())[0], /no_such_procedure/);
  assert.deepEqual(
    parse.mock.calls.filter(({ arguments: [text] }) => text.includes(payload)),
    [],
  );
});
