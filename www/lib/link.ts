// The client's end of a port: opens a transport on it, sends and receives, and reports one end.
//
// Owns the handshake, the batches, and every way in which a transport can end (closed by either side, router lost or
// restarted, page put away, never answered). The clients on top (`autobahn.ts`, `websocket.ts`) shape what comes out;
// the router's end is in `port.ts`.

import { closePort, type Endpoint, listen } from './endpoint.ts';
import { report, sentence } from './environment.ts';
import { ownLock, watchPage, whenReleased } from './liveness.ts';
import { Outbox } from './outbox.ts';
import { type RouterSource, takePort } from './source.ts';
import type { EncodedMessage } from './tail.ts';
import { type CloseInfo, isMessage, type Serializer, TO_OPEN, type TransportInfo, WIRE_VERSION } from './wire.ts';

/** Milliseconds for the router to answer a Close. */
const TO_CLOSE = 3000;

/** Promise continuations, each waking the next, that run after each message of a batch. */
const TURNS = 12;

export interface LinkOptions {
  serializer: Serializer;
  transport: TransportInfo;
  onOpen(): void;
  /** One message: a head and its tail, or a frame and undefined in binary serializers. */
  onMessage(headOrFrame: unknown, tail: unknown): void;
  /** Comes once, after everything else, and never from within a call of ours. */
  onClose(info: CloseInfo): void;
}

type State = 'connecting' | 'open' | 'closing' | 'closed';

export class Link {
  readonly #options: LinkOptions;
  readonly #outbox: Outbox;
  #state: State = 'connecting';
  #port: Endpoint | undefined;
  /** Whether the port was made for this link alone. */
  #owned = false;
  #epoch: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #undo: (() => void)[] = [];
  /** Batches and the end, in order, while their messages are handed out one by one. */
  #arrived: (unknown[] | CloseInfo)[] = [];
  #delivering = false;
  /** Nothing more is handed out, as after a WebSocket's close(). */
  #muted = false;

  constructor(source: RouterSource, options: LinkOptions) {
    this.#options = options;
    this.#outbox = new Outbox((batch, moved) => this.#port?.postMessage(batch, moved));
    this.#connect(source).catch((error) => this.#fail(sentence(error)));
  }

  /** Characters or bytes that have not left yet. */
  get waiting(): number {
    return this.#outbox.size;
  }

  send({ head, tail, size, transfer: moved, isBorrowing }: EncodedMessage): void {
    if (this.#state !== 'open') return;
    // Alone, so that a buffer which cannot be posted is its sender's error and takes no other message along.
    if (isBorrowing) this.#outbox.flush();
    else this.#flushSoon();
    this.#outbox.pushMessage(head, tail, size, moved);
    if (isBorrowing) this.#outbox.flush();
  }

  sendFrame(frame: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#flushSoon();
    this.#outbox.pushFrame(frame);
  }

  /** Ends the transport after what was sent before. */
  close(code = 1000, reason = ''): void {
    if (this.#state === 'connecting') {
      this.#state = 'closing';
      // Never from within the caller's own call.
      setTimeout(() => this.#end({ code: 1006, reason: 'closed before it was open', wasClean: false }));
    } else if (this.#state === 'open') {
      this.#outbox.flush();
      this.#state = 'closing';
      this.#muted = true;
      this.#port?.postMessage({ close: code, reason });
      this.#within(TO_CLOSE, () => this.#end({ code, reason, wasClean: true }));
    }
  }

  async #connect(source: RouterSource): Promise<void> {
    const [{ port, owned }, lock] = await Promise.all([takePort(source), ownLock()]);
    if (this.#state !== 'connecting') {
      if (owned) release(port);
      return;
    }
    this.#port = port;
    this.#owned = owned;
    const stop = listen(port, {
      onMessage: (data) => this.#receive(data),
      onGone: () => this.#lose('the port to the router was closed'),
    });
    const unwatch = watchPage({ onPageHide: () => this.#park(), onPageShow: () => {} });
    this.#undo.push(stop, unwatch);
    const { serializer, transport } = this.#options;
    port.postMessage({ hello: WIRE_VERSION, lock, serializer, transport });
    this.#within(TO_OPEN, () => {
      this.#fail(
        `the router did not answer within ${TO_OPEN / 1000} seconds: ` +
          'is the port attached to a router, and is its page, worker or process still alive?',
      );
    });
  }

