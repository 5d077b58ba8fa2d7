// The small client: a session of WAMP with promises, over ports to our routers and over WebSockets to any.
//
// Owns what outlives one connection: subscriptions, registrations, and coming back. Requests and invocations are in
// `connection.ts`, the ways to a router in `channel.ts`, logins in `client-auth.ts`. Documentation of all of it is in
// `client.d.ts`, which is kept by hand; importing does nothing.

import { type CallOptions, Connection, type Details, type Handler, type JoinOptions, payload, Result } from './connection.ts';
import { asyncDispose, report, sentence } from './environment.ts';
import { ClosedError, type Kwargs, LOST, WampError } from './errors.ts';
import { Queue } from './queue.ts';

export { ClosedError, Result, WampError };

/** Milliseconds before another attempt: the first, which doubles, and the most. */
const FIRST_RETRY = 50;
const LONGEST_RETRY = 30_000;

/** The codes of the requests; the one that undoes each is two more, and its answer one more. */
const SUBSCRIBE = 32;
const REGISTER = 64;

type Kind = typeof SUBSCRIBE | typeof REGISTER;

export interface ConnectOptions extends JoinOptions {
  signal?: AbortSignal;
  reconnect?: boolean;
}

type Args = unknown[] | AsyncIterable<unknown>;

interface Full {
  full?: boolean;
}

interface HoldOptions extends Details {
  signal?: AbortSignal;
}

/** What the router holds for a session: all handlers of one subscription, or of one registration. */
interface Entry {
  kind: Kind;
  /** What tells it from all others. */
  key: string;
  uri: string;
  options: Details;
  /** The router's; each connection has another one. */
  id: unknown;
  handlers: Set<Holding>;
  /** Requests for it that are not answered yet. */
  asked: number;
}

/** A Subscription or a Registration. */
class Holding {
  readonly uri: string;
  readonly handler: Handler;
  /** Gives it back. Doing it again does nothing. */
  readonly stop: () => Promise<void>;

  constructor(uri: string, handler: Handler, stop: () => Promise<void>) {
    this.uri = uri;
    this.handler = handler;
    this.stop = stop;
  }

  [asyncDispose](): Promise<void> {
    return this.stop();
  }
}

export class Session extends EventTarget {
  readonly #options: ConnectOptions;
  #connection!: Connection;
  /** Why there is no connection, while there is none. */
  #gone: ClosedError | undefined = new ClosedError(LOST, 'it has not begun');
  readonly #life = new AbortController();
  #closing: Promise<void> | undefined;
  /** key -> entry */
  readonly #entries = new Map<string, Entry>();
  /** kind and the router's id -> entry */
  readonly #byId = { [SUBSCRIBE]: new Map<unknown, Entry>(), [REGISTER]: new Map<unknown, Entry>() };

  constructor(options: ConnectOptions) {
    super();
    this.#options = options;
  }

  /** Not part of the public face: `connect` is how to get one. */
  static async open(options: ConnectOptions): Promise<Session> {
    const session = new Session(options);
    await session.#join(options.signal);
    return session;
  }

  get id(): number {
    return this.#connection.id;
  }

  get details(): Details {
    return this.#connection.details;
  }

  get isOpen(): boolean {
    return this.#gone === undefined;
  }

  async call(
    procedure: string,
    args?: Args,
    kwargs?: Kwargs,
    { full, ...options }: CallOptions & Full = {},
  ): Promise<unknown> {
    const result = await this.#expectOpen().call(procedure, args, kwargs, options).result;
    return full ? result : result.args[0];
  }

  stream(procedure: string, args?: Args, kwargs?: Kwargs, { full, ...options }: CallOptions & Full = {}) {
    const parts = new Queue<unknown>();
    const pick = (part: Result) => (full ? part : part.args[0]);
    const asking = { ...options, receive_progress: true };
    const call = this.#expectOpen().call(procedure, args, kwargs, asking, (part) => parts.push(pick(part)));
    const result = call.result.then(pick);
    // Whoever iterates is told there.
    result.then(
      () => parts.end(),
      (error) => parts.end(error),
    );
    return {
      result,
      async *[Symbol.asyncIterator]() {
        try {
          yield* parts;
          return await result;
        } finally {
          call.cancel(new WampError('wamp.error.canceled', ['nobody wants more results']));
        }
      },
    };
  }

  async publish(topic: string, args?: unknown[], kwargs?: Kwargs, options: Details = {}): Promise<unknown> {
    const connection = this.#expectOpen();
    const message = [16, options, topic, ...payload(args, kwargs)];
    if (options.acknowledge !== true) {
      connection.ask(message);
      return undefined;
    }
    return new Promise((resolve, fail) => {
      connection.ask(message, { answer: ([, , publication]) => resolve(publication), fail });
    });
  }

  subscribe(topic: string, handler: Handler, options?: HoldOptions): Promise<Holding> {
    return this.#hold(SUBSCRIBE, topic, handler, options);
  }

  register(procedure: string, handler: Handler, options?: HoldOptions): Promise<Holding> {
    return this.#hold(REGISTER, procedure, handler, options);
  }

  close(reason = 'wamp.close.normal', message?: string): Promise<void> {
    this.#closing ??= this.#close(reason, message);
    return this.#closing;
  }

