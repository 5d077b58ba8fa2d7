// What a handle to the shared router needs of whatever runs that router, and what all who run it share.
//
// `line-host.ts` is the one for routers elsewhere, with a way to reach them: `shared-worker.ts`, `leader.ts`;
// `page-host.ts` is a router here. Who gets which is decided in `shared.ts`.

import type { Endpoint } from './endpoint.ts';
import { LONGEST_TIMEOUT } from './environment.ts';
import type { PortIdentity } from './identity.ts';
import type { Inspection, Start, TransportInfo } from './wire.ts';

export interface SharedHost {
  readonly mode: 'shared-worker' | 'leader' | 'page';
  readonly epoch: string;
  createPort(info?: TransportInfo, identity?: PortIdentity): MessagePort;
  inspect(): Promise<Inspection>;
  close(): Promise<void>;
}

/** Tells the program; answers whether nobody has prevented what is done by default. */
export type News = (type: 'lost' | 'split' | 'log', detail: unknown) => boolean;

/** What a worker is to run, as it can be sent there. */
export interface HostSettings {
  name: string;
  config: unknown;
  components: Record<string, string> | undefined;
  deciders: Record<string, string> | undefined;
  workerUrl: string | URL | undefined;
  /** Whether a SharedWorker is to outlive its last tab for a while, as a reload takes. */
  extendedLifetime: boolean;
  /** Milliseconds for the worker to load and start its router. */
  timeout: number;
}

/** The router went before it had answered, or is another one: the next try may do. The message is for the app's log. */
export class Superseded extends Error {}

/** How a page reaches a router that runs somewhere else. */
export interface Way {
  readonly mode: SharedHost['mode'];
  /** Opens a line, which wakes a new router if the old one has died. `fail` may come later than the line. */
  dial(fail: (error: Error) => void): Promise<Endpoint>;
  /** Opens a port for a client, which is all that the client gets to have. */
  admit(start: Start): MessagePort;
  /** What it means, and what to do, when nobody has answered. */
  late(): string;
  /** What to tell of a router that is gone. */
  readonly gone: string;
  /** `hasFailed` where the router never answered: it is of no use to anybody. */
  close(hasFailed?: boolean): void;
}

export function within<Value>(milliseconds: number, promise: Promise<Value>, late: string): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(late)), Math.min(milliseconds, LONGEST_TIMEOUT));
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
