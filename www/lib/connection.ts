// One session of the small client, from HELLO to GOODBYE: requests with their answers, invocations with theirs.
//
// Owns the ids of one session and all that waits in it, which fails when the session ends, however it ends. What outlives
// it (subscriptions, registrations, coming back) is in `client.ts`; what carries the messages, in `channel.ts`.
// [wamp: basic/sessions, basic/remote_procedure_call, advanced/rpc_*]

import { type Channel, openChannel, type Way } from './channel.ts';
import { sentence } from './environment.ts';
import { ClosedError, type Kwargs, LOST, WampError } from './errors.ts';
import type { AuthMethod } from './client-auth.ts';
import { Queue } from './queue.ts';

/** Milliseconds for a router to let us in. */
const PATIENCE = 20_000;

/** Milliseconds for a router to answer a GOODBYE. */
const FAREWELL = 3000;

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

export type Handler = (args: unknown[], kwargs: Kwargs, details: Details) => unknown;

/** What a connection asks, and tells. */
export interface Owner {
  /** At WELCOME, before anything that may come with it. */
  onJoin(connection: Connection): void;
  handlerOf(registration: unknown): Handler | undefined;
  onEvent(subscription: unknown, details: Details, args: unknown[], kwargs: Kwargs): void;
  /** The router took a subscription or registration away; `kind` is the code of the request that gave it. */
  onRevoked(kind: number, id: unknown): void;
  /** Once, after all that waited has failed, if the session had been joined. */
  onEnd(error: ClosedError): void;
}

export interface CallOptions extends Details {
  signal?: AbortSignal;
  cancelMode?: 'skip' | 'kill' | 'killnowait';
}

/** More than one value: what a handler answers, or a call is answered with. */
export class Result {
  readonly args: unknown[];
  readonly kwargs: Kwargs;
  readonly details: Details;

  constructor(args: unknown[] = [], kwargs: Kwargs = {}, details: Details = {}) {
    this.args = args;
    this.kwargs = kwargs;
    this.details = details;
  }
}

interface Invocation {
  controller: AbortController;
  /** The pieces of a progressive call, for its handler. */
  input: Queue<unknown[]>;
}

export class Connection {
  id = 0;
  details: Details = {};
  readonly #owner: Owner;
  readonly #auth: Record<string, AuthMethod>;
  readonly #channel: Channel;
  readonly #joining: Pending;
  #requests = 0;
  /** request -> what waits for its answer */
  readonly #pending = new Map<unknown, Pending>();
  /** request of an INVOCATION -> what runs for it */
  readonly #running = new Map<unknown, Invocation>();
  /** The latest INVOCATION's; they count up. */
  #invoked = 0;
  /** Why the session has ended. */
  #end: unknown;
  #left = () => {};

