// Tabs of an origin without https, as in a local network: no secure context, hence no Web Locks.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { browser, eventOf, inEachMode, profile } from '../fixtures/browser.mjs';

/** Longer than a router waits for another one of its name to go. */
const SPLIT_PATIENCE = 1000;

const pages = { '/pkg/client-auth.js': { file: 'pkg/client-auth.js' } };
const test = inEachMode(pages, { args: ['--host-resolver-rules=MAP plain.test 127.0.0.1'] });

async function openTab() {
  const page = await profile.context.newPage();
  await page.goto(`http://plain.test:${browser.site.port}/tab.html`);
  await page.waitForFunction(() => document.title === 'ready');
  return page;
}

test('tabs_without_locks_share_a_router_and_are_told_of_no_second_one', async () => {
  const [one, two] = [await openTab(), await openTab()];
  const join = (page) =>
    page.evaluate(async () => {
      globalThis.splits = [];
      const router = await tab.wamplet.sharedRouter();
      router.addEventListener('split', ({ detail }) => splits.push(detail.reason));
      return [isSecureContext, router.mode, await tab.join('me', { router })];
    });
  assert.deepEqual((await join(one)).slice(0, 2), [false, 'shared-worker']);
  const [, , id] = await join(two);
  await one.evaluate(() => tab.follow('me', 'wamp.session.on_leave'));
  await pause(1.5 * SPLIT_PATIENCE);
  assert.deepEqual(await one.evaluate(() => splits), []);
  assert.deepEqual(await two.evaluate(() => splits), []);
  await two.close();
  assert.equal((await eventOf(one, 'me', 'wamp.session.on_leave'))[0], id);
}, ['shared-worker']);

test('a_login_that_must_compute_is_told_what_is_missing', async () => {
  const page = await openTab();
  const messages = await page.evaluate(async () => {
    const { cryptosign, wampcra } = await import('/pkg/client-auth.js');
    const answers = [wampcra('secret')({ challenge: '{}' }), cryptosign('00'.repeat(32)).authextra()];
    return Promise.all(answers.map((answer) => answer.catch((error) => error.message)));
  });
  for (const message of messages) assert.match(message, /no crypto\.subtle here .* https/);
}, ['shared-worker']);
