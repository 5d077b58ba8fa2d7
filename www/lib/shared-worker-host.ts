// A router in a SharedWorker, one for all tabs of the origin.
//
// Owns the page's line to the SharedWorker: its start, its death, its restart, its news. Every client gets a port of
// its own, straight to the worker. The worker's end is in `worker.ts`.

import { closePort, listen } from './endpoint.ts';
import { randomName, sentence } from './environment.ts';
import { type Identity, identityOfPort, type PortIdentity } from './identity.ts';
import { ownLock, watchPage, whenReleased } from './liveness.ts';
import { type HostSettings, type News, type SharedHost, within } from './shared-host.ts';
import { type Inspection, isMessage, type LogLevel, type Start, type TransportInfo, WIRE_VERSION } from './wire.ts';

/** Milliseconds before another attempt to reach a router that was lost: the first, which doubles, and the most. */
const FIRST_RETRY = 500;
const LONGEST_RETRY = 30_000;

export class WorkerHost implements SharedHost {
  readonly mode = 'shared-worker';
  epoch = '';
  readonly #settings: HostSettings;
  readonly #news: News;
  readonly #lock: string | undefined;
  /** Names this handle to the worker. */
  readonly #handle = randomName();
  #line: MessagePort | undefined;
  #hangUp = () => {};
  #isClosed = false;
  #isReconnecting = false;
  #questions = new Map<number, (answer: Inspection) => void>();
  #asked = 0;
  #unwatch = () => {};
  /** News that came before anybody could listen. */
  #early: unknown[] | undefined = [];

  constructor(settings: HostSettings, news: News, lock: string | undefined) {
    this.#settings = settings;
    this.#news = news;
    this.#lock = lock;
  }

  static async open(settings: HostSettings, news: News): Promise<WorkerHost> {
    const host = new WorkerHost(settings, news, await ownLock());
    host.epoch = await host.#call();
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

  /**
   * Over a line of its own, which wakes a new worker if the old one has died. The client's end has never been a line, so
   * that whoever is handed it has no say in the worker, nor in one that the browser starts anew with the same lines.
   */
  createPort(info?: TransportInfo, identity?: PortIdentity): MessagePort {
    const fixed = identityOfPort(identity);
    const { port1, port2 } = new MessageChannel();
    connect(this.#settings).port.postMessage(this.#start(port1, info, fixed), [port1]);
    return port2;
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
  }

  #start(port?: MessagePort, info?: TransportInfo, identity?: Identity): Start {
    const { config, components, deciders } = this.#settings;
    const page = { handle: this.#handle, lock: this.#lock };
    return { start: WIRE_VERSION, config, components, deciders, ...page, port, info, identity };
  }

  /** Opens the line to the worker; answers the epoch of the router there. */
  #call(): Promise<string> {
    const { timeout } = this.#settings;
    const worker = connect(this.#settings);
    const line = worker.port;
    this.#line = line;
    const answered = new Promise<string>((resolve, reject) => {
      // The script could not be loaded or does not parse; what goes wrong later does not come here.
      worker.addEventListener('error', (event) => reject(new Error(unloadable(this.#settings, event))), { once: true });
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
            if (typeof lock === 'string') stopWaiting = whenReleased(lock, () => lost('the SharedWorker is gone'));
            resolve(String(data.started));
          } else if (isMessage(data, 'fatal')) {
            reject(new Error(String(data.fatal)));
            lost(String(data.fatal));
          } else if (isMessage(data, 'wamplet') && isStarted) {
            lost('the browser restarted the SharedWorker');
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
    });
    line.postMessage(this.#start());
    const late =
      `the SharedWorker did not answer within ${timeout} ms: look for its errors in chrome://inspect/#workers or ` +
      'about:debugging, or wait longer with options.timeout';
    return within(timeout, answered, late).catch((error) => {
      this.#disconnect();
      throw error;
    });
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
        console.warn(`wamplet: ${reason}, and the router could not be reached again: ${sentence(error)}`);
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
    this.#isReconnecting = false;
    if (this.#isClosed) this.#disconnect();
    else if (this.epoch !== before) this.#news('lost', { reason });
  }
}

/** Connects to the SharedWorker, which the browser starts if it does not run yet. */
function connect({ name: router, workerUrl }: HostSettings): SharedWorker {
  const name = `wamp:${router}:v${WIRE_VERSION}`;
  try {
    if (workerUrl !== undefined) return new SharedWorker(workerUrl, { type: 'module', name });
    // Bundlers look for exactly this expression.
    return new SharedWorker(new URL('./worker.js', import.meta.url), { type: 'module', name });
  } catch (error) {
    throw new Error(
      `the SharedWorker could not be created (${sentence(error)}): in a sandboxed frame use a port that the page ` +
        'around it made with createPort(); for a script of another origin say with options.workerUrl where yours has it',
    );
  }
}

function unloadable({ workerUrl }: HostSettings, event: Event): string {
  const address = workerUrl ?? 'worker.js';
  const detail = (event as ErrorEvent).message;
  return (
    `the SharedWorker's script ${address} could not be loaded${detail ? ` (${detail})` : ''}: put worker.js and ` +
    "wamplet.wasm beside the library's script, or say with options.workerUrl where worker.js is; " +
    'a Content-Security-Policy must allow it in worker-src'
  );
}
