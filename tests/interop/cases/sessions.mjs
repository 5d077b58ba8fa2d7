// Sessions that join, are looked at, are ended, and leave.

import assert from 'node:assert/strict';
import { logins } from '../world.mjs';
import { ascending, stillThere } from './expectations.mjs';

const because = { reason: 'com.example.because', message: 'foobar' };

async function wasTold(peer, canTell) {
  const { reason, message } = await peer.closed;
  if (canTell) assert.deepEqual({ reason, message }, because);
}

export const sessions = {
  async joins_and_is_told_who_it_is({ me, column }) {
    assert.ok(Number.isSafeInteger(me.session) && me.session > 0);
    assert.equal(me.welcome.realm, column.realm);
    assert.equal(me.welcome.authrole, 'anonymous');
    assert.equal(me.welcome.authmethod, 'anonymous');
    assert.match(me.welcome.authid, /^([A-Z3-9]{4}-){5}[A-Z3-9]{4}$/);
  },

  is_told_what_the_router_serves: {
    needs: ['shows_roles'],
    async run({ me }) {
      const { broker, dealer } = me.welcome.roles;
      for (const feature of ['publisher_identification', 'pattern_based_subscription', 'event_history']) {
        assert.equal(broker.features[feature], true, feature);
      }
      for (const feature of ['progressive_call_results', 'call_canceling', 'shared_registration']) {
        assert.equal(dealer.features[feature], true, feature);
      }
    },
  },

  async is_refused_a_realm_that_there_is_not({ me, join }) {
    await assert.rejects(join({ realm: 'nowhere' }), { error: 'wamp.error.no_such_realm' });
    await stillThere(me);
  },

  async counts_lists_and_gets_sessions({ me, other, column }) {
    assert.deepEqual((await me.call('wamp.session.count')).args, [2]);
    const [list] = (await me.call('wamp.session.list')).args;
    assert.deepEqual(ascending(list), ascending([me.session, other.session]));
    const [got] = (await me.call('wamp.session.get', [other.session])).args;
    assert.equal(got.session, other.session);
    assert.equal(got.authrole, 'anonymous');
    await assert.rejects(me.call('wamp.session.get', [1]), { error: 'wamp.error.no_such_session' });
    const [mine] = (await other.call('wamp.session.get', [me.session])).args;
    assert.equal(mine.authid, me.welcome.authid);
    assert.equal(mine.transport.type, column.type);
    assert.equal(mine.transport.protocol, `wamp.2.${column.serializer}`);
  },

  async counts_and_lists_the_sessions_of_a_role({ me, joinOther }) {
    const alice = await joinOther({ login: logins.alice });
    assert.deepEqual((await me.call('wamp.session.count', [['backend']])).args, [1]);
    assert.deepEqual((await me.call('wamp.session.list', [['backend']])).args, [[alice.session]]);
    assert.deepEqual((await me.call('wamp.session.list', [['nobody']])).args, [[]]);
  },

  async hears_sessions_come_and_go_by_both_generations_of_names({ me, joinOther }) {
    const [joins, leaves] = [await me.subscribe('wamp.session.on_join'), await me.subscribe('wamp.session.on_leave')];
    const oldJoins = await me.subscribe('wamp.metaevent.session.on_join');
    const oldLeaves = await me.subscribe('wamp.metaevent.session.on_leave');
    const guest = await joinOther();
    const details = (await joins.next()).args[0];
    assert.equal(details.session, guest.session);
    assert.equal(details.authid, guest.welcome.authid);
    assert.equal((await oldJoins.next()).args[0].session, guest.session);
    await guest.leave();
    assert.deepEqual((await leaves.next()).args, [guest.session]);
    assert.equal((await oldLeaves.next()).args[0].session, guest.session);
  },

  kills_a_session_with_reason_and_message: {
    other: ['tells_why_it_closed'],
    async run({ me, other }) {
      const leaves = await me.subscribe('wamp.session.on_leave');
      await me.call('wamp.session.kill', [other.session], because);
      await wasTold(other, true);
      assert.deepEqual((await leaves.next()).args, [other.session]);
      await assert.rejects(me.call('wamp.session.kill', [other.session]), { error: 'wamp.error.no_such_session' });
    },
  },

  async kills_a_session({ me, other }) {
    const leaves = await me.subscribe('wamp.session.on_leave');
    await me.call('wamp.session.kill', [other.session], because);
    await other.closed;
    assert.deepEqual((await leaves.next()).args, [other.session]);
  },

  async is_killed_with_reason_and_message({ me, other, can }) {
    await other.call('wamp.session.kill', [me.session], because);
    await wasTold(me, can('tells_why_it_closed'));
    assert.deepEqual((await other.call('wamp.session.list')).args, [[other.session]]);
  },

  async does_not_kill_itself({ me }) {
    await assert.rejects(me.call('wamp.session.kill', [me.session]), { error: 'wamp.error.no_such_session' });
    await stillThere(me);
  },

  async kills_the_sessions_of_an_authid({ me, other, join, joinOther }) {
    const [one, two] = [await join({ login: logins.alice }), await joinOther({ login: logins.alice })];
    const bob = await joinOther({ login: logins.bob });
    const [killed] = (await me.call('wamp.session.kill_by_authid', ['alice'], because)).args;
    assert.deepEqual(ascending(killed), ascending([one.session, two.session]));
    await Promise.all([one.closed, two.closed]);
    await stillThere(me, other, bob);
  },

  async kills_the_sessions_of_a_role_but_not_itself({ me, other, join, joinOther }) {
    const [alice, bob] = [await join({ login: logins.alice }), await joinOther({ login: logins.bob })];
    assert.deepEqual((await alice.call('wamp.session.kill_by_authrole', ['backend'], because)).args, [1]);
    await bob.closed;
    await stillThere(me, other, alice);
  },

  async kills_everybody_but_itself({ me, other, joinOther }) {
    const alice = await joinOther({ login: logins.alice });
    assert.deepEqual((await me.call('wamp.session.kill_all', [], because)).args, [2]);
    await Promise.all([alice.closed, other.closed]);
    assert.deepEqual((await me.call('wamp.session.list')).args, [[me.session]]);
  },

  async leaves_with_GOODBYE_and_its_registrations_go({ me, other, can }) {
    await me.register('com.example.mine', 'echo');
    const leaves = await other.subscribe('wamp.session.on_leave');
    const { reason } = await me.leave();
    if (can('tells_why_it_closed')) assert.equal(reason, 'wamp.close.goodbye_and_out');
    assert.deepEqual((await leaves.next()).args, [me.session]);
    await assert.rejects(other.call('com.example.mine'), { error: 'wamp.error.no_such_procedure' });
  },
};
