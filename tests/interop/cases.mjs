// The cases of the table: what every client does over each of its transports and serializers.
//
// A case gets `me`, a peer of the client under test, `other`, a peer of another library, and `join`, which makes further
// peers: `join()` one like `me`, `join('python')` one of Autobahn|Python, whose callees can be interrupted. All of them are
// alone in their realm.

import assert from 'node:assert/strict';

/** Values that a serializer can get wrong. */
const VALUES = [
  { args: [], kwargs: {} },
  { args: [1], kwargs: {} },
  { args: [[]], kwargs: {} },
  { args: [0, -1, 255, 65_536, -2_147_483_649, 2 ** 53 - 1, 1.5, -1e-7, true, false, null], kwargs: {} },
  { args: ['', 'é', '漢字', '\u{1F600}', '"\\/\b\f\n\r\t\u0001', '\u2028'], kwargs: { ключ: 'значение' } },
  { args: [{ deep: [{ deeper: [[], {}, [null]] }] }], kwargs: { a: 1, b: [2], c: { d: null } } },
];

/** Every byte there is, and more than one block of base64 with a rest. */
const BYTES = Buffer.from(Array.from({ length: 256 * 4 + 1 }, (_, index) => index & 0xff));

const MEGABYTE = 'wämp'.repeat(200_000);

