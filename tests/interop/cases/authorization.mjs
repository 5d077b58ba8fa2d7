// What clients may do: by the permissions of their role, and by a procedure that is asked.

import assert from 'node:assert/strict';
import { logins } from '../world.mjs';
import { hears, publishes, stillThere } from './expectations.mjs';

const ALLOWED = 'com.example.allowed';
const NOT_AUTHORIZED = { error: 'wamp.error.not_authorized' };

/** A session may do all of it where it is allowed, and nothing elsewhere. */
async function mayOnlyDoWhatIsAllowed(guest, member) {
  await member.register('com.example.procedure', 'echo');
  await member.register(`${ALLOWED}.procedure`, 'echo');
  const events = await member.subscribe(`${ALLOWED}.news`);
  assert.deepEqual((await guest.call(`${ALLOWED}.procedure`, [1])).args, [1]);
  await publishes(guest, `${ALLOWED}.news`, [2]);
  await hears(events, 2);
  await guest.subscribe(`${ALLOWED}.topic`);
  await guest.register(`${ALLOWED}.mine`, 'echo');
  await assert.rejects(guest.call('com.example.procedure'), NOT_AUTHORIZED);
  await assert.rejects(publishes(guest, 'com.example.news', [1]), NOT_AUTHORIZED);
  await assert.rejects(guest.subscribe('com.example.topic'), NOT_AUTHORIZED);
  await assert.rejects(guest.register('com.example.mine', 'echo'), NOT_AUTHORIZED);
}

/** An authorizer is asked about everything, in the order in which it is wanted, and the order is kept though it thinks. */
async function asksInOrder(authorizer, guest, member) {
  await authorizer.register('com.example.authorize', 'authorize');
  const procedures = [`${ALLOWED}.one.slow`, 'com.example.refused', `${ALLOWED}.two`];
  const events = await member.subscribe('com.example', { match: 'prefix' });
  const published = procedures.map((topic, index) => publishes(guest, topic, [index]));
  const outcomes = await Promise.allSettled(published);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.equal(outcomes[1].reason.error, NOT_AUTHORIZED.error);
  await hears(events, 0);
  await hears(events, 2);
  for (const procedure of procedures) assert.equal(await authorizer.news.next(), `publish ${procedure}`);
}

export const authorization = {
  may_only_do_what_its_role_may: {
    needs: ['ticket'],
    async run({ join, other }) {
      const limited = await join({ login: logins.limited });
      await mayOnlyDoWhatIsAllowed(limited, other);
      await assert.rejects(limited.call('wamp.session.list'), NOT_AUTHORIZED);
    },
  },

  may_only_do_what_a_procedure_allows: {
    needs: ['ticket'],
    async run({ join, joinOther, other }) {
      const authorizer = await joinOther();
      await authorizer.register('com.example.authorize', 'authorize');
      await mayOnlyDoWhatIsAllowed(await join({ login: logins.guarded }), other);
    },
  },

  its_procedure_decides_what_others_may: {
    other: ['ticket'],
    async run({ me, joinOther, other }) {
      await me.register('com.example.authorize', 'authorize');
      await mayOnlyDoWhatIsAllowed(await joinOther({ login: logins.guarded }), other);
      await stillThere(me);
    },
  },

  its_requests_wait_in_order_while_a_procedure_decides: {
    needs: ['ticket'],
    async run({ join, joinOther, other }) {
      await asksInOrder(await joinOther(), await join({ login: logins.guarded }), other);
    },
  },

  requests_of_others_wait_in_order_while_its_procedure_decides: {
    other: ['ticket'],
    async run({ me, join, joinOther }) {
      await asksInOrder(me, await joinOther({ login: logins.guarded }), await join());
    },
  },

  nothing_is_allowed_while_the_procedure_is_not_there: {
    needs: ['ticket'],
    async run({ join }) {
      const guarded = await join({ login: logins.guarded });
      await assert.rejects(guarded.subscribe(`${ALLOWED}.topic`), { error: 'wamp.error.authorization_failed' });
    },
  },
};
