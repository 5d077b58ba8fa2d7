// Browsers without SharedWorker, and without what it takes for tabs to find each other: the router runs in the page, and
// says so. Where it takes that, see `leading_tab.test.mjs`.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from '../fixtures/browser.mjs';

let browser;
let page;

before(async () => {
  browser = await openBrowser();
  const profile = await browser.profile();
  await profile.context.addInitScript(() => {
    delete globalThis.SharedWorker;
    delete Navigator.prototype.locks;
  });
  page = await profile.tab();
});
after(() => browser.close());

test('the_router_runs_in_the_page_and_mode_says_so', async () => {
  const [mode, count] = await page.evaluate(async () => {
    globalThis.router = await tab.wamplet.sharedRouter();
    await tab.join('me', { router });
    return [router.mode, await tab.sessions.me.session.call('wamp.session.count')];
  });
  assert.deepEqual([mode, count], ['page', 1]);
});

test('inspect_and_close_work_as_with_a_SharedWorker', async () => {
  const [transports, closed] = await page.evaluate(async () => {
    const router = await tab.wamplet.sharedRouter();
    await tab.join('other', { router });
    const { transports } = await router.inspect();
    await router.close();
    while (tab.sessions.other.closed.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    return [transports, tab.sessions.other.closed[0].why];
  });
  assert.deepEqual([transports, closed], [1, 'wamp.close.system_shutdown']);
});

for (const [mode, sentence] of Object.entries({
  'shared-worker': /no SharedWorker here/,
  leader: /Web Locks.*https/,
})) {
  test(`asking_for_the_mode_${mode}_rejects_with_a_sentence`, async () => {
    const message = await page.evaluate(
      (given) => tab.wamplet.sharedRouter({ mode: given }).catch((error) => error.message),
      mode,
    );
    assert.match(message, sentence);
  });
}
