// Pages that know nothing of wamplet but one script line above Autobahn's.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { browser, eventOf, inEachMode, profile } from '../fixtures/browser.mjs';
import { until } from '../fixtures/wait.mjs';

const page = (script, app = '') =>
  `<!DOCTYPE html><title>page</title>${script}<script src="/autobahn.min.js"></script>${app}`;

/** The page of Crossbar.io's documentation, to the letter; its script's address is local, and our line is above it. */
const documented = readFileSync(new URL('../fixtures/documented-page.txt', import.meta.url), 'utf8');
const remote = '<script src="https://autobahn.s3.amazonaws.com/autobahnjs/latest/autobahn.min.jgz">';
const line = '<script src="/pkg/wamplet.global.js" data-websocket="ws://127.0.0.1:8080/ws"></script>';
const seedPage = documented.replace(remote, `${line}<script src="/autobahn.min.js">`);

/** A node whose clients log in. */
const node = {
  version: 2,
  workers: [
    {
      type: 'router',
      realms: [
        {
          name: 'realm1',
          roles: [{ name: 'chatter', permissions: [{ uri: 'com.example.*', allow: { call: true } }] }],
        },
      ],
      transports: [
        {
          type: 'web',
          endpoint: { type: 'tcp', port: 8080 },
          paths: {
            ws: {
              type: 'websocket',
              auth: { ticket: { type: 'static', principals: { joe: { ticket: 'a ticket', role: 'chatter' } } } },
            },
          },
        },
      ],
    },
  ],
};

const test = inEachMode({
  '/seed.html': { body: seedPage },
  '/two.html': {
    body: page(
      '<script src="/pkg/wamplet.global.js" data-websocket="ws://a.test/ws  ws://b.test/" data-router="lab"></script>',
    ),
  },
  '/elsewhere/wamplet.global.js': { file: 'pkg/wamplet.global.js' },
  '/apart.html': {
    body: page(
      '<script src="/elsewhere/wamplet.global.js" data-websocket="ws://a.test/ws" data-worker="/pkg/worker.js"></script>',
    ),
  },
  '/leading.html': {
    body: page('<script src="/pkg/wamplet.global.js" data-websocket="ws://a.test/ws" data-mode="leader"></script>'),
  },
  '/own.html': { body: page('<script src="/pkg/wamplet.global.js" data-websocket="/ws"></script>') },
  '/login.html': {
    body: page(`<script src="/pkg/wamplet.global.js"></script><script>
  const config = ${JSON.stringify(node)};
  const [worker] = config.workers;
  worker.transports.push({ type: 'messageport', auth: worker.transports[0].paths.ws.auth });
  wamplet.installWebSocket({ match: 'ws://127.0.0.1:8080/ws', router: wamplet.sharedRouter({ config }) });
</script>`),
  },
  '/module.html': { body: page(line.replace('<script', '<script type="module"')) },
  '/quiet.html': { body: page('<script src="/pkg/wamplet.global.js"></script>') },
});

test('the_page_of_the_documentation_connects_and_is_seen_to_come_and_go', async () => {
  assert.ok(documented.includes(remote), 'the documented page is not what it was');
  const monitor = await profile.tab();
  await monitor.evaluate(async () => {
    await tab.join('me');
    for (const event of ['on_join', 'on_leave']) {
      await tab.follow('me', `wamp.metaevent.session.${event}`);
      await tab.follow('me', `wamp.session.${event}`);
    }
  });
  const lines = [];
  const seed = await profile.context.newPage();
  seed.on('console', (message) => lines.push(message.text()));
  await seed.goto(`${browser.site.url}/seed.html`);
  await until('the page says that it is connected', () => lines.includes('Connected'));

  const [details] = await eventOf(monitor, 'me', 'wamp.session.on_join');
  assert.deepEqual(await eventOf(monitor, 'me', 'wamp.metaevent.session.on_join'), [details]);
  assert.equal(details.realm, 'realm1');
  assert.equal(details.transport.type, 'websocket');
  assert.equal(details.transport.protocol, 'wamp.2.json');
  assert.equal(details.transport.url, 'ws://127.0.0.1:8080/ws');

  await seed.close();
  assert.deepEqual(await eventOf(monitor, 'me', 'wamp.session.on_leave'), [details.session]);
  assert.equal((await eventOf(monitor, 'me', 'wamp.metaevent.session.on_leave'))[0].session, details.session);
});

/** Joins from a page without our helper; resolves to the answer of `wamp.session.list`. */
const joinAndList = (url) => {
  const connection = new autobahn.Connection({ url, realm: 'realm1', max_retries: 0 });
  globalThis.connection = connection;
  return new Promise((resolve, reject) => {
    connection.onopen = (session) => session.call('wamp.session.list').then(resolve, reject);
    connection.onclose = (reason) => reject(new Error(reason));
    connection.open();
  });
};

test('the_line_may_name_several_urls_and_a_router', async () => {
  const one = await profile.tab('/two.html');
  const two = await profile.tab('/two.html');
  assert.equal((await one.evaluate(joinAndList, 'ws://a.test/ws')).length, 1);
  assert.equal((await two.evaluate(joinAndList, 'ws://b.test')).length, 2);
  const other = await profile.tab();
  const names = await other.evaluate(async () => {
    const count = async (name) => {
      await tab.join(name, { router: tab.wamplet.sharedRouter({ name }) });
      return tab.sessions[name].session.call('wamp.session.count');
    };
    return [await count('default'), await count('lab')];
  });
  assert.deepEqual(names, [1, 3]);
});

test('the_line_may_say_where_the_worker_is', async () => {
  const tab = await profile.tab('/apart.html');
  assert.equal((await tab.evaluate(joinAndList, 'ws://a.test/ws')).length, 1);
});

