// Functions that decide, in a browser: modules in a worker, functions in a page.

import assert from 'node:assert/strict';
import { inEachMode, mode, profile } from '../fixtures/browser.mjs';

const authorizer = { type: 'function', create: 'open' };
const config = { realms: [{ name: 'realm1', roles: [{ name: 'anonymous', authorizer }] }] };

const test = inEachMode({ '/decider.js': { file: 'tests/fixtures/decider.mjs' } });

/** What becomes of a subscription to each topic. */
const subscribe = (page, ...topics) =>
  page.evaluate(
    (all) =>
      Promise.all(
        all.map((topic) =>
          Promise.resolve(tab.sessions.me.session.subscribe(topic, () => {})).then(
            () => 'subscribed',
            ({ error }) => error,
          ),
        ),
      ),
    topics,
  );

test('a_module_decides_for_the_router_in_a_worker_and_stays_when_its_tab_goes', async () => {
  const [first, second] = [await profile.tab(), await profile.tab()];
  for (const page of [first, second]) {
    await page.evaluate(async (given) => {
      const router = await tab.wamplet.sharedRouter({ config: given, deciders: { open: 'decider.js' } });
      await tab.join('me', { router });
    }, config);
    const outcome = await subscribe(page, 'com.example.open.topic', 'com.example.topic');
    assert.deepEqual(outcome, ['subscribed', 'wamp.error.not_authorized']);
  }
  await first.close();
  if (mode === 'leader') await second.waitForFunction(() => tab.sessions.me.ids.length === 2);
  const outcome = await subscribe(second, 'com.example.open.other', 'com.example.other');
  assert.deepEqual(outcome, ['subscribed', 'wamp.error.not_authorized']);
});

test('a_function_decides_for_a_router_in_the_page', async () => {
  const page = await profile.tab();
  await page.evaluate(async (given) => {
    const deciders = { open: (_session, uri) => uri === 'com.example.open' };
    const router = await tab.wamplet.sharedRouter({ config: given, deciders, mode: 'page' });
    await tab.join('me', { router });
  }, config);
  const outcome = await subscribe(page, 'com.example.open', 'com.example.topic');
  assert.deepEqual(outcome, ['subscribed', 'wamp.error.not_authorized']);
});

const FAILURES = {
  'a function for a worker': [() => ({ open: () => true }), /^options\.deciders\["open"\]: .*sent to a worker/],
  'a module that is missing': [() => ({ open: 'missing.js' }), /^options\.deciders\["open"\]: .*missing\.js/],
  'no function of that name': [() => ({}), /role 'anonymous' in the realm 'realm1'.*"open"/s],
};

for (const [what, [deciders, sentence]] of Object.entries(FAILURES)) {
  test(`${what.replaceAll(' ', '_')}_rejects_with_a_sentence`, async () => {
    const page = await profile.tab();
    const message = await page.evaluate(
      ([given, source]) =>
        tab.wamplet.sharedRouter({ config: given, deciders: new Function(`return (${source})()`)() }).then(
          () => 'it started',
          (error) => error.message,
        ),
      [config, String(deciders)],
    );
    assert.match(message, sentence);
  });
}
