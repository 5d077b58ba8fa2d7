// The README's first code block is a whole page: here it is one.

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
  const [, page] = /```html\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'));
  const installed = ['index.js', 'worker.js', 'wamplet.wasm'].map((file) => [
    `/node_modules/wamplet/pkg/${file}`,
    { file: `pkg/${file}` },
  ]);
  site = await startSite({
    '/page.html': { body: page },
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
