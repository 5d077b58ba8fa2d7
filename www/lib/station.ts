// A router for many pages, wherever it runs: the lines that they reach it by, its start, its news.
//
// Owns the start: pages are heard before the router is there, and every failure is answered with a sentence, because a
// worker's errors show on no page. For tabs that share no worker (`lead`) it also owns the leader's end of the channels.
// Who runs one is in `worker.ts` and `leader.ts`; what is spoken over a line, in `line.ts`.

import { readComponents, startComponents } from './components.ts';
import { Deciders } from './deciders.ts';
import { type Endpoint, listen } from './endpoint.ts';
import { sentence } from './environment.ts';
import { Host, type HostOptions } from './host.ts';
import { Line } from './line.ts';
import { hasLocks, holdLock, newLock, takeLock, whenReleased } from './liveness.ts';
import { Store } from './store.ts';
import { startWasmRouter } from './wasm.ts';
import { type Call, isMessage, type Leads, type Split, type Start, versioned } from './wire.ts';

/** Milliseconds for the router of a page that is just being left to go; after that, another one is really there. */
const SPLIT_PATIENCE = 1000;

/** Milliseconds for a lock that nobody else knows of; what cannot be had does without. */
const LOCK_PATIENCE = 3000;

/** Milliseconds for whoever called to say what for; it may have given up waiting for the answer. */
const CALL_PATIENCE = 10_000;

const OTHER_SETTINGS =
  'a tab asked for another configuration: the one of the first tab stays, until all tabs of this origin are closed';

/** What the router serves: the same for all tabs. */
type Settings = Pick<Start, 'config' | 'components' | 'deciders'>;

export class Station {
  readonly #name: string;
  readonly #host: Host;
  /** To the pages that watch, and those that are still to say what they want. */
  readonly #lines = new Set<Line>();
  /** The lock that is held while the router lives; there is one more for each name of a router. */
  readonly #lock = newLock();
  readonly #locked: Promise<(() => void) | undefined>;
  #settings: Settings | undefined;
  #running: Promise<void> | undefined;
  /** What routers of this name tell each other; pages of other builds, releases or modes have one of their own. */
  readonly #others: BroadcastChannel;
  /** Says that there are two routers of this name, as long as there are. */
  #split: string | undefined;
  #isLeader = false;
  #isOver = false;
  #endLeading = () => {};
  #endComponents = () => {};
  #endName = () => {};

  constructor(name: string, options: HostOptions) {
    this.#name = name;
    this.#host = new Host(options);
    this.#locked = takeLock(this.#lock, LOCK_PATIENCE);
    this.#others = new BroadcastChannel(`wamp:${name}:router`);
    listen(this.#others, {
      onMessage: (news) => {
        if (isMessage(news, 'split')) {
          const { split, lock } = news as unknown as Split;
          this.#tellSplit(split);
          whenReleased(lock, () => this.#tellSplit(undefined));
        } else if (this.#running !== undefined && this.#lines.size === 0) {
          // One that outlived its tabs must not keep the database from its successor.
          this.#host.close().then(() => options.onBroken?.());
        }
      },
      onGone: () => {},
    });
  }

  /** Takes a line; a page has its other end. */
  accept(endpoint: Endpoint): Line {
    const line = new Line(this.#host, endpoint, {
      onStart: (start) => this.#start(line, start),
      onEnd: () => this.#lines.delete(line),
    });
    this.#lines.add(line);
    return line;
  }

  /** Tells all pages that watch. */
  tell(news: unknown): void {
    for (const line of this.#lines) line.post(news);
  }

  /** Lets tabs in that share no worker, but channels. Answers what they are told. */
  async lead(): Promise<Leads> {
    this.#isLeader = true;
    // Without it, nobody would be told of the router's end.
    if ((await this.#locked) === undefined) throw new Error('Web Locks do not answer');
    const leads: Leads = { leads: this.#host.epoch, lock: this.#lock };
    const lobby = new BroadcastChannel(versioned(this.#name));
    const stop = listen(lobby, {
      onMessage: (data) => {
        if (isMessage(data, 'seek')) lobby.postMessage(leads);
        else if (isMessage(data, 'call') && (data as unknown as Call).epoch === leads.leads) {
          const line = this.accept(new BroadcastChannel(String(data.call)));
          setTimeout(() => line.isUsed || line.end(), CALL_PATIENCE);
        }
      },
      onGone: () => {},
    });
    this.#endLeading = () => {
      stop();
      lobby.close();
    };
    lobby.postMessage(leads);
    return leads;
  }

  /** Ends at once, as if what runs it had died: clients come back to the next router. */
  end(): void {
    this.#isOver = true;
    this.#endLeading();
    this.#others.close();
    this.#endComponents();
    this.#host.abandon({ code: 1006, reason: 'the leading tab was left', wasClean: false });
    for (const line of [...this.#lines]) line.end();
    this.#endName();
    this.#locked.then((release) => release?.());
  }

  #start(line: Line, start: Start): void {
    const { config, components, deciders, port, info, identity, handle, lock } = start;
    const options = { info, identity, handle, lock };
    const attached = port && this.#host.attach(port === true ? line.release() : port, options);
    if (port !== undefined && port !== true) line.end();
    const wanted = { config, components, deciders };
    if (this.#running === undefined) {
      this.#running = this.#run(wanted).catch((error) => {
        // The next tab's settings may be better.
        this.#running = undefined;
        throw error;
      });
    }
    const differs = attached === undefined && JSON.stringify(wanted) !== JSON.stringify(this.#settings);
    this.#running.then(
      () => {
        if (attached === undefined) line.post({ started: this.#host.epoch, lock: this.#host.lock });
        if (attached === undefined && this.#split !== undefined) line.post({ split: this.#split });
        if (differs) this.#host.log('warn', OTHER_SETTINGS);
      },
      (error) => (attached ?? line).post({ fatal: sentence(error) }),
    );
  }

  async #run(settings: Settings): Promise<void> {
    this.#settings = settings;
    const { config, components, deciders: registry } = settings;
    const { log } = this.#host;
    const deciders = await Deciders.load(registry, log);
    const [router, release] = await Promise.all([startWasmRouter(config, deciders.names), this.#locked]);
    const found = readComponents(config, components, (text) => log('warn', text));
    this.#others.postMessage({ came: this.#host.epoch });
    const alone = this.#takeName();
    // One leader at a time. Nobody finds a SharedWorker that is still ending, so a next one need not wait for it.
    if (this.#isLeader) await alone;
    const store = await Store.open(router, this.#name, log);
    if (this.#isOver) throw new Error('the leading tab was left');
    this.#host.run(router, deciders, store, hasLocks() && release !== undefined ? this.#lock : undefined);
    this.#endComponents = startComponents(this.#host, found);
  }

  /** For as long as the router lives, so that a second one of the same name notices. */
  #takeName(): Promise<void> {
    return new Promise((resolve) => {
      this.#endName = holdLock(`wamp:${this.#name}:router`, SPLIT_PATIENCE, (held) => {
        resolve();
        if (held) return this.#tellSplit(undefined);
        const split =
          `there are two routers named "${this.#name}" in this browser, and neither reaches the tabs of the other; the ` +
          `later one is ${location.href}: reload the tabs of an older release, and load the worker from one address ` +
          '(options.workerUrl), in one options.mode, in all pages';
        this.#others.postMessage({ split, lock: this.#lock });
        this.#tellSplit(split);
      });
    });
  }

  #tellSplit(split: string | undefined): void {
    this.#split = split;
    if (split !== undefined) this.tell({ split });
  }
}
