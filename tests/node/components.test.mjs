// Components of the configuration: what the program names runs them, as those that the configuration says they are.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { createRouter } from 'wamplet';
import { root } from '../../scripts/steps.mjs';
import { HELLO, joinAutobahn, openPort } from '../fixtures/clients.mjs';
import { inbox, until } from '../fixtures/wait.mjs';

const configs = join(root, 'tests/configs');
const read = (file) => readFileSync(join(configs, file), 'utf8');

/** The session monitor of the documentation of Crossbar.io, in JavaScript; its class is `monitor.MySessionMonitor`. */
const monitorConfig = JSON.parse(read('good/session-monitor.json'));
const MONITOR = 'monitor.MySessionMonitor';
const monitor = { type: 'class', classname: MONITOR, realm: 'realm1', role: 'monitor' };

const role = (name, ...permissions) => ({ name, permissions });
const realms = [
  { name: 'realm1', roles: [role('anonymous'), role('monitor', { uri: 'wamp.metaevent.session.*', subscribe: true })] },
  { name: 'realm2', roles: [role('monitor')] },
];

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

/** A router with one component, whose code gives the test what it was given. */
async function startOne(component = monitor, options = {}) {
  const started = inbox('the component is started');
  const components = { [component.classname]: (port, info) => started.push({ port, info }) };
  router = await createRouter({ realms, components: [component] }, { components, ...options });
  return started.next();
}

/** What the router answers to a HELLO over this port. */
async function answerTo(port, hello = HELLO, options = {}) {
  const { received } = await openPort(port, options);
  port.postMessage([hello, '']);
  return JSON.parse(`${(await received.next())[0]}]`);
}

test('the_session_monitor_of_a_node_runs_as_a_function_with_Autobahn', async () => {
  const joined = inbox('on_session_join');
  const left = inbox('on_session_leave');
  const ready = inbox('the monitor is ready');
  const runMonitor = async (port, { realm }) => {
    const { session, details, connection } = await joinAutobahn(port, realm);
    await session.subscribe('wamp.metaevent.session.on_join', ([details]) => joined.push(details.session));
    await session.subscribe('wamp.metaevent.session.on_leave', ([details]) => left.push(details.session));
    ready.push(details);
    return () => connection.close();
  };
  router = await createRouter(monitorConfig, { components: { [MONITOR]: runMonitor } });
  const details = await ready.next();
  assert.deepEqual(
    [details.authrole, details.authid, details.authmethod, details.authprovider],
    ['monitor', MONITOR, 'component', 'static'],
  );
  const { session, connection } = await joinAutobahn(router);
  const { id } = session;
  assert.equal(await joined.next(), id);
  // What the monitor may, its clients may not.
  const refused = session.subscribe('wamp.metaevent.session.on_join', () => {});
  await assert.rejects(Promise.resolve(refused), { error: 'wamp.error.not_authorized' });
  connection.close();
  assert.equal(await left.next(), id);
});

test('a_component_is_told_what_its_configuration_says', async () => {
  const extra = { interval: [1, 2], deep: { text: 'é' } };
  const { info } = await startOne({ ...monitor, id: 'the monitor', extra });
  assert.deepEqual(info, { classname: MONITOR, realm: 'realm1', role: 'monitor', id: 'the monitor', extra });
});

test('a_component_has_its_id_for_an_authid', async () => {
  const { port } = await startOne({ ...monitor, id: 'the monitor' });
  const [, , details] = await answerTo(port);
  assert.deepEqual([details.authid, details.authrole], ['the monitor', 'monitor']);
});

test('a_component_without_a_role_is_anonymous', async () => {
  const { port, info } = await startOne({ ...monitor, role: null });
  assert.equal(info.role, 'anonymous');
  assert.equal((await answerTo(port))[2].authrole, 'anonymous');
});

test('a_component_joins_no_other_realm', async () => {
  const { port } = await startOne();
  const [type, , reason] = await answerTo(port, HELLO.replace('realm1', 'realm2'));
  assert.deepEqual([type, reason], [3, 'wamp.error.not_authorized']);
});

test('a_component_gets_its_role_again_when_it_joins_again', async () => {
  const { port } = await startOne();
  for (const wanted of ['anonymous', 'trusted']) {
    const { session, details, connection, closed } = await joinAutobahn(port, 'realm1', { authextra: { wanted } });
    assert.equal(details.authrole, 'monitor');
    await session.subscribe('wamp.metaevent.session.on_join', () => {});
    connection.close();
    await closed.next();
  }
});

