// One session of the small client, from HELLO to GOODBYE: requests with their answers, invocations with theirs.
//
// Owns the ids of one session and all that waits in it, which fails when the session ends, however it ends. What outlives
// it (subscriptions, registrations, coming back) is in `client.ts`; what carries the messages, in `channel.ts`. A closure
// and no class: names in it are as short as a minifier likes. [wamp: basic/sessions, advanced/rpc_*]

import { type Channel, openChannel, type Way } from './channel.ts';
import type { AuthMethod } from './client-auth.ts';
import { report, sentence } from './environment.ts';
import { ClosedError, type Kwargs, LOST, WampError } from './errors.ts';
import { HERE } from './lean.ts';
import { createQueue, type Queue } from './queue.ts';

export interface JoinOptions extends Way {
  realm?: string;
  authid?: string;
  authextra?: object;
  auth?: Record<string, AuthMethod>;
}

/** A request that waits. Its end is told once, from within the task that brought it. */
export interface Pending {
  answer(message: unknown[]): void;
  fail(error: unknown): void;
  progress?(message: unknown[]): void;
}

export type Details = Record<string, unknown>;

// biome-ignore lint/suspicious/noExplicitAny: `client.d.ts` has the types for users
export type Handler = (args: any, kwargs: any, details: any) => unknown;

/** What one end of a connection asks the other one, and tells it. */
export interface Owner {
  /** At WELCOME, before anything that may come with it. */
  onJoin(connection: Connection, id: number, details: Details): void;
  handlersOf(kind: number, id: unknown): Handler[];
  /** The router took a subscription or registration away; `kind` is the code of the request that gave it. */
  onRevoked(kind: number, id: unknown): void;
  /** Once, after all that waited has failed, if we had joined. */
  onEnd(error: ClosedError): void;
}

export interface CallOptions {
  signal?: AbortSignal;
  cancelMode?: 'skip' | 'kill' | 'killnowait';
}

export type Args = unknown[] | AsyncIterable<unknown>;

/** The codes of the requests for what is held; the one that gives it back is two more. */
export const SUBSCRIBE = 32;
export const REGISTER = 64;

/** More than one value: what a handler answers, or a call is answered with. */
export class Result {
  declare readonly args: unknown[];
  declare readonly kwargs: Kwargs;
  declare readonly details: Details;

  constructor(args: unknown[] = [], kwargs: Kwargs = {}, details: Details = {}) {
    Object.assign(this, { args, kwargs, details });
  }
}

interface Invocation {
  /** The pieces of a progressive call, for its handler. */
  input: Queue<unknown[]>;
  stop(error: unknown): void;
}

export interface Connection {
  /** Sends a request, or goes on with one, and answers its id. */
  ask(type: number, rest: unknown[], pending?: Pending, payload?: unknown[], request?: number): number;
  call(
    procedure: string,
    args: Args | undefined,
    kwargs: Kwargs | undefined,
    options: CallOptions,
    onProgress?: (part: Result) => void,
  ): { result: Promise<Result>; cancel(reason: unknown): void };
  /** Says GOODBYE; what waits fails. Resolves when the channel is closed. */
  leave(reason: string, message: string | undefined): Promise<void>;
}

