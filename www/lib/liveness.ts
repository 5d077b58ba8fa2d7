// Who is still there: Web Locks tell when a page, worker or router has died, page events when a page is put away.
//
// No event tells a port that its other end is gone, but a lock is released the moment its holder dies, however it dies.
// So each client and each router holds one lock with a name of its own, and the other side asks for it. Where there are
// no locks (Node, sandboxed frames, plain http), nothing here ever fires: Node's ports tell by themselves.

import { LOCK_PATIENCE, place, randomName } from './environment.ts';

let own: Promise<string | undefined> | undefined;

/** A name for a lock that nobody else has, and that says whose it is: each origin has locks of its own. */
export function newLock(): string {
  return `wamp:${randomName()}@${globalThis.origin}`;
}

/** The name of the lock that this page or worker holds until it dies; undefined where there are no locks. */
export function ownLock(): Promise<string | undefined> {
  own ??= opened().then(() => acquire(newLock()));
  return own;
}

/** A page that a browser prepares before anybody has opened it (prerendering) gets no lock and no worker until then. */
async function opened(): Promise<void> {
  const page = globalThis.document as (Document & { prerendering?: boolean }) | undefined;
  if (!page?.prerendering) return;
  await new Promise((resolve) => page.addEventListener('prerenderingchange', resolve, { once: true }));
}

/** Whether anybody's end can be noticed here. */
export function hasLocks(): boolean {
  return lockManager() !== undefined;
}

/**
 * Calls back when the holder of a lock is gone; answers how to stop waiting. A lock of another origin, as a frame may have,
 * would look free here, and is not waited for.
 */
export function whenReleased(name: string, released: () => void): () => void {
  const origin = name.split('@')[1] ?? globalThis.origin;
  if (origin !== globalThis.origin) return () => {};
  const waiting = new AbortController();
  const { signal } = waiting;
  lockManager()
    // Shared: all who wait are told at once, and not one after the other.
    ?.request(name, { mode: 'shared', signal }, () => {
      if (!signal.aborted) released();
    })
    // Aborted, or no longer allowed: nobody to tell.
    .catch(() => {});
  return () => waiting.abort();
}

/**
 * Holds a lock from when it can be had. Calls back with true once it is held, with false when somebody else still has it
 * after `patience` milliseconds. Answers how to give it back, or the waiting up.
 */
export function holdLock(name: string, patience: number, told: (held: boolean) => void): () => void {
  const waiting = new AbortController();
  const timer = setTimeout(() => told(false), patience);
  let release = () => {};
  const hold = () => {
    clearTimeout(timer);
    told(true);
    return new Promise<void>((resolve) => {
      release = resolve;
    });
  };
  const asked = lockManager()?.request(name, { signal: waiting.signal }, hold) ?? Promise.reject();
  // Where there are no locks, or they are refused, nobody else is known of.
  asked.catch(() => clearTimeout(timer));
  return () => {
    waiting.abort();
    release();
  };
}

/**
 * Takes a lock, unless somebody else still has it after `patience` milliseconds. Answers how to give it back; where there
 * are no locks, nobody else is known of.
 */
export function takeLock(name: string, patience: number): Promise<(() => void) | undefined> {
  const waiting = new AbortController();
  const { signal } = waiting;
  return new Promise((resolve) => {
    const timer = setTimeout(() => waiting.abort(), patience);
    const hold = () =>
      new Promise<void>((release) => {
        clearTimeout(timer);
        resolve(release);
      });
    const asked = lockManager()?.request(name, { signal }, hold) ?? Promise.reject();
    asked.catch(() => {
      clearTimeout(timer);
      resolve(signal.aborted ? undefined : () => {});
    });
  });
}

/**
 * Waits for a lock as long as it takes, and holds it while `work` goes on. Rejects where there are no locks, or with what
 * `work` does; resolves when the signal ended the waiting.
 */
export async function takeTurn(name: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    await (lockManager() as LockManager).request(name, { signal }, work);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** What wants to know that the page is put away, and that it came back. */
export interface PageWatcher {
  /** The page is left or frozen: it runs no more until it comes back, out of the back/forward cache perhaps, or never. */
  onPageHide(): void;
  /** The page came back. */
  onPageShow(): void;
}

const watchers = /* @__PURE__ */ new Set<PageWatcher>();
let listening = false;
let isAway = false;

/** Watches the page's life, where there is a page; answers how to stop. */
export function watchPage(watcher: PageWatcher): () => void {
  watchers.add(watcher);
  if (!listening && place() === 'page') {
    listening = true;
    // Never `unload` or `beforeunload`: they keep a page out of the back/forward cache.
    for (const type of ['pagehide', 'freeze', 'resume', 'pageshow']) {
      // A page in that cache may be frozen as well: it leaves once and comes back once.
      const isLeaving = type === 'pagehide' || type === 'freeze';
      const changed = ({ target }: Event) => {
        // Apps have events of these names, too.
        if (target !== document || isAway === isLeaving) return;
        isAway = isLeaving;
        for (const watcher of [...watchers]) watcher[isLeaving ? 'onPageHide' : 'onPageShow']();
      };
      // All of them are the document's, which it is the window's to hear first.
      globalThis.addEventListener?.(type, changed, true);
    }
  }
  return () => watchers.delete(watcher);
}

function acquire(name: string): Promise<string | undefined> {
  const locks = lockManager();
  if (locks === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), LOCK_PATIENCE);
    const settle = (held: string | undefined) => {
      clearTimeout(timer);
      resolve(held);
    };
    locks
      .request(name, () => {
        settle(name);
        return new Promise(() => {});
      })
      .catch(() => settle(undefined));
  });
}

function lockManager(): LockManager | undefined {
  if (place() === 'node' || typeof navigator === 'undefined') return undefined;
  // Pages that a test makes may have none and say so by null.
  return (navigator.locks as LockManager | null | undefined) ?? undefined;
}
