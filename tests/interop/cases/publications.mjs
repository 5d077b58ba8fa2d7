// Events: who gets them, who does not, and what is told of their publisher.

import assert from 'node:assert/strict';
import { logins } from '../world.mjs';
import { bare, hears, nothingElse, publishes, stillThere } from './expectations.mjs';

const NEWS = 'com.example.news';

/** Two of `me`'s kind and one of the other's, `alice` and `bob` of one role, all listening. */
async function audience({ join, joinOther, other }) {
  const [alice, bob] = [await join({ login: logins.alice }), await joinOther({ login: logins.bob })];
  const inboxes = [];
  for (const peer of [alice, bob, other]) inboxes.push(await peer.subscribe(NEWS));
  return { alice, bob, inboxes };
}

/** Published with these options, an event comes to those whose places are named, of alice, bob and the other. */
async function reaches(publisher, { inboxes }, options, places) {
  const text = JSON.stringify(options);
  await publishes(publisher, NEWS, [text], options);
  for (const place of places) await hears(inboxes[place], text);
}

/** Publishes as alice, once without her name and once with it. */
async function isNamedWhereItWantsTo(alice, subscriber) {
  const events = await subscriber.subscribe(NEWS);
  await publishes(alice, NEWS, ['anonymous']);
  await publishes(alice, NEWS, ['disclosed'], { disclose_me: true });
  assert.equal((await events.next()).details.publisher, undefined);
  const { publisher, publisher_authid, publisher_authrole } = (await events.next()).details;
  assert.deepEqual(
    { publisher, publisher_authid, publisher_authrole },
    { publisher: alice.session, publisher_authid: 'alice', publisher_authrole: 'backend' },
  );
}