  [asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(reason: string, message: string | undefined): Promise<void> {
    this.#life.abort();
    if (this.isOpen) await this.#connection.leave(reason, { message });
  }

  #expectOpen(): Connection {
    if (this.#gone !== undefined) throw this.#gone;
    return this.#connection;
  }

  async #join(signal: AbortSignal | undefined): Promise<void> {
    const owner = {
      onJoin: (connection: Connection) => {
        this.#connection = connection;
        this.#gone = undefined;
      },
      handlerOf: (registration: unknown) => {
        const [holding] = this.#byId[REGISTER].get(registration)?.handlers ?? [];
        return holding?.handler;
      },
      onEvent: (subscription: unknown, details: Details, args: unknown[], kwargs: Kwargs) => {
        const entry = this.#byId[SUBSCRIBE].get(subscription);
        for (const { handler } of [...(entry?.handlers ?? [])]) {
          try {
            handler(args, kwargs, { topic: entry?.uri, ...details });
          } catch (error) {
            report(error);
          }
        }
      },
      onRevoked: (kind: number, id: unknown) => {
        const entry = this.#byId[kind as Kind].get(id);
        if (entry !== undefined) this.#revoked(entry, undefined);
      },
      onEnd: (error: ClosedError) => this.#onEnd(error),
    };
    await Connection.join(this.#options, owner, signal);
  }

  #onEnd(error: ClosedError): void {
    this.#gone = error;
    for (const entry of this.#entries.values()) this.#byId[entry.kind].delete(entry.id);
    const isTransient = error.uri === LOST || error.uri === 'wamp.close.system_shutdown';
    const willReconnect = this.#options.reconnect === true && isTransient && !this.#life.signal.aborted;
    this.#tell('close', { error, willReconnect });
    if (willReconnect) this.#comeBack();
  }

  async #comeBack(): Promise<void> {
    const { signal } = this.#life;
    for (let delay = FIRST_RETRY; !this.isOpen; delay = Math.min(2 * delay, LONGEST_RETRY)) {
      // Tabs that lost the same router do not all come at once.
      await pause(delay * (0.5 + Math.random()), signal);
      try {
        await this.#join(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ClosedError) continue;
        // The router does not want us, or we could not say who we are: asking again would not help.
        this.#gone = new ClosedError((error as WampError).uri ?? LOST, sentence(error));
        this.#tell('close', { error: this.#gone, willReconnect: false });
        return;
      }
    }
    await Promise.all([...this.#entries.values()].map((entry) => this.#restore(entry)));
    if (this.isOpen) this.#tell('open', {});
  }

  #restore(entry: Entry): Promise<void> {
    return new Promise((resolve) => {
      this.#ask(entry, entry.options, resolve, (error) => {
        if (!(error instanceof ClosedError)) this.#revoked(entry, error);
        resolve();
      });
    });
  }

  #hold(kind: Kind, uri: string, handler: Handler, { signal, ...options }: HoldOptions = {}): Promise<Holding> {
    return new Promise((resolve, reject) => {
      if (typeof handler !== 'function') throw new TypeError('expected a function as the handler');
      if (signal?.aborted) throw signal.reason;
      this.#expectOpen();
      const key = `${kind} ${options.match ?? 'exact'} ${uri}`;
      const fresh = { kind, key, uri, options, id: undefined, handlers: new Set<Holding>(), asked: 0 };
      const entry = this.#entries.get(key) ?? fresh;
      const stop = async () => {
        signal?.removeEventListener('abort', onAbort);
        if (entry.handlers.delete(holding)) await this.#release(entry);
      };
      const onAbort = () => {
        reject(signal?.reason);
        stop().catch(() => {});
      };
      const holding = new Holding(uri, handler, stop);
      const held = () => {
        if (signal?.aborted) return;
        entry.handlers.add(holding);
        resolve(holding);
      };
      this.#ask(entry, options, held, reject);
      signal?.addEventListener('abort', onAbort);
    });
  }

  #ask(entry: Entry, options: Details, held: () => void, fail: (error: unknown) => void): void {
    const { kind, key, uri } = entry;
    const settle = () => {
      entry.asked -= 1;
      this.#release(entry).catch(() => {});
    };
    const pending = {
      answer: ([, , id]: unknown[]) => {
        entry.id = id;
        this.#byId[kind].set(id, entry);
        held();
        settle();
      },
      fail: (error: unknown) => {
        settle();
        fail(error);
      },
    };
    this.#connection.ask([kind, options, uri], pending);
    entry.asked += 1;
    this.#entries.set(key, entry);
  }

  /** Gives back what nobody needs any more. Not while it is asked for: the router counts once what was asked twice. */
  async #release(entry: Entry): Promise<void> {
    const { kind, key, id, handlers, asked } = entry;
    if (handlers.size > 0 || asked > 0) return;
    this.#entries.delete(key);
    if (!this.#byId[kind].delete(id)) return;
    await new Promise((answer, fail) => {
      this.#connection.ask([kind + 2, id], { answer, fail });
    }).catch((error) => {
      // With the session it is gone as well.
      if (!(error instanceof ClosedError)) throw error;
    });
  }

  #revoked(entry: Entry, error: unknown): void {
    const { kind, key, id, uri, handlers } = entry;
    handlers.clear();
    this.#entries.delete(key);
    this.#byId[kind].delete(id);
    this.#tell('revoked', { uri, error });
  }

  #tell(type: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

export function connect(options: ConnectOptions = {}): Promise<Session> {
  return Session.open(options);
}

/** Ends early when the signal is aborted. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
