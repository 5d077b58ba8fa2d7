// A transport for Autobahn|JS: message arrays in, message arrays out, no WebSocket and no serializer in between.
//
// Owns what Autobahn expects of a transport and its factory; nothing fires from within `create()`, because Autobahn sets
// its handlers afterwards. The port below is the business of `link.ts`.

import { sentence } from './environment.ts';
import { Link } from './link.ts';
import { defaultRouter } from './shared.ts';
import type { RouterSource } from './source.ts';
import { decodeMessage, encodeMessage } from './tail.ts';
import { Unanswered } from './unanswered.ts';
import type { CloseInfo, Tail } from './wire.ts';

export interface AutobahnTransport {
  readonly info: { readonly type: string; readonly url: string; readonly protocol: string };
  readonly protocol: string;
  onopen(): void;
  onmessage(message: unknown[]): void;
  onclose(info: CloseInfo): void;
  send(message: unknown[]): void;
  close(code?: number, reason?: string): void;
}

export interface AutobahnTransportFactory {
  readonly type: string;
  create(): AutobahnTransport;
}

export type AutobahnTransportClass = new (options?: { url?: string }) => AutobahnTransportFactory;

export function autobahnTransport(router: RouterSource = defaultRouter): AutobahnTransportClass {
  return class Factory implements AutobahnTransportFactory {
    readonly type = 'wamplet';
    readonly #url: string;

    constructor(options?: { url?: string }) {
      this.#url = options?.url ?? 'wamplet:';
    }

    create(): AutobahnTransport {
      return connect(router, this.#url);
    }
  };
}

function connect(router: RouterSource, url: string): AutobahnTransport {
  const protocol = 'wamp.2.json';
  const unanswered = new Unanswered();
  const transport: AutobahnTransport = {
    info: { type: 'wamplet', url, protocol },
    protocol,
    onopen: () => {},
    onmessage: () => {},
    onclose: () => {},
    send: (message) => {
      link.send(encodeMessage(message));
      unanswered.sent(message);
    },
    close: (code, reason) => link.close(code, reason),
  };
  const link = new Link(router, {
    serializer: 'json',
    transport: { type: 'messageport', url },
    onOpen: () => transport.onopen(),
    onMessage: (head, tail) => {
      const message = read(head as string, tail as Tail);
      if (message === undefined) return;
      unanswered.received(message);
      transport.onmessage(message);
    },
    onClose: (info) => {
      for (const error of unanswered.errors(info.reason)) transport.onmessage(error);
      transport.onclose(info);
    },
  });
  return transport;
}

/** A tail that another client garbled costs its one message, and nothing else. */
function read(head: string, tail: Tail): unknown[] | undefined {
  try {
    return decodeMessage(head, tail);
  } catch (error) {
    console.error(`wamplet: a message was dropped, its payload is no JSON (${sentence(error)}): ${head}`);
    return undefined;
  }
}
