// Events that a realm keeps in a database are there again when the last tab was closed or reloaded.

import assert from 'node:assert/strict';
import { inEachMode, profile } from '../fixtures/browser.mjs';
import { until } from '../fixtures/wait.mjs';

const permissions = [
  { uri: '', match: 'prefix', allow: { call: true, register: true, publish: true, subscribe: true } },
];
const store = { type: 'database', 'event-history': [{ uri: 'com.example.log', limit: 3 }] };
const config = { realms: [{ name: 'realm1', roles: [{ name: 'anonymous', permissions }], store }] };

/** For its publisher, too. */
const KEPT = { retain: true, exclude_me: false };

const test = inEachMode();

/** A tab that has not joined, with what its console says in `said`. */
async function plainTab() {
  const page = await profile.tab();
  const said = [];
  page.on('console', (message) => said.push(message.text()));
  return { page, said };
}

/** A tab whose session `me` has joined. */
async function tabWith(options = {}) {
  const { page, said } = await plainTab();
  await join(page, options);
  return { page, said };
}

const join = (page, options = {}) =>
  page.evaluate(
    async (given) => {
      globalThis.router = await tab.wamplet.sharedRouter(given);
      await tab.join('me', { router });
    },
    { config, ...options },
  );

const publish = (page, topic, value, options = {}) =>
  page.evaluate(
    ([uri, argument, more]) => tab.sessions.me.session.publish(uri, [argument], {}, { acknowledge: true, ...more }),
    [topic, value, options],
  );

/** What a new subscriber gets that was retained. */
const retained = (page, topic) =>
  page.evaluate(
    (uri) =>
      new Promise((resolve) => {
        const { session } = tab.sessions.me;
        const events = [];
        const listen = (args, _kwargs, details) => events.push([args[0], details.retained]);
        session
          .subscribe(uri, listen, { get_retained: true })
          .then(() => session.call('wamp.session.count'))
          .then(() => resolve(events));
      }),
    topic,
  );

const history = (page) =>
  page.evaluate(async () => {
    const { session } = tab.sessions.me;
    const id = await session.call('wamp.subscription.lookup', ['com.example.log']);
    const events = await session.call('wamp.subscription.get_events', [id]);
    return events.map(({ args }) => args[0]).sort();
  });

/** Waits until the database of a router has what it should, by a connection that is in nobody's way. */
const expectRows = (page, count, name = 'default') =>
  until(`${count} events are in the database`, () =>
    page.evaluate(
      ([database, expected]) =>
        new Promise((resolve) => {
          const request = indexedDB.open(database);
          request.onsuccess = () => {
            const rows = request.result.transaction('events').objectStore('events').count();
            rows.onsuccess = () => {
              request.result.close();
              resolve(rows.result === expected);
            };
          };
        }),
      [`wamplet:${name}`, count],
    ),
  );

for (const [where, mode] of Object.entries({ 'shared-worker': 'auto', page: 'page' })) {
  test(`retained_events_and_history_are_there_after_the_last_tab_of_a_${where}_was_closed`, async () => {
    const { page } = await tabWith({ mode });
    await publish(page, 'com.example.state', 'old', KEPT);
    await publish(page, 'com.example.state', 'new', KEPT);
    for (const value of [1, 2, 3, 4]) await publish(page, 'com.example.log', value);
    await expectRows(page, 4);
    await page.close();

    const { page: next } = await tabWith({ mode });
    assert.deepEqual(await retained(next, 'com.example.state'), [['new', true]]);
    assert.deepEqual(await history(next), [2, 3, 4]);
    // What comes now is kept beside them.
    await publish(next, 'com.example.log', 5);
    await publish(next, 'com.example.more', 'more', KEPT);
    await expectRows(next, 5);
    await next.close();
    const { page: last } = await tabWith({ mode });
    assert.deepEqual(await history(last), [3, 4, 5]);
    assert.deepEqual(await retained(last, 'com.example.more'), [['more', true]]);
  });

  test(`retained_events_are_there_after_the_lone_tab_of_a_${where}_was_reloaded`, async () => {
    const { page } = await tabWith({ mode });
    await publish(page, 'com.example.state', 'new', KEPT);
    await expectRows(page, 1);
    await page.reload();
    await page.waitForFunction(() => document.title === 'ready');
    await join(page, { mode });
    assert.deepEqual(await retained(page, 'com.example.state'), [['new', true]]);
  });
}

test('binary_data_of_a_retained_event_is_there_again', async () => {
  const { page } = await tabWith();
  await page.evaluate(() =>
    tab.sessions.me.session.publish(
      'com.example.binary',
      [new Uint8Array([0, 255, 7])],
      { inside: [new Uint8Array(5000).fill(9)] },
      { acknowledge: true, exclude_me: false, retain: true },
    ),
  );
  await expectRows(page, 1);
  await page.close();
  const { page: next } = await tabWith();
  const found = await next.evaluate(
    () =>
      new Promise((resolve) => {
        const listen = ([first], { inside: [second] }) => resolve([...first, second.length, second[4999]]);
        tab.sessions.me.session.subscribe('com.example.binary', listen, { get_retained: true });
      }),
  );
  assert.deepEqual(found, [0, 255, 7, 5000, 9]);
});

