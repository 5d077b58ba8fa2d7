// The demo as its visitors use it: several tabs of a real browser against what webpack built into www/demo/dist.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { serve } from '../../scripts/serve.mjs';
import {
  browser,
  context,
  detailsOf,
  dist,
  isJoined,
  joined,
  message,
  names,
  open,
  ownId,
  press,
  server,
  session,
  testIn,
  testShared,
  visitDemo,
} from '../fixtures/demo.mjs';
import { until } from '../fixtures/wait.mjs';

visitDemo();

test('a_visitor_joins_with_a_name_and_a_realm_that_the_tab_remembers', async () => {
  const page = await open();
  await page.locator('#router-state', { hasText: 'The router is up, in a shared worker.' }).waitFor();
  assert.notEqual(await page.getByLabel('Your name').inputValue(), '');
  assert.equal(await page.getByLabel('Realm').inputValue(), 'demo');

  await page.getByLabel('Your name').fill('Ada');
  await page.getByLabel('Realm').fill('com.example.realm');
  await page.getByRole('button', { name: 'Join' }).click();
  await isJoined(page);
  assert.equal(await page.locator('#hub-realm').textContent(), 'com.example.realm');
  assert.equal(await page.locator('#hub-mode').textContent(), 'shared worker');
  assert.match(await ownId(page), /^\d+$/);
  assert.deepEqual(await names(page), ['Ada']);

  await page.reload();
  await isJoined(page);
  await session(page, 'Ada').waitFor();
  assert.equal(await page.locator('#hub-realm').textContent(), 'com.example.realm');
});

test('a_name_or_realm_that_cannot_be_is_explained_at_its_field', async () => {
  const page = await open();
  await page.getByLabel('Your name').fill(' ');
  await page.getByLabel('Realm').fill('two words');
  await page.getByRole('button', { name: 'Join' }).click();
  assert.match(await page.locator('#name-error').textContent(), /need a name/);
  assert.match(await page.locator('#realm-error').textContent(), /no spaces/);
  assert.ok(await page.locator('#start').isVisible());
});

testShared('tabs_see_each_other_come_and_go', async () => {
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  await session(ada, 'Grace').waitFor();
  await ada.locator('#arrivals', { hasText: 'Grace joined' }).waitFor();
  await session(grace, 'Ada').waitFor();
  assert.equal(await session(ada, 'Ada').locator('.badge').textContent(), 'you');
  assert.equal(await session(ada, 'Grace').locator('.sub').textContent(), await ownId(grace));

  await grace.close();
  await session(ada, 'Grace').waitFor({ state: 'detached' });
  await ada.locator('#arrivals', { hasText: 'Grace left' }).waitFor();
  assert.deepEqual(await names(ada), ['Ada']);
});

test('the_tab_that_started_the_router_may_close', async () => {
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  const alan = await joined('Alan');
  const before = await ownId(grace);
  await ada.close();
  await session(grace, 'Ada').waitFor({ state: 'detached' });
  await session(grace, 'Alan').waitFor();
  await press(grace, 'Alan', 'Say hello to Alan');
  await session(grace, 'Alan').locator('.answer', { hasText: 'Hello Grace, Alan here.' }).waitFor();
  assert.equal(await ownId(grace), before);
  assert.equal(await alan.locator('#self-state').textContent(), 'joined');
});

testShared('tabs_in_different_realms_do_not_see_each_other', async () => {
  const ada = await joined('Ada', 'demo');
  const grace = await joined('Grace', 'other');
  const alan = await joined('Alan', 'demo');
  await session(ada, 'Alan').waitFor();
  await session(alan, 'Ada').waitFor();
  assert.deepEqual(await names(grace), ['Grace']);
  assert.equal(await session(ada, 'Grace').count(), 0);
});

testShared('one_tab_calls_another_and_both_show_it', async () => {
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  await press(ada, 'Grace', 'Say hello to Grace');
  await session(ada, 'Grace')
    .locator('.answer', { hasText: /^“Hello Ada, Grace here\.” \d+\.\d ms there and back$/ })
    .waitFor();
  await grace.locator('.toast', { hasText: 'Ada says hello' }).waitFor();
});

testShared('whoever_the_router_picks_answers_the_shared_procedure', async () => {
  const ada = await joined('Ada');
  await joined('Grace');
  await ada.getByRole('button', { name: 'Hello, anyone?' }).click();
  await ada.locator('#hello-answer', { hasText: /“Hello Ada, (Ada|Grace) here\.”/ }).waitFor();
});

