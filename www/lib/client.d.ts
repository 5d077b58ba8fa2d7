// wamplet/client: a session of WAMP with promises, in 5 KB.
//
// Kept by hand; `tests/package/declarations.ts` proves that it matches the library.

/// <reference lib="dom" />
/// <reference lib="esnext.disposable" />

import type { Endpoint, RouterSource } from './index.js';

/**
 * Joins a realm. Without `router`, `port` or `url` the router is the one that all tabs share (`defaultRouter()` of
 * `wamplet`).
 *
 * ```js
 * const session = await connect({ realm: 'realm1' });
 * await session.register('com.example.add', ([a, b]) => a + b);
 * await session.subscribe('com.example.news', ([text]) => console.log(text));
 * console.log(await session.call('com.example.add', [2, 3]));
 * session.publish('com.example.news', ['hello']);
 * ```
 *
 * @throws Rejects with a {@link WampError} where the router refuses (an ABORT: no such realm, authentication denied),
 * with a {@link ClosedError} where no router could be reached, with the reason of `signal` when that is aborted, and with
 * whatever a method of `auth` throws.
 */
export function connect(options?: ConnectOptions): Promise<Session>;

/** Where to, as whom, and how long. */
export interface ConnectOptions {
  /** May be left out over a port that fixes it, and where an authenticator decides. */
  realm?: string;
  /**
   * A router, a shared router, a port to one, a promise of one of these, or a function that gives any of them each time
   * that a connection is made.
   */
  router?: RouterSource;
  /** A port that somebody handed us: the same as `router`. It stays open when the session ends, for another one. */
  port?: Endpoint;
  /** A WebSocket to any WAMP router, instead. JSON is spoken. */
  url?: string | URL;
  /** The class for that. Default the global one, which Node has since version 22. */
  WebSocket?: new (
    url: string | URL,
    protocols?: string | string[],
  ) => WebSocket;
  authid?: string;
  /** What else the HELLO says for authentication. */
  authextra?: object;
  /** By method, in the order of preference. `wamplet/client/auth` makes those that compute. Default: none is offered. */
  auth?: Record<string, AuthMethod>;
  /** Gives connecting up. It has no effect on the session that came of it. */
  signal?: AbortSignal;
  /**
   * Whether to come back when the connection is lost or the router shuts down: first after about 50 ms, then after twice
   * as long each time, up to 30 s. Subscriptions and registrations come back with the session; calls in flight do not.
   * A session that the router ends for another reason, or does not let in again, is over. Default `false`.
   */
  reconnect?: boolean;
}

/**
 * Answers a CHALLENGE, given its Extra: with the signature, or with the signature and what AUTHENTICATE says besides.
 *
 * ```js
 * const auth = { ticket: () => 'secret' };
 * ```
 */
export interface AuthMethod {
  (challenge: Record<string, unknown>, method: string): AuthAnswer | PromiseLike<AuthAnswer>;
  /** What the HELLO has to say in `authextra`. */
  authextra?(): object | PromiseLike<object>;
}

export type AuthAnswer = string | [signature: string, extra?: object];

/**
 * What procedures take and answer, for those who say so:
 *
 * ```ts
 * declare module 'wamplet/client' {
 *   interface Procedures {
 *     'com.example.add': (args: [a: number, b: number]) => number;
 *   }
 *   interface Topics {
 *     'com.example.news': [text: string];
 *   }
 * }
 * ```
 *
 * From then on `call`, `stream` and `register` know this procedure, `publish` and `subscribe` this topic; all others take
 * and give anything.
 */
// biome-ignore lint/suspicious/noEmptyInterface: users add to it
export interface Procedures {}

/** The arguments of events by topic, see {@link Procedures}. */
// biome-ignore lint/suspicious/noEmptyInterface: users add to it
export interface Topics {}

/** What only the app knows. */
// biome-ignore lint/suspicious/noExplicitAny: that is the type of it
type Anything = any;

/** The arguments of a procedure. */
export type ArgsOf<Procedure extends string> = Procedure extends keyof Procedures
  ? Procedures[Procedure] extends (args: infer Args extends unknown[], ...rest: never[]) => unknown
    ? Args
    : []
  : Anything[];

/** What a procedure answers. */
export type ResultOf<Procedure extends string> = Procedure extends keyof Procedures
  ? Procedures[Procedure] extends (...given: never[]) => infer Value
    ? Awaited<Value>
    : never
  : Anything;

/** The arguments of an event. */
export type EventOf<Topic extends string> = Topic extends keyof Topics
  ? Topics[Topic] extends infer Args extends unknown[]
    ? Args
    : never
  : Anything[];

export type Kwargs = Record<string, unknown>;

/**
 * Answers calls. It may say itself what it takes, where {@link Procedures} does not:
 *
 * ```ts
 * const add = ([a, b]: [number, number]) => a + b;
 * const count: ProcedureHandler = async function* ([limit], kwargs, { signal }) { .. };
 * ```
 */