test('routers_of_different_names_keep_their_events_apart', async () => {
  const { page } = await tabWith({ name: 'one' });
  await publish(page, 'com.example.state', 'one', KEPT);
  await expectRows(page, 1, 'one');
  const { page: other } = await tabWith({ name: 'two' });
  assert.deepEqual(await retained(other, 'com.example.state'), []);
});

test('many_events_at_once_are_all_written', async () => {
  const { page } = await tabWith();
  await page.evaluate(async () => {
    const { session } = tab.sessions.me;
    const options = { acknowledge: true, exclude_me: false, retain: true };
    const all = Array.from({ length: 500 }, (_, n) => session.publish(`com.example.topic${n}`, [n], {}, options));
    await Promise.all(all);
  });
  await expectRows(page, 500);
});

const inMemory = (said) => said.filter((line) => line.includes('are kept in memory alone from now on'));

/** The router of this tab must serve it, and must have said once why it does without a database. */
async function expectMemoryAlone(page, said, reason) {
  await publish(page, 'com.example.state', 'here', KEPT);
  assert.deepEqual(await retained(page, 'com.example.state'), [['here', true]]);
  await publish(page, 'com.example.state', 'and here', KEPT);
  assert.equal(inMemory(said).length, 1, said.join('\n'));
  assert.match(inMemory(said)[0], reason);
}

test('a_second_router_of_the_name_leaves_the_database_to_the_first', async () => {
  const { page } = await tabWith({ mode: 'page' });
  await publish(page, 'com.example.state', 'first', KEPT);
  const { page: other, said } = await tabWith({ mode: 'page' });
  await expectMemoryAlone(other, said, /another router named "default" has the database/);
  await expectRows(other, 1);
});

const FAILURES = {
  'that is not there': [() => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }), /no IndexedDB/],
  'that may not be used': [
    () => {
      IDBFactory.prototype.open = () => {
        throw new DOMException('not in a private window', 'InvalidStateError');
      };
    },
    /not in a private window/,
  ],
  'that never opens': [
    () => {
      IDBFactory.prototype.open = () => ({});
    },
    /did not open the database within/,
  ],
  'that is full': [
    () => {
      IDBObjectStore.prototype.put = () => {
        throw new DOMException('no room', 'QuotaExceededError');
      };
    },
    /no room/,
  ],
  'that gives up a transaction': [
    () => {
      const { put } = IDBObjectStore.prototype;
      IDBObjectStore.prototype.put = function (...row) {
        put.apply(this, row);
        // As a browser does that finds no room when it writes.
        this.transaction.abort();
        return put.apply(this, row);
      };
    },
    /\w+/,
  ],
};

for (const [what, [breakIt, reason]] of Object.entries(FAILURES)) {
  test(`with_a_database_${what.replaceAll(' ', '_')}_the_router_runs_in_memory_and_says_so_once`, async () => {
    const { page, said } = await plainTab();
    await page.evaluate((source) => {
      new Function(`(${source})()`)();
    }, String(breakIt));
    await join(page, { mode: 'page' });
    await expectMemoryAlone(page, said, reason);
  });
}

test('without_room_on_the_disk_the_router_goes_on_in_memory_and_names_the_reason', async () => {
  const { page, said } = await plainTab();
  const cdp = await profile.context.newCDPSession(page);
  const origin = await page.evaluate(() => location.origin);
  await cdp.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 20_000 });
  await join(page);
  await publish(page, 'com.example.state', 'x'.repeat(100_000), KEPT);
  await until('the write has failed', () => inMemory(said).length > 0);
  await expectMemoryAlone(page, said, /from now on: \w*QuotaExceeded/);
});

test('a_database_that_is_deleted_under_a_router_is_given_up_at_once', async () => {
  const { page, said } = await tabWith();
  await publish(page, 'com.example.state', 'first', KEPT);
  await page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase('wamplet:default');
        request.onsuccess = resolve;
        request.onerror = reject;
      }),
  );
  await expectMemoryAlone(page, said, /another release of wamplet needs it/);
});

test('what_no_router_wrote_is_forgotten_and_the_rest_is_kept', async () => {
  const { page } = await tabWith();
  await publish(page, 'com.example.state', 'good', KEPT);
  await publish(page, 'com.example.other', 'better', KEPT);
  await expectRows(page, 2);
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        const request = indexedDB.open('wamplet:default');
        request.onsuccess = () => {
          const transaction = request.result.transaction('events', 'readwrite');
          const events = transaction.objectStore('events');
          for (const row of [
            { realm: 'realm1', sequence: 0, head: 'what?', tail: '' },
            { realm: 'realm1', sequence: 1_000_000, head: 5, tail: null },
          ]) {
            events.put(row);
          }
          transaction.oncomplete = () => {
            request.result.close();
            resolve();
          };
        };
      }),
  );
  await page.close();
  const { page: next, said } = await tabWith();
  assert.deepEqual(await retained(next, 'com.example.state'), [['good', true]]);
  assert.deepEqual(await retained(next, 'com.example.other'), [['better', true]]);
  await expectRows(next, 2);
  await until('the router says so', () => said.filter((line) => line.includes('an event is forgotten')).length === 2);
});
