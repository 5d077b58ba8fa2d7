// The examples of the native router, each run as its README says, on a free port in a copy of its folder.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launchChromium } from '../../scripts/chromium.mjs';
import { root } from '../../scripts/steps.mjs';
import { pythonProgram } from '../../scripts/toolchain.mjs';
import { freePort } from '../fixtures/free-port.mjs';
import { within } from '../fixtures/wait.mjs';
import { lines } from './lines.mjs';
import { listenersOf, program, startNode, temporaryFolder } from './router.mjs';

/** Python takes seconds to start on a busy machine. */
const PYTHON_PATIENCE = 40_000;

let browser;
before(async () => {
  browser = await launchChromium();
});
after(() => browser.close());

/** Copies an example, with another port in the place of 8080, and with the npm packages where it expects them. */
async function copyExample(name, change = (text) => text) {
  const base = temporaryFolder();
  const folder = join(base, 'examples', name);
  cpSync(join(root, 'examples', name), folder, { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(base, 'node_modules'), 'junction');
  const port = await freePort();
  for (const file of readdirSync(folder, { recursive: true })) {
    const path = join(folder, file);
    if (!statSync(path).isFile()) continue;
    writeFileSync(path, change(readFileSync(path, 'utf8').replaceAll('8080', port), file));
  }
  const config = JSON.parse(readFileSync(join(folder, '.crossbar/config.json'), 'utf8'));
  return { folder, url: `http://127.0.0.1:${port}/`, listeners: listenersOf(config) };
}

/** Opens a page; `errors` are those of the page so far. */
async function openPage(url) {
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  await page.goto(url);
  return page;
}

/** Runs a program to its end; resolves to `{ code, log }`. */
async function runProgram(command, args, cwd) {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = lines(child.stdout, child.stderr);
  const ended = new Promise((resolve) => child.on('close', (code) => resolve({ code, log: log.all })));
  return within(`${command} ${args.join(' ')} ends`, ended, PYTHON_PATIENCE).finally(() => child.kill());
}

/** The document that this example stands for decorates the handlers, too, which Twisted has complained of since. */
function decorateHandlers(text, file) {
  return file === 'monitor.py' ? text.replace(/^( *)(?=def on_session)/gm, '$1@inlineCallbacks\n$1') : text;
}

for (const [title, change] of [
  ['the_session_monitor_prints_who_joins_and_who_leaves', undefined],
  ['a_session_monitor_with_decorated_handlers_prints_the_same', decorateHandlers],
]) {
  test(title, async () => {
    const example = await copyExample('session-monitor', change);
    const node = await startNode({ args: ['start'], cwd: example.folder, listeners: example.listeners });
    try {
      await node.logged(/monitoring realm realm1/, PYTHON_PATIENCE);
      const page = await openPage(example.url);
      const connected = page.getByText('Connected as session');
      await connected.waitFor();
      const [id] = /\d+/.exec(await connected.textContent());
      const joined = await node.logged(/on_session_join: /);
      for (const part of [`'session': ${id}`, `'realm': 'realm1'`, `'authrole': 'anonymous'`, `'type': 'websocket'`]) {
        assert.ok(joined.includes(part), `${part} in ${joined}`);
      }
      assert.deepEqual(page.errors, []);
      await page.close();
      const left = await node.logged(/on_session_leave: /);
      assert.ok(left.includes(`'session': ${id}`), left);
    } finally {
      assert.equal(await node.stop(), 0);
    }
  });
}

test('the_pages_of_metaapi_list_both_sessions_and_one_kills_the_other', async () => {
  const example = await copyExample('metaapi');
  const node = await startNode({ args: ['start'], cwd: example.folder, listeners: example.listeners });
  try {
    const one = await openPage(example.url);
    await one.getByText(/one of 1$/).waitFor();
    const two = await openPage(example.url);
    await two.getByText(/one of 2$/).waitFor();
    // It heard of the second one.
    await one.getByText(/one of 2$/).waitFor();
    const [id] = /\d+/.exec(await two.locator('#state').textContent());
    assert.match(
      await one.locator('li', { hasText: id }).textContent(),
      /anonymous, websocket from tcp4:127\.0\.0\.1:\d+/,
    );
    await one.locator('li', { hasText: id }).getByRole('button', { name: 'Kill' }).click();
    await two.getByText('Gone: because I was told to').waitFor();
    await one.getByText(/one of 1$/).waitFor();
    assert.deepEqual([...one.errors, ...two.errors], []);
    await one.close();
    await two.close();
  } finally {
    assert.equal(await node.stop(), 0);
  }
});

test('the_script_of_metaapi_counts_gets_and_kills', async () => {
  const example = await copyExample('metaapi');
  const node = await startNode({ args: ['start'], cwd: example.folder, listeners: example.listeners });
  try {
    const page = await openPage(example.url);
    const [id] = /\d+/.exec(await page.getByText(/one of 1$/).textContent());
    const asked = await runProgram(process.execPath, ['sessions.mjs'], example.folder);
    assert.equal(asked.code, 0, asked.log.join('\n'));
    assert.equal(asked.log[0], 'count: 2');
    const details = asked.log.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    assert.equal(details.length, 2);
    assert.deepEqual(
      details.map(({ realm, authrole }) => [realm, authrole]),
      Array(2).fill(['realm1', 'anonymous']),
    );
    assert.ok(details.some(({ session }) => session === Number(id)));
    const killed = await runProgram(process.execPath, ['sessions.mjs', 'kill', id], example.folder);
    assert.ok(killed.log.includes(`killed ${id}`), killed.log.join('\n'));
    await page.getByText('Gone: because foobar').waitFor();
    const again = await runProgram(process.execPath, ['sessions.mjs', 'kill', id], example.folder);
    assert.equal(again.code, 1);
    assert.match(again.log.join('\n'), /wamp\.error\.no_such_session/);
    await page.close();
  } finally {
    assert.equal(await node.stop(), 0);
  }
});

test('the_script_of_metaapi_fails_where_there_is_no_router', async () => {
  const example = await copyExample('metaapi');
  const asked = await runProgram(process.execPath, ['sessions.mjs'], example.folder);
  assert.equal(asked.code, 1, asked.log.join('\n'));
  assert.ok(asked.log.includes('no session: unreachable'), asked.log.join('\n'));
});

test('make_router_says_that_the_python_it_was_given_is_not_there', async () => {
  const example = await copyExample('statistics');
  const made = await runProgram('make', ['router', 'WAMPLET=false', 'PYTHON=/no/such/python'], example.folder);
  assert.equal(made.code, 2, made.log.join('\n'));
  assert.ok(made.log.includes('There is no /no/such/python: make PYTHON=... names another one.'), made.log.join('\n'));
});

for (const target of ['router', 'crossbar']) {
  test(`make_${target}_and_make_test_show_the_statistics_of_the_client`, async () => {
    const example = await copyExample('statistics');
    const make = { command: 'make', cwd: example.folder, listeners: example.listeners };
    const node = await startNode({ ...make, args: [target, `WAMPLET=${program}`, `PYTHON=${pythonProgram}`] });
    try {
      await node.logged(/MONITOR : ready/, PYTHON_PATIENCE);
      const client = await runProgram('make', ['test', `PYTHON=${pythonProgram}`], example.folder);
      assert.equal(client.code, 0, client.log.join('\n'));
      const id = Number(/session (\d+) joined/.exec(client.log.join('\n'))[1]);
      await node.logged(/'last': True/);
      checkStatistics(node.log, id);
    } finally {
      await node.stop();
    }
  });
}

/** What the monitor printed about the client: joined; stats of cycle 1, 2, ...; left; the last stats. */
function checkStatistics(log, id) {
  const printed = log.join('\n').split('>>>>>> MONITOR : ').slice(1);
  const [joined] = printed.filter((text) => text.startsWith('session joined'));
  for (const part of [`'session': ${id}`, `'protocol': 'wamp.2.msgpack'`, `'type': 'rawsocket'`]) {
    assert.ok(joined.includes(part), `${part} in ${joined}`);
  }
  const stats = printed.filter((text) => text.startsWith('session stats'));
  const field = (text, name) => new RegExp(`'${name}': '?(\\w+)'?`).exec(text)?.[1];
  for (const text of stats) {
    assert.equal(Number(field(text, 'session')), id);
    assert.equal(field(text, 'realm'), 'realm1');
    assert.equal(field(text, 'authrole'), 'anonymous');
    assert.match(field(text, 'authid'), /^[A-Z0-9]+$/);
    assert.equal(field(text, 'serializer'), 'msgpack');
    for (const name of ['bytes', 'duration', 'messages', 'rated_messages', 'timestamp']) {
      assert.ok(Number(field(text, name)) > 0, `${name} in ${text}`);
    }
    assert.ok(Number(field(text, 'rated_messages')) >= Number(field(text, 'messages')));
  }
  const cycles = stats.map((text) => ['cycle', 'first', 'last'].map((name) => field(text, name)));
  assert.ok(stats.length >= 4, `${stats.length} statistics`);
  const expected = stats.map((_, index) => [`${index + 1}`, title(index === 0), title(index === stats.length - 1)]);
  assert.deepEqual(cycles, expected);
  const left = printed.findIndex((text) => text.startsWith(`session ${id} left`));
  assert.ok(left > 0 && left === printed.length - 2, 'the last statistics come after the session left');
}

const title = (bool) => (bool ? 'True' : 'False');
