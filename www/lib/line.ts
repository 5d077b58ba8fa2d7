// The router's end of a line: the port that connecting to a SharedWorker gives, or a channel, which stays with the page
// that connected.
//
// Owns what only pages of this origin may ask: to start the router, to let a client in as somebody, to look around.
// Clients never get a line. Their ports come over one, each with its identity, and know none of this (`port.ts`), so
// whoever is handed such a port can do no more than a client. That holds for the next worker too, when a browser starts
// one anew: lines are all that it is given. The page's end is in `line-host.ts`.

import { closePort, type Endpoint, listen } from './endpoint.ts';
import type { Host } from './host.ts';
import { whenReleased } from './liveness.ts';
import { isMessage, type Start, WIRE_VERSION } from './wire.ts';

export interface LineHandlers {
  onStart(start: Start): void;
  /** The page gave the line up, or is gone. */
  onEnd(): void;
}

export class Line {
  readonly #host: Host;
  readonly #endpoint: Endpoint;
  readonly #handlers: LineHandlers;
  readonly #stopListening: () => void;
  #stopWaiting = () => {};
  /** Names the page's handle to the router. */
  #handle: string | undefined;
  /** Its endpoint is closed, or somebody else's: posting to a closed channel would throw. */
  #isOver = false;

  constructor(host: Host, endpoint: Endpoint, handlers: LineHandlers) {
    this.#host = host;
    this.#endpoint = endpoint;
    this.#handlers = handlers;
    this.#stopListening = listen(endpoint, {
      onMessage: (data) => this.#receive(data),
      onGone: () => this.end(),
    });
    this.post({ wamplet: WIRE_VERSION, epoch: host.epoch });
  }

  /** Whether its page has said what it is for. */
  get isUsed(): boolean {
    return this.#handle !== undefined;
  }

  post(message: unknown): void {
    if (!this.#isOver) this.#endpoint.postMessage(message);
  }

  end(): void {
    if (!this.#isOver) closePort(this.release());
  }

  /** Lets go of its endpoint, which is now a client's. */
  release(): Endpoint {
    this.#isOver = true;
    this.#stopListening();
    this.#stopWaiting();
    this.#handlers.onEnd();
    return this.#endpoint;
  }

  #receive(data: unknown): void {
    if (isMessage(data, 'start')) {
      const start = data as unknown as Start;
      this.#handle = start.handle;
      this.#stopWaiting();
      if (start.lock !== undefined) this.#stopWaiting = whenReleased(start.lock, () => this.end());
      this.#handlers.onStart(start);
    } else if (isMessage(data, 'inspect')) {
      this.post({ inspected: data.inspect, value: this.#host.inspect() });
    } else if (isMessage(data, 'leave')) {
      if (this.#handle !== undefined) this.#host.dropHandle(this.#handle);
    } else if (isMessage(data, 'gone')) {
      this.end();
    }
  }
}
