// The way to a router that one of the tabs runs for all, where there is no SharedWorker.
//
// Owns the page's part in the election (a Web Lock: who has it leads), the worker that a leading page starts, and the
// calls to whoever leads. A page has one candidate for each name of a router, whatever handles it has. The router's end
// is in `station.ts`, a client's port in `bridge.ts`, what is spoken over a line in `line-host.ts`.

import { bridge } from './bridge.ts';
import { closePort, type Endpoint } from './endpoint.ts';
import { randomName, sentence } from './environment.ts';
import { hasLocks, takeTurn, watchPage, whenReleased } from './liveness.ts';
import { loadStation } from './load.ts';
import { type HostSettings, Superseded, type Way, within } from './shared-host.ts';
import { unloadable } from './shared-worker.ts';
import { isMessage, type Leads, type Start, versioned } from './wire.ts';

/** Milliseconds for a leader to answer; then it is asked again, and a call given twice the time. */
const PATIENCE = 250;

const CLOSED = 'the handle to the shared router was closed';

/** The router, as this page reaches it. */
interface Reached {
  readonly epoch: string;
  /** Aborted when the router is gone. */
  readonly gone: AbortSignal;
  /** In the page that runs it: takes the other end of a line. */
  readonly accept?: ((line: MessagePort) => void) | undefined;
}

/** Whether tabs can find each other here. */
export function canLead(): boolean {
  return hasLocks() && typeof BroadcastChannel !== 'undefined';
}

export class LeaderWay implements Way {
  readonly mode = 'leader';
  readonly gone = 'the leading tab is gone';
  readonly #settings: HostSettings;
  readonly #candidate: Candidate;
  readonly #closed = new AbortController();

  constructor(settings: HostSettings) {
    this.#settings = settings;
    this.#candidate = candidateFor(settings);
    this.#candidate.enter();
  }

  async dial(fail: (error: Error) => void): Promise<Endpoint> {
    const { router, line } = await this.#open();
    // Not for as long as the router lives: this handle may be one of many that come and go.
    router.gone.addEventListener('abort', () => fail(new Superseded()), { signal: this.#closed.signal });
    if (router.gone.aborted) fail(new Superseded());
    return line;
  }

  admit(start: Start): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#admit(start, port1).catch((error) => {
      port1.postMessage({ close: 1006, reason: sentence(error), wasClean: false });
      port1.close();
    });
    return port2;
  }

  late(): string {
    const { timeout } = this.#settings;
    return (
      `no tab answered as the leader within ${timeout} ms: look for errors in the consoles of the other tabs of this ` +
      'origin, or wait longer with options.timeout'
    );
  }

  close(hasFailed = false): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.#candidate.leave(hasFailed);
  }

  async #admit(start: Start, port: MessagePort): Promise<void> {
    const { router, line } = await this.#open();
    if (router.accept !== undefined) {
      line.postMessage({ ...start, port }, [port]);
    } else {
      bridge(port, line, router.gone);
      line.postMessage({ ...start, port: true });
    }
  }

  /** A line to the router, whoever runs it: one that is already heard at its other end. */
  async #open(): Promise<{ router: Reached; line: Endpoint }> {
    for (let patience = PATIENCE; ; patience *= 2) {
      const router = await this.#candidate.reach();
      if (this.#closed.signal.aborted) throw new Error(CLOSED);
      const line = await this.#candidate.call(router, patience);
      if (line !== undefined) return { router, line };
    }
  }
}

const candidates = /* @__PURE__ */ new Map<string, Candidate>();

function candidateFor(settings: HostSettings): Candidate {
  const candidate = candidates.get(settings.name) ?? new Candidate(settings);
  candidates.set(settings.name, candidate);
  return candidate;
}

interface Waiting {
  resolve(router: Reached): void;
  reject(error: unknown): void;
}

/** This page among the tabs that may lead. */
class Candidate {
  readonly #settings: HostSettings;
  readonly #name: string;
  /** Handles that are open. */
  #handles = 0;
  /** Put away, or asleep: it must neither lead nor be in the way of others. */
  #isAway = false;
  /** What all tabs hear. */
  #lobby: BroadcastChannel | undefined;
  /** Ends the waiting for the lock, or the leading. */
  #standing: AbortController | undefined;
  #isLeading = false;
  #router: Reached | undefined;
  #loseRouter = () => {};
  #waiting: Waiting[] = [];
  #seeking: ReturnType<typeof setInterval> | undefined;

