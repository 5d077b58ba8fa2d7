// The small client: a session of WAMP with promises, over ports to our routers and over WebSockets to any.
//
// Owns what outlives one connection: subscriptions, registrations, and coming back. Requests and invocations are in
// `connection.ts`, the ways to a router in `channel.ts`, logins in `client-auth.ts`. Documentation of all of it is in
// `client.d.ts`, which is kept by hand; importing does nothing.

import {
  type Args,
  type CallOptions,
  type Connection,
  type Details,
  type Handler,
  type JoinOptions,
  join,
  type Owner,
  onAbort,
  payload,
  REGISTER,
  Result,
  SUBSCRIBE,
} from './connection.ts';
import { asyncDispose, sentence } from './environment.ts';
import { ClosedError, type Kwargs, LOST, WampError } from './errors.ts';
import { createQueue } from './queue.ts';

export { ClosedError, Result, WampError };

/** Milliseconds before another attempt: the first, which doubles, and the most. */
const FIRST_RETRY = 50;
const LONGEST_RETRY = 30_000;

export interface ConnectOptions extends JoinOptions {
  signal?: AbortSignal;
  reconnect?: boolean;
}

interface Full {
  full?: boolean;
}

interface HoldOptions {
  signal?: AbortSignal;
  match?: string;
}

/** What nobody here looks at: `client.d.ts` has the types for users. */
// biome-ignore lint/suspicious/noExplicitAny: see above
type Anything = any;

/** A Subscription or a Registration. */
interface Holding {
  uri: string;
  /** Gives it back. Doing it again does nothing. */
  stop(): Promise<void>;
  [asyncDispose](): Promise<void>;
}

/** What the router holds for a session: all handlers of one subscription, or of one registration. */
interface Entry {
  kind: number;
  /** Of `entries`. */
  key: string;
  uri: string;
  options: Details;
  /** Of `held`; each connection has another one. */
  id: string;
  handlers: Map<Holding, Handler>;
  /** Requests for it that are not answered yet. */
  asked: number;
}

export interface Session extends EventTarget {
  id: number;
  details: Anything;
  isOpen: boolean;
  call(procedure: string, args?: Args, kwargs?: Kwargs, options?: CallOptions & Full): Promise<Anything>;
  stream(
    procedure: string,
    args?: Args,
    kwargs?: Kwargs,
    options?: CallOptions & Full,
  ): { result: Promise<Anything>; [Symbol.asyncIterator](): AsyncGenerator<Anything, Anything, undefined> };
  publish(topic: string, args?: unknown[], kwargs?: Kwargs, options?: { acknowledge?: boolean }): Promise<Anything>;
  subscribe(topic: string, handler: Handler, options?: HoldOptions): Promise<Holding>;
  register(procedure: string, handler: Handler, options?: HoldOptions): Promise<Holding>;
  close(reason?: string, message?: string): Promise<void>;
  [asyncDispose](): Promise<void>;
}

