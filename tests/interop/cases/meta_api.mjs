// The meta API of registrations and subscriptions: what is asked, and what is told.

import assert from 'node:assert/strict';
import { ascending, stillThere } from './expectations.mjs';

const MATCHES = { exact: 'com.example.a.b', prefix: 'com.example', wildcard: 'com..a.b' };

/** Asks a procedure of the meta API, whose answer is one value. */
const ask = async (peer, procedure, ...args) => (await peer.call(`wamp.${procedure}`, args)).args[0] ?? null;

/** Expects the events of a meta API, one after the other. */
async function follow(peer, kind) {
  const events = await peer.subscribe(`wamp.${kind}.on_`, { match: 'prefix' });
  return async (...expected) => {
    for (const { event, session, id, uri } of expected) {
      const { topic, args } = await events.next();
      assert.deepEqual([topic, args[0], args[1]?.id ?? args[1]], [`wamp.${kind}.${event}`, session, id]);
      if (uri !== undefined) assert.equal(args[1].uri, uri);
    }
  };
}

export const metaApi = {
  async lists_looks_up_matches_and_gets_registrations({ me, other }) {
    const ids = {};
    for (const [match, uri] of Object.entries(MATCHES)) ids[match] = await other.register(uri, 'echo', { match });
    const list = await ask(me, 'registration.list');
    for (const match of Object.keys(MATCHES)) assert.ok(list[match].includes(ids[match]), match);
    assert.equal(await ask(me, 'registration.lookup', MATCHES.exact), ids.exact);
    assert.equal(await ask(me, 'registration.lookup', MATCHES.prefix, { match: 'prefix' }), ids.prefix);
    assert.equal(await ask(me, 'registration.lookup', 'com.example.nothing'), null);
    assert.equal(await ask(me, 'registration.match', MATCHES.exact), ids.exact);
    assert.equal(await ask(me, 'registration.match', 'com.other.a.b'), ids.wildcard);
    const { id, uri, match, invoke, created } = await ask(me, 'registration.get', ids.prefix);
    assert.deepEqual([id, uri, match, invoke], [ids.prefix, MATCHES.prefix, 'prefix', 'single']);
    assert.match(created, /^\d{4}-\d\d-\d\dT/);
    await assert.rejects(me.call('wamp.registration.get', [9_000_000]), { error: 'wamp.error.no_such_registration' });
  },

  async lists_and_counts_callees({ me, other }) {
    const id = await me.register('com.example.shared', 'echo', { invoke: 'first' });
    assert.equal(await other.register('com.example.shared', 'echo', { invoke: 'first' }), id);
    assert.deepEqual(await ask(me, 'registration.list_callees', id), [me.session, other.session]);
    assert.equal(await ask(me, 'registration.count_callees', id), 2);
    await assert.rejects(me.call('wamp.registration.count_callees', [9_000_000]), {
      error: 'wamp.error.no_such_registration',
    });
  },

  async lists_looks_up_matches_and_gets_subscriptions({ me, other }) {
    const ids = {};
    for (const [match, uri] of Object.entries(MATCHES))
      ids[match] = (await other.subscribe(uri, { match })).subscription;
    const list = await ask(me, 'subscription.list');
    for (const match of Object.keys(MATCHES)) assert.ok(list[match].includes(ids[match]), match);
    assert.equal(await ask(me, 'subscription.lookup', MATCHES.exact), ids.exact);
    assert.equal(await ask(me, 'subscription.lookup', MATCHES.wildcard, { match: 'wildcard' }), ids.wildcard);
    assert.equal(await ask(me, 'subscription.lookup', 'com.example.nothing'), null);
    const all = await ask(me, 'subscription.match', MATCHES.exact);
    assert.deepEqual(ascending(all), ascending(Object.values(ids)));
    assert.equal(await ask(me, 'subscription.match', 'org.nothing'), null);
    const { id, uri, match } = await ask(me, 'subscription.get', ids.wildcard);
    assert.deepEqual([id, uri, match], [ids.wildcard, MATCHES.wildcard, 'wildcard']);
    await assert.rejects(me.call('wamp.subscription.get', [9_000_000]), { error: 'wamp.error.no_such_subscription' });
  },

  async lists_and_counts_subscribers({ me, other }) {
    const { subscription } = await me.subscribe('com.example.news');
    await other.subscribe('com.example.news');
    const sessions = await ask(me, 'subscription.list_subscribers', subscription);
    assert.deepEqual(ascending(sessions), ascending([me.session, other.session]));
    assert.equal(await ask(me, 'subscription.count_subscribers', subscription), 2);
  },

  async hears_of_registrations_in_their_order_and_by_whom({ me, other, joinOther }) {
    const hears = await follow(me, 'registration');
    const uri = 'com.example.shared';
    const second = await joinOther();
    const id = await other.register(uri, 'echo', { invoke: 'first' });
    const [session, guest] = [other.session, second.session];
    await hears({ event: 'on_create', session, id, uri }, { event: 'on_register', session, id });
    await second.register(uri, 'echo', { invoke: 'first' });
    await hears({ event: 'on_register', session: guest, id });
    await other.unregister(uri);
    await hears({ event: 'on_unregister', session, id });
    // Of one that leaves, too.
    await second.leave();
    await hears({ event: 'on_unregister', session: guest, id }, { event: 'on_delete', session: guest, id });
  },

  async hears_of_subscriptions_in_their_order_and_by_whom({ me, other, joinOther }) {
    const hears = await follow(me, 'subscription');
    const uri = 'com.example.news';
    const second = await joinOther();
    const events = await other.subscribe(uri);
    const [id, session, guest] = [events.subscription, other.session, second.session];
    await hears({ event: 'on_create', session, id, uri }, { event: 'on_subscribe', session, id });
    await second.subscribe(uri);
    await hears({ event: 'on_subscribe', session: guest, id });
    await other.unsubscribe(events);
    await hears({ event: 'on_unsubscribe', session, id });
    await second.leave();
    await hears({ event: 'on_unsubscribe', session: guest, id }, { event: 'on_delete', session: guest, id });
  },

  async its_registrations_and_subscriptions_are_told_to_others({ me, other }) {
    const registered = await follow(other, 'registration');
    const subscribed = await follow(other, 'subscription');
    const { session } = me;
    const id = await me.register('com.example.mine', 'echo');
    await registered({ event: 'on_create', session, id }, { event: 'on_register', session, id });
    const { subscription } = await me.subscribe('com.example.news');
    const its = { session, id: subscription };
    await subscribed({ event: 'on_create', ...its }, { event: 'on_subscribe', ...its });
    await me.leave();
    await registered({ event: 'on_unregister', session, id }, { event: 'on_delete', session, id });
    await subscribed({ event: 'on_unsubscribe', ...its }, { event: 'on_delete', ...its });
    await stillThere(other);
  },
};