  /** Resolves with WELCOME. Rejects with a WampError for ABORT, with a ClosedError where no router was reached. */
  static async join(options: JoinOptions, owner: Owner, signal: AbortSignal | undefined): Promise<Connection> {
    const { auth = {}, realm = null, authid } = options;
    const authextra = { ...options.authextra };
    for (const method of Object.values(auth)) Object.assign(authextra, await method.authextra?.());
    const methods = Object.keys(auth);
    const details = { roles, authmethods: methods.length > 0 ? methods : undefined, authid, authextra };
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw signal.reason;
      const giveUp = () => connection.#abandon(signal?.reason);
      const late = new ClosedError(LOST, `the router did not answer within ${PATIENCE / 1000} seconds`);
      const timer = setTimeout(() => connection.#abandon(late), PATIENCE);
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
      };
      signal?.addEventListener('abort', giveUp);
      const connection: Connection = new Connection(options, [1, realm, details], owner, {
        answer: () => {
          settle();
          owner.onJoin(connection);
          resolve(connection);
        },
        fail: (error) => {
          settle();
          reject(error);
        },
      });
    });
  }

  private constructor(options: JoinOptions, hello: unknown[], owner: Owner, joining: Pending) {
    this.#owner = owner;
    this.#auth = options.auth ?? {};
    this.#joining = joining;
    this.#channel = openChannel(options, {
      onOpen: () => this.#channel.send(hello),
      onMessage: (message) => this.#receive(message),
      onClose: (reason) => {
        this.#endWith(new ClosedError(LOST, reason));
        this.#left();
      },
    });
  }

  /** Sends a request that is answered; answers its id. */
  ask([type, ...rest]: unknown[], pending?: Pending): number {
    const request = this.#requests + 1;
    this.#send([type, request, ...rest]);
    // Not before: what could not be sent must not leave a gap.
    this.#requests = request;
    if (pending !== undefined) this.#pending.set(request, pending);
    return request;
  }

  call(
    procedure: string,
    args: unknown[] | AsyncIterable<unknown> | undefined,
    kwargs: Kwargs | undefined,
    { signal, cancelMode = 'killnowait', ...options }: CallOptions,
    onProgress?: (part: Result) => void,
  ): { result: Promise<Result>; cancel(reason?: unknown): void } {
    let request: number | undefined;
    let isDone = false;
    let reject: (error: unknown) => void;
    const cancel = (reason: unknown) => {
      if (isDone) return;
      settle();
      if (request !== undefined) {
        this.#pending.delete(request);
        this.#send([49, request, { mode: cancelMode }]);
      }
      reject(reason);
    };
    const onAbort = () => cancel(signal?.reason);
    const settle = () => {
      isDone = true;
      signal?.removeEventListener('abort', onAbort);
    };
    const result = new Promise<Result>((resolve, rejected) => {
      reject = rejected;
      if (signal?.aborted) throw signal.reason;
      const read = ([, , details, args, kwargs]: unknown[]) =>
        new Result(args as unknown[], kwargs as Kwargs, details as Details);
      const pending: Pending = {
        answer: (message) => {
          settle();
          resolve(read(message));
        },
        fail: (error) => {
          settle();
          reject(error);
        },
        progress: (message) => onProgress?.(read(message)),
      };
      /** One piece: the first is the call, the others go on with it. */
      const send = (options: Details, args: unknown[] | undefined) => {
        const rest = [options, procedure, ...payload(args, request === undefined ? kwargs : undefined)];
        if (request === undefined) request = this.ask([48, ...rest], pending);
        else this.#send([48, request, ...rest]);
      };
      const feed = async (input: AsyncIterable<unknown>) => {
        for await (const part of input) {
          if (isDone) return;
          send({ ...options, progress: true }, [part]);
        }
        if (!isDone) send(options, undefined);
      };
      if (isAsyncIterable(args)) feed(args).catch(cancel);
      else send(options, args);
      signal?.addEventListener('abort', onAbort);
    });
    return { result, cancel };
  }

  /** Says GOODBYE; what waits fails. Resolves when the channel is closed. */
  leave(reason: string, details: Details): Promise<void> {
    return new Promise((resolve) => {
      this.#send([6, details, reason]);
      const timer = setTimeout(() => this.#channel.close(), FAREWELL);
      this.#left = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#endWith(new ClosedError(reason, 'it was closed here'));
    });
  }

  #send(message: unknown[]): void {
    if (this.#end !== undefined) throw this.#end;
    this.#channel.send(message);
  }

  #receive(message: unknown[]): void {
    const [type, first, second, third, ...rest] = message as [number, ...unknown[]];
    if (this.#end !== undefined) {
      // The answer to our own GOODBYE; all else came too late.
      if (type === 6) this.#channel.close();
    } else if (type === 2) {
      this.id = first as number;
      this.details = second as Details;
      this.#joining.answer(message);
    } else if (type === 4) {
      this.#answerChallenge(first as string, second as Details);
    } else if (type === 3 || type === 6) {
      this.#dismissed(type, first as Details, second as string);
    } else if (type === 8) {
      const [uri, args, kwargs] = rest as [string, unknown[]?, Kwargs?];
      this.#take(second)?.fail(new WampError(uri, args, kwargs));
    } else if (type === 36) {
      const [args = [], kwargs = {}] = rest as [unknown[]?, Kwargs?];
      this.#owner.onEvent(first, { ...(third as Details), publication: second }, args, kwargs);
    } else if (type === 68) {
      const [args = [], kwargs = {}] = rest as [unknown[]?, Kwargs?];
      this.#invoke(first as number, second, third as Details, args, kwargs);
    } else if (type === 69) {
      interrupt(this.#running.get(first), new WampError('wamp.error.canceled', ['the call was canceled']));
    } else if (type === 50 && (second as Details).progress === true) {
      this.#pending.get(first)?.progress?.(message);
    } else if (first === 0) {
      const { subscription, registration } = second as Details;
      this.#owner.onRevoked(type - 3, subscription ?? registration);
    } else {
      this.#take(first)?.answer(message);
    }
  }

  #take(request: unknown): Pending | undefined {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    return pending;
  }

  async #answerChallenge(method: string, extra: Details): Promise<void> {
    try {
      const answer = this.#auth[method];
      if (answer === undefined) throw new Error(`the router asks for ${method}, which options.auth does not have`);
      const signed = await answer(extra, method);
      const { signature, extra: more = {} } = typeof signed === 'string' ? { signature: signed } : signed;
      this.#send([5, signature, more]);
    } catch (error) {
      if (this.#end === undefined) this.#send([3, {}, 'wamp.error.cannot_authenticate']);
      this.#abandon(error);
    }
  }

  /** ABORT, or GOODBYE. */
  #dismissed(type: number, { message }: Details, reason: string): void {
    if (type === 6) this.#send([6, {}, 'wamp.close.goodbye_and_out']);
    const text = message === undefined ? reason : String(message);
    this.#abandon(this.id === 0 ? new WampError(reason, [text]) : new ClosedError(reason, text));
  }

  #abandon(error: unknown): void {
    this.#endWith(error);
    this.#channel.close();
  }

  /** The one place where a session ends. */
  #endWith(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#joining.fail(error);
    for (const pending of this.#pending.values()) pending.fail(error);
    for (const invocation of this.#running.values()) interrupt(invocation, error);
    if (this.id !== 0) this.#owner.onEnd(error as ClosedError);
  }

  async #invoke(request: number, registration: unknown, details: Details, args: unknown[], kwargs: Kwargs) {
    let invocation = this.#running.get(request);
    const isNew = invocation === undefined;
    // A piece of a call that its handler has answered already.
    if (isNew && request <= this.#invoked) return;
    invocation ??= { controller: new AbortController(), input: new Queue() };
    const { controller, input } = invocation;
    input.push(args);
    if (details.progress !== true) input.end();
    if (!isNew) return;
    this.#invoked = request;
    this.#running.set(request, invocation);
    try {
      const handler = this.#owner.handlerOf(registration);
      // It crossed our UNREGISTER; the router may find another callee.
      if (handler === undefined) throw new WampError('wamp.error.unavailable');
      const { signal } = controller;
      const value = await handler(args, kwargs, { ...details, signal, input });
      const result = isAsyncIterable(value) ? await this.#yield(value, request, details, signal) : value;
      if (this.#end === undefined) this.#send([70, request, {}, ...valuesOf(result)]);
    } catch (error) {
      if (this.#end === undefined) this.#sendError(request, error);
    }
    this.#running.delete(request);
  }

  /** Progressive results, if the caller wants them; answers the result. */
  async #yield(values: AsyncIterable<unknown>, request: number, details: Details, signal: AbortSignal) {
    const iterator = values[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await iterator.next();
      if (done) return value;
      if (signal.aborted) {
        await iterator.return?.();
        throw signal.reason;
      }
      if (details.receive_progress === true) this.#send([70, request, { progress: true }, ...valuesOf(value)]);
    }
  }

  #sendError(request: number, error: unknown): void {
    const known = error instanceof WampError ? error : new WampError('wamp.error.runtime_error', [sentence(error)]);
    const { uri, args, kwargs } = known;
    try {
      this.#send([8, 68, request, {}, uri, ...payload(args, kwargs)]);
    } catch (unsendable) {
      this.#send([8, 68, request, {}, uri, [sentence(unsendable)]]);
    }
  }
}

