// Node's own matters: what keeps a process alive, and worker threads as sessions.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { afterEach, beforeEach, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createRouter } from 'wamplet';
import { joinAutobahn } from '../fixtures/clients.mjs';
import { runNode } from '../fixtures/run-node.mjs';
import { inbox, until } from '../fixtures/wait.mjs';

const START = "import { createRouter } from 'wamplet'; const router = await createRouter();";
const JOIN = "import { joinAutobahn } from './tests/fixtures/clients.mjs';";

let router;

beforeEach(async () => {
  router = await createRouter();
});
afterEach(() => router.close());

/** What comes of a start whose requests for the wasm file a server answers so, each told of all until then. */
async function startedWhere(answer) {
  const asked = [];
  const server = createServer((_request, response) => {
    asked.push(response);
    answer(asked);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { code, output } = await runNode(`import { createRouter } from 'wamplet';
      await createRouter({}, { wasm: 'http://127.0.0.1:${server.address().port}/wamplet.wasm' });
      console.log('it started');
    `);
    return [code, output.trim(), asked.length];
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('of_two_requests_for_the_wasm_file_the_one_that_brings_it_counts_and_none_keeps_the_process_alive', async () => {
  const wasm = await readFile(new URL('../../pkg/wamplet.wasm', import.meta.url));
  const stoodStill = startedWhere(([, second]) => second?.end(wasm));
  const wasSlow = startedWhere(([first, second]) => {
    second?.writeHead(503).end(() => setTimeout(() => first.end(wasm), 100));
  });
  assert.deepEqual(await stoodStill, [0, 'it started', 2]);
  assert.deepEqual(await wasSlow, [0, 'it started', 2]);
});

test('a_router_with_idle_ports_does_not_keep_the_process_alive', async () => {
  const { code, output } = await runNode(`${START}
    router.createPort();
    const { port1 } = new MessageChannel();
    router.attach(port1);
    console.log(router.mode);`);
  assert.deepEqual([code, output], [0, 'node\n']);
});

test('an_open_connection_keeps_the_process_alive_until_it_is_closed', async () => {
  const { code, output } = await runNode(`${START} ${JOIN}
    const { session, connection } = await joinAutobahn(router);
    await session.subscribe('wamp.session.on_join', () => {});
    console.log(await session.call('wamp.session.count'));
    connection.close();`);
  assert.deepEqual([code, output], [0, '1\n']);
});

test('closing_the_router_lets_the_process_end', async () => {
  const { code, output } = await runNode(`${START} ${JOIN}
    await joinAutobahn(router);
    await router.close();
    console.log('closed');`);
  assert.deepEqual([code, output], [0, 'closed\n']);
});

async function startThread(data, transferList = []) {
  const thread = new Worker(new URL('../fixtures/worker-session.mjs', import.meta.url), {
    workerData: data,
    transferList,
  });
  const { session } = await joinAutobahn(router);
  return { thread, session };
}

/** The procedure's result, once the thread has registered it. */
function callThread(session) {
  return until('the thread registers its procedure', async () => {
    try {
      return await session.call('com.example.thread', [21]);
    } catch (error) {
      if (error.error !== 'wamp.error.no_such_procedure') throw error;
    }
  });
}

test('a_thread_joins_over_a_port_and_its_session_ends_with_it', async () => {
  const port = router.createPort({ thread: 'adder' });
  const { thread, session } = await startThread({ port }, [port]);
  const left = inbox('on_leave');
  await session.subscribe('wamp.session.on_leave', (args) => left.push(args));
  assert.equal(await callThread(session), 42);

  await thread.terminate();
  await left.next();
  assert.equal(await session.call('wamp.session.count'), 1);
});

test('a_thread_itself_can_be_attached', async () => {
  const { thread, session } = await startThread({});
  const left = inbox('on_leave');
  await session.subscribe('wamp.session.on_leave', (args) => left.push(args));
  router.attach(thread);
  assert.equal(await callThread(session), 42);
  await thread.terminate();
  await left.next();
});

test('detaching_an_endpoint_ends_its_session', async () => {
  const { port1, port2 } = new MessageChannel();
  const stop = router.attach(port1);
  const { closed } = await joinAutobahn(port2);
  stop();
  stop();
  const { reason } = await closed.next();
  assert.equal(reason, 'closed');
  assert.equal(router.inspect().transports, 0);
});

test('one_port_carries_one_session_after_the_other', async () => {
  const port = router.createPort();
  const first = await joinAutobahn(port);
  first.connection.close();
  await first.closed.next();
  const second = await joinAutobahn(port);
  assert.notEqual(second.session.id, first.session.id);
  assert.equal(await second.session.call('wamp.session.count'), 1);
});

test('a_router_may_come_as_a_promise_or_from_a_function', async () => {
  const sources = [Promise.resolve(router), () => router, async () => router.createPort(), () => router.createPort()];
  for (const source of sources) {
    const { session } = await joinAutobahn(source);
    assert.ok(session.isOpen);
  }
});

test('what_is_no_router_is_an_unreachable_one_with_a_sentence_on_the_console', async (t) => {
  for (const source of [null, 5, {}, () => undefined, Promise.reject(new Error('no moon today'))]) {
    const warned = t.mock.method(console, 'warn', () => {});
    await assert.rejects(joinAutobahn(source), /unreachable/);
    assert.match(warned.mock.calls[0].arguments[0], /^wamplet: (expected a router.*, found \w+|no moon today)$/);
    warned.mock.restore();
  }
});

test('what_is_no_endpoint_is_refused_at_once', () => {
  const message = /^expected a MessagePort, a Worker or another endpoint/;
  // The last two can be heard, as a SharedWorker can be: it is its `port` that can also post.
  for (const endpoint of [null, undefined, {}, { postMessage() {} }, new EventTarget(), process]) {
    assert.throws(() => router.attach(endpoint), { name: 'TypeError', message });
  }
});

test('a_port_that_leads_nowhere_is_given_up_with_a_sentence', async (t) => {
  const warned = t.mock.method(console, 'warn', () => {});
  const { port2 } = new MessageChannel();
  await assert.rejects(joinAutobahn(port2), /unreachable/);
  assert.match(warned.mock.calls[0].arguments[0], /did not answer within 10 seconds/);
});

test('a_restarted_router_on_the_same_port_is_a_lost_connection', async () => {
  // Safari's way: a new router greets on a port that the old one had. A hand-made router end plays both.
  const { port1, port2 } = new MessageChannel();
  port1.on('message', (data) => {
    if (data.hello) port1.postMessage({ open: 'epoch1' });
    else if (Array.isArray(data))
      port1.postMessage(['[2,1,{"roles":{"broker":{"features":{}},"dealer":{"features":{}}}}', '']);
  });
  port1.postMessage({ wamplet: 1, epoch: 'epoch1' });
  const { closed } = await joinAutobahn(port2);
  port1.postMessage({ wamplet: 1, epoch: 'epoch2' });
  assert.equal((await closed.next()).reason, 'lost');
  port1.close();
});

test('a_router_of_another_wire_version_is_named_in_a_sentence', async (t) => {
  const warned = t.mock.method(console, 'warn', () => {});
  const { port1, port2 } = new MessageChannel();
  port1.postMessage({ wamplet: 2, epoch: 'epoch1' });
  await assert.rejects(joinAutobahn(port2), /unreachable/);
  assert.match(warned.mock.calls[0].arguments[0], /version 2 .*version 1: deploy both from the same release/);
  port1.close();
});