test('no_client_chooses_its_role_whatever_it_sends', async () => {
  await startOne();
  const identity = { realm: 'realm2', authid: 'me', authrole: 'monitor', role: 'monitor', classname: MONITOR };
  const everywhere = { ...identity, identity, component: identity, info: identity };
  const hello = `[1,"realm1",${JSON.stringify({ roles: { caller: {} }, ...everywhere })}`;
  const options = { ...everywhere, transport: everywhere };
  const [type, , details] = await answerTo(router.createPort(everywhere), hello, options);
  assert.deepEqual([type, details.authrole, details.authmethod], [2, 'anonymous', 'anonymous']);
  assert.notEqual(details.authid, 'me');
});

test('a_module_runs_a_component_by_its_default_export', async () => {
  const components = { [MONITOR]: new URL('../fixtures/component.mjs', import.meta.url) };
  const permissions = [{ uri: 'com.example.*', register: true, call: true }];
  const open = [{ name: 'realm1', roles: [role('anonymous', ...permissions), role('monitor', ...permissions)] }];
  const component = { ...monitor, extra: { factor: 3 } };
  router = await createRouter({ realms: open, components: [component] }, { components });
  const { session } = await joinAutobahn(router);
  await until('the component has registered', () => router.inspect().realms[0].registrations.length > 0);
  assert.equal(await session.call('com.example.times', [14]), 42);
});

test('where_any_realm_comes_into_being_so_does_that_of_a_component', async () => {
  const joined = inbox('the component joins');
  const components = { a: async (port, { realm }) => joined.push(await joinAutobahn(port, realm)) };
  router = await createRouter({ components: [{ type: 'class', classname: 'a', realm: 'com.any' }] }, { components });
  assert.equal((await joined.next()).details.realm, 'com.any');
  assert.deepEqual(
    router.inspect().realms.map(({ name }) => name),
    ['com.any'],
  );
});

test('a_component_ends_with_its_router', async () => {
  const ended = [];
  const sessions = inbox('the component joins');
  const run = async (port, { realm }) => {
    sessions.push(await joinAutobahn(port, realm));
    return () => ended.push(realm);
  };
  router = await createRouter(monitorConfig, { components: { [MONITOR]: run } });
  const { closed } = await sessions.next();
  assert.deepEqual(ended, []);
  await router.close();
  assert.deepEqual(ended, ['realm1']);
  const { details } = await closed.next();
  assert.equal(details.reason, 'wamp.close.system_shutdown');
  await router.close();
  assert.deepEqual(ended, ['realm1']);
});

test('a_component_that_has_not_started_when_its_router_closes_ends_once_it_has', async () => {
  const ended = inbox('the component is ended');
  let go;
  const gate = new Promise((resolve) => {
    go = resolve;
  });
  const run = () => gate.then(() => () => ended.push('ended'));
  router = await createRouter(monitorConfig, { components: { [MONITOR]: run } });
  await router.close();
  assert.equal(ended.waiting, 0);
  go();
  await ended.next();
});

test('a_component_that_fails_is_logged_and_the_others_run', async () => {
  const started = inbox('the good component is started');
  const missing = new URL('no-such-module.mjs', import.meta.url);
  const components = {
    throwing: () => {
      throw new Error('out of order');
    },
    rejecting: async () => {
      throw new Error('out of order later');
    },
    missing,
    wrong: new URL('../fixtures/wait.mjs', import.meta.url),
    good: (port) => started.push(port),
  };
  const list = Object.keys(components).map((classname) => ({ ...monitor, classname }));
  router = await createRouter({ realms, components: list }, { components });
  assert.equal((await answerTo(await started.next()))[0], 2);
  await until('all are logged', () => said.length >= 4);
  said.sort();
  assert.match(said[0], /^error wamplet: the component "missing" failed: .*no-such-module\.mjs/);
  assert.equal(said[1], 'error wamplet: the component "rejecting" failed: out of order later');
  assert.equal(said[2], 'error wamplet: the component "throwing" failed: out of order');
  assert.match(said[3], /"wrong" failed: expected file:.*wait\.mjs to export a function as its default$/);
  assert.equal(said.length, 4);
});

test('the_port_of_a_component_that_fails_is_closed', async () => {
  let kept;
  const run = async (port, { realm }) => {
    kept = await joinAutobahn(port, realm);
    throw new Error('out of order');
  };
  router = await createRouter(monitorConfig, { components: { [MONITOR]: run } });
  const { session } = await joinAutobahn(router);
  assert.ok(session.isOpen);
  await until('the component has joined', () => kept);
  await kept.closed.next();
  assert.equal(router.inspect().realms[0].sessions.length, 1);
});

