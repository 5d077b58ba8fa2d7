// wamplet's face. Documentation of all of it is in `index.d.ts`, which is kept by hand; importing does nothing.
//
//   autobahn.ts, websocket.ts, intercept.ts   three ways for clients to reach a router, over link.ts
//   shared.ts                                 one router for all tabs, in a SharedWorker or in one of them
//   worker.ts                                 the other script: that worker's, and whatever runs a router
//                                             (router.ts, host.ts, port.ts, wasm.ts), which load.ts fetches if needed

export { autobahnTransport } from './autobahn.ts';
export { installWebSocket } from './intercept.ts';
export { createRouter } from './load.ts';
export { defaultRouter, sharedRouter } from './shared.ts';
export { transfer } from './tail.ts';
export { WampletWebSocket, webSocketClass } from './websocket.ts';
