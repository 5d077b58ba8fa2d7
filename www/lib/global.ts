// The library as a classic script: everything as `wamplet`, and interception without a line of code.
//
//   <script src="wamplet.global.js" data-websocket="ws://127.0.0.1:8080/ws"></script>
//
// above the script of the WAMP client. `data-router` names the router, `data-worker` says where worker.js is, `data-mode`
// where the router is to run.

import { installWebSocket } from './intercept.ts';
import { lazyRouter, type SharedRouterOptions } from './shared.ts';

export * from './index.ts';

if (typeof document !== 'undefined') {
  const line = document.currentScript as HTMLElement | null;
  if (line === null && document.querySelector('script[type="module"][data-websocket]') !== null) {
    console.warn(
      'wamplet: the script with data-websocket has no effect, since a module cannot see its attributes: leave out type="module"',
    );
  }
  const { websocket, router: name, worker: workerUrl, mode } = line?.dataset ?? {};
  if (websocket !== undefined) {
    const router = lazyRouter({ name, workerUrl, mode: mode as SharedRouterOptions['mode'] });
    installWebSocket({ match: websocket.split(/\s+/).filter(Boolean), router });
  }
}