/** Resolves with WELCOME. Rejects with a WampError for ABORT, with a ClosedError where no router was reached. */
export async function join(options: JoinOptions, owner: Owner, signal: AbortSignal | undefined): Promise<void> {
  const { auth = {}, realm, authid } = options;
  const authextra = { ...options.authextra };
  for (const method of Object.values(auth)) Object.assign(authextra, await method.authextra?.());
  const methods = Object.keys(auth);

  /** request -> what waits for its answer; 0 is the HELLO */
  const pending = new Map<unknown, Pending>();
  /** request of an INVOCATION -> what runs for it */
  const running = new Map<unknown, Invocation>();
  let requests = 0;
  /** The latest INVOCATION's; they count up. */
  let invoked = 0;
  let hasJoined = false;
  /** Why the session has ended. */
  let ended: unknown;
  let onClosed = () => {};

  const send = (head: unknown[], payload: unknown[] = []) => {
    if (ended !== undefined) throw ended;
    channel.send(head, payload);
  };

  /** The one place where a session ends. */
  const end = (error: unknown) => {
    if (ended !== undefined) return;
    ended = error;
    // Gone before handlers and the app are told: what they abort then is not to be canceled any more.
    for (const request of pending.keys()) take(request)?.fail(error);
    for (const { stop } of running.values()) stop(error);
    if (hasJoined) owner.onEnd(error as ClosedError);
  };

  const abandon = (error: unknown) => {
    end(error);
    channel.close();
  };

  const ask: Connection['ask'] = (type, rest, waiting, payload, request = requests + 1) => {
    // Of requests with options. As with a payload that is none, a router would end the session.
    if (rest.length > 1 && typeof rest[1] !== 'string') throw new TypeError('expected a URI');
    send([type, request, ...rest], payload);
    // Not before: what could not be sent must not leave a gap.
    requests = Math.max(requests, request);
    if (waiting) pending.set(request, waiting);
    return request;
  };

  const call: Connection['call'] = (
    procedure,
    args,
    kwargs,
    { signal, cancelMode = 'killnowait', ...options },
    onProgress,
  ) => {
    let request: number | undefined;
    let isDone = false;
    let forget = () => {};
    let fail: (error: unknown) => void;
    const settle = () => {
      isDone = true;
      forget();
    };
    const cancel = (reason: unknown) => {
      settle();
      fail(reason);
      if (pending.delete(request)) send([49, request, { mode: cancelMode }]);
    };
    const result = new Promise<Result>((resolve, reject) => {
      fail = reject;
      forget = onAbort(signal, cancel);
      const read = ([, , details, args, kwargs]: unknown[]) =>
        new Result(args as unknown[], kwargs as Kwargs, details as Details);
      const waiting = {
        answer: (message: unknown[]) => resolve(read(message)),
        fail,
        progress: (message: unknown[]) => onProgress?.(read(message)),
      };
      /** One piece: the first is the call, the others go on with it. */
      const put = (options: Details, args?: unknown[]) => {
        request = ask(48, [options, procedure], waiting, payload(args, kwargs), request);
      };
      const feed = async (pieces: AsyncIterable<unknown>) => {
        for await (const piece of pieces) {
          if (isDone) return;
          put({ ...options, progress: true }, [piece]);
        }
        if (!isDone) put(options);
      };
      if (isAsyncIterable(args)) feed(args).catch(cancel);
      else put(options, args);
    });
    result.then(settle, settle);
    return { result, cancel };
  };

  const leave: Connection['leave'] = (reason, message) =>
    new Promise((resolve) => {
      onClosed = resolve;
      send([6, { message }, reason]);
      abandon(new ClosedError(reason, [HERE]));
    });

  const answerChallenge = async (method: string, extra: Details) => {
    try {
      const answer = auth[method];
      if (!answer) throw new TypeError(`expected options.auth.${method}`);
      const [signature, more = {}] = [await answer(extra, method)].flat();
      send([5, signature, more]);
    } catch (error) {
      if (ended === undefined) send([3, {}, 'wamp.error.cannot_authenticate']);
      abandon(error);
    }
  };

  const invoke = async (
    request: number,
    registration: unknown,
    details: Details,
    args: unknown[] = [],
    kwargs: Kwargs = {},
  ) => {
    const known = running.get(request);
    // A piece of a call that its handler has answered already.
    if (!known && request <= invoked) return;
    const input = known?.input ?? createQueue<unknown[]>();
    input.push(args);
    if (details.progress !== true) input.end();
    if (known) return;
    invoked = request;
    let controller: AbortController | undefined;
    let stopped: unknown;
    const stop = (error: unknown) => {
      stopped = error;
      controller?.abort(error);
      input.end(error);
    };
    running.set(request, { input, stop });
    const given = {
      ...details,
      input,
      // Made when it is asked for: engines take longer for a signal than for all the rest of a call.
      get signal() {
        controller ??= new AbortController();
        if (stopped) controller.abort(stopped);
        return controller.signal;
      },
    };
    const answer = (options: Details, value: unknown) => {
      const { args, kwargs } = value instanceof Result ? value : new Result(value === undefined ? [] : [value]);
      send([70, request, options], payload(args, kwargs));
    };
    try {
      const [handler] = owner.handlersOf(REGISTER, registration);
      // It crossed our UNREGISTER; the router may find another callee.
      if (!handler) throw new WampError('wamp.error.unavailable');
      let value = await handler(args, kwargs, given);
      if (isAsyncIterable(value)) {
        const iterator = value[Symbol.asyncIterator]();
        try {
          for (;;) {
            const next = await iterator.next();
            value = next.value;
            if (next.done) break;
            if (stopped) throw stopped;
            if (details.receive_progress === true) answer({ progress: true }, value);
          }
        } finally {
          await iterator.return?.();
        }
      }
      answer({}, value);
    } catch (error) {
      if (ended === undefined) fail(request, error);
    }
    running.delete(request);
  };

  const fail = (request: number, error: unknown) => {
    const known = error instanceof WampError ? error : new WampError('wamp.error.runtime_error', [sentence(error)]);
    const head = [8, 68, request, {}, known.uri];
    try {
      send(head, payload(known.args, known.kwargs));
    } catch (unsendable) {
      send(head, [[sentence(unsendable)]]);
    }
  };

  const take = (request: unknown) => {
    const waiting = pending.get(request);
    pending.delete(request);
    return waiting;
  };

  // biome-ignore lint/suspicious/noExplicitAny: a router's messages have the types that the specification says
  const receive = (message: any[]) => {
    const [type, first, second, third, ...rest] = message;
    // What comes too late.
    if (ended !== undefined) return;
    if (type === 2) {
      hasJoined = true;
      owner.onJoin({ ask, call, leave }, first, second);
      take(0)?.answer(message);
    } else if (type === 4) {
      answerChallenge(first, second);
    } else if (type === 3 || type === 6) {
      if (type === 6) send([6, {}, 'wamp.close.goodbye_and_out']);
      abandon(new (hasJoined ? ClosedError : WampError)(second, [first.message ?? second]));
    } else if (type === 8) {
      take(second)?.fail(new WampError(...(rest as [string])));
    } else if (type === 36) {
      const [args = [], kwargs = {}] = rest;
      for (const handler of owner.handlersOf(SUBSCRIBE, first)) {
        try {
          handler(args, kwargs, { ...third, publication: second });
        } catch (error) {
          report(error);
        }
      }
    } else if (type === 68) {
      invoke(first, second, third, ...rest);
    } else if (type === 69) {
      running.get(first)?.stop(new WampError('wamp.error.canceled'));
    } else if (type === 50 && second.progress === true) {
      pending.get(first)?.progress?.(message);
    } else if (first === 0) {
      owner.onRevoked(type - 3, second.subscription ?? second.registration);
    } else {
      take(first)?.answer(message);
    }
  };

  let channel: Channel;
  let forget: (() => void) | undefined;
  // What throws in here leaves nobody waiting for the signal.
  const welcomed = new Promise((answer, fail) => {
    pending.set(0, { answer, fail });
    forget = onAbort(signal, abandon);
    channel = openChannel(options, {
      onOpen() {
        send([1, realm, { roles, authid, authextra, authmethods: methods.length > 0 ? methods : undefined }]);
      },
      onMessage: receive,
      onClose(reason) {
        end(new ClosedError(LOST, [reason]));
        onClosed();
      },
    });
  });
  await welcomed.finally(forget);
}

