// The small client in tabs, frames and workers of a real browser.

import assert from 'node:assert/strict';
import { browser, inEachMode, profile } from '../fixtures/browser.mjs';
import { until, within } from '../fixtures/wait.mjs';

const tab = `<!doctype html><title>tab</title><script type="module">
  import { connect, WampError } from '/pkg/client.js';
  import { cryptosign, wampcra } from '/pkg/client-auth.js';

  window.told = [];
  window.seen = [];
  window.join = async (options) => {
    window.session = await connect({ realm: 'realm1', ...options });
    for (const type of ['open', 'close', 'revoked']) {
      session.addEventListener(type, ({ detail }) => told.push([type, detail?.error?.uri]));
    }
    return session.id;
  };
  Object.assign(window, { connect, WampError, cryptosign, wampcra });
  document.title = 'ready';
</script>`;

const frame = `<!doctype html><title>frame</title><script type="module">
  import { connect } from '/pkg/client.js';

  addEventListener('message', async ({ data: { port } }) => {
    const session = await connect({ port });
    await session.register('com.example.frame', ([text]) => \`\${text}!\`);
    const files = performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname);
    parent.postMessage({ id: session.id, role: session.details.authrole, origin: self.origin, files }, '*');
  });
  parent.postMessage('ready', '*');
</script>`;

const worker = `import { connect } from '/pkg/client.js';
  addEventListener('message', async ({ data: { port } }) => {
    const session = await connect({ realm: 'realm1', port });
    await session.register('com.example.worker', ([bytes]) => bytes.reverse());
    postMessage('registered');
  });`;

const pages = {
  '/client.html': { body: tab },
  // A sandboxed frame has an origin of its own, to which scripts of the site are another's.
  '/client-frame.html': { body: frame },
  '/client-worker.js': { body: worker },
  '/pkg/client.js': { file: 'pkg/client.js', headers: { 'Access-Control-Allow-Origin': '*' } },
  '/pkg/client-auth.js': { file: 'pkg/client-auth.js' },
  '/other.html': { body: '<!doctype html><title>other</title>' },
};

// Playwright turns the back/forward cache off, which users have.
const test = inEachMode(pages, { ignoreDefaultArgs: ['--disable-back-forward-cache'] });

async function openTab() {
  const page = await profile.tab('/client.html');
  await page.waitForFunction(() => document.title === 'ready');
  return page;
}

/** Two tabs with a session each, over the router that they share. */
async function twoTabs(options) {
  const pages = [await openTab(), await openTab()];
  const ids = [];
  // One after the other: the router runs in the first, or in its process.
  for (const page of pages) ids.push(await page.evaluate((given) => join(given), options));
  return { one: pages[0], two: pages[1], ids };
}

test('two_tabs_call_and_publish_over_the_router_of_all_tabs', async () => {
  const { one, two, ids } = await twoTabs();
  await two.evaluate(async () => {
    await session.register('com.example.add', ([a, b], { c = 0 }) => a + b + c);
    await session.register('com.example.count', async function* ([to]) {
      for (let part = 1; part <= to; part += 1) yield part;
      return 'done';
    });
    await session.register('com.example.reverse', ([bytes]) => bytes.reverse());
    await session.subscribe('com.example.news', (args, kwargs) => seen.push([args, kwargs]));
  });
  const found = await one.evaluate(async () => {
    const parts = [];
    const stream = session.stream('com.example.count', [3]);
    for await (const part of stream) parts.push(part);
    const bytes = await session.call('com.example.reverse', [new Uint8Array([1, 2, 3])]);
    const error = await session.call('com.example.none').catch((error) => error);
    await session.publish('com.example.news', ['hi'], { more: true });
    return {
      sums: await Promise.all([
        session.call('com.example.add', [2, 3]),
        session.call('com.example.add', [2, 3], { c: 4 }),
      ]),
      parts: [...parts, await stream.result],
      bytes: [bytes.constructor.name, ...bytes],
      error: [error instanceof WampError, error.uri],
      list: (await session.call('wamp.session.list')).sort(),
    };
  });
  assert.deepEqual(found, {
    sums: [5, 9],
    parts: [1, 2, 3, 'done'],
    bytes: ['Uint8Array', 3, 2, 1],
    error: [true, 'wamp.error.no_such_procedure'],
    list: [...ids].sort(),
  });
  await until('the event comes', () => two.evaluate(() => seen.length > 0));
  assert.deepEqual(await two.evaluate(() => seen), [[['hi'], { more: true }]]);
});

