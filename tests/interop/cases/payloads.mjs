// Payloads that are large, binary, undefined, or none of the router's business.

import assert from 'node:assert/strict';
import { bare } from './expectations.mjs';
import { BYTES, MEGABYTE } from './values.mjs';

/** As wampy has it: another serializer than that of the session, of which the router knows nothing. */
const PASSTHRU = { ppt_scheme: 'x_wamplet', ppt_serializer: 'json' };

export const payloads = {
  async bytes_arrive_as_they_were_sent({ me, other, join }) {
    const twin = await join();
    await other.register('com.example.theirs', 'echo');
    await twin.register('com.example.twin', 'echo');
    for (const procedure of ['com.example.theirs', 'com.example.twin']) {
      const { args, kwargs } = await me.call(procedure, [BYTES, 'text'], { bytes: BYTES });
      assert.deepEqual(Uint8Array.from(args[0]), BYTES);
      assert.equal(args[1], 'text');
      assert.deepEqual(Uint8Array.from(kwargs.bytes), BYTES);
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

  what_is_undefined_arrives_as_nothing: {
    needs: ['has_undefined'],
    async run({ me, other }) {
      await me.register('com.example.mine', 'undefined');
      const [first, { a, b }, ...rest] = (await other.call('com.example.mine')).args;
      assert.deepEqual([first ?? null, a ?? null, b, rest], [null, null, 2, []]);
    },
  },

  payloads_that_pass_through_are_called_with_and_answered: {
    needs: ['passes_payloads_through'],
    async run({ me, join }) {
      const twin = await join();
      await twin.register('com.example.twin', 'echo');
      const { args, kwargs } = await me.call('com.example.twin', ['é', 1], { k: [2] }, PASSTHRU);
      assert.deepEqual({ args, kwargs }, { args: ['é', 1], kwargs: { k: [2] } });
    },
  },

  payloads_that_pass_through_are_published: {
    needs: ['passes_payloads_through'],
    async run({ me, join }) {
      const twin = await join();
      const events = await twin.subscribe('com.example.news');
      await me.publish('com.example.news', ['é', 1], { k: [2] }, PASSTHRU);
      const event = await events.next();
      assert.deepEqual(bare(event), { topic: 'com.example.news', args: ['é', 1], kwargs: { k: [2] } });
      assert.equal(event.details.ppt_scheme, 'x_wamplet');
    },
  },

  who_cannot_read_payloads_that_pass_through_is_not_called_with_them: {
    needs: ['passes_payloads_through'],
    async run({ me, other }) {
      await other.register('com.example.theirs', 'echo');
      await assert.rejects(me.call('com.example.theirs', ['é'], {}, PASSTHRU), {
        error: 'wamp.error.feature_not_supported',
      });
    },
  },

  payloads_that_it_encrypts_arrive: {
    needs: ['encrypts_payloads'],
    other: ['encrypts_payloads'],
    async run({ join, joinOther }) {
      const [me, other] = [await join({ encrypts: true }), await joinOther({ encrypts: true })];
      await other.register('com.example.secret.echo', 'echo');
      const { args, kwargs } = await me.call('com.example.secret.echo', ['é', 1], { k: [2] });
      assert.deepEqual({ args, kwargs }, { args: ['é', 1], kwargs: { k: [2] } });
      const events = await other.subscribe('com.example.secret.news');
      await me.publish('com.example.secret.news', ['é', 1], { k: [2] }, { acknowledge: true });
      const event = await events.next();
      assert.deepEqual(bare(event), { topic: 'com.example.secret.news', args: ['é', 1], kwargs: { k: [2] } });
      assert.equal(event.details.enc_algo, 'x_backwards');
    },
  },
};
