// The script of the SharedWorker: one router for all tabs that connect.
//
// Owns the start: tabs are heard before the router is there, and every failure is answered with a sentence, because a
// SharedWorker's errors show on no page. A dedicated worker with such a name will do too; it gets its ports by
// postMessage. Anywhere else the script does nothing but to export what runs a router (see `load.ts`).

import { readComponents, startComponents } from './components.ts';
import { Deciders } from './deciders.ts';
import { place, sentence } from './environment.ts';
import { Host } from './host.ts';
import { Line } from './line.ts';
import { holdLock, ownLock } from './liveness.ts';
import { Store } from './store.ts';
import { startWasmRouter } from './wasm.ts';
import type { LogLevel, Start } from './wire.ts';

/** Milliseconds for the router of a page that is just being left to go; after that, another one is really there. */
const SPLIT_PATIENCE = 1000;

export { createRouter } from './router.ts';

/** wamp:<router>:v<wire version>, the name that pages give to the worker. */
const NAME = /^wamp:([^:]+):v\d+$/;

const routerName = place() === 'worker' ? NAME.exec(globalThis.self?.name)?.[1] : undefined;

/** What the router serves: the same for all tabs. */
type Settings = Pick<Start, 'config' | 'components' | 'deciders'>;

let host: Host;
/** To the pages that watch, and those that are still to say what they want. */
const lines = new Set<Line>();
let settings: Settings;
let running: Promise<void> | undefined;

if (routerName !== undefined) {
  host = new Host({ log, onBroken: () => close() });
  // At once and not after loading anything: a tab that connects meanwhile would not be heard.
  for (const type of ['connect', 'message']) {
    addEventListener(type, (event) => {
      const handlers = { onStart, onEnd: (line: Line) => lines.delete(line) };
      for (const port of (event as MessageEvent).ports) lines.add(new Line(host, port, handlers));
    });
  }
  forwardConsole();
}

function onStart(line: Line, start: Start): void {
  const { config, components, deciders, port, info, identity, handle, lock } = start;
  const attached = port && host.attach(port, { info, identity, handle, lock });
  if (attached !== undefined) line.end();
  const wanted = { config, components, deciders };
  if (running === undefined) {
    settings = wanted;
    running = run().catch((error) => {
      // The next tab's settings may be better.
      running = undefined;
      throw error;
    });
  }
  const differs = attached === undefined && JSON.stringify(wanted) !== JSON.stringify(settings);
  running.then(
    () => {
      if (attached === undefined) line.post({ started: host.epoch, lock: host.lock });
      if (differs) log('warn', 'a tab asked for another configuration: the one of the first tab stays');
    },
    (error) => (attached ?? line).post({ fatal: sentence(error) }),
  );
}

async function run(): Promise<void> {
  const { config, components, deciders: registry } = settings;
  const deciders = await Deciders.load(registry, log);
  const [router, lock] = await Promise.all([startWasmRouter(config, deciders.names), ownLock()]);
  const found = readComponents(config, components, (text) => log('warn', text));
  const store = await Store.open(router, routerName as string, log);
  host.run(router, deciders, store, lock);
  // They end with the worker.
  startComponents(host, found);
  holdLock(`wamp:${routerName}:router`, SPLIT_PATIENCE, (held) => {
    if (held) return;
    const split =
      `there is another router named "${routerName}" in this browser, and its tabs are not reached from here: load the ` +
      'worker from one address in all pages (options.workerUrl), and reload tabs of an older release';
    tell({ split });
  });
}

function tell(news: unknown): void {
  for (const line of lines) line.post(news);
}

function log(level: LogLevel, text: string): void {
  console[level](text);
}

/** A SharedWorker's console shows in no page: its lines go to the tabs too. */
function forwardConsole(): void {
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    const show = console[level].bind(console);
    console[level] = (...values: unknown[]) => {
      show(...values);
      tell({ log: level, text: values.map((value) => String(value)).join(' ') });
    };
  }
}
