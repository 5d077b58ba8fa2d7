// Dedicated workers and sandboxed frames, which reach no router by themselves, join over ports of their page.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { eventOf, inEachMode, profile } from '../fixtures/browser.mjs';
import { startSite } from '../fixtures/site.mjs';
import { within } from '../fixtures/wait.mjs';

const permissions = [
  { uri: '', match: 'prefix', allow: { call: true, register: true, publish: true, subscribe: true } },
];
const config = { realms: [{ name: 'realm1', roles: ['anonymous', 'widget'].map((name) => ({ name, permissions })) }] };

/** Another server. By another port it is another origin of the same site; by another name, another site. */
let elsewhere;
const ORIGINS = {
  another_origin: () => elsewhere.url,
  another_site: () => `http://localhost:${elsewhere.port}`,
};

before(async () => {
  elsewhere = await startSite({ '/worker-frame.html': { file: 'tests/fixtures/worker-frame.html' } });
});
after(async () => {
  await elsewhere.close();
});

const test = inEachMode();

/** A tab with a router, the session `me` on it that follows who leaves, and `router` as a global. */
async function tabWith(mode) {
  const page = await profile.tab();
  await page.evaluate(
    async (wanted) => {
      const { createRouter, sharedRouter } = tab.wamplet;
      globalThis.router =
        wanted.mode === 'shared' ? await sharedRouter({ config: wanted.config }) : await createRouter(wanted.config);
      await tab.join('me', { router });
      await tab.follow('me', 'wamp.session.on_leave');
    },
    { mode, config },
  );
  return page;
}

async function startWorker(page) {
  await page.evaluate(async () => {
    globalThis.worker = new Worker('/tab-worker.js', { type: 'module' });
    const registered = new Promise((resolve) => worker.addEventListener('message', resolve));
    const port = router.createPort({ worker: 'doubler' });
    worker.postMessage({ port }, [port]);
    await registered;
  });
}

/** What the frame says when it has joined. */
async function startFrame(page, address = '/frame.html', sandbox = 'allow-scripts', identity = undefined) {
  return page.evaluate(
    async ([src, flags, fixed]) => {
      globalThis.frame = document.createElement('iframe');
      if (flags !== null) frame.sandbox = flags;
      frame.src = src;
      const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
      document.body.append(frame);
      await loaded;
      const joined = new Promise((resolve) => addEventListener('message', ({ data }) => resolve(data), { once: true }));
      const port = router.createPort({ frame: 'of a test' }, fixed);
      frame.contentWindow.postMessage({ port }, '*', [port]);
      return joined;
    },
    [address, sandbox, identity],
  );
}

for (const mode of ['shared', 'page']) {
  test(`a_dedicated_worker_joins_the_router_of_its_${mode}_and_leaves_when_it_is_terminated`, async () => {
    const page = await tabWith(mode);
    await startWorker(page);
    assert.equal(await page.evaluate(() => tab.sessions.me.session.call('com.example.worker', [21])), 42);
    const details = await page.evaluate(async () => {
      const { session } = tab.sessions.me;
      const ids = await session.call('wamp.session.list');
      return session.call('wamp.session.get', [ids.find((id) => id !== session.id)]);
    });
    assert.equal(details.transport.worker, 'doubler');

    await page.evaluate(() => worker.terminate());
    assert.deepEqual(await eventOf(page, 'me', 'wamp.session.on_leave'), [details.session]);
  });

  test(`a_sandboxed_frame_joins_the_router_of_its_${mode}`, async () => {
    const page = await tabWith(mode);
    const { joined, origin } = await startFrame(page);
    assert.equal(origin, 'null', 'the frame is not sandboxed: the test shows nothing');
    assert.equal(await page.evaluate(() => tab.sessions.me.session.call('com.example.frame', ['hi'])), 'hi!');

    await page.evaluate(() => frame.remove());
    assert.deepEqual(await eventOf(page, 'me', 'wamp.session.on_leave'), [joined]);
  });

  for (const [where, origin] of Object.entries(ORIGINS)) {
    test(`a_frame_of_${where}_joins_the_router_of_its_${mode}_as_whom_the_page_says`, async () => {
      const page = await tabWith(mode);
      const widget = { realm: 'realm1', authrole: 'widget', authid: 'left' };
      const { joined, origin: found } = await startFrame(page, `${origin()}/frame.html`, null, widget);
      assert.equal(found, origin());
      // Longer than it takes to see that the lock of the other one is free.
      for (let round = 0; round < 20; round += 1) {
        assert.equal(await page.evaluate(() => tab.sessions.me.session.call('com.example.frame', ['hi'])), 'hi!');
      }
      const { authrole, authid, authmethod } = await page.evaluate(
        (id) => tab.sessions.me.session.call('wamp.session.get', [id]),
        joined,
      );
      assert.deepEqual([authrole, authid, authmethod], ['widget', 'left', 'port']);

      await page.evaluate(() => frame.remove());
      assert.deepEqual(await eventOf(page, 'me', 'wamp.session.on_leave'), [joined]);
    });

    test(`a_worker_of_a_frame_of_${where}_joins_the_router_of_its_${mode}`, async () => {
      const page = await tabWith(mode);
      await startFrame(page, `${origin()}/worker-frame.html`, null, { realm: 'realm1', authrole: 'widget' });
      for (let round = 0; round < 20; round += 1) {
        assert.equal(await page.evaluate(() => tab.sessions.me.session.call('com.example.worker', [21])), 42);
      }
    });
  }
}

