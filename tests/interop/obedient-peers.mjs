// The other end of remote-peers.mjs, where peers are JavaScript: does with them what commands say. Runs in a page of a
// browser and in a worker thread of Node.

import { revive, writable } from './peers.mjs';

/** `join(where, through)` makes a peer, `tell` takes the lines; answers a function that takes commands. */
export function obedient(join, tell) {
  const peers = new Map();

  async function admit(name, where, through) {
    const peer = await join(where, through);
    peers.set(name, { peer, calls: [], inboxes: [] });
    const news = (what, fields) => tell({ peer: name, news: what, ...writable(fields) });
    peer.news.forward((what) => news(what));
    peer.closed.then((fields) => news('closed', fields));
    const { realm, authid, authrole, authmethod, authextra, roles } = peer.welcome;
    return { session: peer.session, realm, authid, authrole, authmethod, authextra, roles };
  }

  const actions = {
    call: ({ peer }, { procedure, args, kwargs, options }) => peer.call(procedure, args, kwargs, options),
    start: async ({ peer, calls }, { procedure }) => calls.push(await peer.start(procedure)) - 1,
    cancel: ({ calls }, { call, mode }) => calls[call].cancel(mode),
    result: ({ calls }, { call }) => calls[call].result,
    register: ({ peer }, { procedure, behaviour, options }) => peer.register(procedure, behaviour, options),
    unregister: ({ peer }, { procedure }) => peer.unregister(procedure),
    release: ({ peer }) => peer.release(),
    async subscribe({ peer, inboxes }, { topic, options, inbox }, name) {
      const events = await peer.subscribe(topic, options);
      inboxes[inbox] = events;
      events.forward((event) => tell({ peer: name, news: 'event', inbox, ...writable(event) }));
      return events.subscription;
    },
    unsubscribe: ({ peer, inboxes }, { inbox }) => peer.unsubscribe(inboxes[inbox]),
    publish: ({ peer }, { topic, args, kwargs, options }) => peer.publish(topic, args, kwargs, options),
    leave: async ({ peer }) => void (await peer.leave()),
  };

  return async ({ id, peer: name, do: action, ...fields }, through) => {
    try {
      const given = revive(fields);
      const answer = action === 'join' ? admit(name, given, through) : actions[action](peers.get(name), given, name);
      tell({ id, ok: writable((await answer) ?? null) });
    } catch (error) {
      tell({
        id,
        error: { error: error.error ?? String(error), ...writable({ args: error.args, kwargs: error.kwargs }) },
      });
    }
  };
}
