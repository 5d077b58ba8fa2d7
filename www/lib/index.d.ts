// wamplet: a WAMP router small enough to live in a browser tab.
//
// Kept by hand; `tests/package/declarations.ts` proves that it matches the library.

/// <reference lib="dom" />
/// <reference lib="esnext.disposable" />

// ---------------------------------------------------------------------------------------------------------- routers

/**
 * Starts a router in this page, worker or Node process. Clients reach it over ports:
 *
 * ```js
 * const router = await createRouter();
 * autobahn.transports.register('wamplet', autobahnTransport(router));
 * const connection = new autobahn.Connection({ transports: [{ type: 'wamplet' }], realm: 'realm1' });
 * ```
 *
 * For one router that all tabs of an origin share, use {@link sharedRouter}.
 *
 * @param config Realms, roles and limits. Without it any realm named in a HELLO comes into being, and everybody, as
 * role `anonymous`, may do everything there.
 * @throws Rejects with an `Error` whose message names every problem of `config` and where it stands, or says why the
 * WebAssembly module could not be loaded and what to do about it; with a `TypeError` for wrong `options`. It waits for its
 * files as long as the browser does.
 */
export function createRouter(config?: RouterConfig, options?: RouterOptions): Promise<Router>;

/** How a router starts. */
export interface RouterOptions {
  /**
   * Names the database of the router, in a browser: realms whose `store` has the type `'database'` keep their events in
   * IndexedDB, as `wamplet:<name>`. One router at a time has it; another one of the name, and any in Node, keeps events in
   * memory and says so. Default `'default'`.
   */
  name?: string;
  /**
   * The WebAssembly module, compiled or not, or its address (a text is relative to the page).
   * Default: `wamplet.wasm` beside the library's script. Set it when your bundler or server keeps it elsewhere.
   *
   * A page, worker or process loads the module once: later routers there ignore this.
   */
  wasm?: URL | string | BufferSource | WebAssembly.Module;
  /**
   * 32 bytes from which all ids of the router follow, for tests that want the same ones each time.
   * Default: random ones from the system.
   */
  seed?: Uint8Array;
  /** What runs the components of the configuration, see {@link ComponentRegistry}. */
  components?: ComponentRegistry;
  /** What decides where the configuration names a function, see {@link DeciderRegistry}. */
  deciders?: DeciderRegistry;
}

/**
 * What runs the components of a configuration: for each `classname` a function, or the address of a module whose default
 * export is one. A text may be relative to the page or worker; Node has neither, so give it a URL. The module is loaded
 * where the router runs, and a Content-Security-Policy must allow it there.
 *
 * ```js
 * const config = { workers: [{ type: 'router', realms, components: [
 *   { type: 'class', classname: 'monitor.MySessionMonitor', realm: 'realm1', role: 'monitor' },
 * ] }] };
 * await createRouter(config, {
 *   components: {
 *     'monitor.MySessionMonitor': (port, { realm }) => {
 *       autobahn.transports.register('monitor', autobahnTransport(port));
 *       const connection = new autobahn.Connection({ transports: [{ type: 'monitor' }], realm });
 *       connection.onopen = (session) => session.subscribe('wamp.metaevent.session.on_join', console.log);
 *       connection.open();
 *       return () => connection.close();
 *     },
 *   },
 * });
 * ```
 *
 * A component is started once, when the router runs, and ends with the router. One that fails is logged, and the others
 * run on. A component of the configuration that is not named here is warned of; its configuration must be right all the
 * same.
 */
export type ComponentRegistry = Record<string, ComponentFactory | string | URL>;

/**
 * Runs a component over a port to the router, as a worker would run over one of {@link Router.createPort}. Over this port
 * a session joins the realm and has the role that the configuration says, and no others.
 *
 * @returns Nothing, or a function that ends the component, which is called when the router is closed; or a promise of
 * either. What it throws, or rejects with, is logged, and closes the port.
 */
export type ComponentFactory = (port: MessagePort, component: ComponentInfo) => unknown;

