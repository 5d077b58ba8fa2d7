// A sandboxed frame with a port of the shared router is who its page says, and reaches nothing but the router's realms.

import assert from 'node:assert/strict';
import { browser, inEachMode, profile } from '../fixtures/browser.mjs';
import { until } from '../fixtures/wait.mjs';

const permissions = [
  { uri: '', match: 'prefix', allow: { call: true, register: true, publish: true, subscribe: true } },
];
const config = { realms: [{ name: 'realm1', roles: ['anonymous', 'widget'].map((name) => ({ name, permissions })) }] };
const HELLO = { hello: 1, serializer: 'json', transport: {} };
const JOIN = ['[1,"realm1",{"roles":{"caller":{}},"authid":"admin","authrole":"trusted"}', ''];

let page;

const test = inEachMode(
  { '/hostile-frame.html': { file: 'tests/fixtures/hostile-frame.html' } },
  undefined,
  async () => {
    page = await profile.tab();
    await page.evaluate(async (given) => {
      globalThis.router = await tab.wamplet.sharedRouter({ config: given });
      await tab.join('me', { router });
    }, config);
  },
);

/** Gives a sandboxed frame of the page a port; what the frame hears over it comes to `heard`. */
async function giveFrame(identity) {
  await page.evaluate(async (fixed) => {
    const frame = document.createElement('iframe');
    frame.sandbox = 'allow-scripts';
    frame.src = '/hostile-frame.html';
    const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
    document.body.append(frame);
    await loaded;
    globalThis.heard = [];
    addEventListener('message', ({ data, source }) => {
      if (source === frame.contentWindow) heard.push(data.heard);
    });
    globalThis.say = (words) => frame.contentWindow.postMessage({ say: words }, '*');
    const port = router.createPort({}, fixed);
    frame.contentWindow.postMessage({ port }, '*', [port]);
  }, identity);
  await until('the frame is greeted', () => page.evaluate(() => heard.length > 0));
}

/** Says something as the frame, and answers what it hears next. */
async function say(...words) {
  const before = await page.evaluate(() => heard.length);
  await page.evaluate((all) => {
    for (const one of all) say(one);
  }, words);
  return until(`an answer to ${JSON.stringify(words)}`, () =>
    page.evaluate((count) => heard.slice(count).at(-1), before),
  );
}

async function join() {
  const { open } = await say(HELLO);
  assert.equal(typeof open, 'string');
  const [head] = await say(JOIN);
  return JSON.parse(`${head}]`);
}

/** The sessions of the realm, in a router that must still serve the page. */
async function sessions() {
  const ids = await page.evaluate(() => tab.sessions.me.session.call('wamp.session.list'));
  return ids.length;
}

const widget = { realm: 'realm1', authid: 'left', authrole: 'widget' };

test('a_sandboxed_frame_is_who_the_page_says', async () => {
  await giveFrame(widget);
  const [type, , details] = await join();
  assert.deepEqual([type, details.authid, details.authrole, details.authmethod], [2, 'left', 'widget', 'port']);
  assert.equal(await sessions(), 2);
});

const start = { start: 1, config: {}, components: {}, handle: 'mine', identity: { authrole: 'trusted' } };
const TRIES = {
  'start it again': start,
  'start it again for itself': { ...start, info: {}, identity: { ...widget, authrole: 'trusted', authmethod: 'port' } },
  'look into it': { inspect: 1 },
  'close the handle of the page': { leave: true },
  'join with another identity': { ...HELLO, identity: { authrole: 'trusted' } },
};

for (const [what, words] of Object.entries(TRIES)) {
  for (const when of ['before_it_joins', 'after_it_joined']) {
    test(`a_frame_that_tries_to_${what.replaceAll(' ', '_')}_${when}_gets_nothing_by_it`, async () => {
      await giveFrame(widget);
      if (when === 'after_it_joined') await join();
      const answer = await say(words);
      if (answer.open === undefined) {
        assert.deepEqual([answer.close, Object.keys(answer).sort()], [1002, ['close', 'reason', 'wasClean']]);
      } else {
        // Its identity is none that counts.
        const [head] = await say(JOIN);
        assert.equal(JSON.parse(`${head}]`)[2].authrole, 'widget');
      }
      const [{ sessions: known }] = (await page.evaluate(() => router.inspect())).realms;
      assert.ok(known.every(({ authrole }) => authrole !== 'trusted'));
      assert.ok((await sessions()) >= 1, 'the page has its session');
    });
  }
}

test('after_the_router_was_lost_a_frame_is_nobody_by_its_old_port_and_the_same_by_a_new_one', async () => {
  await page.evaluate(() => {
    globalThis.lost = new Promise((resolve) => router.addEventListener('lost', resolve));
  });
  await giveFrame(widget);
  await join();
  await browser.endRouter();
  await page.evaluate(() => lost);
  await until('the page joins again', () => page.evaluate(() => tab.sessions.me.ids.length === 2));

  const before = await page.evaluate(() => heard.length);
  for (const words of [start, HELLO, JOIN]) await page.evaluate((one) => say(one), words);
  // What goes through another port meanwhile has overtaken an answer by far.
  for (let round = 0; round < 20; round += 1) assert.equal(await sessions(), 1);
  const answers = await page.evaluate((count) => heard.slice(count), before);
  assert.deepEqual(
    answers.filter((answer) => answer !== 'the end of the port'),
    [],
  );

  await giveFrame(widget);
  const [type, , details] = await join();
  assert.deepEqual([type, details.authid, details.authrole], [2, 'left', 'widget']);
});

test('a_lock_of_the_app_is_none_that_a_frame_can_have_asked_for', async () => {
  await giveFrame(widget);
  await page.evaluate(() => {
    navigator.locks.request('of the app', () => new Promise(() => {}));
  });
  await say({ ...HELLO, lock: 'of the app' });
  const { pending } = await page.evaluate(() => navigator.locks.query());
  assert.ok(pending.every(({ name }) => name !== 'of the app'));
});
