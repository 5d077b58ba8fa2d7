// npm run bench: a call from tab to tab in Chromium, through wamplet in each mode and through two ways that route nothing.
//
// All ways are measured in turns in one run, so their ratios can be trusted where single figures cannot. A third tab came
// first: where a tab leads, it is none of the two. In the page, both ends are in one tab. Loopback only; about three
// minutes.

import { WebSocketServer } from 'ws';
import { launchChromium } from '../../scripts/chromium.mjs';
import { serve } from '../../scripts/serve.mjs';
import { root } from '../../scripts/steps.mjs';

const SIZES = [
  ['32 B', 32],
  ['1 KB', 1024],
  ['64 KB', 65536],
];
const KINDS = ['shared-worker', 'leader', 'page', 'unrouted', 'websocket'];
const ROUNDS = 3;

const forwarder = forward();
const site = await serve(root);
const browser = await launchChromium();
try {
  const context = await browser.newContext();
  const address = `ws://127.0.0.1:${forwarder.address().port}`;
  const first = await openTab(context);
  for (const mode of ['shared-worker', 'leader']) await first.evaluate((given) => window.peers.start(given), mode);
  const caller = await openTab(context);
  const other = await openTab(context);
  const figures = new Map();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const kind of KINDS) {
      progress(`round ${round + 1} of ${ROUNDS}: ${kind}`);
      const callee = kind === 'page' ? caller : other;
      await callee.evaluate(([kind, address]) => window.peers.beCallee(kind, address), [kind, address]);
      await caller.evaluate(([kind, address]) => window.peers.beCaller(kind, address), [kind, address]);
      for (const [name, size] of SIZES) {
        for (const inFlight of [1, 32]) {
          const calls = count(kind, size, inFlight);
          // The first one warms up.
          for (const some of [Math.ceil(calls / 4), calls]) {
            const us = await caller.evaluate(
              ([size, inFlight, some]) => window.peers.measure(size, inFlight, some),
              [size, inFlight, some],
            );
            const key = `${name} ${inFlight} ${kind}`;
            if (some === calls) figures.set(key, [...(figures.get(key) ?? []), us]);
          }
        }
      }
    }
  }
  progress('');
  print(figures);
} finally {
  await browser.close();
  await site.close();
  forwarder.close();
}

/** As many calls as take about half a second, so that the engine has compiled what is hot before the end. */
function count(kind, size, inFlight) {
  if (size > 10_000) return 320;
  if (kind === 'websocket') return inFlight === 1 ? 1000 : 3200;
  return inFlight === 1 ? 3000 : 25_600;
}

async function openTab(context) {
  const tab = await context.newPage();
  tab.on('pageerror', (error) => console.error(error.message));
  await tab.goto(`${site.url}benches/browser/page.html`);
  await tab.waitForFunction(() => window.peers !== undefined);
  return tab;
}

/** Passes frames on between the two ends that connected last. */
function forward() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  const ends = {};
  server.on('connection', (socket, request) => {
    const role = request.url.slice(1);
    ends[role] = socket;
    const other = role === 'caller' ? 'callee' : 'caller';
    socket.on('message', (frame) => ends[other]?.send(frame, { binary: false }));
  });
  return server;
}

function print(figures) {
  const median = (key) => figures.get(key).sort((a, b) => a - b)[ROUNDS >> 1];
  const row = (cells) => console.log(`| ${cells.join(' | ')} |`);
  row(['a call, microseconds', ...KINDS, 'shared-worker / unrouted', 'leader / shared-worker', 'leader / websocket']);
  row(['---', ...KINDS.map(() => '---:'), '---:', '---:', '---:']);
  for (const inFlight of [1, 32]) {
    for (const [name] of SIZES) {
      const us = Object.fromEntries(KINDS.map((kind) => [kind, median(`${name} ${inFlight} ${kind}`)]));
      const ratios = [us['shared-worker'] / us.unrouted, us.leader / us['shared-worker'], us.leader / us.websocket].map(
        (ratio) => ratio.toFixed(2),
      );
      row([`${name}, ${inFlight} in flight`, ...Object.values(us).map((value) => Math.round(value)), ...ratios]);
    }
  }
}

/** One line that is written over. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text) console.error(text);
}