/** A component as its configuration has it. */
export interface ComponentInfo {
  readonly classname: string;
  readonly realm: string;
  /** Default `'anonymous'`. */
  readonly role: string;
  /** The `authid` of its session, if it is there; otherwise `classname` is. */
  readonly id: string | undefined;
  /** Data for the component; `null` where there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: only the component knows
  readonly extra: any;
}

/**
 * The functions that a configuration names, as `{ "type": "function", "create": name }`, to authorize or authenticate: for
 * each name a function, or the address of a module whose default export is one, as in a {@link ComponentRegistry}.
 *
 * ```js
 * const roles = [{ name: 'anonymous', authorizer: { type: 'function', create: 'ownTopics' } }];
 * await createRouter({ realms: [{ name: 'realm1', roles }] }, {
 *   deciders: { ownTopics: ({ authid }, uri) => ({ allow: uri.startsWith(`com.example.${authid}.`), cache: true }) },
 * });
 * ```
 *
 * Functions and modules are there when the router starts, or it does not. A function answers, or promises an answer,
 * within `limits.answer_timeout_ms`. What it throws, or rejects with, is a failure: nobody is let in and nothing allowed,
 * and it is logged. An object with an `error` that is a URI (an `Error` of Autobahn|JS is one) is what the client of an
 * authenticator is told, with the first of its `args`, or its `message`, as the sentence.
 */
// biome-ignore lint/suspicious/noExplicitAny: an Authorizer or an Authenticator, as the configuration uses it
export type DeciderRegistry = Record<string, ((...args: any[]) => unknown) | string | URL>;

/** Decides what the sessions of a role may do, in the place of `permissions`: `authorizer` of the role. */
export type Authorizer = (
  /** Its `session` (the id), `authid`, `authrole`, `authmethod`, `authprovider`, `authextra` and `transport`. */
  session: Record<string, unknown>,
  uri: string,
  action: 'call' | 'register' | 'publish' | 'subscribe',
  /** The options of the request; with `match` where it subscribes or registers. */
  options: Record<string, unknown>,
) => Authorization | PromiseLike<Authorization>;

/**
 * What an {@link Authorizer} answers: whether it is allowed; and whether the caller or publisher is revealed without being
 * asked, and whether the answer may be remembered, for `authorizer_cache_ms` of the role. Both are false by default.
 */
export type Authorization = boolean | { allow: boolean; disclose?: boolean; cache?: boolean };

/** Decides who a client is: a method of `auth` that has the type `function`. */
export type Authenticator = (
  /** What the HELLO names. */
  realm: string | null,
  authid: string | null,
  /** `session`, `transport`, `authmethod`, `authid`, `authrole`, `authextra`, and what the method knows: a `ticket`. */
  details: Record<string, unknown>,
) => Authentication | PromiseLike<Authentication>;

/**
 * What an {@link Authenticator} answers: a role, or more about the session, beside what the method has to know to check
 * the client: the `secret` of WAMP-CRA, for one. Throw to let nobody in.
 */
export type Authentication =
  | string
  | { role?: string; realm?: string; authid?: string; extra?: object; [credential: string]: unknown };

/** A router that runs here. */
export interface Router {
  /** Where it runs. */
  readonly mode: 'page' | 'worker' | 'node';
  /** Random, and different for each router. */
  readonly epoch: string;
  /**
   * Lets a client in through an endpoint: a MessagePort, a Worker, a worker's own global scope, or one of Node's. The
   * endpoint must serve this one purpose. One endpoint carries one session at a time, and another one after it.
   *
   * An endpoint lets its holder do whatever the router's configuration allows to anybody: hand it to those you mean, and
   * give it an `identity` where you would not trust its holder.
   *
   * In Node an attached MessagePort does not keep the process alive; the client's end does while its transport is open.
   *
   * @param info Plain data about the client. It becomes part of `transport` in the session details.
   * @param identity Who the client is, whatever it says. Default: nobody, whom the router's configuration tells what to
   * do, like everybody who connects.
   * @returns A function that detaches the endpoint and ends the client's session.
   * @throws TypeError when `endpoint` cannot post or not be heard, or `identity` is none; `Error` after `close()`.
   */
  attach(endpoint: Endpoint, info?: TransportInfo, identity?: PortIdentity): () => void;
  /**
   * Makes a port to hand to a worker, an iframe or a test: one client, as with {@link Router.attach}.
   *
   * ```js
   * const port = router.createPort();
   * worker.postMessage({ port }, [port]);
   * // In the worker; or autobahn.transports.register('wamplet', autobahnTransport(data.port));
   * onmessage = async ({ data }) => {
   *   const session = await connect({ realm: 'realm1', port: data.port });
   * };
   * ```
   *
   * An `identity` fixes who the holder of the port is, as for a frame of somebody else's (`'*'` is the origin to post to
   * where it is sandboxed):
   *
   * ```js
   * const port = router.createPort({}, { authrole: 'widget', realm: 'realm1' });
   * frame.contentWindow.postMessage({ port }, frameOrigin, [port]);
   * ```
   *
   * @throws TypeError when `identity` is none; `Error` after `close()`.
   */
  createPort(info?: TransportInfo, identity?: PortIdentity): MessagePort;
  /** What the router does for whom, as it is now. For people: its shape may change with any release. */
  inspect(): Inspection;
  /**
   * Ends all sessions with GOODBYE `wamp.close.system_shutdown`, then closes their ports. Doing it again does nothing.
   * Resolves when all that is to be kept is written.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Who may join over a port, fixed by the page that makes it: what its holder says of itself, and offers to authenticate
 * with, does not matter. In the session details `authmethod` is `'port'` and `authprovider` `'static'`.
 *
 * What comes over such a port is checked to the last byte, so that its holder can hand nothing malformed to others.
 */
export interface PortIdentity {
  /** A role of the realm. A realm that has no such role is not joined. */
  authrole: string;
  /** The one realm that can be joined; a HELLO need not name it. Default: any that the HELLO names. */
  realm?: string;
  /** Default: generated for each session. */
  authid?: string;
}

/**
 * Connects to the router that all tabs, windows and frames of this origin share. It runs in a SharedWorker, and the
 * first tab that asks starts it. Where the browser has no SharedWorker, the tabs elect one of them, which runs the router
 * for all; when it goes, another one takes over, with a new router. Where tabs cannot find each other either (no Web
 * Locks, as on plain http), the router runs in this page, for this page alone. `mode` says which it is.
 *
 * The router ends with the last tab, or a while later with `extendedLifetime`; what sessions had registered and subscribed
 * goes with them. Events that realms keep in a database are there again with the next one.
 *
 * @throws Rejects, after `timeout` milliseconds at most, with an `Error` that says why the router could not be started
 * and what to do: script or WebAssembly module not found, forbidden by a Content-Security-Policy, wrong `config`, no
 * access to a SharedWorker from here (a worker, a sandboxed frame, a page without storage), a worker of another release,
 * no browser (a server that renders); with a `TypeError` for wrong `options`, such as a function as a component
 * where it would have to be sent to a worker.
 */
export function sharedRouter(options?: SharedRouterOptions): Promise<SharedRouter>;

/**
 * The router of clients that name none: `sharedRouter()`, opened once for the whole page, and again when that failed.
 */
export function defaultRouter(): Promise<SharedRouter>;

/** Which router, and how it starts. */
export interface SharedRouterOptions {
  /**
   * Tabs that give the same name share a router, and its database, see {@link RouterOptions.name}. 1 to 64 letters,
   * digits, `.`, `_` or `-`. Default `'default'`.
   */
  name?: string;
  /** What the router serves, see {@link createRouter}. The first tab decides; another one that differs is told so. */
  config?: RouterConfig;
  /**
   * What runs the components of the configuration, see {@link ComponentRegistry}. In a worker only modules can, and
   * they run there: all tabs have the same ones, and a component stays as long as the router does. They may not use what
   * only a page has. The first tab decides, as with `config`.
   */
  components?: ComponentRegistry;
  /** What decides where the configuration names a function, see {@link DeciderRegistry}: modules, as `components`. */
  deciders?: DeciderRegistry;
  /**
   * The address of the worker's script, of this origin: the one file that `npx wamplet init` writes, or `worker.js` with
   * `wamplet.wasm` beside it. A text is relative to the page. Default: `worker.js` beside the library's script, which
   * webpack and Vite find by themselves; for esbuild and Rollup name it here.
   *
   * webpack and Vite put a hash into the name, so that after a deployment new tabs start a router of their own beside the one
   * of old tabs, which the event `split` tells both. Let `init` put the worker at an address that stays, and name it here,
   * when that matters.
   *
   * A page with the policy `require-trusted-types-for 'script'` may start no worker of an address that is a mere text. Give
   * the `TrustedScriptURL` that a policy of yours makes of it; otherwise a tab runs the router, as if there were no SharedWorker.
   *
   * The same script runs the router where that is in the page.
   */
  workerUrl?: string | URL | { toString(): string; toJSON(): string };
  /**
   * Whether the SharedWorker outlives the last tab for a while, some 10 seconds at least, so that a lone tab that is reloaded
   * or goes to the next page finds the same router again: its `epoch`, its components, the events that realms of its
   * configuration retain. Sessions end with their page all the same. The first tab decides; another one that differs is told
   * so. Chromium 148 and later; elsewhere the router ends with the last tab. Default false.
   */
  extendedLifetime?: boolean;
  /**
   * Milliseconds for the worker to start and answer. Default 10 000. Raise it for very slow networks, and for realms that
   * keep very many events in a database.
   */
  timeout?: number;
  /**
   * Where the router runs. `'shared-worker'` fails where there is none, `'leader'` where there are no Web Locks or no
   * BroadcastChannel. All tabs of a router must run it in the same way, or they have two. Default `'auto'`: a
   * SharedWorker if the browser has it, else a tab that leads, else this page.
   */
  mode?: 'auto' | 'shared-worker' | 'leader' | 'page';
}

/** A page's handle to a router that it shares with other tabs. */
export interface SharedRouter extends EventTarget {
  /** Where the router runs: `'leader'` says that it is in one of the tabs, which may be this one. */
  readonly mode: 'shared-worker' | 'leader' | 'page';
  readonly name: string;
  /** Random, and different after each start of the router. */
  readonly epoch: string;
  /**
   * Makes a port to the router, see {@link Router.createPort}. It ends with this page, with this handle and with the
   * router: after `lost`, hand out another one.
   */
  createPort(info?: TransportInfo, identity?: PortIdentity): MessagePort;
  /** See {@link Router.inspect}. Rejects when the router does not answer within `options.timeout`. */
  inspect(): Promise<Inspection>;
  /**
   * Gives this handle up: the sessions over its ports end, other tabs go on, also those that this page leads. In the mode
   * `'page'` the router is closed.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  /**
   * * `lost`: the router was restarted or is gone, and with it all sessions. This handle has already reached the new
   *   one, and clients reconnect as after a broken connection.
   * * `split`: there are two routers of this name in this browser, of two builds or releases, and the tabs of one do not
   *   reach those of the other. The tabs of both are told, also those that come later; `reason` says what to do.
   * * `log`: the router has something to say, or a component in a worker printed it on the console, or did not catch it.
   *
   * `split` and `log` are printed on the console unless a listener calls `preventDefault()`.
   */
  addEventListener<Type extends keyof SharedRouterEvents>(
    type: Type,
    listener: (event: SharedRouterEvents[Type]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

export interface SharedRouterEvents {
  lost: CustomEvent<{ reason: string }>;
  split: CustomEvent<{ reason: string }>;
  log: CustomEvent<{ level: 'debug' | 'info' | 'warn' | 'error'; text: string }>;
}

/**
 * Realms, roles, limits and components: either in this form, or a whole configuration of Crossbar.io (`version`,
 * `workers`), both its generations of permissions. It is the configuration of the native router, too. Unknown keys are
 * errors; known ones that are not served here, such as `transports`, are warned of.
 *
 * In TypeScript give a constant this type, `const config: RouterConfig = { .. }`: of `match: 'prefix'` it would otherwise
 * remember a text, and no more.
 */
export interface RouterConfig {
  /** The realms that there are, each with its roles. Without them: any realm, and everything allowed. */
  realms?: RealmConfig[];
  /** Sessions that start with the router; beside `workers` they stand in a worker of type `router`. */
  components?: ComponentConfig[];
  /**
   * How clients authenticate over ports to which the page gave no identity. Beside `workers` it stands in a transport of
   * the type `messageport`, of a worker of type `router`. Default: they do not, and have the role `anonymous`.
   */
  auth?: AuthConfig;
  /**
   * Where the native router listens. A router in a browser has no listeners; of its transports only `messageport` counts,
   * for its `auth`.
   */
  transports?: object[];
  limits?: RouterLimits;
  version?: 1 | 2;
  controller?: object;
  workers?: object[];
  $schema?: string;
}

/**
 * The methods by which clients authenticate, of which each client chooses among those that it offers. The text of a secret
 * stands in it as it is: whoever can read the page's code can read it, so a page with real secrets lets functions decide
 * that ask a server, or has none here but hashes and public keys.
 */
export interface AuthConfig {
  /** Everybody, in the role `role`, default `anonymous`. Without this method nobody is let in who cannot authenticate. */
  anonymous?: AuthMethodConfig;
  /** `principals`: authid -> `{ ticket, role }`. */
  ticket?: AuthMethodConfig;
  /** `users`: authid -> `{ secret, role, salt, iterations, keylen }`; with `salt`, `secret` is the derived key. */
  wampcra?: AuthMethodConfig;
  /** `principals`: authid -> `{ kdf, iterations, memory, salt, 'stored-key', 'server-key', role }`. */
  scram?: AuthMethodConfig;
  /** `principals`: authid -> `{ authorized_keys, role }`. */
  cryptosign?: AuthMethodConfig;
}

/** A method: with what is known of its clients, or with a procedure or function that is asked about them. */
export interface AuthMethodConfig {
  type: 'static' | 'dynamic' | 'function';
  /** `dynamic`: the URI of the procedure, in the realm `authenticator-realm`, by default the one that the client names. */
  authenticator?: string;
  'authenticator-realm'?: string;
  /** `function`: its name, see {@link DeciderRegistry}. */
  create?: string;
  /** `ticket`, `scram`, `cryptosign`: authid -> what its client must prove. */
  principals?: Record<string, Record<string, unknown>>;
  /** `wampcra`: the same. */
  users?: Record<string, Record<string, unknown>>;
  /** The role of those for whom nothing else is said. */
  'default-role'?: string;
  /** `anonymous`: what everybody gets. Without `authid` a random one, without `realm` the one that the client names. */
  role?: string;
  authid?: string;
  realm?: string;
  extra?: Record<string, unknown>;
  // Of Crossbar.io, without effect here.
  'authenticator-role'?: string;
  config?: unknown;
  expose_controller?: unknown;
}

export interface RealmConfig {
  name: string;
  /** For people. */
  id?: unknown;
  /** Who may do what. Clients without authentication have the role `anonymous`. */
  roles: RoleConfig[];
  options?: {
    /** Which URIs are valid. [WAMP: basic/building_blocks, URIs] Default `'loose'`. */
    uri_check?: 'strict' | 'loose';
    /**
     * The arguments of the event `wamp.session.on_leave`: the session id alone, as Crossbar.io sends it (the default),
     * or the three that the specification has.
     */
    session_on_leave?: 'session' | 'session_authid_authrole';
    /** Whether there are the procedures and events of the meta API. Default true. */
    enable_meta_api?: boolean;
    /**
     * Whether a session whose first request has the id 1 must go on by 1, and is aborted otherwise.
     * [WAMP: basic/building_blocks, IDs] Default true; false for clients that count otherwise.
     */
    strict_request_ids?: boolean;
    // Of Crossbar.io, without effect here.
    bridge_meta_api?: boolean;
    event_dispatching_chunk_size?: number;
  };
  /** Has `wamp.session.on_stats` published. Default: nothing is counted, and nothing published. */
  stats?: StatsConfig;
  /** Which events are kept, and which calls wait. Default: no history, and retained events in memory. */
  store?: StoreConfig;
  // Of Crossbar.io, without effect here.
  inventory?: unknown;
  rlinks?: unknown;
  uplinks?: unknown;
  trace?: unknown;
}

/** Which events of a realm are kept for those who come later, and which calls until a callee is free. */
export interface StoreConfig {
  /** Whether events are still there when the router begins anew. Default `'memory'`: they are not. */
  type?: 'memory' | 'database' | 'cfxdb';
  /** Events of a history that does not say. Default 1 000. */
  limit?: number;
  /** Topics whose events `wamp.subscription.get_events` answers. Default none. */
  'event-history'?: { uri: string; match?: 'exact' | 'prefix' | 'wildcard'; limit?: number }[];
  /** How events are kept that are published with `retain`; `expires_after` is in seconds. Default 16 of a topic, for ever. */
  'event-retention'?: {
    uri: string;
    match?: 'exact' | 'prefix' | 'wildcard';
    limit?: number;
    expires_after?: number;
  }[];
  /** Procedures whose calls wait while all their callees have as many as their `concurrency`, and how many. Default 1 000. */
  'call-queue'?: { uri: string; match?: 'exact' | 'prefix' | 'wildcard'; limit?: number }[];
  /** The native router's file. */
  path?: string;
  // Of Crossbar.io's database, without effect here.
  maxsize?: number;
  'max-buffer'?: number;
  'buffer-flush'?: number;
  sync?: boolean;
  readonly?: boolean;
}

/**
 * When the statistics of a session are published, as `wamp.session.on_stats(session, stats)`, on its realm. `session` has
 * `realm`, `session`, `authid` and `authrole`; `stats` has, since the event before, `cycle` (which one this is, from 1
 * on), `first`, `last`, `timestamp` (of its begin, Unix time) and `duration`, both in nanoseconds, `messages`,
 * `rated_messages`, `bytes`, and `serializer`.
 */
export interface StatsConfig {
  /** Bytes of a rated message, a power of two: a longer message counts as several. Default 512. */
  rated_message_size?: number;
  /** Rated messages, sent and received together, after which statistics are published. Default 0: never. */
  trigger_after_rated_messages?: number;
  /** Seconds after which statistics are published, those of idle sessions too. Default 0: never. */
  trigger_after_duration?: number;
  /** Whether they are published when a session joins. Default true. */
  trigger_on_join?: boolean;
  /** Whether they are published when a session leaves. Default true. */
  trigger_on_leave?: boolean;
}

/** A component; {@link ComponentRegistry} says what runs it. */
export interface ComponentConfig {
  type: 'class' | 'function';
  /** The name of its code. */
  classname?: string;
  /** The realm that it joins. */
  realm?: string;
  /** A role of that realm. Default `'anonymous'`. */
  role?: string;
  /** Its `authid`. Default the `classname`. */
  id?: string;
  /** Data for the component. */
  extra?: unknown;
  [key: string]: unknown;
}

export interface RoleConfig {
  name: string;
  /** For people. */
  id?: unknown;
  /** Without an authorizer. */
  permissions?: PermissionConfig[];
  /** Who decides in the place of permissions: a procedure of the realm, or a function, see {@link DeciderRegistry}. */
  authorizer?: string | FunctionConfig;
  /** Allows everything, where there are neither permissions nor an authorizer. Default false. */
  'allow-by-default'?: boolean;
  /** Milliseconds for which an answer of the authorizer that says `cache` is remembered; 0: not at all. Default 60 000. */
  authorizer_cache_ms?: number;
}

/** A function of {@link DeciderRegistry}. */
export interface FunctionConfig {
  type: 'function';
  create: string;
}

export interface PermissionConfig {
  /** With `match`, as it is; without, a `*` says what may vary. */
  uri: string;
  match?: 'exact' | 'prefix' | 'wildcard';
  allow?: { call?: boolean; register?: boolean; publish?: boolean; subscribe?: boolean };
  /** `true`: they are revealed without being asked; `'never'`: not even by their own wish. Default false: as they wish. */
  disclose?: { caller?: boolean | 'never'; publisher?: boolean | 'never' };
  /** How far callees and subscribers are told to trust what comes, from 0. Default they are told nothing. */
  trustlevel?: number;
  // In the place of `allow`, as version 1 has it.
  call?: boolean;
  register?: boolean;
  publish?: boolean;
  subscribe?: boolean;
  // Of Crossbar.io, without effect here.
  cache?: boolean;
  validate?: unknown;
}

/** What a client may use up before it is refused. Each default is far from what an ordinary application needs. */
export interface RouterLimits {
  /** Open transports. Default 10 000. */
  transports?: number;
  /** Realms that come into being by themselves. Default 1 000. */
  realms?: number;
  /** Deepest nesting of a message. Default 128. */
  message_depth?: number;
  /** Bytes of a message. Default 16 777 216. */
  message_length?: number;
  /** Bytes of a HELLO. Default 65 536. Its details may hold one value for each 64 of them, and 256 in any case. */
  hello_length?: number;
  /** Bytes of a URI. Default 1 024. */
  uri_length?: number;
  /** Names in the lists of eligible and excluded receivers of one PUBLISH, all told. Default 1 000. */
  audience?: number;
  /** Subscriptions of one session. Default 10 000. */
  subscriptions?: number;
  /** Registrations of one session. Default 10 000. */
  registrations?: number;
  /** Calls of one session that wait for their result. Default 10 000. */
  calls?: number;
  /** Bytes of the arguments of one session's calls that wait for a callee, or may need another. Default 16 777 216. */
  kept_length?: number;
  /** Testaments of one session. Default 100. */
  testaments?: number;
  /** Bytes of all testaments of one session, as JSON. Default 65 536. */
  testament_length?: number;
  /** Topics with retained events, in a realm. Default 10 000. */
  retained_topics?: number;
  /** Bytes of the retained events of a realm. Default 16 777 216. */
  retained_length?: number;
  /** Bytes of the events in the histories of a realm. Default 67 108 864. */
  history_length?: number;
  /** Kept events that one request brings. Default 1 000. */
  events_at_once?: number;
  /** Requests of one session that wait for its authorizer. Default 1 000. */
  waiting_requests?: number;
  /** Bytes of the requests of one session that wait for its authorizer. Default 16 777 216. */
  waiting_length?: number;
  /** Decisions of authorizers that a realm remembers. Default 10 000. */
  authorization_cache?: number;
  /** Milliseconds in which an authorizer or authenticator must answer; then it has failed. Default 10 000. */
  answer_timeout_ms?: number;
  /** Milliseconds in which a client must say HELLO. Default 10 000. */
  hello_timeout_ms?: number;
  /** Milliseconds in which a client must answer a GOODBYE. Default 5 000. */
  goodbye_timeout_ms?: number;
  /** Logins that may fail at one address in a minute; only the native router knows addresses. Default 1 000. */
  failed_logins?: number;
  /** Bytes that wait for a client that does not read. Default 16 777 216. Only the native router queues. */
  queue_length?: number;
  /**
   * What happens then: its session is closed (the default), or events for it are dropped. Only the native router queues.
   */
  overflow?: 'close' | 'drop';
}

/** A router's realms, with who is there and what they hold. */
export interface Inspection {
  /** Open transports, with a session or without. */
  transports: number;
  realms: {
    name: string;
    /** The details of each session, as `wamp.session.get` answers them. */
    sessions: Record<string, unknown>[];
    subscriptions: { id: number; created: string; uri: string; match: string; subscribers: number[] }[];
    registrations: { id: number; created: string; uri: string; match: string; invoke: string; callees: number[] }[];
  }[];
}

/** Plain JSON data about a client, shown to the members of its realm in the session details, under `transport`. */
export type TransportInfo = Record<string, unknown>;

/** Whatever messages can be posted to and heard from: MessagePort, Worker, a worker's scope, and those of Node. */
export interface Endpoint {
  // biome-ignore lint/suspicious/noExplicitAny: the kinds of endpoints differ in what they say they transfer
  postMessage(message: any, transfer?: any): void;
  // biome-ignore lint/suspicious/noExplicitAny: the kinds of endpoints differ in their listeners
  addEventListener?(type: string, listener: (event: any) => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  removeEventListener?(type: string, listener: (event: any) => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  on?(type: any, listener: (data: any) => void): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  off?(type: any, listener: (data: any) => void): unknown;
  start?(): void;
  close?(): void;
}

// ---------------------------------------------------------------------------------------------------------- clients

/**
 * Where a client finds its router: a {@link Router} or {@link SharedRouter}, a port that one of them made, a promise of
 * one of these, or a function that gives any of them each time a client connects.
 *
 * A single port serves one connection at a time, and the next after it.
 */
export type RouterSource =
  | Router
  | SharedRouter
  | Endpoint
  | PromiseLike<Router | SharedRouter | Endpoint>
  | (() => Router | SharedRouter | Endpoint | PromiseLike<Router | SharedRouter | Endpoint>);

/**
 * A transport for Autobahn|JS, and the fastest way for it to reach the router. Register it before any connection is
 * made:
 *
 * ```js
 * autobahn.transports.register('wamplet', autobahnTransport());
 * const connection = new autobahn.Connection({
 *   transports: [{ type: 'wamplet', url: 'wamplet:' }],
 *   realm: 'realm1',
 *   initial_retry_delay: 0.1, // seconds; Autobahn's own, 1.5, is meant for networks
 * });
 * ```
 *
 * Payloads travel as JSON, with the semantics of Autobahn over WebSocket and JSON. Binary data in them (ArrayBuffers
 * and views) travels as it is, and arrives as Uint8Arrays.
 *
 * @param router Default: `sharedRouter()`, opened with the first connection.
 */
export function autobahnTransport(router?: RouterSource): AutobahnTransportClass;

/** What `autobahn.transports.register` takes. */
export type AutobahnTransportClass = new (options?: { url?: string }) => AutobahnTransportFactory;

/** Autobahn makes one for each entry of a connection's `transports`. */
export interface AutobahnTransportFactory {
  readonly type: string;
  create(): AutobahnTransport;
}

/** One connection, as Autobahn uses it. */
export interface AutobahnTransport {
  /** `details.transport` in the connection's `onopen`. */
  readonly info: { readonly type: string; readonly url: string; readonly protocol: string };
  readonly protocol: string;
  onopen(): void;
  onmessage(message: unknown[]): void;
  /** `wasClean` is false when the router was lost, restarted or not reached: Autobahn then connects again. */
  onclose(info: { code: number; reason: string; wasClean: boolean }): void;
  send(message: unknown[]): void;
  close(code?: number, reason?: string): void;
}

/**
 * A WebSocket class whose sockets end at the router, whatever their URL, for clients that take one:
 *
 * ```js
 * const wampy = new Wampy('ws://wamplet.invalid/ws', { realm: 'realm1', ws: webSocketClass(router) });
 * ```
 *
 * Of the subprotocols that a client offers, the first of `wamp.2.json`, `wamp.2.msgpack` and `wamp.2.cbor` is taken;
 * offering none of them fails the connection with an `error` event and close code 1006.
 *
 * Inside of the router payloads are JSON. What that cannot say ends the session that sends it with
 * `wamp.error.protocol_violation`: an extension type of MessagePack, as wampy makes one of a `Date`, or an integer of CBOR
 * of more than 64 bits. A date of CBOR arrives as its number.
 *
 * @param router Default: `sharedRouter()`, opened with the first connection.
 */
export function webSocketClass(router?: RouterSource): typeof WebSocket;

/** `webSocketClass()`: ends at the router that all tabs share. */
export declare const WampletWebSocket: typeof WebSocket;

/**
 * Puts the router in the place of a WAMP server: `new WebSocket(url)` ends at the router when the URL matches, and goes
 * to the network as before when not. The app stays as it is. Do this before the app connects, at best before its
 * scripts run.
 *
 * ```js
 * const undo = installWebSocket({ match: 'ws://127.0.0.1:8080/ws' });
 * ```
 *
 * Without a bundler, the classic script does the same: put it above the app's scripts.
 *
 * ```html
 * <script src="wamplet.global.js" data-websocket="ws://127.0.0.1:8080/ws"></script>
 * ```
 *
 * Classes of the app that extend `WebSocket` lose what they add for these URLs: let them extend {@link webSocketClass}.
 *
 * @returns A function that puts things back exactly as they were. Sockets that are open stay open.
 * @throws TypeError for a `match` of another kind, and other options; `SyntaxError` (a DOMException) for a string that is no URL.
 */
export function installWebSocket(options: InstallWebSocketOptions): () => void;

export interface InstallWebSocketOptions {
  /** Which URLs: equal to a string once both are complete, found by an expression, or as a function says. */
  match: UrlMatch | readonly UrlMatch[];
  /** Default: `sharedRouter()`, opened with the first connection. */
  router?: RouterSource;
  /** The global object whose WebSocket is replaced. Default `globalThis`. */
  target?: { WebSocket?: unknown };
}

export type UrlMatch = string | RegExp | ((url: string) => boolean);

/**
 * Marks binary data to be moved, not copied, with the next message that holds it. The sender can use it no more.
 *
 * ```js
 * session.publish('com.example.frame', [transfer(pixels)]);
 * ```
 *
 * It matters from some 64 KB on. It has an effect with {@link autobahnTransport} only.
 *
 * @returns Its argument.
 */
export function transfer<Binary extends ArrayBuffer | ArrayBufferView>(binary: Binary): Binary;