test('a_call_ends_when_the_tab_of_its_callee_does_and_an_abort_reaches_that_tab', async () => {
  const { one, two } = await twoTabs();
  await two.evaluate(() =>
    session.register('com.example.wait', (_args, _kwargs, { signal }) => {
      seen.push('called');
      signal.addEventListener('abort', () => seen.push('aborted'));
      return new Promise(() => {});
    }),
  );
  const name = await one.evaluate(async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    const { signal } = controller;
    return session.call('com.example.wait', [], {}, { signal }).catch((error) => error.name);
  });
  assert.equal(name, 'AbortError');
  await until('the abort arrives', () => two.evaluate(() => seen.includes('aborted')));
  const call = one.evaluate(() => session.call('com.example.wait').catch((error) => error.uri));
  await until('the invocation arrives', () => two.evaluate(() => seen.length === 3));
  const crashed = new Promise((resolve) => two.once('crash', resolve));
  two.goto('chrome://crash').catch(() => {});
  await within('the tab crashes', crashed);
  assert.equal(await within('the answer', call), 'wamp.error.canceled');
});

test('a_sandboxed_frame_joins_over_the_port_of_its_page_with_the_small_client_alone', async () => {
  const page = await openTab();
  const joined = await page.evaluate(async () => {
    await join();
    const { defaultRouter } = await import('/pkg/index.js');
    const router = await defaultRouter();
    const heard = () =>
      new Promise((resolve) => addEventListener('message', ({ data }) => resolve(data), { once: true }));
    const ready = heard();
    const frame = document.createElement('iframe');
    frame.sandbox = 'allow-scripts';
    frame.src = '/client-frame.html';
    document.body.append(frame);
    await ready;
    const joined = heard();
    const port = router.createPort({ frame: true }, { authrole: 'anonymous', realm: 'realm1' });
    frame.contentWindow.postMessage({ port }, '*', [port]);
    window.frame = frame;
    return joined;
  });
  assert.deepEqual([joined.origin, joined.role, joined.files], ['null', 'anonymous', ['/pkg/client.js']]);
  assert.equal(await page.evaluate(() => session.call('com.example.frame', ['hi'])), 'hi!');
  await page.evaluate(() => frame.remove());
  await until('the frame has left', () =>
    page.evaluate(async (id) => !(await session.call('wamp.session.list')).includes(id), joined.id),
  );
});

test('a_dedicated_worker_joins_over_a_port_and_leaves_when_it_is_terminated', async () => {
  const page = await openTab();
  const bytes = await page.evaluate(async () => {
    await join();
    const { defaultRouter } = await import('/pkg/index.js');
    window.worker = new Worker('/client-worker.js', { type: 'module' });
    const registered = new Promise((resolve) => worker.addEventListener('message', resolve));
    const port = (await defaultRouter()).createPort();
    worker.postMessage({ port }, [port]);
    await registered;
    return [...(await session.call('com.example.worker', [new Uint8Array([1, 2, 3])]))];
  });
  assert.deepEqual(bytes, [3, 2, 1]);
  await page.evaluate(() => worker.terminate());
  await until('the worker has left', () => page.evaluate(async () => (await session.call('wamp.session.count')) === 1));
});

test('a_router_that_dies_ends_all_calls_and_sessions_come_back_to_the_next_one', async () => {
  const { one, two, ids } = await twoTabs({ reconnect: true });
  await two.evaluate(async () => {
    await session.register('com.example.wait', ([forever]) => {
      seen.push('called');
      return forever ? new Promise(() => {}) : 'answered';
    });
  });
  const call = one.evaluate(() => session.call('com.example.wait', [true]).catch(({ name, uri }) => [name, uri]));
  await until('the invocation arrives', () => two.evaluate(() => seen.length > 0));
  await browser.endRouter();
  assert.deepEqual(await within('the call ends', call), ['ClosedError', 'wamplet.error.connection_lost']);
  for (const page of [one, two]) {
    await until('the session is back', () => page.evaluate(() => told.some(([type]) => type === 'open')));
    assert.deepEqual((await page.evaluate(() => told))[0], ['close', 'wamplet.error.connection_lost']);
  }
  assert.equal(await one.evaluate(() => session.call('com.example.wait', [false])), 'answered');
  const list = await one.evaluate(() => session.call('wamp.session.list'));
  assert.equal(list.length, 2);
  assert.ok(ids.every((id) => !list.includes(id)));
});

