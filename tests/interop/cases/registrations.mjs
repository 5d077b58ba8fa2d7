// Registrations: patterns, shared ones, limits, and how they are lost.

import assert from 'node:assert/strict';
import { stillThere } from './expectations.mjs';

const MINE = 'com.example.mine';

/** Which session answers so many calls, one after the other. */
async function answering(caller, procedure, count) {
  const sessions = [];
  for (let call = 0; call < count; call += 1) sessions.push((await caller.call(procedure)).args[0]);
  return sessions;
}

export const registrations = {
  async is_called_by_a_prefix_and_no_more_after_it_unregistered({ me, other }) {
    await me.register('com.example', 'echo', { match: 'prefix' });
    assert.deepEqual((await other.call('com.example.anything', ['x'])).args, ['x']);
    await me.unregister('com.example');
    await assert.rejects(other.call('com.example.anything'), { error: 'wamp.error.no_such_procedure' });
  },

  async the_best_of_all_patterns_is_called_and_told_the_procedure({ me, other }) {
    await me.register('com.example.a.b', 'who');
    await me.register('com.example', 'identify', { match: 'prefix' });
    await other.register('com..c.d', 'identify', { match: 'wildcard' });
    assert.deepEqual((await other.call('com.example.a.b')).args, [me.session]);
    for (const procedure of ['com.example.c.d', 'com.other.c.d']) {
      assert.equal((await other.call(procedure)).args[0].procedure, procedure);
    }
    await assert.rejects(other.call('com.other.c'), { error: 'wamp.error.no_such_procedure' });
  },

  async no_call_comes_before_REGISTERED_or_after_UNREGISTERED({ me, other }) {
    // Autobahn closes its connection when it is called by a registration that it does not know.
    for (let round = 0; round < 10; round += 1) {
      const flood = Promise.allSettled([0, 1, 2, 3].map((n) => other.call(MINE, [n])));
      await me.register(MINE, 'echo');
      await me.unregister(MINE);
      for (const { reason } of await flood) {
        if (reason !== undefined) assert.match(reason.error, /^wamp\.error\.(no_such_procedure|canceled)$/);
      }
    }
    await stillThere(me);
    await me.register(MINE, 'echo');
    assert.deepEqual((await other.call(MINE, ['end'])).args, ['end']);
  },

  async shares_a_procedure_of_which_each_is_called_in_turn({ me, other, join }) {
    const twin = await join();
    for (const callee of [me, other, twin]) await callee.register(MINE, 'who', { invoke: 'roundrobin' });
    const round = [me.session, other.session, twin.session];
    assert.deepEqual(await answering(twin, MINE, 6), [...round, ...round]);
    await other.unregister(MINE);
    assert.deepEqual(new Set(await answering(twin, MINE, 4)), new Set([me.session, twin.session]));
  },

  async shares_a_procedure_of_which_the_first_or_the_last_is_called({ me, other }) {
    for (const [invoke, called, then] of [
      ['first', me, other],
      ['last', other, me],
    ]) {
      const procedure = `com.example.${invoke}`;
      for (const callee of [me, other]) await callee.register(procedure, 'who', { invoke });
      assert.deepEqual(await answering(other, procedure, 2), [called.session, called.session]);
      await called.unregister(procedure);
      assert.deepEqual(await answering(other, procedure, 1), [then.session]);
    }
  },

  async shares_a_procedure_of_which_any_is_called({ me, other }) {
    for (const callee of [me, other]) await callee.register(MINE, 'who', { invoke: 'random' });
    const answered = new Set();
    // That one of two is chosen thirty times in a row has a probability of one in half a billion.
    for (let call = 0; call < 30 && answered.size < 2; call += 1) {
      for (const session of await answering(other, MINE, 1)) answered.add(session);
    }
    assert.deepEqual(answered, new Set([me.session, other.session]));
  },

  async does_not_share_a_procedure_by_another_policy_or_with_single({ me, other }) {
    await other.register(MINE, 'who', { invoke: 'roundrobin' });
    await assert.rejects(me.register(MINE, 'who', { invoke: 'first' }), {
      error: 'wamp.error.procedure_exists_with_different_invocation_policy',
    });
    await other.register('com.example.single', 'who', { invoke: 'single' });
    await assert.rejects(me.register('com.example.single', 'who', { invoke: 'single' }), {
      error: 'wamp.error.procedure_already_exists',
    });
  },

  is_called_no_more_often_at_once_than_it_wants: {
    needs: ['limits_calls'],
    async run({ me, other }) {
      await me.register(MINE, 'hold', { concurrency: 1 });
      const call = await other.start(MINE);
      assert.equal(await me.news.next(), 'called');
      await assert.rejects(other.call(MINE), { error: 'crossbar.error.max_concurrency_reached' });
      await me.release();
      assert.deepEqual((await call.result).args, ['released']);
      const again = await other.start(MINE);
      assert.equal(await me.news.next(), 'called');
      await me.release();
      await again.result;
    },
  },

  takes_a_procedure_from_its_callee: {
    needs: ['takes_procedures'],
    async run({ me, other }) {
      await other.register(MINE, 'who');
      await me.register(MINE, 'who', { force_reregister: true });
      assert.deepEqual(await answering(other, MINE, 1), [me.session]);
      await stillThere(other);
    },
  },

  loses_a_procedure_to_another_callee: {
    other: ['takes_procedures'],
    async run({ me, other, can }) {
      await me.register(MINE, 'who');
      await other.register(MINE, 'who', { force_reregister: true });
      assert.deepEqual(await answering(other, MINE, 1), [other.session]);
      if (can('tells_of_revoked_registrations')) {
        assert.equal(await me.news.next(), 'unregistered wamp.error.unregistered');
      }
      await stillThere(me);
    },
  },

  async a_registration_that_is_revoked_is_called_no_more({ me, other, can }) {
    const registration = await me.register(MINE, 'who');
    await other.call('wamp.registration.remove_callee', [registration, me.session, 'com.example.because']);
    await assert.rejects(other.call(MINE), { error: 'wamp.error.no_such_procedure' });
    if (can('tells_of_revoked_registrations')) {
      assert.equal(await me.news.next(), 'unregistered com.example.because');
    }
    await stillThere(me);
  },

  async revokes_a_registration({ me, other }) {
    const registration = await other.register(MINE, 'who');
    await me.call('wamp.registration.remove_callee', [registration, other.session]);
    await assert.rejects(me.call(MINE), { error: 'wamp.error.no_such_procedure' });
    await stillThere(other);
  },
};
