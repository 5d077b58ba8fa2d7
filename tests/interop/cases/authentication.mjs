// Clients authenticate: by every method that each of them knows, against the configuration and by a procedure.

import assert from 'node:assert/strict';
import { logins } from '../world.mjs';
import { stillThere } from './expectations.mjs';

const DENIED = { error: 'wamp.error.authentication_denied' };

/** Joins by a method, and is known as whom the configuration says. */
async function joinsBy(join, way) {
  const { method, authid } = logins[way];
  const peer = await join({ login: logins[way] });
  const { authid: as, authrole, authmethod } = peer.welcome;
  assert.deepEqual({ as, authrole, authmethod }, { as: authid, authrole: 'user', authmethod: method });
  await stillThere(peer);
}

const isRefused = (join, login) => assert.rejects(join({ login }), DENIED);
const withCrayon = (login) => ({ ...login, secret: 'crayon' });

const byProcedure = (method, secret = 'open sesame') => ({ method, authid: 'joe', secret });

/** Logs in at a router that asks a procedure of `authenticator`. */
async function asksFor(authenticator, join, login) {
  await authenticator.register('com.example.authenticate', 'authenticate');
  const peer = await join({ door: 'dynamic', login });
  const { authid, authrole, authmethod, authextra } = peer.welcome;
  assert.deepEqual({ authid, authrole, authmethod }, { authid: 'joe', authrole: 'backend', authmethod: login.method });
  assert.equal(authextra.level, 9);
  await stillThere(peer);
}

export const authentication = {
  joins_by_ticket: {
    needs: ['ticket'],
    run: ({ join }) => joinsBy(join, 'ticket'),
  },
  is_refused_by_another_ticket: {
    needs: ['ticket'],
    run: ({ join }) => isRefused(join, withCrayon(logins.ticket)),
  },
  joins_by_wampcra: {
    needs: ['wampcra'],
    run: ({ join }) => joinsBy(join, 'wampcra'),
  },
  is_refused_by_wampcra_with_another_secret: {
    needs: ['wampcra'],
    run: ({ join }) => isRefused(join, withCrayon(logins.wampcra)),
  },
  joins_by_salted_wampcra: {
    needs: ['wampcra'],
    run: ({ join }) => joinsBy(join, 'salted_wampcra'),
  },
  is_refused_by_salted_wampcra_with_another_secret: {
    needs: ['wampcra'],
    run: ({ join }) => isRefused(join, withCrayon(logins.salted_wampcra)),
  },
  joins_by_scram: {
    needs: ['scram'],
    run: ({ join }) => joinsBy(join, 'scram'),
  },
  is_refused_by_scram_with_another_password: {
    needs: ['scram'],
    run: ({ join }) => isRefused(join, withCrayon(logins.scram)),
  },
  joins_by_cryptosign: {
    needs: ['cryptosign'],
    run: ({ join }) => joinsBy(join, 'cryptosign'),
  },
  is_refused_by_cryptosign_with_another_key: {
    needs: ['cryptosign'],
    run: ({ join }) => isRefused(join, logins.stranger),
  },
  a_stranger_is_refused_like_one_with_a_wrong_secret: {
    needs: ['ticket', 'wampcra'],
    async run({ join }) {
      for (const login of [logins.ticket, logins.wampcra]) await isRefused(join, { ...login, authid: 'nobody' });
    },
  },
  joins_by_ticket_where_a_procedure_decides: {
    needs: ['ticket'],
    async run({ join, joinOther }) {
      const authenticator = await joinOther({ door: 'dynamic' });
      await asksFor(authenticator, join, byProcedure('ticket'));
      await assert.rejects(join({ door: 'dynamic', login: byProcedure('ticket', 'crayon') }), {
        error: 'com.example.unknown',
      });
    },
  },
  joins_by_wampcra_where_a_procedure_knows_the_secret: {
    needs: ['wampcra'],
    async run({ join, joinOther }) {
      const authenticator = await joinOther({ door: 'dynamic' });
      await asksFor(authenticator, join, byProcedure('wampcra'));
      await assert.rejects(join({ door: 'dynamic', login: byProcedure('wampcra', 'crayon') }), DENIED);
    },
  },
  async its_procedure_decides_who_joins({ join, joinOther }) {
    const authenticator = await join({ door: 'dynamic' });
    await asksFor(authenticator, joinOther, byProcedure('ticket'));
    await assert.rejects(joinOther({ door: 'dynamic', login: byProcedure('ticket', 'crayon') }), {
      error: 'com.example.unknown',
    });
    await stillThere(authenticator);
  },
  async nobody_joins_while_the_procedure_is_not_there({ joinOther }) {
    await assert.rejects(joinOther({ door: 'dynamic', login: byProcedure('ticket') }), {
      error: 'wamp.error.authentication_failed',
    });
  },
};
