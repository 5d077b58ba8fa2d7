// What a handle to the shared router needs of whatever runs that router, and what all who run it share.
//
// One file for each: `shared-worker-host.ts`, `page-host.ts`. Who gets which is decided in `shared.ts`.

import type { PortIdentity } from './identity.ts';
import type { Inspection, TransportInfo } from './wire.ts';

export interface SharedHost {
  readonly mode: 'shared-worker' | 'page';
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
  /** Milliseconds for the worker to load and start its router. */
  timeout: number;
}

export function within<Value>(milliseconds: number, promise: Promise<Value>, late: string): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(late)), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
