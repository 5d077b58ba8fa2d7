// Every exported name once right and once wrong: a value that must compile, and below a directive one that must not.
// `tests/node/types.test.mjs` sees to it that no name is missing.

import {
  type AuthConfig,
  type Authentication,
  type Authenticator,
  type AuthMethodConfig,
  type Authorization,
  type Authorizer,
  type AutobahnTransport,
  type AutobahnTransportClass,
  type AutobahnTransportFactory,
  autobahnTransport,
  type ComponentConfig,
  type ComponentFactory,
  type ComponentInfo,
  type ComponentRegistry,
  createRouter,
  type DeciderRegistry,
  defaultRouter,
  type Endpoint,
  type FunctionConfig,
  type Inspection,
  type InstallWebSocketOptions,
  installWebSocket,
  type PermissionConfig,
  type PortIdentity,
  type RealmConfig,
  type RoleConfig,
  type Router,
  type RouterConfig,
  type RouterLimits,
  type RouterOptions,
  type RouterSource,
  type SharedRouter,
  type SharedRouterEvents,
  type SharedRouterOptions,
  type StatsConfig,
  type StoreConfig,
  sharedRouter,
  type TransportInfo,
  transfer,
  type UrlMatch,
  WampletWebSocket,
  webSocketClass,
} from 'wamplet';

// ---------------------------------------------------------------------------------------------------------- routers

export const options: RouterOptions[] = [
  {},
  { name: 'lab', wasm: '/wamplet.wasm', seed: new Uint8Array(32), components: {}, deciders: {} },
  { wasm: new Uint8Array(8) },
  { wasm: new URL('https://a.test/wamplet.wasm') },
  // @ts-expect-error A router that is not shared has no worker.
  { workerUrl: '/worker.js' },
];

/** As a page makes its TrustedScriptURL. */
declare const trustedAddress: { toString(): string; toJSON(): string };

export const sharedOptions: SharedRouterOptions[] = [
  {},
  { name: 'lab', config: {}, components: {}, deciders: {}, workerUrl: '/wamplet-worker.js', timeout: 1, mode: 'auto' },
  { workerUrl: new URL('https://a.test/worker.js'), mode: 'page' },
  { workerUrl: trustedAddress },
  // @ts-expect-error A worker is named, not handed over.
  { workerUrl: new Worker('/worker.js') },
];

export async function routers(port: MessagePort, identity: PortIdentity): Promise<void> {
  const router: Router = await createRouter({}, {});
  const handed: MessagePort = router.createPort({ widget: 1 }, identity);
  const detach: () => void = router.attach(port, {}, { authrole: 'widget' });
  const where: 'page' | 'worker' | 'node' = router.mode;
  const ended: Promise<void> = router.close();
  console.log(handed, detach, where, ended, router.epoch);
  // @ts-expect-error A router that runs here answers at once.
  router.inspect().then(console.log);
  // @ts-expect-error An identity has a role.
  router.createPort({}, { authid: 'me' });
  // @ts-expect-error A router has no realms to join by itself.
  router.join('realm1');

  const shared: SharedRouter = await sharedRouter({});
  const asked: Promise<Inspection> = shared.inspect();
  const given: MessagePort = shared.createPort();
  const events: keyof SharedRouterEvents = 'split';
  const same: Promise<SharedRouter> = defaultRouter();
  // @ts-expect-error It is the one that has no options.
  defaultRouter({ name: 'lab' });
  shared.addEventListener(events, (event) => event.preventDefault());
  console.log(asked, given, same);
  // @ts-expect-error A port is not attached to a handle.
  shared.attach(port);
  // @ts-expect-error There is no such event.
  const none: keyof SharedRouterEvents = 'found';
  console.log(none);
}

export const identities: PortIdentity[] = [
  { authrole: 'widget' },
  { authrole: 'widget', realm: 'realm1', authid: 'one' },
  // @ts-expect-error Roles go by the name of authrole.
  { role: 'widget' },
];

export const registry: ComponentRegistry = { 'a.B': './b.js' };
// @ts-expect-error A number runs nothing.
export const wrongRegistry: ComponentRegistry = { 'a.B': 1 };

export const factory: ComponentFactory = (port, info: ComponentInfo) => port.postMessage(info.classname);
// @ts-expect-error The port comes first.
export const wrongFactory: ComponentFactory = (info: ComponentInfo) => info.classname;
export function read(info: ComponentInfo): string {
  // @ts-expect-error What it is called is not for the component to say.
  info.realm = 'realm2';
  return info.id ?? info.role;
}

export const authorize: Authorizer = ({ authid }, uri, action) => uri === `com.${authid}` && action !== 'register';
// @ts-expect-error There is no such action.
export const wrongAuthorize: Authorizer = (_, __, action) => action === 'unregister';
export const authorizations: Authorization[] = [
  true,
  { allow: false, disclose: true, cache: true },
  // @ts-expect-error It says whether it is allowed.
  { cache: true },
];

export const authenticate: Authenticator = async (realm, authid) => ({
  role: 'user',
  realm: realm ?? authid ?? 'none',
});
// @ts-expect-error A client need not name a realm.
export const wrongAuthenticate: Authenticator = (realm: string) => realm;
export const authentications: Authentication[] = [
  'user',
  { role: 'user', secret: 's', extra: {} },
  // @ts-expect-error The role is a name.
  { role: 1 },
];

