// Peers that are elsewhere: in a Python process, a page of a browser, a worker thread. What the cases ask of a peer becomes
// commands, and what it says comes back as lines:
//
// * a command is `{ id, peer, do, ... }`, its answer `{ id, ok }` or `{ id, error: { error, args, kwargs } }`;
// * the news of a peer are `{ peer, news, ... }`: `event` (with the number of its inbox), `closed`, `disconnected`, and
//   whatever else behaviours tell.
//
// All of it is JSON, bytes as peers.mjs writes them. obedient-peers.mjs and python_peer.py are the other end.

import { inbox, within } from '../fixtures/wait.mjs';
import { PeerError, revive, writable } from './peers.mjs';

/**
 * `post(command, where)` sends a command; `heard` is to be called with each line; `context` is what to say about a command
 * that is never answered. A command to join has `where` too, for what cannot be written as JSON.
 */
export function remotePeers(post, context = () => '') {
  const answers = new Map();
  const peers = new Map();
  let commands = 0;
  let names = 0;

  function heard({ id, ok, error, peer, news, ...fields }) {
    if (id === undefined) {
      peers.get(peer)(news, revive(fields));
      return;
    }
    const { resolve, reject } = answers.get(id);
    answers.delete(id);
    if (error === undefined) resolve(revive(ok));
    else reject(new PeerError(error.error, revive(error.args), revive(error.kwargs)));
  }

  async function obey(command, where) {
    commands += 1;
    const answer = deferred();
    answers.set(commands, answer);
    try {
      const [ok] = await Promise.all([
        within(command.do, answer.promise),
        post({ id: commands, ...writable(command) }, where),
      ]);
      return ok;
    } catch (error) {
      throw error instanceof PeerError ? error : new Error(`${error.message}${context()}`);
    }
  }

  /** `client` is told to the other end, where there are several; the rest is as for any client. */
  async function join({ through, ...where }) {
    names += 1;
    const name = names;
    const news = inbox('news of a behaviour');
    const inboxes = [];
    const closed = deferred();
    peers.set(name, (what, fields) => {
      if (what === 'event') inboxes[fields.inbox].push(withoutNulls(fields));
      else if (what === 'closed') closed.resolve(fields);
      else if (what === 'disconnected') closed.resolve({ reason: 'lost' });
      else news.push(what === 'user error' ? fields.text : what);
    });
    const tell = (what, fields) => obey({ peer: name, do: what, ...fields });
    const welcome = await obey({ peer: name, do: 'join', ...where }, through);
    return {
      session: welcome.session,
      welcome,
      news,
      closed: closed.promise,
      call: (procedure, args, kwargs, options = {}) => tell('call', { procedure, args, kwargs, options }),
      async start(procedure) {
        const call = await tell('start', { procedure });
        const result = tell('result', { call });
        result.catch(() => {});
        return { cancel: (mode) => tell('cancel', { call, mode }), result };
      },
      register: (procedure, behaviour, options = {}) => tell('register', { procedure, behaviour, options }),
      unregister: (procedure) => tell('unregister', { procedure }),
      release: () => tell('release'),
      async subscribe(topic, options = {}) {
        const events = inbox(`an event of ${topic}`);
        const number = inboxes.push(events) - 1;
        const subscription = await tell('subscribe', { topic, options, inbox: number });
        return Object.assign(events, { subscription, number });
      },
      unsubscribe: ({ number }) => tell('unsubscribe', { inbox: number }),
      publish: (topic, args, kwargs, options = {}) => tell('publish', { topic, args, kwargs, options }),
      async leave() {
        await tell('leave');
        return closed.promise;
      },
    };
  }

  return { heard, join };
}

/** An event whose details have only what was told: Python writes what it was not told as null. */
function withoutNulls({ inbox: _, details, ...event }) {
  return { ...event, details: Object.fromEntries(Object.entries(details).filter(([, value]) => value !== null)) };
}

export function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}