/** Throws if the signal is aborted, and calls back when it is; answers how to stop listening. */
export function onAbort(signal: AbortSignal | undefined, aborted: (reason: unknown) => void): () => void {
  if (signal?.aborted) throw signal.reason;
  const listener = () => aborted(signal?.reason);
  signal?.addEventListener('abort', listener);
  return () => signal?.removeEventListener('abort', listener);
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return (value as AsyncIterable<unknown> | undefined)?.[Symbol.asyncIterator] !== undefined;
}

/** Args and Kwargs as they end a message. Throws a TypeError where they are none: a router would end the session. */
export function payload(args: readonly unknown[] = [], kwargs: Kwargs = {}): unknown[] {
  if (!Array.isArray(args) || Array.isArray(kwargs) || typeof kwargs !== 'object')
    throw new TypeError('expected an array and an object');
  if (Object.keys(kwargs).length > 0) return [args, kwargs];
  return args.length > 0 ? [args] : [];
}

// In the order in which gzip makes the least of them.
const names =
  'caller_identification subscription_revocation subscriber_blackwhite_listing progressive_call_invocations ' +
  'call_canceling progressive_call_results shared_registration publisher_identification registration_revocation ' +
  'pattern_based_registration publisher_exclusion pattern_based_subscription';

/** All roles announce the same: what does not concern one is not looked at. */
const role = { features: Object.fromEntries(names.split(' ').map((name) => [name, true])) };

const roles = { caller: role, callee: role, publisher: role, subscriber: role };
