// The README's code blocks of HTML that are whole pages: here they are.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launchChromium } from '../../scripts/chromium.mjs';
import { root } from '../../scripts/steps.mjs';
import { startSite } from '../fixtures/site.mjs';

let site;
let browser;

before(async () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const pages = [...readme.matchAll(/```html\n(<!doctype html>[\s\S]*?)```/g)].map(([, page]) => page);
  assert.equal(pages.length, 2);
  const installed = ['index.js', 'client.js', 'worker.js', 'wamplet.wasm'].map((file) => [
    `/node_modules/wamplet/pkg/${file}`,
    { file: `pkg/${file}` },
  ]);
  site = await startSite({
    '/page.html': { body: pages[0] },
    '/client.html': { body: pages[1] },
    '/node_modules/autobahn-browser/autobahn.min.js': { file: 'node_modules/autobahn-browser/autobahn.min.js' },
    ...Object.fromEntries(installed),
  });
  browser = await launchChromium();
});
after(async () => {
  await browser.close();
  await site.close();
});

test('the_first_code_block_works_pasted_into_a_page', async () => {
  const context = await browser.newContext();
  const errors = [];
  const open = async () => {
    const tab = await context.newPage();
    tab.on('pageerror', (error) => errors.push(error.message));
    await tab.goto(`${site.url}/page.html`);
    return tab;
  };
  const first = await open();
  const second = await open();
  await first.getByText('came').waitFor();
  await second.getByRole('button').click();
  await first.getByText('hello from').waitFor();
  await second.close();
  await first.getByText('left').waitFor();
  assert.deepEqual(errors, []);
});

test('the_page_of_the_small_client_works_in_two_tabs', async () => {
  const context = await browser.newContext();
  const errors = [];
  const open = async () => {
    const tab = await context.newPage();
    tab.on('pageerror', (error) => errors.push(error.message));
    await tab.goto(`${site.url}/client.html`);
    await tab.locator('button:enabled').waitFor();
    return tab;
  };
  const first = await open();
  const second = await open();
  await first.getByRole('button').click();
  await first.getByText('at 1000').waitFor();
  await first.getByText('168 primes').waitFor();
  await second.getByText('another tab found 168 primes').waitFor();
  assert.deepEqual(errors, []);
});