export const publications = {
  async publishes_to_those_who_subscribed({ me, other }) {
    const exact = await other.subscribe(NEWS);
    const prefix = await other.subscribe('com.example', { match: 'prefix' });
    const wildcard = await other.subscribe('com..news', { match: 'wildcard' });
    const publication = await me.publish(NEWS, ['é', 1], { k: [2] }, { acknowledge: true });
    assert.ok(Number.isSafeInteger(publication) && publication > 0);
    const expected = { topic: NEWS, args: ['é', 1], kwargs: { k: [2] } };
    for (const events of [exact, prefix, wildcard]) assert.deepEqual(bare(await events.next()), expected);
  },

  async hears_what_it_subscribed_to_and_no_more_after_it_unsubscribed({ me, other }) {
    const exact = await me.subscribe(NEWS);
    const prefix = await me.subscribe('com.example', { match: 'prefix' });
    const wildcard = await me.subscribe('com..news', { match: 'wildcard' });
    await other.publish(NEWS, [1], {}, { acknowledge: true });
    for (const events of [exact, prefix, wildcard]) {
      assert.deepEqual(bare(await events.next()), { topic: NEWS, args: [1], kwargs: {} });
    }
    await me.unsubscribe(exact);
    await publishes(other, NEWS, [2]);
    await publishes(other, 'com.example', ['end']);
    for (const events of [prefix, wildcard]) await hears(events, 2);
    await hears(prefix, 'end');
    assert.equal(exact.waiting, 0);
  },

  async two_handlers_of_a_topic_share_a_subscription_until_the_last_is_gone({ me, other }) {
    const [one, two] = [await me.subscribe(NEWS), await me.subscribe(NEWS)];
    assert.equal(one.subscription, two.subscription);
    await publishes(other, NEWS, [1]);
    await Promise.all([hears(one, 1), hears(two, 1)]);
    await me.unsubscribe(one);
    await publishes(other, NEWS, [2]);
    await hears(two, 2);
    await me.unsubscribe(two);
    const [id] = (await other.call('wamp.subscription.lookup', [NEWS])).args;
    assert.equal(id ?? null, null);
    assert.equal(one.waiting, 0);
  },

  async no_event_comes_before_SUBSCRIBED_or_after_UNSUBSCRIBED({ me, other }) {
    // A client that is sent an event of a subscription that it does not know closes its connection, or forgets the event.
    for (let round = 0; round < 10; round += 1) {
      const flood = Promise.all([0, 1, 2, 3].map((n) => publishes(other, NEWS, [n])));
      const events = await me.subscribe(NEWS);
      await me.unsubscribe(events);
      await flood;
    }
    await stillThere(me);
    const events = await me.subscribe(NEWS);
    await publishes(other, NEWS, ['end']);
    await hears(events, 'end');
  },

  async does_not_hear_itself({ me, other }) {
    const events = await me.subscribe(NEWS);
    await publishes(me, NEWS, ['mine']);
    await publishes(other, NEWS, ['theirs']);
    await hears(events, 'theirs');
  },

  hears_itself_where_it_wants_to: {
    needs: ['hears_itself'],
    async run({ me }) {
      const events = await me.subscribe(NEWS);
      await publishes(me, NEWS, ['mine'], { exclude_me: false });
      await hears(events, 'mine');
    },
  },

  async publishes_for_or_not_for_some_sessions(context) {
    const { me, other } = context;
    const there = await audience(context);
    const { alice, bob, inboxes } = there;
    await reaches(me, there, { eligible: [alice.session, other.session] }, [0, 2]);
    await reaches(me, there, { exclude: [alice.session, other.session] }, [1]);
    await reaches(me, there, { eligible: [alice.session, bob.session], exclude: [bob.session] }, [0]);
    await nothingElse(me, NEWS, ...inboxes);
  },

  async publishes_for_or_not_for_some_authids(context) {
    const { me } = context;
    const there = await audience(context);
    await reaches(me, there, { eligible_authid: ['alice', 'nobody'] }, [0]);
    await reaches(me, there, { exclude_authid: ['alice'] }, [1, 2]);
    await nothingElse(me, NEWS, ...there.inboxes);
  },

  async publishes_for_or_not_for_some_roles(context) {
    const { me } = context;
    const there = await audience(context);
    await reaches(me, there, { eligible_authrole: ['backend'] }, [0, 1]);
    await reaches(me, there, { exclude_authrole: ['backend'] }, [2]);
    await reaches(me, there, { eligible_authrole: ['backend'], exclude_authid: ['bob'] }, [0]);
    await nothingElse(me, NEWS, ...there.inboxes);
  },

  an_event_for_no_one_is_for_no_one_and_one_that_excludes_no_one_for_all: {
    needs: ['sends_empty_lists'],
    async run(context) {
      const { me } = context;
      const there = await audience(context);
      for (const list of ['eligible', 'eligible_authid', 'eligible_authrole']) {
        await reaches(me, there, { [list]: [] }, []);
      }
      for (const list of ['exclude', 'exclude_authid', 'exclude_authrole']) {
        await reaches(me, there, { [list]: [] }, [0, 1, 2]);
      }
      await nothingElse(me, NEWS, ...there.inboxes);
    },
  },

  publishes_under_its_name_where_it_wants_to: {
    needs: ['discloses_itself'],
    async run({ join, other }) {
      await isNamedWhereItWantsTo(await join({ login: logins.alice }), other);
    },
  },

  is_told_who_published_where_that_one_wants_to: {
    other: ['discloses_itself'],
    async run({ me, joinOther }) {
      await isNamedWhereItWantsTo(await joinOther({ login: logins.alice }), me);
    },
  },

  is_told_how_far_an_event_is_trusted: {
    needs: ['is_told_trust_levels'],
    async run({ me, other }) {
      const events = await me.subscribe('com.example', { match: 'prefix' });
      await publishes(other, 'com.example.trusted.news', [1]);
      await publishes(other, NEWS, [2]);
      assert.equal((await events.next()).details.trustlevel, 3);
      assert.equal((await events.next()).details.trustlevel, undefined);
    },
  },

  a_subscription_that_is_revoked_brings_no_more_events: {
    needs: ['survives_revoked_subscriptions'],
    async run({ me, other, can }) {
      const events = await me.subscribe(NEWS);
      await publishes(other, NEWS, [1]);
      await hears(events, 1);
      const revoke = [events.subscription, me.session, 'com.example.because'];
      await other.call('wamp.subscription.remove_subscriber', revoke);
      await publishes(other, NEWS, [2]);
      if (can('tells_of_revoked_subscriptions')) {
        assert.equal(await me.news.next(), 'unsubscribed com.example.because');
      }
      await stillThere(me);
      assert.equal(events.waiting, 0);
    },
  },

  revokes_a_subscription: {
    other: ['survives_revoked_subscriptions'],
    async run({ me, other }) {
      const { subscription } = await other.subscribe(NEWS);
      const revoke = () => me.call('wamp.subscription.remove_subscriber', [subscription, other.session]);
      await revoke();
      await assert.rejects(revoke(), { error: 'wamp.error.no_such_subscription' });
      await stillThere(other);
    },
  },
};
