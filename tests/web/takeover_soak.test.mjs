// Six tabs under traffic, and whoever runs their router is killed again and again, at random moments, in every way that a
// browser has: nothing hangs, every call ends once, nobody who is gone is listed, and all tabs come back.
//
// WAMPLET_SOAK is the number of kills in each mode, 10 by default. The times until a tab is served again are printed; how
// many milliseconds they are is asserted nowhere.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from '../fixtures/browser.mjs';
import { until, within } from '../fixtures/wait.mjs';

const KILLS = Number(process.env.WAMPLET_SOAK ?? 10);
const TABS = 6;

/** Milliseconds of traffic before the next kill, at most. */
const LONGEST_PEACE = 400;

let browser;

before(async () => {
  browser = await openBrowser({
    '/soak.html': { file: 'tests/fixtures/soak.html' },
    '/soak.js': { file: 'tests/fixtures/soak.js' },
    '/other.html': { body: '<title>other</title>', cache: 'max-age=60' },
  });
});
after(() => browser.close());

async function openTab(context, number, page) {
  const opened = page ?? (await context.newPage());
  const tab = { page: opened, number, errors: [] };
  opened.on('pageerror', (error) => tab.errors.push(error.message));
  await opened.goto(`${browser.site.url}/soak.html?tab=${number}`);
  return tab;
}

const pick = (list) => list[Math.floor(Math.random() * list.length)];

async function crash({ page }) {
  const crashed = new Promise((resolve) => page.once('crash', resolve));
  page.goto('chrome://crash').catch(() => {});
  await within('the tab crashes', crashed);
  await page.close();
}

/** What happens to the tab whose worker runs the router; each answers the page to go on with, if it is still there. */
const LEADER_ENDS = {
  'its tab was closed': ({ page }) => page.close(),
  'its tab crashed': crash,
  'its tab went to another page': async ({ page }) => {
    await page.goto(`${browser.site.url}/other.html`);
    return page;
  },
  'its tab was reloaded': async ({ page }) => void (await page.reload()),
  'its worker ended': ({ page }) => page.workers()[0].evaluate(() => close()),
};

/** Most tabs may go without the SharedWorker noticing; what that means is in `router_comes_and_goes.test.mjs`. */
const SHARED_WORKER_ENDS = { 'its worker was closed': () => closeSharedWorker() };

async function closeSharedWorker() {
  const cdp = await browser.browser.newBrowserCDPSession();
  const { targetInfos } = await cdp.send('Target.getTargets', { filter: [{ type: 'shared_worker' }] });
  await cdp.send('Target.closeTarget', { targetId: targetInfos[0].targetId });
  await cdp.detach();
}

for (const [mode, ends] of Object.entries({ leader: LEADER_ENDS, 'shared-worker': SHARED_WORKER_ENDS })) {
  test(`six_tabs_under_traffic_come_back_each_time_that_their_router_is_killed_by_${mode.replace('-', '_')}`, async (t) => {
    const profile = await browser.profile(mode);
    const tabs = [];
    for (let number = 0; number < TABS; number += 1) tabs.push(await openTab(profile.context, number));
    await allBack(tabs);
    const times = new Map();
    for (let kill = 0; kill < KILLS; kill += 1) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_PEACE));
      const victim = tabs.find(({ page }) => page.workers().length > 0) ?? pick(tabs);
      const how = pick(Object.keys(ends));
      const before = await epochOf(tabs.find((tab) => tab !== victim));
      await Promise.all(tabs.map(({ page }) => page.evaluate(() => Object.assign(soak, { lostAt: undefined }))));
      const killedAt = Date.now();
      const left = await ends[how](victim);
      const others = tabs.filter((tab) => tab !== victim);
      const served = await allBack(others, before);
      const taken = served.map(({ servedAt }) => servedAt - killedAt);
      const noticed = served.map(({ lostAt }) => lostAt - killedAt);
      times.set(how, [...(times.get(how) ?? []), { taken, noticed }]);
      if (left !== undefined || victim.page.isClosed())
        tabs[victim.number] = await openTab(profile.context, victim.number, left);
      await nobodyElseIsListed(tabs, await allBack(tabs));
      for (const { errors } of tabs) assert.deepEqual(errors, []);
    }
    await everyCallEnds(tabs);
    for (const line of report(times)) t.diagnostic(`${mode}: ${line}`);
    await profile.context.close();
  });
}

const epochOf = ({ page }) => page.evaluate(() => soak.router.epoch);

/** Waits until all tabs have been answered by another one, over one router, which is not the one `before`. */
async function allBack(tabs, before) {
  return until('all tabs are back', async () => {
    const told = await Promise.all(
      tabs.map(({ page }) =>
        page.evaluate(() => {
          // A page that is just loading has none yet.
          const { lostAt, servedAt, whole } = globalThis.soak ?? {};
          return whole && { ...whole(), lostAt, servedAt };
        }),
      ),
    );
    const [{ epoch } = {}] = told;
    return epoch !== undefined && epoch !== before && told.every((one) => one?.epoch === epoch) && told;
  });
}

/** The sessions of the realm are those of the tabs. */
async function nobodyElseIsListed([{ page }], told) {
  const expected = told.flatMap(({ ids }) => ids).sort();
  await until(`the sessions are ${expected}`, async () => {
    const list = await page.evaluate(() => soak.list().catch(() => []));
    return JSON.stringify(list.sort()) === JSON.stringify(expected);
  });
}

/** Every call that has begun ends. */
async function everyCallEnds(tabs) {
  for (const { page } of tabs) {
    const begun = await page.evaluate(() => soak.begun);
    await until('the calls end', () => page.evaluate((count) => soak.ended >= count, begun));
  }
}

function report(times) {
  const median = (values) => Math.round(values.toSorted((a, b) => a - b)[values.length >> 1]);
  const all = [...times.values()].flat();
  const line = (name, kills) => {
    const [taken, noticed] = ['taken', 'noticed'].map((key) => kills.flatMap((kill) => kill[key]));
    const [worst, middle, seen] = [Math.round(Math.max(...taken)), median(taken), median(noticed)];
    return `${name}, ${kills.length} times: noticed after ${seen} ms, served after ${middle} ms (median), ${worst} ms (worst)`;
  };
  return [...[...times].map(([how, kills]) => line(how, kills)), line('in all', all)];
}
