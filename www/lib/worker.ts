// The script of the worker that runs a router for the tabs of an origin: a SharedWorker, or that of the leading tab.
//
// Owns what its name means, how lines reach it (a dedicated worker gets them by postMessage), and where its console
// shows. Anywhere else the script does nothing but to export what runs a router (see `load.ts`).

import { place } from './environment.ts';
import { Station } from './station.ts';
import { preload } from './wasm.ts';

export { createRouter } from './router.ts';
export { Station } from './station.ts';

/** As `versioned` says, and what a leading tab adds for its worker. */
const NAME = /^wamp:([^:]+):v\d+(:leader)?$/;

const [, routerName, leading] = (place() === 'worker' && NAME.exec(globalThis.self?.name)) || [];

if (routerName !== undefined) {
  const station = new Station(routerName, {
    log: (level, text) => console[level](text),
    onBroken: () => close(),
  });
  preload();
  // At once and not after loading anything: a tab that connects meanwhile would not be heard.
  for (const type of ['connect', 'message']) {
    addEventListener(type, (event) => {
      for (const port of (event as MessageEvent).ports) station.accept(port);
    });
  }
  forwardConsole(station);
  // An error goes to the page, which then runs the router itself.
  if (leading !== undefined) station.lead().then(postMessage).catch(reportError);
}

/**
 * A SharedWorker's console shows in no page: its lines go to the tabs too, and what nobody catches. That of a tab's own
 * worker goes there alone. Tabs say whose lines they are: those of the module that begin with its name leave it out.
 */
function forwardConsole(station: Station): void {
  if (leading === undefined) {
    for (const type of ['error', 'unhandledrejection']) {
      addEventListener(type, (event) => {
        const { message, reason } = event as ErrorEvent & PromiseRejectionEvent;
        station.tell({ log: 'error', text: `${message ?? reason}` });
      });
    }
  }
  for (const method of ['debug', 'log', 'info', 'warn', 'error'] as const) {
    const level = method === 'log' ? 'info' : method;
    const show = console[method].bind(console);
    console[method] = (...values: unknown[]) => {
      if (leading === undefined) show(...values);
      station.tell({
        log: level,
        text: values
          .map(text)
          .join(' ')
          .replace(/^wamplet: /, ''),
      });
    };
  }
}

/** A value as text: of an object what JSON has of it, as far as it has. */
function text(value: unknown): string {
  try {
    if (typeof value === 'object' && !(value instanceof Error)) return JSON.stringify(value);
  } catch {
    // A circle.
  }
  return String(value);
}
