// Anything that messages can be posted to and heard from: MessagePort, BroadcastChannel, Worker, Node's ports.
//
// Owns the differences between them. What the messages are is in `wire.ts`.

import { unref } from './environment.ts';

/** Structural, as in Comlink: whatever has these members will do. */
export interface Endpoint {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  addEventListener?(type: string, listener: (event: Event) => void): void;
  removeEventListener?(type: string, listener: (event: Event) => void): void;
  /** Node's way to listen: the listener gets the data itself. */
  on?(type: string, listener: (data: unknown) => void): unknown;
  off?(type: string, listener: (data: unknown) => void): unknown;
  /** MessagePorts hold their messages back until started. */
  start?(): void;
  close?(): void;
}

export interface EndpointHandlers {
  onMessage(data: unknown): void;
  /** The other end is closed for good; few endpoints can tell. */
  onGone(): void;
}

/** Listens, and answers how to stop. */
export function listen(endpoint: Endpoint, { onMessage, onGone }: EndpointHandlers): () => void {
  // A message that could not be read: nothing that we accept looks like this.
  const onUnreadable = () => onMessage(undefined);
  if (!isEndpoint(endpoint) || typeof (endpoint.on ?? endpoint.addEventListener) !== 'function') {
    throw new TypeError('expected a MessagePort, a Worker or another endpoint with postMessage and addEventListener');
  }
  if (endpoint.on) {
    const on: [string, (data: unknown) => void][] = [
      ['message', onMessage],
      ['messageerror', onUnreadable],
      ['close', onGone],
      ['exit', onGone],
    ];
    for (const [type, listener] of on) endpoint.on(type, listener);
    return () => {
      for (const [type, listener] of on) endpoint.off?.(type, listener);
    };
  }
  const on: [string, (event: Event) => void][] = [
    ['message', (event) => onMessage((event as MessageEvent).data)],
    ['messageerror', onUnreadable],
    ['close', onGone],
  ];
  for (const [type, listener] of on) endpoint.addEventListener?.(type, listener);
  endpoint.start?.();
  return () => {
    for (const [type, listener] of on) endpoint.removeEventListener?.(type, listener);
  };
}

export function isEndpoint(value: unknown): value is Endpoint {
  return typeof (value as Endpoint | null | undefined)?.postMessage === 'function';
}

export function isMessagePort(value: unknown): value is MessagePort {
  return typeof MessagePort !== 'undefined' && value instanceof MessagePort;
}

/** Ports and channels are ours to close; a Worker belongs to its maker. */
export function closePort(endpoint: Endpoint): void {
  if (isMessagePort(endpoint)) endpoint.close();
  else if (isChannel(endpoint)) {
    // No end of a channel knows of the other.
    endpoint.postMessage({ gone: true });
    endpoint.close();
  }
}

export function isChannel(value: unknown): value is BroadcastChannel {
  return typeof BroadcastChannel !== 'undefined' && value instanceof BroadcastChannel;
}

/** Listening must not keep a Node process alive. */
export function unrefPort(endpoint: Endpoint): void {
  if (isMessagePort(endpoint)) unref(endpoint);
}
