// Events that are kept: retained ones, histories, testaments.

import assert from 'node:assert/strict';
import { logins } from '../world.mjs';
import { bare, hears, publishes, stillThere } from './expectations.mjs';

const STATE = 'com.example.state';
const LOG = 'com.example.log';

/** The arguments and the mark of the next event. */
async function next(events) {
  const { args, details } = await events.next();
  return [...args, details.retained ?? false];
}

/** What a history answers, as arguments. */
async function history(peer, id, filters) {
  const [events] = (await peer.call('wamp.subscription.get_events', [id], filters)).args;
  return events;
}

/** Its history lasts as long as the router: what earlier columns left is in another realm, earlier cases in this one. */
async function historyOf(peer) {
  const [id] = (await peer.call('wamp.subscription.lookup', [LOG])).args;
  return id;
}

const testament = (peer, scope, args, options = {}) =>
  peer.call('wamp.session.add_testament', ['com.example.will', args, {}], { scope, publish_options: options });

export const keptEvents = {
  gets_the_retained_event_of_a_topic: {
    other: ['retains'],
    async run({ me, other }) {
      await publishes(other, STATE, ['old'], { retain: true });
      await publishes(other, STATE, ['new'], { retain: true });
      const events = await me.subscribe(STATE, { get_retained: true });
      assert.deepEqual(await next(events), ['new', true]);
      await publishes(other, STATE, ['live']);
      assert.deepEqual(await next(events), ['live', false]);
      await me.call('wamplet.retention.clear', ['com.example', { match: 'prefix' }]);
    },
  },

  gets_the_retained_events_of_a_pattern: {
    other: ['retains'],
    async run({ me, other }) {
      await publishes(other, 'com.example.state.one', ['one'], { retain: true });
      await publishes(other, 'com.example.state.two', ['two'], { retain: true });
      const prefix = await me.subscribe(STATE, { match: 'prefix', get_retained: true });
      const wildcard = await me.subscribe('com..state.two', { match: 'wildcard', get_retained: true });
      const first = await prefix.next();
      assert.deepEqual(bare(first), { topic: 'com.example.state.one', args: ['one'], kwargs: {} });
      assert.deepEqual(await next(prefix), ['two', true]);
      assert.deepEqual(await next(wildcard), ['two', true]);
      await me.call('wamplet.retention.clear', ['com.example', { match: 'prefix' }]);
    },
  },

  gets_no_retained_event_unless_it_asks_for_it: {
    other: ['retains'],
    async run({ me, other }) {
      await publishes(other, STATE, ['old'], { retain: true });
      const events = await me.subscribe(STATE);
      await publishes(other, STATE, ['live']);
      assert.deepEqual(await next(events), ['live', false]);
      await me.call('wamplet.retention.clear', [STATE]);
    },
  },

  publishes_what_is_retained_for_those_for_whom_it_is: {
    needs: ['retains'],
    async run({ me, other, joinOther }) {
      await publishes(me, STATE, ['for all'], { retain: true });
      await publishes(me, STATE, ['for alice'], { retain: true, eligible_authid: ['alice'] });
      const alice = await joinOther({ login: logins.alice });
      assert.deepEqual(await next(await alice.subscribe(STATE, { get_retained: true })), ['for alice', true]);
      assert.deepEqual(await next(await other.subscribe(STATE, { get_retained: true })), ['for all', true]);
      await me.call('wamplet.retention.clear', [STATE]);
      const cleared = await joinOther({ login: logins.bob });
      const events = await cleared.subscribe(STATE, { get_retained: true });
      await publishes(me, STATE, ['live']);
      assert.deepEqual(await next(events), ['live', false]);
    },
  },

  async asks_for_the_history_of_a_topic({ me, other }) {
    const id = await historyOf(me);
    const publications = [];
    for (const number of [1, 2, 3]) publications.push(await publishes(other, LOG, [number, 'é']));
    const events = await history(me, id, { limit: 3, from_publication: publications[0] });
    assert.deepEqual(
      events.map(({ args, publication }) => [args, publication]),
      [1, 2, 3].map((number, index) => [[number, 'é'], publications[index]]),
    );
    assert.match(events[0].timestamp, /^\d{4}-\d\d-\d\dT/);
    const after = await history(me, id, { after_publication: publications[1] });
    assert.deepEqual(
      after.map(({ args }) => args[0]),
      [3],
    );
    const back = await history(me, id, { reverse: true, limit: 2 });
    assert.deepEqual(
      back.map(({ args }) => args[0]),
      [3, 2],
    );
    await assert.rejects(history(me, 9_000_000, {}), { error: 'wamp.error.no_such_subscription' });
  },

  async its_publications_become_history_for_those_for_whom_they_are({ me, other, joinOther }) {
    const id = await historyOf(other);
    const first = await publishes(me, LOG, ['for all']);
    await publishes(me, LOG, ['for alice'], { eligible_authid: ['alice'] });
    await publishes(me, LOG, ['for a session'], { eligible: [other.session] });
    const alice = await joinOther({ login: logins.alice });
    const seen = async (peer) => (await history(peer, id, { from_publication: first })).map(({ args }) => args[0]);
    assert.deepEqual(await seen(other), ['for all']);
    assert.deepEqual(await seen(alice), ['for all', 'for alice']);
  },

  async its_testaments_of_both_scopes_are_published_when_it_has_left({ me, other }) {
    const events = await other.subscribe('com.example.will');
    await testament(me, 'destroyed', ['second']);
    await testament(me, 'detached', ['first']);
    await testament(me, 'destroyed', ['for nobody'], { exclude: [other.session] });
    await testament(me, 'destroyed', ['third']);
    await me.leave();
    for (const text of ['first', 'second', 'third']) await hears(events, text);
  },

  async testaments_that_it_flushes_are_not_published({ me, other }) {
    const events = await other.subscribe('com.example.will');
    await testament(me, 'destroyed', ['destroyed']);
    await testament(me, 'detached', ['detached']);
    assert.deepEqual((await me.call('wamp.session.flush_testaments', [], { scope: 'destroyed' })).args, [1]);
    await me.leave();
    await hears(events, 'detached');
    assert.equal(events.waiting, 0);
  },

  async hears_the_testament_of_a_session_that_is_killed({ me, other }) {
    const events = await me.subscribe('com.example.will');
    await testament(other, 'destroyed', ['will']);
    await me.call('wamp.session.kill', [other.session]);
    await hears(events, 'will');
    await stillThere(me);
  },
};
