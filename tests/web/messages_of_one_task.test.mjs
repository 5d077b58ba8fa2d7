// A hop between tabs costs the same for one message as for fifty: what a task sends must leave in one postMessage.

import assert from 'node:assert/strict';
import { browser, inEachMode, mode, profile } from '../fixtures/browser.mjs';

const CALLS = 320;
const IN_FLIGHT = 32;

const page = `<!doctype html><title>counting</title><script src="/autobahn.min.js"></script><script type="module">
  import { autobahnTransport, sharedRouter } from '/pkg/index.js';

  const mode = new URLSearchParams(location.search).get('mode');
  // What leaves the tab.
  const { prototype } = mode === 'leader' ? BroadcastChannel : MessagePort;
  const { postMessage } = prototype;
  prototype.postMessage = function (message, ...moved) {
    if (Array.isArray(message)) {
      window.posts += 1;
      window.messages += message.length / 2;
    }
    return postMessage.call(this, message, ...moved);
  };
  autobahn.transports.register('wamplet', autobahnTransport(sharedRouter({ mode })));
  const connection = new autobahn.Connection({ transports: [{ type: 'wamplet' }], realm: 'realm1' });
  connection.onopen = async (session) => {
    if (location.hash === '#callee') await session.register('com.example.echo', ([value]) => value);
    Object.assign(window, { session, posts: 0, messages: 0 });
  };
  connection.open();
</script>`;

const test = inEachMode({ '/counting.html': { body: page } });

async function open(role) {
  const tab = await profile.context.newPage();
  await tab.goto(`${browser.site.url}/counting.html?mode=${mode}#${role}`);
  await tab.waitForFunction(() => window.session !== undefined);
  return tab;
}

/** Has a tab make the calls, and looks at the answers. */
async function callAll(caller) {
  const answers = await caller.evaluate(
    ([calls, inFlight]) => {
      const results = [];
      let sent = 0;
      const lane = async () => {
        while (sent < calls) {
          sent += 1;
          results.push(await window.session.call('com.example.echo', [sent]));
        }
      };
      return Promise.all(Array.from({ length: inFlight }, lane)).then(() => results);
    },
    [CALLS, IN_FLIGHT],
  );
  assert.deepEqual(
    answers.toSorted((a, b) => a - b),
    Array.from({ length: CALLS }, (_, index) => index + 1),
  );
}

async function expectPosts(tab, count) {
  const { posts, messages } = await tab.evaluate(() => ({ posts: window.posts, messages: window.messages }));
  assert.equal(messages, count);
  assert.ok(posts <= count / 4, `${messages} messages left in ${posts} posts`);
}

test('calls_that_are_in_flight_together_travel_together', async () => {
  // Where a tab runs the router, it is none of the two.
  await open('first');
  const callee = await open('callee');
  const caller = await open('caller');
  await callAll(caller);
  for (const tab of [caller, callee]) await expectPosts(tab, CALLS);
});

const inOnePage = async () => {
  const tab = await open('callee');
  await callAll(tab);
  // The four messages of each call, since the router is here, too.
  await expectPosts(tab, 4 * CALLS);
};
test('calls_within_a_page_travel_together', inOnePage, ['page']);
