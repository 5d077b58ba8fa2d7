// Must not compile: each line below a directive is a mistake that the declarations catch.

import { autobahnTransport, createRouter, installWebSocket, sharedRouter, transfer, webSocketClass } from 'wamplet';

// @ts-expect-error A promise is not yet a router.
createRouter().createPort();

// @ts-expect-error A misspelt key of the configuration.
createRouter({ relams: [] });

// @ts-expect-error A misspelt key of a realm.
createRouter({ realms: [{ name: 'a', roles: [], stat: {} }] });

// @ts-expect-error One of its options.
createRouter({ realms: [{ name: 'a', roles: [], options: { uri_chek: 'strict' } }] });

// @ts-expect-error One of its store.
createRouter({ realms: [{ name: 'a', roles: [], store: { 'event-histroy': [] } }] });

// @ts-expect-error One of a role.
createRouter({ realms: [{ name: 'a', roles: [{ name: 'b', permission: [] }] }] });

// @ts-expect-error One of a permission.
createRouter({ realms: [{ name: 'a', roles: [{ name: 'b', permissions: [{ uri: 'c', alow: { call: true } }] }] }] });

// @ts-expect-error One of a method.
createRouter({ auth: { ticket: { type: 'static', principal: {} } } });

// @ts-expect-error Realms stand in the configuration, not among the options.
sharedRouter({ realms: [] });

// @ts-expect-error Not one of the match policies.
createRouter({ realms: [{ name: 'a', roles: [{ name: 'b', permissions: [{ uri: 'c', match: 'prefx' }] }] }] });

// @ts-expect-error Not one of the ways to deal with a client that does not read.
createRouter({ limits: { overflow: 'block' } });

// @ts-expect-error Seconds are a number.
createRouter({ realms: [{ name: 'a', roles: [], stats: { trigger_after_duration: '60s' } }] });

// @ts-expect-error A component is an object.
createRouter({ components: ['monitor.Monitor'] });

// @ts-expect-error A session is nothing that runs a component.
createRouter({}, { components: { 'monitor.Monitor': { session: 1 } } });

// @ts-expect-error The seed is bytes.
createRouter(undefined, { seed: 7 });

// @ts-expect-error Not one of the modes.
sharedRouter({ mode: 'tab' });

// @ts-expect-error Milliseconds are a number.
sharedRouter({ timeout: '3s' });

// @ts-expect-error There is nothing to match.
installWebSocket({});

// @ts-expect-error A number matches nothing.
installWebSocket({ match: 8080 });

// @ts-expect-error A URL is no router.
autobahnTransport('ws://127.0.0.1:8080/ws');

// @ts-expect-error Nor is a realm.
webSocketClass({ realm: 'realm1' });

// @ts-expect-error Only binary data can be moved.
transfer('text');

export async function routers(): Promise<void> {
  const router = await createRouter();
  // @ts-expect-error An endpoint must be able to post.
  router.attach({});
  // @ts-expect-error Where it runs is not for the user to say.
  router.mode = 'page';
  // @ts-expect-error There is no such event.
  (await sharedRouter()).addEventListener('lost', (event) => event.detail.why);
}