test('the_line_may_say_where_the_router_runs', async () => {
  const tab = await profile.tab('/leading.html');
  assert.equal((await tab.evaluate(joinAndList, 'ws://a.test/ws')).length, 1);
  assert.equal(tab.workers().length, 1);
});

test('the_line_may_name_the_path_of_a_socket_on_the_server_of_the_page', async () => {
  const tab = await profile.tab('/own.html');
  const url = `${browser.site.url.replace('http:', 'ws:')}/ws`;
  assert.equal((await tab.evaluate(joinAndList, url)).length, 1);
}, ['shared-worker']);

test('clients_log_in_by_the_auth_of_their_node_as_that_of_ports', async () => {
  const tab = await profile.tab('/login.html');
  const login = (ticket) =>
    tab.evaluate(
      (secret) =>
        new Promise((resolve) => {
          const url = 'ws://127.0.0.1:8080/ws';
          const onchallenge = () => secret;
          const login = { url, realm: 'realm1', max_retries: 0, authid: 'joe', authmethods: ['ticket'], onchallenge };
          const connection = new autobahn.Connection(login);
          connection.onopen = (_session, { authid, authrole }) => resolve([authid, authrole]);
          connection.onclose = (_why, { reason }) => resolve(reason);
          connection.open();
        }),
      ticket,
    );
  assert.deepEqual(await login('a ticket'), ['joe', 'chatter']);
  assert.equal(await login('another'), 'wamp.error.authentication_denied');
}, ['shared-worker']);

test('without_urls_the_script_only_defines_wamplet', async () => {
  const tab = await profile.tab('/quiet.html');
  const [names, isNative] = await tab.evaluate(() => [Object.keys(wamplet).sort(), /native code/.test(`${WebSocket}`)]);
  assert.deepEqual(names, [
    'WampletWebSocket',
    'autobahnTransport',
    'createRouter',
    'defaultRouter',
    'installWebSocket',
    'sharedRouter',
    'transfer',
    'webSocketClass',
  ]);
  assert.ok(isNative);
}, ['shared-worker']);

test('a_line_that_is_a_module_is_told_that_it_has_no_effect', async () => {
  const warnings = [];
  const opened = await profile.context.newPage();
  opened.on('console', (message) => warnings.push(message.text()));
  await opened.goto(`${browser.site.url}/module.html`);
  await until('a warning', () => warnings.find((text) => /data-websocket has no effect.*type="module"/.test(text)));
}, ['shared-worker']);

test('Autobahn_through_the_line_and_Autobahn_through_the_transport_meet', async () => {
  const transport = await profile.tab();
  await transport.evaluate(async () => {
    await tab.join('me');
    await tab.sessions.me.session.register('com.example.add', ([a, b]) => a + b);
    await tab.follow('me', 'com.example.news');
  });
  const socket = await profile.tab('/seed.html');
  const answer = await socket.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const again = new autobahn.Connection({ url: 'ws://127.0.0.1:8080/ws', realm: 'realm1' });
        again.onopen = (session) => {
          session.publish('com.example.news', ['é\u2028', [1, { k: null }]], { kw: true });
          session.call('com.example.add', [2, 3]).then(resolve, reject);
        };
        again.open();
      }),
  );
  assert.equal(answer, 5);
  assert.deepEqual(await eventOf(transport, 'me', 'com.example.news'), ['é\u2028', [1, { k: null }]]);
});

test('Autobahn_through_the_line_speaks_MessagePack_and_CBOR_too', async () => {
  const tab = await profile.tab('/seed.html');
  for (const name of ['MsgpackSerializer', 'CBORSerializer']) {
    const seen = await tab.evaluate((serializer) => {
      const connection = new autobahn.Connection({
        url: 'ws://127.0.0.1:8080/ws',
        realm: 'realm2',
        serializers: [new autobahn.serializer[serializer]()],
      });
      return new Promise((resolve, reject) => {
        connection.onopen = async (session, details) => {
          await session.register('com.example.echo', (args) => args[0]);
          const result = await session.call('com.example.echo', [{ text: 'é', list: [1, null, true] }]);
          connection.close();
          resolve([details.transport.protocol, result]);
        };
        connection.onclose = (reason) => reject(new Error(reason));
        connection.open();
      });
    }, name);
    const protocol = name === 'CBORSerializer' ? 'wamp.2.cbor' : 'wamp.2.msgpack';
    assert.deepEqual(seen, [protocol, { text: 'é', list: [1, null, true] }]);
  }
});

test('sockets_to_other_addresses_reach_their_server_as_ever', async () => {
  const tab = await profile.tab('/seed.html');
  const [protocol, echo, isInstance] = await tab.evaluate((url) => {
    const socket = new WebSocket(url, 'chat');
    return new Promise((resolve, reject) => {
      socket.onerror = () => reject(new Error('no connection'));
      socket.onopen = () => socket.send('hello server');
      socket.onmessage = ({ data }) => resolve([socket.protocol, data, socket instanceof WebSocket]);
    });
  }, `ws://127.0.0.1:${browser.site.port}/ws`);
  assert.deepEqual([protocol, echo, isInstance], ['chat', 'hello server', true]);
  assert.deepEqual(browser.site.sockets, ['hello server']);
}, ['shared-worker']);

test('undoing_gives_the_page_its_own_WebSocket_back', async () => {
  const tab = await profile.tab('/quiet.html');
  const [same, between] = await tab.evaluate(() => {
    const before = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
    const undo = wamplet.installWebSocket({ match: 'ws://a.test/' });
    const differs = WebSocket !== before.value;
    undo();
    const now = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
    return [Object.keys(before).every((key) => before[key] === now[key]), differs];
  });
  assert.deepEqual([same, between], [true, true]);
}, ['shared-worker']);