export const cases = {
  async joins_and_is_told_who_it_is({ me, realm }) {
    assert.ok(Number.isSafeInteger(me.session) && me.session > 0);
    assert.equal(me.welcome.realm, realm);
    assert.equal(me.welcome.authrole, 'anonymous');
    assert.equal(me.welcome.authmethod, 'anonymous');
    assert.match(me.welcome.authid, /^([A-Z3-9]{4}-){5}[A-Z3-9]{4}$/);
  },

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

  async is_called_by_a_prefix_and_no_more_after_it_unregistered({ me, other }) {
    await me.register('com.example', 'echo', { match: 'prefix' });
    assert.deepEqual((await other.call('com.example.anything', ['x'])).args, ['x']);
    await me.unregister('com.example');
    await assert.rejects(other.call('com.example.anything'), { error: 'wamp.error.no_such_procedure' });
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

  async progressive_results_come_in_their_order({ me, other, client }) {
    const steps = [0, 1, 2, 3, 4].map((step) => ({ args: [step], kwargs: {} }));
    await other.register('com.example.theirs', 'progress');
    const expected = { args: ['done'], kwargs: {}, progress: steps };
    assert.deepEqual(await me.call('com.example.theirs', [5], {}, { progress: true }), expected);
    // A callee that did not announce them is not asked for any.
    if (!client.answersInSteps) return;
    await me.register('com.example.mine', 'progress');
    assert.deepEqual(await other.call('com.example.mine', [5], {}, { progress: true }), expected);
  },

  async a_call_that_it_cancels_is_interrupted_at_the_callee({ me, join }) {
    const callee = await join('python');
    await callee.register('com.example.wait', 'wait');
    const call = await me.start('com.example.wait');
    assert.equal(await callee.news.next(), 'called');
    await call.cancel('kill');
    assert.equal(await callee.news.next(), 'interrupted');
    await assert.rejects(call.result, { error: 'com.example.interrupted', args: ['by you'] });
    await stillThere(me);
  },

  async a_call_that_it_answers_is_canceled_by_the_caller({ me, join, client }) {
    const caller = await join('python');
    await me.register('com.example.wait', 'wait');
    const call = await caller.start('com.example.wait');
    assert.equal(await me.news.next(), 'called');
    await call.cancel('kill');
    if (client.isInterrupted) assert.equal(await me.news.next(), 'interrupted');
    // Where nobody can be interrupted, the router answers.
    await assert.rejects(call.result, {
      error: client.isInterrupted ? 'com.example.interrupted' : 'wamp.error.canceled',
    });
    // A client that does not know INTERRUPT would have closed its connection.
    await stillThere(me);
  },

  async publishes_to_those_who_subscribed({ me, other }) {
    const exact = await other.subscribe('com.example.news');
    const prefix = await other.subscribe('com.example', { match: 'prefix' });
    const wildcard = await other.subscribe('com..news', { match: 'wildcard' });
    const publication = await me.publish('com.example.news', ['é', 1], { k: [2] }, { acknowledge: true });
    assert.ok(Number.isSafeInteger(publication) && publication > 0);
    const expected = { topic: 'com.example.news', args: ['é', 1], kwargs: { k: [2] } };
    for (const events of [exact, prefix, wildcard]) assert.deepEqual(bare(await events.next()), expected);
  },

  async hears_what_it_subscribed_to_and_no_more_after_it_unsubscribed({ me, other }) {
    const exact = await me.subscribe('com.example.news');
    const prefix = await me.subscribe('com.example', { match: 'prefix' });
    const wildcard = await me.subscribe('com..news', { match: 'wildcard' });
    await other.publish('com.example.news', [1], {}, { acknowledge: true });
    for (const events of [exact, prefix, wildcard]) {
      assert.deepEqual(bare(await events.next()), { topic: 'com.example.news', args: [1], kwargs: {} });
    }
    await me.unsubscribe('com.example.news');
    await other.publish('com.example.news', [2], {}, { acknowledge: true });
    await other.publish('com.example', ['end'], {}, { acknowledge: true });
    for (const events of [prefix, wildcard]) assert.deepEqual((await events.next()).args, [2]);
    assert.deepEqual((await prefix.next()).args, ['end']);
    assert.equal(exact.waiting, 0);
  },

  async does_not_hear_itself({ me, other }) {
    const events = await me.subscribe('com.example.news');
    await me.publish('com.example.news', ['mine'], {}, { acknowledge: true });
    await other.publish('com.example.news', ['theirs'], {}, { acknowledge: true });
    assert.deepEqual((await events.next()).args, ['theirs']);
  },

  async counts_lists_and_gets_sessions({ me, other, transport, serializer }) {
    assert.deepEqual((await me.call('wamp.session.count')).args, [2]);
    const [list] = (await me.call('wamp.session.list')).args;
    assert.deepEqual(ascending(list), ascending([me.session, other.session]));
    const [got] = (await me.call('wamp.session.get', [other.session])).args;
    assert.equal(got.session, other.session);
    assert.equal(got.authrole, 'anonymous');
    await assert.rejects(me.call('wamp.session.get', [1]), { error: 'wamp.error.no_such_session' });
    const [mine] = (await other.call('wamp.session.get', [me.session])).args;
    assert.equal(mine.authid, me.welcome.authid);
    assert.equal(mine.transport.type, transport);
    assert.equal(mine.transport.protocol, `wamp.2.${serializer}`);
  },

  async hears_sessions_come_and_go_by_both_generations_of_names({ me, join }) {
    const [joins, leaves] = [await me.subscribe('wamp.session.on_join'), await me.subscribe('wamp.session.on_leave')];
    const oldJoins = await me.subscribe('wamp.metaevent.session.on_join');
    const oldLeaves = await me.subscribe('wamp.metaevent.session.on_leave');
    const guest = await join('python');
    const details = (await joins.next()).args[0];
    assert.equal(details.session, guest.session);
    assert.equal(details.authid, guest.welcome.authid);
    assert.equal((await oldJoins.next()).args[0].session, guest.session);
    await guest.leave();
    assert.deepEqual((await leaves.next()).args, [guest.session]);
    assert.equal((await oldLeaves.next()).args[0].session, guest.session);
  },

  async kills_a_session_with_reason_and_message({ me, other }) {
    const leaves = await me.subscribe('wamp.session.on_leave');
    await me.call('wamp.session.kill', [other.session], { reason: 'com.example.because', message: 'foobar' });
    const { reason, message } = await other.closed;
    assert.deepEqual({ reason, message }, { reason: 'com.example.because', message: 'foobar' });
    assert.deepEqual((await leaves.next()).args, [other.session]);
  },

  async is_killed_with_reason_and_message({ me, other, client }) {
    await other.call('wamp.session.kill', [me.session], { reason: 'com.example.because', message: 'foobar' });
    const { reason, message } = await me.closed;
    if (client.tellsWhyItClosed) {
      assert.deepEqual({ reason, message }, { reason: 'com.example.because', message: 'foobar' });
    }
    assert.deepEqual((await other.call('wamp.session.list')).args, [[other.session]]);
  },

  async bytes_arrive_as_they_were_sent({ me, other, join }) {
    const twin = await join();
    await other.register('com.example.theirs', 'echo');
    await twin.register('com.example.twin', 'echo');
    for (const procedure of ['com.example.theirs', 'com.example.twin']) {
      const { args, kwargs } = await me.call(procedure, [BYTES, 'text'], { bytes: BYTES });
      assert.deepEqual(Buffer.from(args[0]), BYTES);
      assert.equal(args[1], 'text');
      assert.deepEqual(Buffer.from(kwargs.bytes), BYTES);
    }
  },

  async a_megabyte_arrives_whole({ me, other }) {
    await other.register('com.example.theirs', 'echo');
    const { args } = await me.call('com.example.theirs', [MEGABYTE]);
    assert.ok(args[0] === MEGABYTE);
    const events = await me.subscribe('com.example.large');
    await other.publish('com.example.large', [MEGABYTE]);
    assert.ok((await events.next()).args[0] === MEGABYTE);
  },

  async leaves_with_GOODBYE_and_its_registrations_go({ me, other, client }) {
    await me.register('com.example.mine', 'echo');
    const leaves = await other.subscribe('wamp.session.on_leave');
    const { reason } = await me.leave();
    if (client.tellsWhyItClosed) assert.equal(reason, 'wamp.close.goodbye_and_out');
    assert.deepEqual((await leaves.next()).args, [me.session]);
    await assert.rejects(other.call('com.example.mine'), { error: 'wamp.error.no_such_procedure' });
  },
};

async function stillThere(peer) {
  const [list] = (await peer.call('wamp.session.list')).args;
  assert.ok(list.includes(peer.session));
}

const bare = ({ topic, args, kwargs }) => ({ topic, args, kwargs });

const ascending = (ids) => [...ids].sort((one, two) => one - two);