testShared('what_one_tab_publishes_shows_in_all', async () => {
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  const text = '<b>not bold</b> & 5 > 4';
  await ada.getByLabel('Message to publish').fill(text);
  await ada.getByRole('button', { name: 'Publish' }).click();
  for (const page of [ada, grace]) {
    const post = page.locator('.post', { hasText: 'Ada' });
    await post.waitFor();
    assert.equal(await post.locator('.post-text').textContent(), text);
    assert.match(await post.locator('time').textContent(), /^\d\d:\d\d:\d\d$/);
  }
  assert.equal(await ada.getByLabel('Message to publish').inputValue(), '');
});

testShared('details_of_a_session_are_those_of_wamp_session_get', async () => {
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  const dialog = await detailsOf(ada, 'Grace');
  const details = await dialog
    .locator('.properties > div')
    .evaluateAll((rows) =>
      Object.fromEntries(rows.map((row) => [row.children[0].textContent, row.children[1].textContent])),
    );
  assert.equal(details.session, await ownId(grace));
  assert.equal(details.realm, 'demo');
  assert.equal(details.authrole, 'anonymous');
  assert.equal(details['authextra.name'], 'Grace');
  await dialog.getByRole('button', { name: 'Close the details' }).click();
  await dialog.waitFor({ state: 'hidden' });
});

testShared('a_killed_tab_shows_reason_and_message_and_rejoins', async () => {
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  const before = await ownId(grace);
  await press(ada, 'Grace', 'Kill… the session of Grace');
  const dialog = ada.getByRole('dialog');
  assert.equal(await dialog.getByLabel('Reason, a URI').inputValue(), 'wamp.close.killed');
  await dialog.getByLabel('Message').fill('Tea is ready.');
  await dialog.getByRole('button', { name: 'Kill the session' }).click();
  await dialog.waitFor({ state: 'hidden' });

  const notice = grace.locator('#notice');
  await notice.filter({ hasText: 'Your session was killed.' }).waitFor();
  assert.match(await notice.textContent(), /wamp\.close\.killed/);
  assert.match(await notice.textContent(), /Tea is ready\./);
  await message(grace, 'received', 'GOODBYE', 'wamp.close.killed').waitFor();
  await session(ada, 'Grace').waitFor({ state: 'detached' });

  await grace.getByRole('button', { name: 'Rejoin' }).click();
  await isJoined(grace);
  await session(ada, 'Grace').waitFor();
  assert.notEqual(await ownId(grace), before);
  assert.ok(await notice.isHidden());
});

testShared('a_reason_that_is_no_uri_is_refused_in_the_dialog', async () => {
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  await press(ada, 'Grace', 'Kill… the session of Grace');
  const dialog = ada.getByRole('dialog');
  await dialog.getByLabel('Reason, a URI').fill('no uri');
  await dialog.getByRole('button', { name: 'Kill the session' }).click();
  await dialog.locator('.error', { hasText: 'wamp.error.invalid_uri' }).waitFor();
  assert.equal(await grace.locator('#self-state').textContent(), 'joined');
});

testShared('a_tab_leaves_and_joins_again_under_another_name', async () => {
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  await grace.getByRole('button', { name: 'Leave' }).click();
  await grace.locator('#notice', { hasText: 'You left the realm demo.' }).waitFor();
  await session(ada, 'Grace').waitFor({ state: 'detached' });

  await grace.getByRole('button', { name: 'Change name or realm' }).click();
  await grace.getByLabel('Your name').fill('Admiral Hopper');
  await grace.getByRole('button', { name: 'Join' }).click();
  await session(ada, 'Admiral Hopper').waitFor();
});

testShared('a_worker_joins_is_called_and_leaves', async () => {
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  await grace.getByRole('button', { name: 'Start a worker' }).click();
  const worker = 'Grace’s worker';
  await session(ada, worker).waitFor();
  await press(ada, worker, /^Say hello/);
  await session(ada, worker).locator('.answer', { hasText: '9592 primes' }).waitFor();

  await grace.getByRole('button', { name: 'Stop the worker' }).click();
  await session(ada, worker).waitFor({ state: 'detached' });
  await grace.getByRole('button', { name: 'Start a worker' }).click();
  await session(ada, worker).waitFor();
  // A worker lives and dies with its page.
  await grace.close();
  await session(ada, worker).waitFor({ state: 'detached' });
});

testShared('a_worker_that_is_killed_is_said_to_be_and_starts_again', async () => {
  const ada = await joined('Ada');
  await ada.getByRole('button', { name: 'Start a worker' }).click();
  await press(ada, 'Ada’s worker', /^Kill/);
  await ada.getByRole('dialog').getByRole('button', { name: 'Kill the session' }).click();
  await ada.locator('#worker-state', { hasText: 'wamp.close.killed' }).waitFor();
  await ada.getByRole('button', { name: 'Start a worker' }).click();
  await session(ada, 'Ada’s worker').waitFor();
});