  #receive(data: unknown): void {
    if (Array.isArray(data)) {
      if (this.#state === 'open') this.#deliver(data);
    } else if (isMessage(data, 'wamplet')) {
      this.#greeted(data as { wamplet: unknown; epoch?: unknown });
    } else if (isMessage(data, 'open')) {
      this.#opened(String(data.open), (data as { lock?: unknown }).lock);
    } else if (isMessage(data, 'close')) {
      const { close, reason, wasClean } = data as Record<string, unknown>;
      const info = { code: Number(close), reason: String(reason), wasClean: wasClean === true };
      if (this.#state === 'connecting') this.#fail(info.reason);
      else this.#end(info);
    } else if (isMessage(data, 'fatal')) {
      if (this.#state === 'connecting') this.#fail(String(data.fatal));
      else this.#lose(String(data.fatal));
    }
  }

  #greeted({ wamplet, epoch }: { wamplet: unknown; epoch?: unknown }): void {
    if (wamplet !== WIRE_VERSION) {
      this.#fail(
        `the router speaks version ${wamplet} of the port protocol, this library version ${WIRE_VERSION}: ` +
          'deploy both from the same release of wamplet',
      );
    } else if (this.#epoch !== undefined) {
      // Safari starts a SharedWorker anew when the tab that created it closes, and hands it the same ports.
      this.#lose('the router was restarted');
    } else {
      this.#epoch = String(epoch);
    }
  }

  #opened(epoch: string, lock: unknown): void {
    if (this.#state !== 'connecting') return;
    this.#epoch = epoch;
    this.#state = 'open';
    clearTimeout(this.#timer);
    if (typeof lock === 'string') this.#undo.push(whenReleased(lock, () => this.#lose('the router is gone')));
    this.#call(() => this.#options.onOpen());
  }

  /** What is sent while messages are handed out leaves after the last of them. */
  #flushSoon(): void {
    if (this.#outbox.isEmpty && !this.#delivering) queueMicrotask(() => this.#outbox.flush());
  }

  #deliver(batch: unknown[] | CloseInfo): void {
    this.#arrived.push(batch);
    if (this.#delivering) return;
    this.#delivering = true;
    this.#handOut().catch(report);
  }

  /**
   * Hands out what arrived, message by message. Over a WebSocket each message is a task of its own, and what an app
   * awaits goes on before the next message; here promises get their turns in between, to the same effect.
   */
  async #handOut(): Promise<void> {
    const { serializer, onMessage, onClose } = this.#options;
    const step = serializer === 'json' ? 2 : 1;
    for (let batch = this.#arrived.shift(); batch !== undefined; batch = this.#arrived.shift()) {
      if (!Array.isArray(batch)) {
        this.#call(() => onClose(batch as CloseInfo));
        continue;
      }
      for (let index = 0; index < batch.length; index += step) {
        if (!this.#muted) this.#call(() => onMessage(batch[index], batch[index + 1]));
        for (let turn = 0; turn < TURNS; turn += 1) await undefined;
      }
    }
    this.#delivering = false;
    this.#outbox.flush();
  }

  /** The handlers are an app's: what they throw must not stop us. */
  #call(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      report(error);
    }
  }

  /** Could not connect: the sentence goes to the console as well, since most clients show nothing but "unreachable". */
  #fail(reason: string): void {
    if (this.#state === 'closed') return;
    console.warn(`wamplet: ${reason}`);
    this.#end({ code: 1006, reason, wasClean: false });
  }

  #lose(reason: string): void {
    this.#end({ code: 1006, reason, wasClean: false });
  }

  #end(info: CloseInfo): void {
    if (this.#state === 'closed') return;
    this.#leave();
    this.#deliver(info);
  }

  #leave(): void {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    for (const undo of this.#undo.splice(0)) undo();
    if (this.#port !== undefined && this.#owned) release(this.#port);
  }

  /** A page in the back/forward cache answers nothing, so its session ends now; a callee would swallow calls. */
  #park(): void {
    if (this.#state === 'closed') return;
    this.#outbox.flush();
    this.#port?.postMessage({ close: 1001, reason: 'the page was left' });
    this.#muted = true;
    this.#leave();
    const onPageShow = () => {
      unwatch();
      // An unclean end makes clients connect again by themselves.
      this.#deliver({ code: 1006, reason: 'the page was left, and came back', wasClean: false });
    };
    const unwatch = watchPage({ onPageHide: () => {}, onPageShow });
  }

  #within(milliseconds: number, late: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(late, milliseconds);
  }
}

/** Tells the router that nothing more will come, and closes the port. */
function release(port: Endpoint): void {
  port.postMessage({ gone: true });
  closePort(port);
}
