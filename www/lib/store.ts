// The events that realms keep, in IndexedDB, so that they are there again when the last tab was closed or reloaded.
//
// Owns the database, one for each name of a router, and the order in which it is written; the router has its events in
// memory and only reads at its start. What a record means is the core's to know. Where there is no database, or it fails,
// one warning says so, and the router goes on without.

import { sentence } from './environment.ts';
import type { HostOptions } from './host.ts';
import { takeLock } from './liveness.ts';
import type { WasmRouter } from './wasm.ts';

/** The layout of the database. */
const VERSION = 1;
const EVENTS = 'events';

/** Milliseconds for the router of a page that is just being left to let go of the database, and for it to open. */
const PATIENCE = 1000;

/**
 * Records that wait while others are being written. What is beyond, a flood has pushed out of most histories anyway: the
 * oldest are not written, and how many is said when the flood is over.
 */
const MAX_WAITING = 100_000;

interface Row {
  realm: string;
  sequence: number;
  /** Null where the event is to be forgotten. */
  head: string | null;
  tail: unknown;
}

export class Store {
  readonly #log: HostOptions['log'];
  readonly #release: () => void;
  #database: IDBDatabase | undefined;
  /** By what they are about: only the last record of an event counts. */
  readonly #waiting = new Map<string, Row>();
  #writing: Promise<void> | undefined;
  /** Records that were not written, since that was said last. */
  #dropped = 0;

  private constructor(database: IDBDatabase, release: () => void, log: HostOptions['log']) {
    this.#database = database;
    this.#release = release;
    this.#log = log;
    // A later release of this library wants to change the layout.
    database.onversionchange = () => this.#fail('another release of wamplet needs it');
  }

  /** Gives a router back what it kept; undefined where there is nothing to keep, or nowhere. */
  static async open(router: WasmRouter, name: string, log: HostOptions['log']): Promise<Store | undefined> {
    const realms = router.persistentRealms();
    if (realms.length === 0) return undefined;
    let release = () => {};
    try {
      if (typeof indexedDB === 'undefined') throw new Error('there is no IndexedDB here');
      const taken = await takeLock(`wamp:${name}:store`, PATIENCE);
      if (taken === undefined) throw new Error(`another router named "${name}" has the database`);
      release = taken;
      const store = new Store(await openDatabase(`wamplet:${name}`), release, log);
      for (const realm of realms) await store.#restore(router, realm);
      store.write(router.takeRecords());
      return store;
    } catch (error) {
      release();
      log('warn', inMemory(sentence(error)));
      return undefined;
    }
  }

  /** `[realm, sequence, head, tail, ...]`, as the router has them. */
  write(records: unknown[]): void {
    for (let index = 0; index < records.length; index += 4) {
      const [realm, sequence, head, tail] = records.slice(index, index + 4) as [string, number, string | null, unknown];
      const key = `${sequence} ${realm}`;
      // Into its place in the order.
      this.#waiting.delete(key);
      this.#waiting.set(key, { realm, sequence, head, tail });
      if (this.#waiting.size > MAX_WAITING) {
        this.#waiting.delete(this.#waiting.keys().next().value as string);
        this.#dropped += 1;
      }
    }
    if (this.#waiting.size > 0) this.#writing ??= this.#writeAll();
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    await this.#writing;
    this.#database?.close();
    this.#database = undefined;
    this.#release();
  }

  async #restore(router: WasmRouter, realm: string): Promise<void> {
    const events = (this.#database as IDBDatabase).transaction(EVENTS).objectStore(EVENTS);
    // An array comes after all numbers.
    const rows = await answer<Row[]>(events.getAll(IDBKeyRange.bound([realm], [realm, []])));
    router.restore(realm, []);
    for (const { sequence, head, tail } of rows) {
      try {
        router.restore(realm, [sequence, head, tail]);
      } catch (error) {
        this.#log('warn', `an event is forgotten: ${sentence(error)}`);
        this.write([realm, sequence, null, undefined]);
      }
    }
  }

  /** A transaction at a time, each with all that has come since the one before. */
  async #writeAll(): Promise<void> {
    try {
      while (this.#database !== undefined && this.#waiting.size > 0) {
        // What the system has is safe from all but a loss of power.
        const transaction = this.#database.transaction(EVENTS, 'readwrite', { durability: 'relaxed' });
        const events = transaction.objectStore(EVENTS);
        for (const row of this.#waiting.values()) {
          if (row.head === null) events.delete([row.realm, row.sequence]);
          else events.put(row);
        }
        this.#waiting.clear();
        // At once: this may be the last that a worker does.
        transaction.commit();
        await new Promise<void>((resolve, reject) => {
          transaction.oncomplete = () => resolve();
          transaction.onabort = () => reject(transaction.error);
        });
        if (this.#dropped > 0)
          this.#log('warn', `store.type: IndexedDB is too slow: ${this.#dropped} records were lost`);
        this.#dropped = 0;
      }
    } catch (error) {
      // With its name: an engine that has no room says nothing else.
      this.#fail(String(error));
    }
    this.#waiting.clear();
    this.#writing = undefined;
  }

  #fail(reason: string): void {
    if (this.#database === undefined) return;
    this.#database.close();
    this.#database = undefined;
    this.#log('warn', inMemory(reason));
  }
}

function inMemory(reason: string): string {
  return `store.type: events are kept in memory alone from now on: ${reason}`;
}

function openDatabase(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, VERSION);
  request.onupgradeneeded = () => request.result.createObjectStore(EVENTS, { keyPath: ['realm', 'sequence'] });
  const opened = answer(request);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      // Should it open yet, it must be in nobody's way.
      opened.then((database) => database.close()).catch(() => {});
      reject(new Error(`IndexedDB did not open the database within ${PATIENCE} ms`));
    }, PATIENCE);
    opened.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function answer<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