testShared('the_log_shows_filters_pauses_and_clears_the_messages_of_its_tab', async () => {
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  await session(ada, 'Grace').waitFor();
  await message(ada, 'sent', 'HELLO', 'demo').waitFor();
  await message(ada, 'received', 'WELCOME', 'demo').waitFor();
  await message(ada, 'received', 'EVENT', 'wamp.session.on_join').first().waitFor();

  const get = message(ada, 'received', 'RESULT', 'wamp.session.get').first();
  await get.locator('summary').click();
  assert.match(await get.locator('.elements').textContent(), /CALL\.Request.*"authrole": "anonymous"/s);

  await ada.getByLabel('Show only messages that contain').fill('on_join');
  assert.ok(await message(ada, 'sent', 'HELLO', 'demo').isHidden());
  assert.ok(await message(ada, 'sent', 'SUBSCRIBE', 'wamp.session.on_join').isVisible());
  await ada.getByLabel('Show only messages that contain').fill('');

  await ada.getByRole('button', { name: 'Clear' }).click();
  assert.equal(await ada.locator('.message').count(), 0);
  await ada.getByRole('button', { name: 'Pause' }).click();
  await press(grace, 'Ada', 'Say hello to Ada');
  await ada.locator('#log-count', { hasText: 'paused, 2 not shown' }).waitFor();
  assert.equal(await ada.locator('.message').count(), 0);
  await ada.getByRole('button', { name: 'Resume' }).click();
  await press(grace, 'Ada', 'Say hello to Ada');
  await message(ada, 'sent', 'YIELD', 'com.example.hello').waitFor();
});

testShared('the_log_keeps_no_more_than_500_messages_and_the_feed_no_more_than_200', async () => {
  const ada = await joined('Ada');
  await ada.evaluate(async () => {
    const text = document.getElementById('text');
    const form = document.getElementById('compose');
    for (let number = 1; number <= 220; number += 1) {
      text.value = `post ${number}`;
      form.requestSubmit();
      await new Promise((resolve) => setTimeout(resolve));
    }
  });
  await ada.locator('.post', { hasText: /post 220$/ }).waitFor();
  await ada.locator('#log-count', { hasText: /^500$/ }).waitFor();
  assert.equal(await ada.locator('.message').count(), 500);
  assert.equal(await ada.locator('.post').count(), 200);
  assert.ok(await ada.locator('.post', { hasText: /post 220$/ }).isVisible());
  assert.ok(await ada.locator('#log-newest').isHidden(), 'the log follows its end');
});

testShared('open_another_tab_opens_one_that_joins_the_same_realm_under_a_free_name', async () => {
  const ada = await joined('Ada', 'elsewhere');
  const [second] = await Promise.all([
    context.waitForEvent('page'),
    ada.getByRole('link', { name: 'Open another tab' }).click(),
  ]);
  await isJoined(second);
  const name = await second.locator('#self-name').textContent();
  assert.notEqual(name, 'Ada');
  await session(ada, name).waitFor();
  assert.equal(await second.locator('#hub-realm').textContent(), 'elsewhere');
  assert.equal(new URL(second.url()).search, '', 'its address can be copied as that of the demo');
});

test('the_keyboard_alone_joins_calls_publishes_kills_and_reads_the_log', async () => {
  const grace = await joined('Grace');
  const page = await open();
  const focus = (target) => tabTo(page, target);

  await page.locator('#router-state[data-state="on"]').waitFor();
  await focus(page.getByLabel('Your name'));
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type('Ada');
  await page.keyboard.press('Enter');
  await isJoined(page);
  await session(page, 'Grace').waitFor();

  const hello = page.getByRole('button', { name: 'Say hello to Grace' });
  await focus(hello);
  assert.notEqual(await hello.evaluate((node) => getComputedStyle(node).outlineStyle), 'none', 'the focus is visible');
  await page.keyboard.press('Enter');
  await session(page, 'Grace').locator('.answer', { hasText: 'Hello Ada' }).waitFor();

  await focus(page.getByLabel('Message to publish'));
  await page.keyboard.type('typed');
  await page.keyboard.press('Enter');
  await grace.locator('.post', { hasText: 'typed' }).waitFor();

  // The log is one stop of the Tab key, however many rows it has.
  await focus(page.locator('.message > summary[tabindex="0"]'));
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.locator('.message[open]', { hasText: 'WELCOME' }).locator('.elements').waitFor();

  await focus(session(page, 'Grace').getByRole('button', { name: 'Details of Grace' }));
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Grace' }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: /^Kill/ }).waitFor();
  await page.keyboard.press('Enter');
  await grace.locator('#notice', { hasText: 'Your session was killed.' }).waitFor();
});

