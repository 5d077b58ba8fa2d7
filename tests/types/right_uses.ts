// Must compile: what the documentation shows, and what a careful user writes.

import { parentPort, Worker as Thread } from 'node:worker_threads';
import {
  autobahnTransport,
  type ComponentFactory,
  type ComponentRegistry,
  createRouter,
  type Inspection,
  installWebSocket,
  type Router,
  type RouterConfig,
  type RouterSource,
  type SharedRouter,
  sharedRouter,
  transfer,
  WampletWebSocket,
  webSocketClass,
} from 'wamplet';

const config: RouterConfig = {
  realms: [
    {
      name: 'realm1',
      roles: [
        {
          name: 'anonymous',
          permissions: [
            { uri: 'com.example.', match: 'prefix', allow: { call: true, subscribe: true } },
            { uri: 'com.other.*', publish: true },
          ],
        },
      ],
      options: { uri_check: 'strict', session_on_leave: 'session' },
      stats: { rated_message_size: 256, trigger_after_duration: 60, trigger_on_join: false },
    },
  ],
  components: [{ type: 'class', classname: 'monitor.Monitor', realm: 'realm1', role: 'monitor', extra: { n: 1 } }],
  transports: [{ type: 'websocket' }],
  limits: { transports: 10, message_length: 65536, queue_length: 1024, overflow: 'drop' },
};

const factory: ComponentFactory = (port, { realm, role, id, extra }) => {
  const socket = new (webSocketClass(port))(`ws://wamplet.test/${realm}/${role}/${id ?? extra.n}`, 'wamp.2.json');
  return () => socket.close();
};

const components: ComponentRegistry = {
  'monitor.Monitor': factory,
  'monitor.Module': './monitor.js',
  'monitor.Url': new URL('https://a.test/monitor.js'),
  'monitor.Nothing': () => {},
  'monitor.Promise': async () => () => {},
};

export async function routers(): Promise<void> {
  const router: Router = await createRouter(config, { seed: new Uint8Array(32), wasm: new URL('file:///x.wasm') });
  const port: MessagePort = router.createPort({ name: 'a worker' });
  const stop: () => void = router.attach(port);
  router.attach(new Worker('worker.js'));
  router.attach(new Thread('worker.js'), { thread: 1 });
  if (parentPort !== null) router.attach(parentPort);
  stop();
  const inspection: Inspection = router.inspect();
  const uris: string[] = inspection.realms.flatMap(({ subscriptions }) => subscriptions.map(({ uri }) => uri));
  uris.sort();
  await router.close();

  const crossbar: RouterConfig = { version: 2, controller: {}, workers: [{ type: 'router', realms: [] }] };
  await createRouter(crossbar, { components });
  await createRouter();
}

export async function shared(): Promise<void> {
  const router: SharedRouter = await sharedRouter({
    name: 'lab',
    config,
    components,
    timeout: 500,
    mode: 'shared-worker',
  });
  router.addEventListener('lost', (event) => console.log(event.detail.reason.length));
  router.addEventListener('log', (event) => {
    const level: 'debug' | 'info' | 'warn' | 'error' = event.detail.level;
    console[level](event.detail.text);
    event.preventDefault();
  });
  router.addEventListener('split', ({ detail: { reason } }) => console.log(reason), { once: true });
  const mode: 'shared-worker' | 'leader' | 'page' = router.mode;
  console.log(mode, router.epoch, router.name, (await router.inspect()).transports);
  await router.close();
}

export async function clients(router: Router, port: MessagePort): Promise<void> {
  const sources: RouterSource[] = [router, port, sharedRouter(), () => router, async () => port, () => sharedRouter()];
  for (const source of sources) autobahnTransport(source);

  const Transport = autobahnTransport();
  const transport = new Transport({ url: 'wamplet:' }).create();
  transport.onmessage = (message: unknown[]) => transport.send(message);
  transport.onclose = ({ code, reason, wasClean }) => console.log(code + 1, reason.length, wasClean === true);

  const Socket: typeof WebSocket = webSocketClass(router);
  const socket: WebSocket = new Socket('ws://wamplet.test/', ['wamp.2.json']);
  socket.onmessage = ({ data }) => console.log(data);
  new WampletWebSocket('ws://wamplet.test/').close(1000);

  const undo: () => void = installWebSocket({ match: ['ws://a.test/', /b/, (url) => url.length > 3], router });
  undo();
  installWebSocket({ match: 'ws://a.test/', target: globalThis });

  const pixels: Uint8Array = transfer(new Uint8Array(3));
  transport.send([16, 1, {}, 'com.example.frame', [pixels, transfer(new ArrayBuffer(3))]]);
}
