// Whole WAMP messages over what carries them: a port to a router of ours, or a WebSocket to any.
//
// Owns the choice between the two, and the order in which they tell what happens. What the messages mean is the business
// of `connection.ts`; ports are in `lean.ts`, their form as JSON in `binary.ts`.

import { parse, writeText } from './binary.ts';
import { report } from './environment.ts';
import { overPort } from './lean.ts';
import type { RouterSource } from './source.ts';

/** Promise continuations that run before each message: what an app awaits goes on before the next one comes. */
const TURNS = 8;

/** Where the router is. */
export interface Way {
  router?: RouterSource;
  port?: RouterSource;
  url?: string | URL;
  WebSocket?: new (url: string | URL, protocols?: string | string[]) => WebSocket;
}

export interface ChannelHandlers {
  onOpen(): void;
  onMessage(message: unknown[]): void;
  /** Comes once, after everything else. None of them comes from within a call of the app's. */
  onClose(reason: string): void;
}

/** Does one thing after the other. What throws costs itself only: a message that its sender garbled, for one. */
export type Tell = (work: () => unknown) => void;

export interface Channel {
  /** Throws where the message is no JSON, before anything is sent. */
  send(head: unknown[], payload: unknown[]): void;
  close(): void;
}

/** The router of those who name none. */
const lazyRouter = async () => (await import('./index.js')).defaultRouter();

export function openChannel({ router = lazyRouter, port = router, url, WebSocket }: Way, handlers: ChannelHandlers) {
  const works: (() => unknown)[] = [];
  const tell = async (work: () => unknown) => {
    if (works.push(work) > 1) return;
    while (works.length > 0) {
      for (let turn = 0; turn < TURNS; turn += 1) await undefined;
      try {
        await works[0]?.();
      } catch (error) {
        report(error);
      }
      works.shift();
    }
  };
  return url === undefined ? overPort(port, handlers, tell) : overSocket(url, WebSocket, handlers, tell);
}

function overSocket(
  url: string | URL,
  Socket: Way['WebSocket'] = globalThis.WebSocket,
  { onOpen, onMessage, onClose }: ChannelHandlers,
  tell: Tell,
): Channel {
  if (!Socket) throw new TypeError('expected options.WebSocket');
  const socket = new Socket(url, 'wamp.2.json');
  socket.onopen = () => tell(onOpen);
  socket.onmessage = ({ data }) => tell(() => onMessage(parse(data)));
  socket.onclose = ({ code, reason }) => tell(() => onClose(reason || `the WebSocket to ${url} was closed (${code})`));
  // Its close event follows; that of `ws` would be thrown if nobody listened.
  socket.onerror = () => {};
  return {
    send: (head, payload) => socket.send(writeText([...head, ...payload])),
    close: () => socket.close(),
  };
}