test('the_focus_is_somewhere_when_what_had_it_is_gone', async () => {
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  const hasFocus = (target) =>
    until(`${target} has the focus`, () => target.evaluate((n) => n === document.activeElement));
  await press(ada, 'Grace', 'Details of Grace');
  await ada.getByRole('dialog', { name: 'Grace' }).waitFor();
  await grace.close();
  await ada.locator('#details-error', { hasText: 'Grace has left' }).waitFor();
  await ada.keyboard.press('Escape');
  await hasFocus(ada.getByRole('button', { name: 'Details of Ada' }));

  await ada.getByRole('button', { name: 'Leave' }).click();
  await ada.locator('#notice', { hasText: 'You left' }).waitFor();
  await hasFocus(ada.locator('#notice'));
});

/** Presses Tab until `target` has the focus; fails when it is not reached within the stops that a page may have. */
async function tabTo(page, target) {
  const hasFocus = () => target.evaluate((node) => node === document.activeElement);
  for (let stops = 0; stops < 60; stops += 1) {
    if (await hasFocus()) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`${target} cannot be reached with the Tab key`);
}

test('lists_of_definitions_hold_terms_and_definitions_in_the_eyes_of_assistive_technology', async () => {
  const page = await joined('Ada');
  await detailsOf(page, 'Ada');
  const others = await page.evaluate(() =>
    [...document.querySelectorAll('dl, dl > *, dl > div > *')]
      .filter((node) => !['DL', 'DIV', 'DT', 'DD'].includes(node.tagName) || node.hasAttribute('role'))
      .map((node) => node.outerHTML),
  );
  assert.deepEqual(others, []);
  assert.equal(await page.locator('#self-state').getAttribute('role'), 'status');
});

test('a_router_that_cannot_start_is_explained_with_a_hint_and_can_be_tried_again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wamplet-demo-'));
  const [wasm] = readdirSync(dist).filter((file) => file.endsWith('.wasm'));
  cpSync(dist, folder, { recursive: true });
  rmSync(join(folder, wasm));
  const broken = await serve(folder);
  try {
    const page = await context.newPage();
    await page.goto(broken.url);
    const failure = page.getByRole('alert').filter({ has: page.getByRole('button', { name: 'Try again' }) });
    await failure.waitFor();
    assert.match(
      await page.locator('#failure-sentence').textContent(),
      /\.wasm could not be loaded \(HTTP status 404\)/,
    );
    assert.notEqual(await page.locator('#failure-hint').textContent(), '');

    cpSync(join(dist, wasm), join(folder, wasm));
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.locator('#router-state', { hasText: 'The router is up' }).waitFor();
    assert.ok(await failure.isHidden());
  } finally {
    await broken.close();
    rmSync(folder, { recursive: true });
  }
});

test('tabs_come_back_by_themselves_when_the_shared_worker_dies', async () => {
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  const before = await ownId(ada);
  const devtools = await browser.newBrowserCDPSession();
  const { targetInfos } = await devtools.send('Target.getTargets');
  const { targetId } = targetInfos.find(({ type, url }) => type === 'shared_worker' && url.startsWith(server.url));
  await devtools.send('Target.closeTarget', { targetId });

  await ada.waitForFunction(
    (id) => !['none', id].includes(document.getElementById('self-session').textContent),
    before,
  );
  await session(ada, 'Grace').waitFor();
  await session(grace, 'Ada').waitFor();
  await press(ada, 'Grace', 'Say hello to Grace');
  await session(ada, 'Grace').locator('.answer', { hasText: 'Hello Ada, Grace here.' }).waitFor();
});

testIn('leader', 'tabs_come_back_by_themselves_when_the_leading_tab_is_closed', async () => {
  const [first, ada, grace] = [await joined('Alan'), await joined('Ada'), await joined('Grace')];
  await session(ada, 'Grace').waitFor();
  const before = await ownId(ada);
  await first.close();
  await ada.waitForFunction(
    (id) => !['none', id].includes(document.getElementById('self-session').textContent),
    before,
  );
  await session(ada, 'Grace').waitFor();
  await session(grace, 'Ada').waitFor();
  assert.equal(await session(ada, 'Alan').count(), 0);
  await press(ada, 'Grace', 'Say hello to Grace');
  await session(ada, 'Grace').locator('.answer', { hasText: 'Hello Ada, Grace here.' }).waitFor();
});

test('without_shared_workers_a_tab_leads_and_says_so', async () => {
  await context.addInitScript('delete globalThis.SharedWorker');
  const ada = await joined('Ada');
  assert.equal(await ada.locator('#hub-mode').textContent(), 'leading tab');
});

testIn('page', 'the_router_runs_in_the_page_and_says_so', async () => {
  const ada = await joined('Ada');
  assert.equal(await ada.locator('#hub-mode').textContent(), 'this page');
  await ada.getByRole('button', { name: 'Start a worker' }).click();
  await press(ada, 'Ada’s worker', /^Say hello/);
  await session(ada, 'Ada’s worker').locator('.answer', { hasText: '9592 primes' }).waitFor();
});
