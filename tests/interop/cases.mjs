// The cases of the table: what every client does over each of its transports and serializers, at every host.
//
// A case is a function, or `{ needs, other, run }`: what it takes to be `me`, and what to be the `other`, as table.mjs names
// it. It gets
//
// * `me`, a peer of the client under test, and `other`, a peer of another one, alone in their realm;
// * `join(how)` and `joinOther(how)`, which make further peers like these: with a `login` of world.mjs, through the `door`
//   where a procedure authenticates, into another `realm`, or one that `encrypts`;
// * `can(capability)`, for what a case looks at only where the client shows it;
// * `column`, the column of the table.

import { authentication } from './cases/authentication.mjs';
import { authorization } from './cases/authorization.mjs';
import { calls } from './cases/calls.mjs';
import { keptEvents } from './cases/kept_events.mjs';
import { metaApi } from './cases/meta_api.mjs';
import { payloads } from './cases/payloads.mjs';
import { publications } from './cases/publications.mjs';
import { registrations } from './cases/registrations.mjs';
import { sessions } from './cases/sessions.mjs';

const byChapter = {
  Sessions: sessions,
  'Publish and subscribe': publications,
  'Kept events': keptEvents,
  Calls: calls,
  Registrations: registrations,
  Payloads: payloads,
  'Meta API': metaApi,
  Authentication: authentication,
  Authorization: authorization,
};

/** Chapter to the cases in it, by their names; each with a `run`. */
export const chapters = Object.fromEntries(
  Object.entries(byChapter).map(([chapter, cases]) => [
    chapter,
    Object.fromEntries(
      Object.entries(cases).map(([name, aCase]) => [name, typeof aCase === 'function' ? { run: aCase } : aCase]),
    ),
  ]),
);

export const cases = Object.assign({}, ...Object.values(chapters));