// Parameters of methods are compared both ways: a tuple will do for an array of anything, and a text for a number will not.
export type ProcedureHandler<Procedure extends string = string> = {
  handle(args: ArgsOf<Procedure>, kwargs: Record<string, Anything>, details: InvocationDetails): unknown;
}['handle'];

/** Hears events. It may say itself what it takes, as a {@link ProcedureHandler}. */
export type EventHandler<Topic extends string = string> = {
  handle(args: EventOf<Topic>, kwargs: Record<string, Anything>, details: EventDetails): unknown;
}['handle'];

/** As it is, but not guessed from what the result is assigned to. */
type Given<Value> = [Value][Value extends unknown ? 0 : never];

/** One of the user's choice, or else what is known of the procedure. */
type Chosen<Value, Procedure extends string> = [Value] extends [never] ? ResultOf<Procedure> : Given<Value>;

/**
 * A session in a realm. Its methods may be called unbound.
 *
 * When the session ends, whatever the reason, all that waits rejects with one {@link ClosedError}, and so does what is
 * asked later, until it comes back.
 */
export interface Session extends EventTarget {
  /** The router's; each connection has another one. */
  readonly id: number;
  /** What WELCOME says: `realm`, `authid`, `authrole`, `authmethod` and more. */
  readonly details: Readonly<Record<string, Anything>>;
  readonly isOpen: boolean;

  /**
   * Calls a procedure. Resolves to the first value of its result, or with `full` to all of it.
   *
   * Where `args` is an async iterable, its values go out one by one, as the pieces of one progressive call, each as the one
   * argument of its piece. After them a last piece without arguments ends the call.
   *
   * @throws Rejects with a {@link WampError} where the callee or the router answers an error, with the reason of
   * `options.signal` when that is aborted (the callee is then interrupted, if it can be), with a `TypeError` for a procedure
   * that is no text and for what is no JSON, such as a circle.
   */
  call<Value = never, Procedure extends string = string>(
    procedure: Procedure,
    args?: ArgsOf<Procedure> | AsyncIterable<unknown>,
    kwargs?: Kwargs,
    options?: CallOptions & { full?: false },
  ): Promise<Chosen<Value, Procedure>>;
  call(
    procedure: string,
    args: Anything[] | AsyncIterable<unknown> | undefined,
    kwargs: Kwargs | undefined,
    options: CallOptions & { full: true },
  ): Promise<Result>;

  /**
   * Calls a procedure for progressive results, and iterates over them; the result itself is what the iterator returns, and
   * `result`. Leaving the loop cancels the call. Results that nobody has taken yet wait in memory.
   *
   * ```js
   * for await (const percent of session.stream('com.example.render', [scene])) show(percent);
   * ```
   *
   * @throws ClosedError where there is no session.
   */
  stream<Part = Anything, Value = never, Procedure extends string = string>(
    procedure: Procedure,
    args?: ArgsOf<Procedure> | AsyncIterable<unknown>,
    kwargs?: Kwargs,
    options?: CallOptions & { full?: false },
  ): Stream<Part, Chosen<Value, Procedure>>;
  stream(
    procedure: string,
    args: Anything[] | AsyncIterable<unknown> | undefined,
    kwargs: Kwargs | undefined,
    options: CallOptions & { full: true },
  ): Stream<Result, Result>;

  /**
   * Offers a procedure. What the handler returns, or promises, is the result; several values are a {@link Result}. What an
   * async iterator yields are progressive results, as far as the caller wants them, and what it returns is the result.
   * A {@link WampError} that it throws is the caller's; any other error is a `wamp.error.runtime_error` with its message.
   *
   * Aborting `options.signal` takes the procedure back.
   */
  register<Procedure extends string = string>(
    procedure: Procedure,
    handler: ProcedureHandler<Procedure>,
    options?: RegisterOptions,
  ): Promise<Registration>;

  /**
   * Publishes an event. Resolves to the id of the publication where `options.acknowledge` is set, and otherwise, as soon
   * as the event is on its way, to nothing.
   */
  publish<Topic extends string = string>(
    topic: Topic,
    args: EventOf<Topic> | undefined,
    kwargs: Kwargs | undefined,
    options: PublishOptions & { acknowledge: true },
  ): Promise<number>;
  publish<Topic extends string = string>(
    topic: Topic,
    args?: EventOf<Topic>,
    kwargs?: Kwargs,
    options?: PublishOptions,
  ): Promise<number | undefined>;

  /** Has a handler called for each event of a topic. Aborting `options.signal` ends that. */
  subscribe<Topic extends string = string>(
    topic: Topic,
    handler: EventHandler<Topic>,
    options?: SubscribeOptions,
  ): Promise<Subscription>;