  constructor(settings: HostSettings) {
    this.#settings = settings;
    this.#name = versioned(settings.name);
    watchPage({ onPageHide: () => this.#putAway(), onPageShow: () => this.#comeBack() });
  }

  enter(): void {
    this.#handles += 1;
    this.#comeBack();
  }

  /** As with a SharedWorker, what a page runs goes on for the others while the page is there. */
  leave(hasFailed: boolean): void {
    this.#handles -= 1;
    if (this.#handles > 0) return;
    this.#refuse(new Error(CLOSED));
    if (hasFailed || !this.#isLeading) this.#putAway();
  }

  /** The router, once there is one. Rejects when this page was to run it, and could not. */
  reach(): Promise<Reached> {
    if (this.#router !== undefined) return Promise.resolve(this.#router);
    this.#stand();
    this.#seek();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** A line to the router, greeted at its other end; undefined if nobody answered. */
  async call({ epoch, gone, accept }: Reached, patience: number): Promise<Endpoint | undefined> {
    const name = `${this.#name}:${randomName()}`;
    const own = accept && new MessageChannel();
    const line = own?.port1 ?? new BroadcastChannel(name);
    const over = new AbortController();
    const isAnswered = await new Promise<boolean>((resolve) => {
      const options = { once: true, signal: over.signal };
      line.addEventListener('message', () => resolve(true), options);
      gone.addEventListener('abort', () => resolve(false), options);
      setTimeout(() => resolve(false), patience);
      own?.port1.start();
      if (own === undefined) this.#lobby?.postMessage({ call: name, epoch });
      else accept?.(own.port2);
    });
    over.abort();
    if (isAnswered) return line;
    closePort(line);
    return undefined;
  }

  #comeBack(): void {
    this.#isAway = false;
    if (this.#handles === 0) return;
    if (this.#lobby === undefined) {
      this.#lobby = new BroadcastChannel(this.#name);
      this.#lobby.onmessage = ({ data }) => {
        // Of our own router we hear otherwise.
        if (isMessage(data, 'leads') && !this.#isLeading) this.#found(data as unknown as Leads);
      };
    }
    this.#stand();
    this.#seek();
  }

  #putAway(): void {
    this.#isAway = true;
    this.#standing?.abort();
    this.#loseRouter();
    this.#lobby?.close();
    this.#lobby = undefined;
  }

  /** What is said to a tab that does not listen yet is lost, so it is said until there is an answer. */
  #seek(): void {
    clearInterval(this.#seeking);
    const ask = () => {
      if (this.#router !== undefined || this.#lobby === undefined) clearInterval(this.#seeking);
      else this.#lobby.postMessage({ seek: true });
    };
    this.#seeking = setInterval(ask, PATIENCE);
    ask();
  }

  #found({ leads, lock }: Leads, accept?: Reached['accept']): void {
    if (this.#router?.epoch === leads) return;
    this.#loseRouter();
    const ended = new AbortController();
    this.#router = { epoch: leads, gone: ended.signal, accept };
    this.#loseRouter = () => {
      this.#loseRouter = () => {};
      this.#router = undefined;
      stopWaiting();
      ended.abort();
    };
    const stopWaiting = whenReleased(String(lock), this.#loseRouter);
    for (const { resolve } of this.#waiting.splice(0)) resolve(this.#router);
  }

  #refuse(error: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #stand(): void {
    if (this.#isAway || this.#standing !== undefined) return;
    const standing = new AbortController();
    this.#standing = standing;
    const over = (error?: unknown) => {
      this.#standing = undefined;
      // Whoever asks again makes the next attempt; until then another tab may lead.
      if (error !== undefined) this.#refuse(error instanceof DOMException ? forbidden(error) : error);
      else if (this.#handles > 0) this.#stand();
    };
    const { signal } = standing;
    takeTurn(`${this.#name}:leader`, signal, () => this.#lead(signal)).then(() => over(), over);
  }

  /** Runs the router, until it or this page's turn is over. */
  async #lead(turn: AbortSignal): Promise<void> {
    this.#isLeading = true;
    try {
      const { leads, accept, end } = await this.#run();
      if (!turn.aborted) this.#found(leads, accept);
      const router = this.#router;
      await new Promise((resolve) => {
        turn.addEventListener('abort', resolve);
        router?.gone.addEventListener('abort', resolve);
        if (turn.aborted) resolve(undefined);
      });
      end();
      this.#loseRouter();
    } finally {
      this.#isLeading = false;
    }
  }

  /** In a worker of its own; in the page, where workers are refused. */
  async #run(): Promise<Running> {
    try {
      return await runInWorker(this.#settings);
    } catch (error) {
      console.warn(`wamplet: the router runs in this page, since its worker could not be started: ${sentence(error)}`);
      return runHere(this.#settings);
    }
  }
}

function forbidden(error: DOMException): Error {
  const cure = 'in a sandboxed frame use a port that the page around it made with createPort()';
  return new Error(`this page has no part in the Web Locks of its origin (${error.message}): ${cure}`);
}

interface Running {
  leads: Leads;
  accept(line: MessagePort): void;
  end(): void;
}

async function runInWorker(settings: HostSettings): Promise<Running> {
  const worker = startWorker(settings);
  const told = new Promise<Leads>((resolve, reject) => {
    worker.addEventListener('message', ({ data }) => resolve(data));
    worker.addEventListener('error', (event) => reject(new Error(unloadable(settings, event))), { once: true });
  });
  try {
    const leads = await within(settings.timeout, told, `it said nothing in ${settings.timeout} ms`);
    return {
      leads,
      accept: (line) => worker.postMessage(undefined, [line]),
      end: () => worker.terminate(),
    };
  } catch (error) {
    worker.terminate();
    throw error;
  }
}

function startWorker({ name: router, workerUrl }: HostSettings): Worker {
  const name = `${versioned(router)}:leader`;
  if (workerUrl !== undefined) return new Worker(workerUrl, { type: 'module', name });
  // Bundlers look for exactly this expression, see `shared-worker.ts`.
  return new Worker(new URL('./worker.js', import.meta.url), {
    type: 'module',
    name: typeof name === 'string' ? name : '',
  });
}

async function runHere({ name, workerUrl }: HostSettings): Promise<Running> {
  const Station = await loadStation(workerUrl);
  const station = new Station(name, {
    log: (level, text) => station.tell({ log: level, text }),
    onBroken: () => station.end(),
  });
  return { leads: await station.lead(), accept: (line) => station.accept(line), end: () => station.end() };
}