export const deciders: DeciderRegistry = { authorize, authenticate, module: './decide.js' };
// @ts-expect-error A yes is no function.
export const wrongDeciders: DeciderRegistry = { authorize: true };

// ---------------------------------------------------------------------------------------------------- configuration

export const config: RouterConfig = { realms: [], components: [], auth: {}, transports: [], limits: {}, $schema: 'x' };
// @ts-expect-error There are two versions of a node's configuration.
export const wrongConfig: RouterConfig = { version: 3 };

export const auth: AuthConfig = { anonymous: { type: 'static', role: 'guest' }, ticket: { type: 'dynamic' } };
// @ts-expect-error A page has no client certificates.
export const wrongAuth: AuthConfig = { tls: { type: 'static' } };

export const method: AuthMethodConfig = { type: 'function', create: 'authenticate', 'default-role': 'user' };
// @ts-expect-error Not a way to know clients.
export const wrongMethod: AuthMethodConfig = { type: 'database' };

export const realm: RealmConfig = { name: 'realm1', roles: [], options: { uri_check: 'loose' }, store: {}, stats: {} };
// @ts-expect-error A realm has roles.
export const wrongRealm: RealmConfig = { name: 'realm1' };

export const store: StoreConfig = {
  type: 'database',
  limit: 10,
  'event-history': [{ uri: 'com.example', match: 'prefix' }],
  'event-retention': [{ uri: 'com.example', expires_after: 60 }],
};
// @ts-expect-error Not a place to keep events.
export const wrongStore: StoreConfig = { type: 'file' };

export const stats: StatsConfig = { rated_message_size: 512, trigger_on_leave: true };
// @ts-expect-error A trigger fires or does not.
export const wrongStats: StatsConfig = { trigger_on_leave: 'yes' };

export const component: ComponentConfig = { type: 'class', classname: 'a.B', realm: 'realm1', extra: [1] };
// @ts-expect-error Not a kind of component.
export const wrongComponent: ComponentConfig = { type: 'wamplet' };

export const role: RoleConfig = { name: 'user', authorizer: { type: 'function', create: 'authorize' } };
// @ts-expect-error A role has a name.
export const wrongRole: RoleConfig = { permissions: [] };

export const named: FunctionConfig = { type: 'function', create: 'authorize' };
// @ts-expect-error A function is named.
export const wrongNamed: FunctionConfig = { type: 'function', create: authorize };

export const permission: PermissionConfig = { uri: 'a.', match: 'prefix', allow: { call: true }, trustlevel: 1 };
// @ts-expect-error There is no such action.
export const wrongPermission: PermissionConfig = { uri: 'a.', allow: { unregister: true } };

export const limits: RouterLimits = { message_length: 1024, queue_length: 1024, answer_timeout_ms: 100 };
// @ts-expect-error A misspelt limit limits nothing.
export const wrongLimits: RouterLimits = { message_lenght: 1024 };

// ---------------------------------------------------------------------------------------------------------- clients

export const info: TransportInfo = { widget: 1, nested: { a: [] } };
// @ts-expect-error It is an object.
export const wrongInfo: TransportInfo = 'a widget';

export const endpoint: Endpoint = { postMessage: () => {}, addEventListener: () => {} };
// @ts-expect-error An endpoint can post.
export const wrongEndpoint: Endpoint = { addEventListener: () => {} };

export const source: RouterSource = () => createRouter();
// @ts-expect-error A name is no router.
export const wrongSource: RouterSource = 'default';

export function autobahn(): AutobahnTransport {
  const Transport: AutobahnTransportClass = autobahnTransport(source);
  const made: AutobahnTransportFactory = new Transport({ url: 'wamplet:' });
  const transport: AutobahnTransport = made.create();
  transport.close(1000, 'done');
  // @ts-expect-error Messages are arrays, not text.
  transport.send('[]');
  // @ts-expect-error A class is constructed.
  Transport({ url: 'wamplet:' });
  // @ts-expect-error A factory creates without arguments.
  made.create('wamplet:');
  return transport;
}

export function sockets(): WebSocket {
  const Socket: typeof WebSocket = webSocketClass();
  // @ts-expect-error As with any WebSocket, there is a URL.
  new Socket();
  // @ts-expect-error Realms are not for the socket.
  new WampletWebSocket('ws://a.test/', { realm: 'realm1' });
  return new WampletWebSocket('ws://a.test/', 'wamp.2.json');
}

export const matches: UrlMatch[] = ['ws://a.test/', /a\.test/, (url) => url.startsWith('ws:')];
// @ts-expect-error A URL object matches nothing: take its href.
export const wrongMatch: UrlMatch = new URL('ws://a.test/');

export function install(): void {
  const what: InstallWebSocketOptions = { match: matches, router: source, target: {} };
  const undo: () => void = installWebSocket(what);
  undo();
  // @ts-expect-error What matches has to be said.
  const wrong: InstallWebSocketOptions = { router: source };
  console.log(wrong);
}

export const moved: Float32Array = transfer(new Float32Array(3));
// @ts-expect-error What is moved keeps its type.
export const wrongMoved: Uint8Array = transfer(new Float32Array(3));
