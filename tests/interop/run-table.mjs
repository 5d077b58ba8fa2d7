// Runs the columns of some hosts: each column with all the cases, of which a client that cannot do something skips those
// that need it and says why.

import { after, before, suite, test } from 'node:test';
import { within } from '../fixtures/wait.mjs';
import { cases } from './cases.mjs';
import { start } from './hosts.mjs';
import { arrangement, clients, columnsOf } from './table.mjs';

/** Tests of these hosts, one started after the other. */
export function runTable(names) {
  for (const host of names) {
    suite(host, () => {
      let router;
      before(async () => {
        router = await start(host);
      });
      after(() => router?.stop());
      for (const column of columnsOf(host)) {
        suite(`${column.client} over ${column.transport} in ${column.serializer}`, () => {
          for (const [name, aCase] of Object.entries(cases)) {
            const { other, skip } = arrangement(column, aCase);
            test(name, { skip }, () => run(router, column, other, aCase));
          }
        });
      }
    });
  }
}

async function run(router, column, otherColumn, { run }) {
  const joined = [];
  const joinAs =
    (who, tab) =>
    async ({ realm = column.realm, door = 'static', ...how } = {}) => {
      joined.push(await router.join(who, { realm, door, tab, ...how }));
      return joined.at(-1);
    };
  const [join, joinOther] = [joinAs(column, 0), joinAs(otherColumn, 1)];
  const can = (ability) => clients[column.client].cannot[ability] === undefined;
  const outcome = await (async () => {
    const [me, other] = await Promise.all([join(), joinOther()]);
    await run({ me, other, join, joinOther, can, column });
  })().then(
    () => undefined,
    (error) => error,
  );
  await Promise.allSettled(joined.map((peer) => peer.leave()));
  // Who did not leave is the consequence of what failed before, where something did.
  const left = within('all have left', Promise.all(joined.map((peer) => peer.closed)));
  if (outcome !== undefined) throw outcome;
  await left;
}
