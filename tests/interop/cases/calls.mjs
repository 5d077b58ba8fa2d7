// Calls and their ends: results, errors, progress, cancellation, timeouts, and who calls.

import assert from 'node:assert/strict';
import { logins } from '../world.mjs';
import { stillThere } from './expectations.mjs';
import { VALUES } from './values.mjs';

/** A call of `caller` under way at `callee`. */
async function underWay(caller, callee, behaviour = 'wait') {
  await callee.register('com.example.wait', behaviour);
  const call = await caller.start('com.example.wait');
  assert.equal(await callee.news.next(), 'called');
  return call;
}

const steps = (count) => Array.from({ length: count }, (_, step) => ({ args: [step], kwargs: {} }));

/** What a library makes of a procedure that throws what is no error of WAMP. */
const THROWN = { 'Autobahn|JS': 'wamp.error.runtime_error', wampy: 'wamp.error.invocation_exception' };
const thrownBy = ({ client }) => THROWN[client] ?? 'wamp.error.runtime_error';

export const calls = {
  async calls_and_is_answered({ me, other }) {
    await other.register('com.example.echo', 'echo');
    for (const { args, kwargs } of VALUES) {
      const result = await me.call('com.example.echo', args, kwargs);
      assert.deepEqual(result, { args, kwargs, progress: [] });
    }
  },

  async is_called_and_answers({ me, other }) {
    await me.register('com.example.echo', 'echo');
    for (const { args, kwargs } of VALUES) {
      const result = await other.call('com.example.echo', args, kwargs);
      assert.deepEqual(result, { args, kwargs, progress: [] });
    }
  },

  async errors_reach_the_caller_with_their_payload({ me, other }) {
    const [args, kwargs] = [['why', 1], { more: [true] }];
    await me.register('com.example.mine', 'fail');
    await other.register('com.example.theirs', 'fail');
    const expected = { error: 'com.example.failed', args, kwargs };
    await assert.rejects(me.call('com.example.theirs', args, kwargs), expected);
    await assert.rejects(other.call('com.example.mine', args, kwargs), expected);
    await assert.rejects(me.call('com.example.nobody'), { error: 'wamp.error.no_such_procedure' });
    await assert.rejects(me.register('com.example.theirs', 'echo'), {
      error: 'wamp.error.procedure_already_exists',
    });
  },

  async what_its_procedure_throws_is_an_error_for_the_caller({ me, other, column }) {
    await me.register('com.example.mine', 'throw');
    const error = thrownBy(column);
    await assert.rejects(
      other.call('com.example.mine'),
      error.endsWith('runtime_error') ? { error, args: ['oops'] } : { error },
    );
    await stillThere(me);
  },

  async calls_what_throws_and_is_told({ me, other }) {
    await other.register('com.example.theirs', 'throw');
    await assert.rejects(me.call('com.example.theirs'), {
      error: /^wamp\.error\.(runtime_error|invocation_exception)$/,
    });
  },

  async a_callee_that_is_not_available_is_an_error_for_the_caller({ me, other, join }) {
    // Nobody here announces rerouting, so nobody else is asked.
    const twin = await join();
    await me.register('com.example.mine', 'unavailable', { invoke: 'first' });
    await twin.register('com.example.mine', 'who', { invoke: 'first' });
    await assert.rejects(other.call('com.example.mine'), { error: 'wamp.error.unavailable' });
  },

  async gets_progressive_results_in_their_order({ me, other }) {
    await other.register('com.example.theirs', 'progress');
    const expected = { args: ['done'], kwargs: {}, progress: steps(5) };
    assert.deepEqual(await me.call('com.example.theirs', [5], {}, { progress: true }), expected);
  },

  async its_progressive_results_arrive_in_their_order({ me, other }) {
    await me.register('com.example.mine', 'progress');
    const expected = { args: ['done'], kwargs: {}, progress: steps(5) };
    assert.deepEqual(await other.call('com.example.mine', [5], {}, { progress: true }), expected);
  },

  a_call_that_it_cancels_is_interrupted_at_the_callee: {
    other: ['is_interrupted'],
    async run({ me, other }) {
      const call = await underWay(me, other);
      await call.cancel('kill');
      assert.equal(await other.news.next(), 'interrupted');
      await assert.rejects(call.result, { error: 'com.example.interrupted', args: ['by you'] });
      await stillThere(me);
    },
  },

  a_call_that_it_gives_up_is_answered_at_once_and_interrupted_at_the_callee: {
    needs: ['cancels_at_once'],
    other: ['is_interrupted'],
    async run({ me, other }) {
      const call = await underWay(me, other);
      await call.cancel('killnowait');
      await assert.rejects(call.result, { error: 'wamp.error.canceled' });
      assert.equal(await other.news.next(), 'interrupted');
      await stillThere(me, other);
    },
  },

  a_call_that_it_skips_is_answered_at_once_and_goes_on_at_the_callee: {
    needs: ['cancels_at_once'],
    async run({ me, other }) {
      const call = await underWay(me, other, 'hold');
      await call.cancel('skip');
      await assert.rejects(call.result, { error: 'wamp.error.canceled' });
      // What it answers after all is nobody's.
      await other.release();
      await stillThere(me, other);
    },
  },

  a_call_that_it_answers_is_interrupted_by_the_caller: {
    needs: ['is_interrupted'],
    other: ['cancels_at_once'],
    async run({ me, other }) {
      const call = await underWay(other, me);
      await call.cancel('kill');
      assert.equal(await me.news.next(), 'interrupted');
      await assert.rejects(call.result, { error: 'com.example.interrupted' });
      const another = await other.start('com.example.wait');
      assert.equal(await me.news.next(), 'called');
      await another.cancel('killnowait');
      await assert.rejects(another.result, { error: 'wamp.error.canceled' });
      assert.equal(await me.news.next(), 'interrupted');
      await stillThere(me);
    },
  },

  a_call_that_it_answers_is_canceled_whether_it_understands_INTERRUPT_or_not: {
    other: ['cancels_at_once'],
    async run({ me, other }) {
      for (const mode of ['kill', 'killnowait', 'skip']) {
        const procedure = `com.example.${mode}`;
        await me.register(procedure, 'hold');
        const call = await other.start(procedure);
        assert.equal(await me.news.next(), 'called');
        await call.cancel(mode);
        await assert.rejects(call.result, { error: 'wamp.error.canceled' });
        await me.release();
      }
      // A client that does not know INTERRUPT would have closed its connection.
      await stillThere(me, other);
    },
  },

  async a_caller_that_leaves_is_no_business_of_its_callee({ me, other, join }) {
    const caller = await join();
    await underWay(caller, other, 'hold');
    await caller.leave();
    await other.release();
    await stillThere(me, other);
  },

  async a_callee_that_leaves_ends_the_call({ me, other }) {
    const call = await underWay(me, other);
    await other.leave();
    await assert.rejects(call.result, { error: 'wamp.error.canceled' });
    await stillThere(me);
  },

  async its_call_ends_when_its_time_is_over({ me, other }) {
    await other.register('com.example.hold', 'hold');
    await assert.rejects(me.call('com.example.hold', [], {}, { timeout: 50 }), { error: 'wamp.error.timeout' });
    // In milliseconds: this one has all the time that it needs.
    assert.equal(await other.news.next(), 'called');
    const call = me.call('com.example.hold', [], {}, { timeout: 60_000 });
    assert.equal(await other.news.next(), 'called');
    await other.release();
    assert.deepEqual((await call).args, ['released']);
    await stillThere(me, other);
  },

  async the_time_for_a_call_that_it_answers_may_end({ me, other }) {
    await me.register('com.example.hold', 'hold');
    await assert.rejects(other.call('com.example.hold', [], {}, { timeout: 50 }), { error: 'wamp.error.timeout' });
    await me.release();
    await stillThere(me);
  },

  calls_under_its_name_where_it_wants_to: {
    needs: ['discloses_itself'],
    async run({ join, other }) {
      const alice = await join({ login: logins.alice });
      await other.register('com.example.identify', 'identify');
      const [anonymous] = (await alice.call('com.example.identify')).args;
      assert.equal(anonymous.caller ?? undefined, undefined);
      const [known] = (await alice.call('com.example.identify', [], {}, { disclose_me: true })).args;
      const { caller, caller_authid, caller_authrole } = known;
      assert.deepEqual(
        { caller, caller_authid, caller_authrole },
        { caller: alice.session, caller_authid: 'alice', caller_authrole: 'backend' },
      );
    },
  },

  is_told_who_calls_where_that_one_wants_to: {
    other: ['discloses_itself'],
    async run({ me, joinOther }) {
      const alice = await joinOther({ login: logins.alice });
      await me.register('com.example.identify', 'identify');
      const [known] = (await alice.call('com.example.identify', [], {}, { disclose_me: true })).args;
      assert.equal(known.caller, alice.session);
      assert.equal(known.caller_authid, 'alice');
      assert.equal(known.caller_authrole, 'backend');
    },
  },

  is_told_who_calls_where_it_asks_for_it: {
    needs: ['asks_who_calls'],
    async run({ me, other }) {
      await me.register('com.example.identify', 'identify', { disclose_caller: true });
      const [known] = (await other.call('com.example.identify')).args;
      assert.equal(known.caller, other.session);
    },
  },

  is_told_how_far_a_call_is_trusted: {
    needs: ['is_told_trust_levels'],
    async run({ me, other }) {
      await me.register('com.example', 'identify', { match: 'prefix' });
      assert.equal((await other.call('com.example.trusted.procedure')).args[0].trustlevel, 3);
      assert.equal((await other.call('com.example.procedure')).args[0].trustlevel ?? undefined, undefined);
    },
  },
};