function interrupt(invocation: Invocation | undefined, error: unknown): void {
  invocation?.controller.abort(error);
  invocation?.input.end(error);
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as AsyncIterable<unknown> | undefined)?.[Symbol.asyncIterator] === 'function';
}

function valuesOf(value: unknown): unknown[] {
  if (value instanceof Result) return payload(value.args, value.kwargs);
  return value === undefined ? [] : [[value]];
}

/** Args and Kwargs as they end a message. Throws a TypeError where they are none: a router would end the session. */
export function payload(args: readonly unknown[] = [], kwargs: Kwargs = {}): unknown[] {
  if (!Array.isArray(args)) throw new TypeError('expected an array of arguments');
  if (Object.keys(kwargs).length > 0) return [args, kwargs];
  return args.length > 0 ? [args] : [];
}

function features(names: string): { features: Record<string, true> } {
  return { features: Object.fromEntries(names.split(' ').map((name) => [name, true])) };
}

const common = 'caller_identification call_canceling progressive_call_results progressive_call_invocations ';

const roles = {
  publisher: features('publisher_identification publisher_exclusion subscriber_blackwhite_listing'),
  subscriber: features('publisher_identification pattern_based_subscription subscription_revocation'),
  caller: features(`${common}call_timeout`),
  callee: features(`${common}pattern_based_registration shared_registration registration_revocation`),
};
