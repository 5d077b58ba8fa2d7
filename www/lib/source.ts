// Where a client gets its port to a router from.
//
// Takes a router, a shared router, a promise of one, a port, or a function that answers any of these.

import { type Endpoint, isEndpoint } from './endpoint.ts';
import type { TransportInfo } from './wire.ts';

/** Both kinds of router have it. */
export interface PortMaker {
  createPort(info?: TransportInfo): MessagePort;
}

export type RouterSource =
  | PortMaker
  | Endpoint
  | PromiseLike<PortMaker | Endpoint>
  | (() => PortMaker | Endpoint | PromiseLike<PortMaker | Endpoint>);

export interface TakenPort {
  port: Endpoint;
  /** Made for the taker alone, who closes it. A port that was handed over stays open for the next transport. */
  owned: boolean;
}

export async function takePort(source: RouterSource): Promise<TakenPort> {
  const isFunction = typeof source === 'function';
  const found = await (isFunction ? source() : source);
  if (typeof (found as PortMaker | undefined)?.createPort === 'function') {
    return { port: (found as PortMaker).createPort(), owned: true };
  }
  if (isEndpoint(found)) return { port: found, owned: isFunction };
  throw new TypeError(
    'expected a router, a shared router, a MessagePort, or a function or promise that gives one of them, ' +
      `found ${found === null ? 'null' : typeof found}`,
  );
}
