// Starts and stops the worker that joins as a session.

import { byId } from './dom.js';

const offer = 'A web worker joins as a session too.';
/** Milliseconds for the worker to say goodbye before it is stopped. */
const patience = 2000;

export class WorkerControl {
  #button = byId('worker-toggle');
  #state = byId('worker-state');
  #worker;
  #stopping;

  /** `ticket()` gives `{ port, realm, name }` for a new worker. */
  constructor(ticket) {
    this.#state.textContent = offer;
    this.#button.addEventListener('click', () => (this.#worker ? this.#stop() : this.#start(ticket)));
  }

  #start(ticket) {
    try {
      const { port, ...about } = ticket();
      this.#worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
      this.#worker.onmessage = ({ data }) => this.#hear(data);
      this.#worker.onerror = (event) => this.#end(`The worker failed: ${event.message ?? 'its script did not load'}.`);
      this.#worker.postMessage({ port, ...about }, [port]);
    } catch (error) {
      this.#end(`The worker could not be started: ${error.message}.`);
      return;
    }
    this.#button.textContent = 'Stop the worker';
    this.#state.textContent = 'The worker is starting…';
  }

  #stop() {
    this.#state.textContent = 'The worker is leaving…';
    this.#worker.postMessage({ leave: true });
    this.#stopping = setTimeout(() => this.#end(offer), patience);
  }

  #hear({ joined, failed, closed, reason, message }) {
    if (joined) this.#state.textContent = `It joined as session ${joined}, from its own thread.`;
    else if (failed) this.#end(`The worker could not register its procedure (${failed}).`);
    else if (closed && this.#stopping) this.#end(offer);
    else if (closed) this.#end(`Its session ended (${reason ?? closed}). ${message ?? ''}`.trim());
  }

  #end(text) {
    clearTimeout(this.#stopping);
    this.#stopping = undefined;
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#button.textContent = 'Start a worker';
    this.#state.textContent = text;
  }
}
