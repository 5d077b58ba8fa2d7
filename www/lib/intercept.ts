// Puts a router in the place of a server: chosen URLs of the global WebSocket end at wamplet, all others pass through.
//
// Owns the Proxy over the global and its undoing. The sockets themselves are in `websocket.ts`.

import { defaultRouter } from './shared.ts';
import type { RouterSource } from './source.ts';
import { normalizeUrl, type WebSocketClass, webSocketClass } from './websocket.ts';
import { expectKeys } from './wording.ts';

export type UrlMatch = string | RegExp | ((url: string) => boolean);

export interface InstallOptions {
  match: UrlMatch | readonly UrlMatch[];
  router?: RouterSource;
  target?: { WebSocket?: unknown };
}

export function installWebSocket(options: InstallOptions): () => void {
  // A text has a `match`, too: its method, which would be taken for the function that chooses.
  expectKeys('options', options, ['match', 'router', 'target']);
  const { match, router = defaultRouter, target = globalThis } = options;
  const isOurs = matcher(match);
  const before = Object.getOwnPropertyDescriptor(target, 'WebSocket');
  const original = target.WebSocket as WebSocketClass | undefined;
  const Socket = webSocketClass(router);
  let isInstalled = true;

  const replacement: WebSocketClass = new Proxy(original ?? Socket, {
    construct(below, args, newTarget): WebSocket {
      const [url, protocols] = args as [string | URL, (string | string[])?];
      if (isInstalled && matches(url)) return new Socket(url, protocols);
      // Node 20 has no WebSocket of its own.
      if (original === undefined) throw new Error(`there is no WebSocket here for ${url}, which is not wamplet's`);
      return Reflect.construct(below, args, newTarget === replacement ? below : newTarget);
    },
    get(below, key) {
      // `socket instanceof WebSocket` holds for sockets of both kinds.
      if (key === Symbol.hasInstance) return (value: unknown) => value instanceof below || value instanceof Socket;
      return Reflect.get(below, key);
    },
  });

  function matches(url: string | URL): boolean {
    let normal: string;
    try {
      normal = normalizeUrl(url);
    } catch {
      // The original says what is wrong with it.
      return false;
    }
    return isOurs(normal);
  }

  Object.defineProperty(target, 'WebSocket', {
    value: replacement,
    writable: true,
    configurable: true,
    enumerable: before?.enumerable ?? false,
  });

  return () => {
    isInstalled = false;
    // Somebody put another one over ours: it stays, and finds only the original below.
    if (target.WebSocket !== replacement) return;
    if (before === undefined) delete target.WebSocket;
    else Object.defineProperty(target, 'WebSocket', before);
  };
}

function matcher(match: UrlMatch | readonly UrlMatch[]): (url: string) => boolean {
  const tests = (Array.isArray(match) ? match : [match]).map((one: UrlMatch) => {
    if (typeof one === 'function') return one;
    if (one instanceof RegExp) return (url: string) => url.search(one) >= 0;
    if (typeof one === 'string') {
      const wanted = normalizeUrl(one);
      return (url: string) => url === wanted;
    }
    throw new TypeError('options.match: expected a URL, a regular expression, a function, or a list of these');
  });
  return (url) => tests.some((test) => test(url));
}