  /**
   * Leaves the realm, for good. Resolves when the connection is closed; doing it again does nothing.
   *
   * @param reason A URI. Default `'wamp.close.normal'`.
   */
  close(reason?: string, message?: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;

  /**
   * * `close`: the session ended; `error` is what all that waited has rejected with.
   * * `open`: it came back, with its subscriptions and registrations.
   * * `revoked`: a subscription or registration is gone without our doing: the router took it away, or did not give it
   *   again after a reconnect (then `error` says why).
   */
  addEventListener<Type extends keyof SessionEvents>(
    type: Type,
    listener: (event: SessionEvents[Type]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

export interface SessionEvents {
  open: CustomEvent<null>;
  close: CustomEvent<{ error: ClosedError; willReconnect: boolean }>;
  revoked: CustomEvent<{ uri: string; error: WampError | undefined }>;
}

/** Progressive results, and the result. */
export interface Stream<Part, Value> extends AsyncIterable<Part> {
  /** Rejects as the iteration does. */
  readonly result: Promise<Value>;
  [Symbol.asyncIterator](): AsyncGenerator<Part, Value, undefined>;
}

/** What a session holds until it gives it back. */
export interface Subscription {
  readonly uri: string;
  /** Gives it back. The promise rejects where the router refuses; doing it again does nothing. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Registration extends Subscription {}

/** An option of one router's own. */
type OwnOptions = { [option: `_${string}` | `x_${string}`]: unknown };

export interface CallOptions extends OwnOptions {
  /** Cancels the call. */
  signal?: AbortSignal;
  /**
   * How that is done: `'killnowait'` interrupts the callee, `'skip'` lets it finish unheard, `'kill'` has the router wait
   * for what it answers. The call rejects at once in any case. Default `'killnowait'`.
   */
  cancelMode?: 'skip' | 'kill' | 'killnowait';
  /** Milliseconds for an answer, a whole number: any other ends the session. 0: no limit. Default 0. */
  timeout?: number;
  /** Whether the callee is told who calls. */
  disclose_me?: boolean;
}

export interface RegisterOptions extends OwnOptions {
  /** Takes the procedure back. */
  signal?: AbortSignal;
  /** Default `'exact'`. */
  match?: 'exact' | 'prefix' | 'wildcard';
  /** Which of several callees is called. Default `'single'`: there is but one. */
  invoke?: 'single' | 'first' | 'last' | 'roundrobin' | 'random';
  /**
   * Calls that run at once. With all callees busy, further ones wait where the realm has a `call-queue` for the procedure, and
   * are refused otherwise (`crossbar.error.max_concurrency_reached`). Default: no limit.
   */
  concurrency?: number;
  disclose_caller?: boolean;
  /** Takes the procedure from whoever has it. */
  force_reregister?: boolean;
}

export interface PublishOptions extends OwnOptions {
  acknowledge?: boolean;
  disclose_me?: boolean;
  /** Whether the event comes back to us. Default `true`: it does not. */
  exclude_me?: boolean;
  exclude?: number[];
  exclude_authid?: string[];
  exclude_authrole?: string[];
  eligible?: number[];
  eligible_authid?: string[];
  eligible_authrole?: string[];
  /** Keeps the event for those who subscribe later. */
  retain?: boolean;
}

export interface SubscribeOptions extends OwnOptions {
  /** Ends the subscription. */
  signal?: AbortSignal;
  /** Default `'exact'`. */
  match?: 'exact' | 'prefix' | 'wildcard';
  /** Whether events that were kept come first. */
  get_retained?: boolean;
}

export interface InvocationDetails {
  /** Aborted when the call is canceled, its caller is gone, or the session ends. */
  readonly signal: AbortSignal;
  /**
   * The arguments of each piece of a progressive call, the first included; those of an ordinary call once. The last piece of
   * a {@link Session.call} with an async iterable has none:
   *
   * ```js
   * for await (const [number = 0] of input) sum += number;
   * ```
   */
  readonly input: AsyncIterable<Anything[]>;
  /** What was called, where a pattern is registered. */
  readonly procedure?: string;
  readonly caller?: number;
  readonly caller_authid?: string;
  readonly caller_authrole?: string;
  readonly receive_progress?: boolean;
  readonly [detail: string]: unknown;
}

export interface EventDetails {
  readonly publication: number;
  /** What was published to, where a pattern is subscribed to. */
  readonly topic?: string;
  readonly publisher?: number;
  readonly publisher_authid?: string;
  readonly publisher_authrole?: string;
  readonly retained?: boolean;
  readonly [detail: string]: unknown;
}

/** More than one value: what a handler answers, or a call with `full` is answered with. */
export declare class Result {
  readonly args: Anything[];
  readonly kwargs: Record<string, Anything>;
  /** What the router says about it. */
  readonly details: Record<string, unknown>;
  constructor(args?: unknown[], kwargs?: Kwargs);
}

/** An error of WAMP. Thrown by a handler, it is what the caller gets. */
export declare class WampError extends Error {
  /** Its message is the first of `args`, if that is a text, and otherwise the URI. */
  constructor(uri: string, args?: readonly unknown[], kwargs?: Kwargs);
  readonly uri: string;
  readonly args: readonly Anything[];
  readonly kwargs: Readonly<Record<string, Anything>>;
}

/** The session ended: `uri` is the reason of its GOODBYE, or `wamplet.error.connection_lost`. */
export declare class ClosedError extends WampError {}