test('sessions_come_back_when_the_tab_that_leads_is_closed', async () => {
  const tabs = [await openTab(), await openTab(), await openTab()];
  for (const page of tabs) {
    const mode = await page.evaluate(async () => {
      const { sharedRouter } = await import('/pkg/index.js');
      const router = await sharedRouter();
      await join({ router, reconnect: true });
      return router.mode;
    });
    assert.equal(mode, 'leader');
  }
  const [leader, two, three] = tabs;
  await two.evaluate(() =>
    session.register('com.example.wait', ([forever]) => {
      seen.push('called');
      return forever ? new Promise(() => {}) : 'answered';
    }),
  );
  const call = three.evaluate(() => session.call('com.example.wait', [true]).catch(({ name, uri }) => [name, uri]));
  await until('the invocation arrives', () => two.evaluate(() => seen.length > 0));
  await leader.close();
  assert.deepEqual(await within('the call ends', call), ['ClosedError', 'wamplet.error.connection_lost']);
  for (const page of [two, three]) {
    await until('the session is back', () => page.evaluate(() => told.some(([type]) => type === 'open')));
  }
  assert.equal(await three.evaluate(() => session.call('com.example.wait', [false])), 'answered');
  assert.equal(await three.evaluate(() => session.call('wamp.session.count')), 2);
}, ['leader']);

test('a_page_in_the_back_forward_cache_has_left_and_joins_again_when_it_comes_back', async () => {
  const { one, two, ids } = await twoTabs({ reconnect: true });
  await two.evaluate(() => session.register('com.example.echo', ([value]) => value));
  await two.goto(`${browser.site.url}/other.html`);
  await until('the tab has left', () =>
    one.evaluate(async (id) => !(await session.call('wamp.session.list')).includes(id), ids[1]),
  );
  await two.evaluate(() => setTimeout(() => history.back()));
  await until('the tab is back', () => two.evaluate(() => location.pathname === '/client.html').catch(() => false));
  await until('its session is back', () => two.evaluate(() => told.length === 2));
  assert.deepEqual(await two.evaluate(() => told.map(([type]) => type)), ['close', 'open']);
  assert.equal(await one.evaluate(() => session.call('com.example.echo', [7])), 7);
});

test('logins_are_computed_by_the_browser', async () => {
  const page = await openTab();
  const roles = await page.evaluate(async () => {
    const { createRouter } = await import('/pkg/index.js');
    const pair = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
    const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
    const pubkey = [...raw].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const auth = {
      wampcra: { type: 'static', 'default-role': 'user', users: { joe: { secret: 'secret' } } },
      cryptosign: { type: 'static', 'default-role': 'user', principals: { joe: { authorized_keys: [pubkey] } } },
    };
    const permissions = [{ uri: '*', allow: { call: true } }];
    const router = await createRouter({ realms: [{ name: 'realm1', roles: [{ name: 'user', permissions }] }], auth });
    const roles = [];
    for (const methods of [{ wampcra: wampcra('secret') }, { cryptosign: cryptosign(pair) }]) {
      const session = await connect({ realm: 'realm1', authid: 'joe', router, auth: methods });
      roles.push([session.details.authmethod, session.details.authrole]);
      await session.close();
    }
    await router.close();
    return roles;
  });
  assert.deepEqual(roles, [
    ['wampcra', 'user'],
    ['cryptosign', 'user'],
  ]);
});

test('one_router_serves_all_those_who_name_none', async () => {
  const page = await openTab();
  const count = await page.evaluate(async () => {
    const { webSocketClass } = await import('/pkg/index.js');
    await join();
    const socket = new (webSocketClass())('ws://wamplet.test/', 'wamp.2.json');
    await new Promise((resolve) => socket.addEventListener('open', resolve));
    const welcomed = new Promise((resolve) => socket.addEventListener('message', resolve));
    socket.send('[1,"realm1",{"roles":{"caller":{}}}]');
    await welcomed;
    return session.call('wamp.session.count');
  });
  assert.equal(count, 2);
});