test('a_component_without_code_is_warned_of_by_its_name', async () => {
  router = await createRouter({ realms, components: [monitor, { ...monitor, classname: 'constructor' }] });
  const cure = (name) =>
    `nothing runs "${name}": name a function or a module that does in options.components["${name}"] ` +
    'of createRouter or sharedRouter';
  assert.deepEqual(said, [
    `warn wamplet: components[0]: ${cure(MONITOR)}`,
    `warn wamplet: components[1]: ${cure('constructor')}`,
  ]);
});

test('what_is_for_processes_is_warned_of', async () => {
  await startOne({ ...monitor, restart: 'always', references: null });
  await router.close();
  router = await createRouter({ realms, components: [{ type: 'function', callbacks: { join: 'x' } }] });
  assert.deepEqual(said, [
    'warn wamplet: components[0].restart: has no effect: components are no processes here',
    'warn wamplet: components[0]: is not started: only components of type "class" are',
  ]);
});

const BROKEN = [
  [{ components: {} }, 'components: expected an array of components, found an object'],
  [{ components: ['a'] }, 'components[0]: expected an object, found "a"'],
  [{ components: [{ ...monitor, type: 'klass' }] }, 'components[0].type: expected "class", found "klass"'],
  [
    { components: [{ ...monitor, classname: undefined }] },
    'components[0].classname: expected the name of a class, found nothing',
  ],
  [{ components: [{ ...monitor, id: 7 }] }, 'components[0].id: expected a text, found 7'],
  [
    { components: [{ ...monitor, roles: ['monitor'] }] },
    'components[0].roles: expected one of the keys "type", "id", "classname", "realm", "role", "extra", found "roles"',
  ],
  [
    { components: [{ ...monitor, realm: 'realm3' }] },
    'components[0].realm: expected a realm of this router ("realm1", "realm2"), found "realm3"',
  ],
  [
    { components: [{ ...monitor, role: 'trusted' }] },
    'components[0].role: expected a role of realm "realm1" ("anonymous", "monitor"), found "trusted"',
  ],
  [
    { components: [{ ...monitor, realm: 'realm2', role: undefined }] },
    'components[0].role: expected a role of realm "realm2" ("monitor"), found "anonymous"',
  ],
  [
    { realms: undefined, components: [{ ...monitor, realm: null }] },
    'components[0].realm: expected the name of a realm, found null',
  ],
  [
    { realms: undefined, components: [monitor] },
    'components[0].role: expected a role of realm "realm1" ("anonymous"), found "monitor"',
  ],
  [
    {
      realms: undefined,
      workers: [
        { type: 'guest', executable: 'x' },
        { type: 'router', realms, components: [{}] },
      ],
    },
    'workers[1].components[0].type: expected "class", found nothing\n' +
      'workers[1].components[0].classname: expected the name of a class, found nothing\n' +
      'workers[1].components[0].realm: expected a realm of this router ("realm1", "realm2"), found nothing',
  ],
  [
    { realms: undefined, workers: [{ type: 'router', realms }], components: [monitor] },
    'components: expected "components" inside a worker, found it beside "workers"',
  ],
];

for (const [config, message] of BROKEN) {
  test(`refused: ${message.split('\n')[0]}`, async () => {
    await assert.rejects(createRouter({ realms, ...config }), { name: 'Error', message });
  });
}

test('code_that_is_none_is_refused', async () => {
  const message = 'options.components["a"]: expected a function or the address of a module, found 7';
  await assert.rejects(createRouter({}, { components: { a: 7 } }), { name: 'TypeError', message });
});

for (const folder of ['good', 'node/good']) {
  for (const file of readdirSync(join(configs, folder)).filter((name) => name.endsWith('.json'))) {
    // A node that only runs containers, or serves files, has nothing for a browser.
    const { workers } = JSON.parse(read(`${folder}/${file}`));
    if (workers?.every(({ realms }) => realms === undefined)) continue;
    test(`${folder}/${file}_starts_a_router_and_what_is_not_served_is_a_warning`, async () => {
      const config = read(`${folder}/${file}`);
      // Functions that it names must be there.
      const names = [...config.matchAll(/"create": "([^"]+)"/g)].map(([, name]) => [name, () => false]);
      router = await createRouter(JSON.parse(config), { deciders: Object.fromEntries(names) });
      const notAWarning = said.filter((text) => !/^warn wamplet: [\w$.[\]"/-]+: .+/.test(text));
      assert.deepEqual(notAWarning, []);
    });
  }
}

test('the_session_monitor_of_a_node_is_warned_of_what_a_browser_has_not', async () => {
  router = await createRouter(monitorConfig, { components: { [MONITOR]: () => {} } });
  assert.deepEqual(said, [
    'warn wamplet: workers[0].options: these are for processes, and have no effect here',
    'warn wamplet: workers[0].transports: a router in a browser has no listeners: clients join as "anonymous", unless a ' +
      'transport of the type "messageport" has an "auth"',
  ]);
});