export async function connect(options: ConnectOptions = {}): Promise<Session> {
  const life = new AbortController();
  /** kind, match and URI -> entry */
  const entries = new Map<string, Entry>();
  /** kind and the router's id -> entry */
  const held = new Map<string, Entry>();
  let connection: Connection;
  /** Why there is no connection, while there is none. */
  let gone: ClosedError | undefined;
  let timer: ReturnType<typeof setTimeout>;
  let closing: Promise<void> | undefined;

  const expectOpen = () => {
    if (gone) throw gone;
    return connection;
  };

  const tell = (type: string, detail?: unknown) => session.dispatchEvent(new CustomEvent(type, { detail }));

  const onEnd = (error: ClosedError) => {
    gone = error;
    session.isOpen = false;
    held.clear();
    const willReconnect =
      options.reconnect === true && [LOST, 'wamp.close.system_shutdown'].includes(error.uri) && !life.signal.aborted;
    tell('close', { error, willReconnect });
    if (willReconnect) comeBack(FIRST_RETRY);
    else entries.forEach(stopAll);
  };

  /** Signals that live longer must not hold what is over. */
  const stopAll = ({ handlers }: Entry) => {
    for (const { stop } of handlers.keys()) stop();
  };

  const owner: Owner = {
    onJoin(joined, id, details) {
      connection = joined;
      gone = undefined;
      Object.assign(session, { id, details, isOpen: true });
    },
    handlersOf: (kind, id) => [...(held.get(`${kind} ${id}`)?.handlers.values() ?? [])],
    onRevoked(kind, id) {
      const entry = held.get(`${kind} ${id}`);
      if (entry) revoke(entry);
    },
    onEnd,
  };

  /** With jitter: tabs that lost the same router do not all come at once. */
  const comeBack = (delay: number) => {
    timer = setTimeout(rejoin, delay * (0.5 + Math.random()), delay);
  };

  const rejoin = async (delay: number) => {
    try {
      await join(options, owner, life.signal);
      await Promise.all([...entries.values()].map(restore));
      if (session.isOpen) tell('open');
    } catch (error) {
      if (life.signal.aborted) return;
      if (error instanceof ClosedError) comeBack(Math.min(2 * delay, LONGEST_RETRY));
      // The router does not want us, or we could not say who we are: asking again would not help.
      else onEnd(new ClosedError((error as WampError).uri ?? 'wamp.error.cannot_authenticate', [sentence(error)]));
    }
  };

  const restore = (entry: Entry) =>
    new Promise<void>((held, fail) => ask(entry, entry.options, held, fail)).catch((error) => {
      if (!(error instanceof ClosedError)) revoke(entry, error);
    });

  const ask = (entry: Entry, options: Details, done: () => void, fail: (error: unknown) => void) => {
    const { kind } = entry;
    const settle = () => {
      entry.asked -= 1;
      release(entry).catch(() => {});
    };
    const pending = {
      answer([, , id]: unknown[]) {
        entry.id = `${kind} ${id}`;
        held.set(entry.id, entry);
        done();
        settle();
      },
      fail(error: unknown) {
        settle();
        fail(error);
      },
    };
    expectOpen().ask(kind, [options, entry.uri], pending);
    entry.asked += 1;
    entries.set(entry.key, entry);
  };

  /** Gives back what nobody needs any more. Not while it is asked for: the router counts once what was asked twice. */
  const release = async (entry: Entry) => {
    const { kind, key, id, handlers, asked } = entry;
    if (handlers.size > 0 || asked > 0) return;
    entries.delete(key);
    // With the session it is gone as well.
    if (held.get(id) !== entry) return;
    held.delete(id);
    await new Promise((answer, fail) => connection.ask(kind + 2, [+id.slice(3)], { answer, fail }));
  };

  const revoke = (entry: Entry, error?: unknown) => {
    // Gone before its holders let go of it: it is not to be given back.
    held.delete(entry.id);
    stopAll(entry);
    entries.delete(entry.key);
    tell('revoked', { uri: entry.uri, error });
  };

  const hold =
    (kind: number): Session['subscribe'] =>
    (uri, handler, { signal, ...options } = {}) =>
      new Promise((resolve, reject) => {
        expectOpen();
        if (typeof handler !== 'function') throw new TypeError('expected a function');
        const key = `${kind} ${options.match ?? 'exact'} ${uri}`;
        const entry = entries.get(key) ?? { kind, key, uri, options, id: '', handlers: new Map(), asked: 0 };
        const stop = async () => {
          forget();
          if (entry.handlers.delete(holding)) await release(entry);
        };
        const holding = { uri, stop, [asyncDispose]: stop };
        const forget = onAbort(signal, (reason) => {
          reject(reason);
          stop().catch(() => {});
        });
        const done = () => {
          if (signal?.aborted) return;
          entry.handlers.set(holding, handler);
          resolve(holding);
        };
        ask(entry, options, done, (error) => {
          forget();
          reject(error);
        });
      });

  const close: Session['close'] = (reason = 'wamp.close.normal', message) => {
    closing ??= (async () => {
      life.abort();
      clearTimeout(timer);
      if (session.isOpen) await connection.leave(reason, message);
    })();
    return closing;
  };

  // `onJoin` adds the rest, before anybody has it.
  const session = Object.assign(new EventTarget(), {
    async call(procedure, args, kwargs, { full, ...options } = {}) {
      const result = await expectOpen().call(procedure, args, kwargs, options).result;
      return full ? result : result.args[0];
    },
    stream(procedure, args, kwargs, { full, ...options } = {}) {
      const parts = createQueue<unknown>();
      const pick = (part: Result) => (full ? part : part.args[0]);
      const asking = { ...options, receive_progress: true };
      const call = expectOpen().call(procedure, args, kwargs, asking, (part) => parts.push(pick(part)));
      const result = call.result.then(pick);
      // Whoever iterates is told there.
      result.then(() => parts.end(), parts.end);
      return {
        result,
        async *[Symbol.asyncIterator]() {
          try {
            yield* parts;
            return await result;
          } finally {
            call.cancel(new WampError('wamp.error.canceled'));
          }
        },
      };
    },
    publish(topic, args, kwargs, options = {}) {
      return new Promise((resolve, fail) => {
        const pending = { answer: ([, , publication]: unknown[]) => resolve(publication), fail };
        expectOpen().ask(16, [options, topic], options.acknowledge ? pending : undefined, payload(args, kwargs));
        if (!options.acknowledge) resolve(undefined);
      });
    },
    subscribe: hold(SUBSCRIBE),
    register: hold(REGISTER),
    close,
    [asyncDispose]: close,
  } satisfies Omit<Session, keyof EventTarget | 'id' | 'details' | 'isOpen'>) as Session;

  await join(options, owner, options.signal);
  return session;
}
