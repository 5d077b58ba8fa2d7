// A router that runs somewhere else, reached over a line: one for all tabs of the origin.
//
// Owns what is spoken over the page's line: the router's start, its death, its restart, its news. How a line is had is
// the way's to know (`shared-worker.ts`, `leader.ts`); the router's end is in `station.ts`.

import { closePort, type Endpoint, listen } from './endpoint.ts';
import { randomName, sentence } from './environment.ts';
import { type Identity, identityOfPort, type PortIdentity } from './identity.ts';
import { ownLock, watchPage, whenReleased } from './liveness.ts';
import { type HostSettings, type News, type SharedHost, Superseded, type Way, within } from './shared-host.ts';
import { type Inspection, isMessage, type LogLevel, type Start, type TransportInfo, WIRE_VERSION } from './wire.ts';

/** Milliseconds before another attempt to reach a router that was lost: the first, which doubles, and the most. */
const FIRST_RETRY = 500;
const LONGEST_RETRY = 30_000;

export class LineHost implements SharedHost {
  readonly mode: SharedHost['mode'];
  epoch = '';
  readonly #way: Way;
  readonly #settings: HostSettings;
  readonly #news: News;
  readonly #lock: string | undefined;
  /** Names this handle to the worker. */
  readonly #handle = randomName();
  #line: Endpoint | undefined;
  #hangUp = () => {};
  #isClosed = false;
  #isReconnecting = false;
  #questions = new Map<number, (answer: Inspection) => void>();
  #asked = 0;
  #unwatch = () => {};
  /** News that came before anybody could listen. */
  #early: unknown[] | undefined = [];

  constructor(way: Way, settings: HostSettings, news: News, lock: string | undefined) {
    this.mode = way.mode;
    this.#way = way;
    this.#settings = settings;
    this.#news = news;
    this.#lock = lock;
  }

  static async open(way: Way, settings: HostSettings, news: News): Promise<LineHost> {
    const host = new LineHost(way, settings, news, await ownLock());
    try {
      host.epoch = await host.#call();
    } catch (error) {
      way.close(true);
      throw error;
    }
    host.#unwatch = watchPage({
      // News for a page in the back/forward cache would throw it out of there.
      onPageHide: () => host.#disconnect(),
      onPageShow: () => host.#reconnect('the page was left, and came back'),
    });
    return host;
  }

  begin(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const data of early) this.#hear(data);
  }

  createPort(info?: TransportInfo, identity?: PortIdentity): MessagePort {
    return this.#way.admit(this.#start(info, identityOfPort(identity)));
  }

  inspect(): Promise<Inspection> {
    this.#asked += 1;
    const question = this.#asked;
    const answer = new Promise<Inspection>((resolve) => this.#questions.set(question, resolve));
    this.#line?.postMessage({ inspect: question });
    const { timeout } = this.#settings;
    return within(timeout, answer, `the shared router did not answer within ${timeout} ms`).finally(() =>
      this.#questions.delete(question),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unwatch();
    this.#line?.postMessage({ leave: true });
    this.#disconnect();
    this.#way.close();
  }

  #start(info?: TransportInfo, identity?: Identity): Start {
    const { config, components, deciders } = this.#settings;
    const page = { handle: this.#handle, lock: this.#lock };
    return { start: WIRE_VERSION, config, components, deciders, ...page, port: undefined, info, identity };
  }

  /** Opens the line to the router; answers its epoch. */
  async #call(): Promise<string> {
    let isLate = false;
    const attempt = async (): Promise<string> => {
      try {
        return await new Promise<string>((resolve, reject) => {
          const speak = (line: Endpoint) => (isLate ? closePort(line) : this.#speak(line, resolve, reject));
          this.#way.dial(reject).then(speak).catch(reject);
        });
      } catch (error) {
        this.#disconnect();
        if (!(error instanceof Superseded) || isLate) throw error;
        const epoch = await attempt();
        if (error.message !== '') this.#warn(error.message);
        return epoch;
      }
    };
    try {
      return await within(this.#settings.timeout, attempt(), this.#way.late());
    } catch (error) {
      isLate = true;
      this.#disconnect();
      throw error;
    }
  }

  #speak(line: Endpoint, resolve: (epoch: string) => void, reject: (error: Error) => void): void {
    this.#line = line;
    let isStarted = false;
    let stopWaiting = () => {};
    const lost = (reason: string) => {
      if (isStarted) this.#reconnect(reason);
    };
    const stop = listen(line, {
      onMessage: (data) => {
        if (isMessage(data, 'started')) {
          isStarted = true;
          const lock = (data as { lock?: unknown }).lock;
          if (typeof lock === 'string') stopWaiting = whenReleased(lock, () => lost(this.#way.gone));
          // What the router before left unanswered.
          for (const question of this.#questions.keys()) line.postMessage({ inspect: question });
          resolve(String(data.started));
        } else if (isMessage(data, 'fatal')) {
          reject(new Error(String(data.fatal)));
          lost(String(data.fatal));
        } else if (isMessage(data, 'wamplet')) {
          if (isStarted) lost('the browser restarted the SharedWorker');
          else if (data.wamplet !== WIRE_VERSION) reject(new Error(otherRelease(this.#settings, data.wamplet)));
        } else this.#hear(data);
      },
      onGone: () => {},
    });
    this.#hangUp = () => {
      stop();
      stopWaiting();
      line.postMessage({ gone: true });
      closePort(line);
    };
    try {
      line.postMessage(this.#start());
    } catch (error) {
      reject(new TypeError(`options.config: expected plain data, which can be sent to a worker: ${sentence(error)}`));
    }
  }

  #warn(text: string): void {
    this.#hear({ log: 'warn', text });
  }

  #hear(data: unknown): void {
    if (this.#early !== undefined) this.#early.push(data);
    else if (isMessage(data, 'log')) {
      const level = data.log as LogLevel;
      const text = String((data as { text?: unknown }).text);
      if (this.#news('log', { level, text })) console[level](`wamplet router: ${text}`);
    } else if (isMessage(data, 'split')) {
      if (this.#news('split', { reason: String(data.split) })) console.warn(`wamplet: ${data.split}`);
    } else if (isMessage(data, 'inspected')) {
      this.#questions.get(Number(data.inspected))?.((data as unknown as { value: Inspection }).value);
    }
  }

  #disconnect(): void {
    this.#hangUp();
    this.#hangUp = () => {};
    this.#line = undefined;
  }

  /** The router was lost, with all sessions; their clients learn it by themselves and come back to the next one. */
  async #reconnect(reason: string): Promise<void> {
    if (this.#isReconnecting) return;
    this.#isReconnecting = true;
    this.#disconnect();
    const before = this.epoch;
    for (let delay = FIRST_RETRY; !this.#isClosed; delay = Math.min(2 * delay, LONGEST_RETRY)) {
      try {
        this.epoch = await this.#call();
        break;
      } catch (error) {
        this.#warn(`${reason}, and the router could not be reached again: ${sentence(error)}`);
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
    this.#isReconnecting = false;
    if (this.#isClosed) this.#disconnect();
    else if (this.epoch !== before) this.#news('lost', { reason });
  }
}

function otherRelease({ workerUrl }: HostSettings, version: unknown): string {
  return (
    `the worker ${workerUrl ?? 'worker.js'} is of another release than this page's library (version ${version} of the ` +
    `port protocol, not ${WIRE_VERSION}): run \`npx wamplet init\` again, or reload the page`
  );
}
