// A worker that is a session of its own. It gets a port of the router from its page, and uses Autobahn|JS like a tab.

import { join, offerHello, useRouter } from './wamp.js';

let connection;

self.onmessage = ({ data }) => {
  if (data.leave) connection?.close();
  else start(data);
};

function start({ port, realm, name }) {
  useRouter(port);
  connection = join({
    realm,
    about: { name, kind: 'worker' },
    async onopen(session) {
      // Handlers must not leave the page waiting, so a failure is told too.
      try {
        await offerHello(
          session,
          () => `Hello from a worker: I know ${countPrimes(100_000)} primes below 100\u00a0000.`,
        );
        self.postMessage({ joined: session.id });
      } catch (error) {
        self.postMessage({ failed: error.error ?? String(error) });
      }
    },
    onclose(reason, details) {
      self.postMessage({ closed: reason, reason: details.reason, message: details.message });
      return true; // Do not try again: the page decides.
    },
  });
}

/** Something that a page should not do itself. */
function countPrimes(limit) {
  const composite = new Uint8Array(limit);
  let count = 0;
  for (let n = 2; n < limit; n += 1) {
    if (composite[n]) continue;
    count += 1;
    for (let multiple = n * n; multiple < limit; multiple += n) composite[multiple] = 1;
  }
  return count;
}
