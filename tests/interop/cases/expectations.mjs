// What several cases look at in the same way.

import assert from 'node:assert/strict';

/** A client that took something for a violation would have closed its connection. */
export async function stillThere(...peers) {
  for (const peer of peers) {
    const [list] = (await peer.call('wamp.session.list')).args;
    assert.ok(list.includes(peer.session));
  }
}

/** An event as all clients tell it. */
export const bare = ({ topic, args, kwargs }) => ({ topic, args, kwargs });

export const ascending = (ids) => [...ids].sort((one, two) => one - two);

/** The next event's arguments are these. */
export async function hears(events, ...args) {
  assert.deepEqual((await events.next()).args, args);
}

/** Published in order and acknowledged, so that whatever comes of it has been sent. */
export async function publishes(peer, topic, args, options) {
  return peer.publish(topic, args, {}, { acknowledge: true, ...options });
}

/** Nothing but this is in the inboxes: each gets an event that is for all, and has nothing before it. */
export async function nothingElse(publisher, topic, ...inboxes) {
  await publishes(publisher, topic, ['end']);
  for (const events of inboxes) await hears(events, 'end');
}