test('sessions_of_a_closed_tab_leave_with_its_workers_and_frames', async () => {
  // The tab that came first may be the one that runs the router.
  const [other, page] = [await tabWith('shared'), await tabWith('shared')];
  await startWorker(page);
  await startFrame(page);
  assert.equal(await other.evaluate(() => tab.sessions.me.session.call('wamp.session.count')), 4);
  await page.close();
  await other.waitForFunction(() => tab.sessions.me.events.length === 3);
  assert.equal(await other.evaluate(() => tab.sessions.me.session.call('wamp.session.count')), 1);
});

test('a_client_without_locks_leaves_with_the_crashed_tab_that_made_its_port', async () => {
  // Not the tab that came first: the router lives in its process.
  const [other, page] = [await tabWith('shared'), await tabWith('shared')];
  // A client in a sandboxed frame has no access to locks. This one speaks the port protocol by itself.
  const id = await page.evaluate(async () => {
    const port = router.createPort();
    globalThis.port = port;
    const next = () =>
      new Promise((resolve) => port.addEventListener('message', ({ data }) => resolve(data), { once: true }));
    port.start();
    await next();
    port.postMessage({ hello: 1, serializer: 'json', transport: {} });
    await next();
    port.postMessage(['[1,"realm1",{"roles":{"caller":{}}}', '']);
    const [welcome] = await next();
    return JSON.parse(`${welcome}]`)[1];
  });
  const crashed = new Promise((resolve) => page.once('crash', resolve));
  page.goto('chrome://crash').catch(() => {});
  await within('the tab crashes', crashed);
  await other.waitForFunction(() => tab.sessions.me.events.length === 2);
  assert.ok((await other.evaluate(() => tab.sessions.me.events.map(({ args: [left] }) => left))).includes(id));
});

test('a_worker_cannot_reach_the_router_and_is_told_how_to_join', async () => {
  const page = await profile.tab();
  const message = await page.evaluate(() => {
    const code = `import('${location.origin}/pkg/index.js').then(({ sharedRouter }) => sharedRouter())
      .catch((error) => postMessage(error.message))`;
    const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), { type: 'module' });
    return new Promise((resolve) => worker.addEventListener('message', ({ data }) => resolve(data)));
  });
  assert.match(message, /createPort\(\)/);
});

test('a_router_in_a_worker_serves_the_page_around_it', async () => {
  const page = await profile.tab();
  const [mode, count] = await page.evaluate(async () => {
    const code = `import { createRouter } from '${location.origin}/pkg/index.js';
      const router = await createRouter();
      addEventListener('message', ({ data }) => router.attach(data));
      postMessage(router.mode);`;
    const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), { type: 'module' });
    const ran = await new Promise((resolve) => worker.addEventListener('message', ({ data }) => resolve(data)));
    const port = () => {
      const { port1, port2 } = new MessageChannel();
      worker.postMessage(port1, [port1]);
      return port2;
    };
    await tab.join('one', { router: port });
    await tab.join('two', { router: port });
    globalThis.worker = worker;
    return [ran, await tab.sessions.one.session.call('wamp.session.count')];
  });
  assert.deepEqual([mode, count], ['worker', 2]);
  await page.evaluate(() => worker.terminate());
  await page.waitForFunction(() => tab.sessions.one.closed[0]?.reason === 'lost');
});
