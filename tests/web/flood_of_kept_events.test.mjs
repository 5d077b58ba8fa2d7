// More kept events than IndexedDB takes meanwhile: the store, in a real browser, with a router that only counts.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import { root } from '../../scripts/steps.mjs';
import { openBrowser } from '../fixtures/browser.mjs';

/** What waits at most; `www/lib/store.ts` says why. */
const MOST = 100_000;

let browser;

before(async () => {
  const entryPoints = [join(root, 'www/lib/store.ts')];
  const { outputFiles } = await build({ entryPoints, bundle: true, format: 'esm', write: false });
  browser = await openBrowser({ '/store.js': { body: outputFiles[0].text } });
});
after(() => browser.close());

test('what_a_flood_pushes_out_is_counted_and_said_once', async () => {
  const profile = await browser.profile();
  const page = await profile.tab();
  const { said, kept } = await page.evaluate(async (most) => {
    const { Store } = await import('/store.js');
    const said = [];
    const kept = [];
    const router = {
      persistentRealms: () => ['realm1'],
      restore: (_realm, [sequence]) => sequence !== undefined && kept.push(sequence),
      takeRecords: () => [],
    };
    const open = () => Store.open(router, 'flood', (level, text) => said.push(`${level} ${text}`));
    const store = await open();
    // One is being written; three of the others are too many.
    store.write(['realm1', 1, 'head', undefined]);
    const records = [];
    for (let sequence = 2; sequence < most + 5; sequence += 1) records.push('realm1', sequence, 'head', undefined);
    store.write(records);
    await store.close();
    const again = await open();
    await again.close();
    return { said, kept };
  }, MOST);
  assert.deepEqual(said, ['warn store.type: IndexedDB is too slow: 3 records were lost']);
  assert.deepEqual([kept.length, kept[0], kept[1], kept.at(-1)], [MOST + 1, 1, 5, MOST + 4]);
  await profile.context.close();
});
