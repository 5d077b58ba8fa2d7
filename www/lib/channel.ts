// Whole WAMP messages over what carries them: a port to a router of ours, or a WebSocket to any.
//
// Owns the choice between the two, and binary data in JSON ("\0" + base64), which this client reads on every way. The port
// is the business of `link.ts`; what the messages mean, of `connection.ts`. [wamp: serialization_binary_json]

import { parse, writeText } from './binary.ts';
import { sentence } from './environment.ts';
import { overPort } from './lean.ts';
import type { RouterSource } from './source.ts';
import { subprotocol } from './wire.ts';

/** Where the router is. */
export interface Way {
  router?: RouterSource;
  port?: RouterSource;
  url?: string | URL;
  WebSocket?: typeof WebSocket;
}

export interface ChannelHandlers {
  onOpen(): void;
  onMessage(message: unknown[]): void;
  /** Comes once, after everything else. */
  onClose(reason: string): void;
}

export interface Channel {
  /** Throws where the message is no JSON, before anything is sent. */
  send(message: unknown[]): void;
  close(): void;
}

let standing: Promise<{ createPort(): MessagePort }> | undefined;

/** The router that all tabs share: fetched when first asked for, and again when that failed. */
function defaultRouter() {
  standing ??= import('./index.js')
    .then(({ sharedRouter }) => sharedRouter())
    .catch((error) => {
      standing = undefined;
      throw error;
    });
  return standing;
}

export function openChannel(way: Way, handlers: ChannelHandlers): Channel {
  return way.url === undefined ? overPort(way.port ?? way.router ?? defaultRouter, handlers) : overSocket(way, handlers);
}

function overSocket({ url, WebSocket: Socket = globalThis.WebSocket }: Way, handlers: ChannelHandlers): Channel {
  if (Socket === undefined) throw new TypeError('there is no WebSocket here: give one as options.WebSocket');
  const socket = new Socket(url as string, subprotocol('json'));
  const close = () => socket.close();
  let problem = `the WebSocket to ${url} was closed`;
  socket.onopen = handlers.onOpen;
  socket.onmessage = ({ data }) => {
    try {
      handlers.onMessage(parse(data));
    } catch (error) {
      problem = sentence(error);
      close();
    }
  };
  socket.onclose = ({ code, reason }) => handlers.onClose(reason || `${problem} (${code})`);
  // Its close event follows, and that of `ws` would be thrown if nobody listened.
  socket.onerror = () => {};
  return { send: (message) => socket.send(writeText(message)), close };
}
