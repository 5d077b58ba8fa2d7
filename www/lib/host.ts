// Drives a router: ports on one side, wasm on the other, and the only timer.
//
// Owns the wasm router, the table of ports and the order of work: a batch goes in, the router's actions come out, each
// port gets its part in one message; then those are asked whom the router asks. Decides nothing about WAMP. The ports are
// in `port.ts`; who starts a host is in `router.ts` (for whoever asks here) and `station.ts` (for other pages).

import type { Deciders } from './deciders.ts';
import type { Endpoint } from './endpoint.ts';
import { LONGEST_TIMEOUT, randomName, sentence, unref } from './environment.ts';
import type { Identity } from './identity.ts';
import { HostPort, type PortOptions } from './port.ts';
import type { Store } from './store.ts';
import { messageText } from './tail.ts';
import type { WasmRouter } from './wasm.ts';
import type { CloseInfo, Inspection, LogLevel, Serializer, StructuredTail, Tail, TransportInfo } from './wire.ts';

export interface HostOptions {
  log(level: LogLevel, text: string): void;
  /** The router broke down (a bug of ours) and nothing works any more. */
  onBroken?(): void;
}

/** What the router's `open` gets to know of a transport. */
export interface OpenedTransport extends TransportInfo {
  type: string;
  protocol: string;
  peer: string;
  serializer: Serializer;
}

export class Host {
  readonly epoch = randomName();
  readonly log: HostOptions['log'];
  /** The Web Lock of this page or worker. */
  lock: string | undefined;
  /** Bytes that a message may have. */
  messageLength = 0;
  readonly #options: HostOptions;
  readonly #ports = new Set<HostPort>();
  readonly #open = new Map<number, HostPort>();
  #router: WasmRouter | undefined;
  /** None where the router has nobody to ask: it would be asked for nothing after every message. */
  #deciders: Deciders | undefined;
  /** As with the deciders. */
  #store: Store | undefined;
  #opened = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #deadline = Number.POSITIVE_INFINITY;

  constructor(options: HostOptions) {
    this.#options = options;
    this.log = options.log;
  }

  get isRunning(): boolean {
    return this.#router !== undefined;
  }

  /** Ports may be attached before; what they said waits for this. */
  run(router: WasmRouter, deciders: Deciders, store: Store | undefined, lock: string | undefined): void {
    this.#router = router;
    this.#deciders = deciders.names.length > 0 ? deciders : undefined;
    this.#store = store;
    this.lock = lock;
    this.messageLength = router.messageLength;
    for (const port of [...this.#ports]) port.resume();
  }

  attach(endpoint: Endpoint, options: PortOptions): HostPort {
    this.#opened += 1;
    const port = new HostPort(this, endpoint, this.#opened, options);
    this.#ports.add(port);
    return port;
  }

  inspect(): Inspection {
    return this.#expectRouter().inspect();
  }

  /** GOODBYE to all, then their ports are closed. Resolves when all that is to be kept is written. */
  async close(): Promise<void> {
    this.#drive((router) => router.shutdown());
    const farewell = { code: 1001, reason: 'the router was closed', wasClean: true };
    for (const port of [...this.#ports]) port.drop(farewell);
    clearTimeout(this.#timer);
    this.#router?.free();
    this.#router = undefined;
    await this.#store?.close();
  }

  /** As if the router had died, but for the ports, which are told why. */
  abandon(farewell: CloseInfo): void {
    this.#router?.free();
    this.#router = undefined;
    clearTimeout(this.#timer);
    this.#store?.close();
    for (const port of [...this.#ports]) port.drop(farewell);
  }

  // The ports call these.

  open(port: HostPort, transport: OpenedTransport, identity: Identity | undefined): number {
    const key = this.#expectRouter().open(transport, identity);
    this.#open.set(key, port);
    this.#setTimer();
    return key;
  }

  handle(key: number, heads: string[], tails: Tail[]): void {
    this.#drive((router) => router.handle(key, heads.join('\n'), tails));
  }

  handleFrames(key: number, frames: Uint8Array[]): void {
    this.#drive((router) => {
      for (const frame of frames) router.handleBytes(key, frame);
    });
  }

  closed(key: number): void {
    this.#open.delete(key);
    this.#drive((router) => router.closed(key));
  }

  encodeFrame(serializer: Serializer, head: string, tail: Tail): Uint8Array | undefined {
    try {
      return this.#router?.encodeFrame(serializer, messageText(head, tail));
    } catch (error) {
      this.log('error', `a message could not be written as ${serializer}: ${sentence(error)}`);
      return undefined;
    }
  }

  forget(port: HostPort): void {
    this.#ports.delete(port);
  }

  /** A page gave up the ports that it made. */
  dropHandle(handle: string): void {
    const farewell = { code: 1001, reason: 'the page closed its handle to the router', wasClean: true };
    for (const port of [...this.#ports]) if (port.handle === handle) port.drop(farewell);
  }

  #expectRouter(): WasmRouter {
    if (this.#router === undefined) throw new Error('the router was closed, or broke down');
    return this.#router;
  }

  /** Input in, actions out, until there are none. */
  #drive(input: (router: WasmRouter) => void): void {
    const router = this.#router;
    if (router === undefined) return;
    const touched = new Set<HostPort>();
    try {
      input(router);
      for (let actions = router.drain(); actions.length > 0; actions = router.drain()) this.#act(actions, touched);
      this.#store?.write(router.takeRecords());
      if (this.#deciders !== undefined) this.#ask(router.takeQuestions(), this.#deciders);
      this.#setTimer();
    } catch (error) {
      this.#break(error);
    }
    for (const port of touched) port.flush();
  }

  #act(actions: unknown[], touched: Set<HostPort>): void {
    for (let index = 0; index < actions.length; index += 3) {
      const key = actions[index] as number;
      const port = this.#open.get(key);
      if (port === undefined) continue;
      const head = actions[index + 1];
      const tail = actions[index + 2];
      if (typeof head === 'string') {
        port.send(head, tail as string | StructuredTail);
        touched.add(port);
      } else {
        const { code, reason } = tail as { code: number; reason: string };
        this.#open.delete(key);
        port.closedByRouter(code, reason);
      }
    }
  }

  #ask(questions: unknown[], deciders: Deciders): void {
    for (let index = 0; index < questions.length; index += 3) {
      const [ticket, name, tail] = questions.slice(index) as [number, string, string];
      deciders.ask(name, tail).then(({ ok, json }) => this.#drive((router) => router.answer(ticket, ok, json)));
    }
  }

  #setTimer(): void {
    const wait = this.#router?.nextTimeout();
    if (wait === undefined) {
      if (this.#timer !== undefined) clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#deadline = Number.POSITIVE_INFINITY;
      return;
    }
    const deadline = performance.now() + wait;
    // A timer that comes too early does nothing and sets the next one: cheaper than a new one for every message.
    if (this.#timer !== undefined && this.#deadline <= deadline) return;
    clearTimeout(this.#timer);
    this.#deadline = deadline;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#drive((router) => router.timeout());
      },
      Math.min(Math.max(0, Math.ceil(wait)), LONGEST_TIMEOUT),
    );
    unref(this.#timer);
  }

  /** A panic in wasm: its memory cannot be trusted, so nobody is served any more. */
  #break(error: unknown): void {
    this.#router = undefined;
    this.log('error', `the router broke down, which is a bug of wamplet's: ${sentence(error)}`);
    this.abandon({ code: 1011, reason: 'the router broke down', wasClean: false });
    this.#options.onBroken?.();
  }
}
