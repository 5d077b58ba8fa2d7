// The router's end of a port: checks what comes in, gathers what goes out, and ends in one place.
//
// Owns the state of one port and the shape of its messages. Whatever is not as `wire.ts` says closes this port with a
// reason and touches no other. Who the port is for was said by its maker, and nothing that comes in over it changes that.
// What the messages cause is in `host.ts`; the client's end is in `link.ts`.

import { closePort, type Endpoint, listen, unrefPort } from './endpoint.ts';
import { sentence } from './environment.ts';
import type { Host } from './host.ts';
import type { Identity } from './identity.ts';
import { whenReleased } from './liveness.ts';
import { Outbox } from './outbox.ts';
import { binaryOf, byteLength, hasEncodedArgs, sizeOfTail } from './tail.ts';
import {
  type CloseInfo,
  isMessage,
  MAX_BATCH_MESSAGES,
  type Serializer,
  type StructuredTail,
  serializerOf,
  subprotocol,
  type Tail,
  type TransportInfo,
  WIRE_VERSION,
} from './wire.ts';

/** Messages that wait for the router to start; a client says Hello and waits for the answer, so a few will do. */
const MAX_WAITING = 64;

/** JSON characters of what a client may tell of its transport; it ends up in every member's session details. */
const MAX_INFO = 4096;

/** What the locks of clients are called. Any other name may be the app's own, and asking for it would be in its way. */
const LOCK = /^wamp:[0-9a-f]{16}@/;

/** What the maker of a port says about it. */
export interface PortOptions {
  /** Part of the session details. */
  info?: TransportInfo | undefined;
  identity?: Identity | undefined;
  /** The handle of the page that made the port. */
  handle?: string;
  /** The Web Lock of that page. */
  lock?: string | undefined;
}

type State =
  /** No transport yet. */
  | 'new'
  | 'open'
  /** The transport has ended; another Hello may come. */
  | 'idle'
  | 'gone';

export class HostPort {
  readonly #host: Host;
  readonly #endpoint: Endpoint;
  readonly #number: number;
  readonly #info: TransportInfo | undefined;
  readonly #identity: Identity | undefined;
  readonly #outbox: Outbox;
  readonly #stopListening: () => void;
  #state: State = 'new';
  /** Whether anything came over the transport that is open. */
  #isUsed = false;
  #key = 0;
  #serializer: Serializer = 'json';
  #waiting: unknown[] | undefined;
  readonly #stopWaitingForMaker: () => void;
  #stopWaitingForClient = () => {};
  readonly handle: string | undefined;

  constructor(host: Host, endpoint: Endpoint, number: number, { info, identity, handle, lock }: PortOptions) {
    this.#host = host;
    this.#endpoint = endpoint;
    this.#number = number;
    this.#info = info;
    this.#identity = identity;
    this.handle = handle;
    this.#waiting = host.isRunning ? undefined : [];
    this.#outbox = new Outbox((batch, moved) => this.post(batch, moved));
    this.#stopListening = listen(endpoint, {
      onMessage: (data) => this.#receive(data),
      onGone: () => this.drop(),
    });
    this.#stopWaitingForMaker = this.#dropWith(lock);
    unrefPort(endpoint);
    this.post({ wamplet: WIRE_VERSION, epoch: host.epoch });
  }

  post(message: unknown, moved: Transferable[] = []): void {
    try {
      this.#endpoint.postMessage(message, moved);
    } catch (error) {
      this.#host.log('error', `port ${this.#number}: a message could not be posted: ${sentence(error)}`);
    }
  }

  /** The router runs now: what waited for it is next. */
  resume(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const data of waiting) this.#take(data);
  }

  /** From the router, until the next `flush`. */
  send(head: string, tail: Tail): void {
    if (this.#serializer !== 'json') {
      const frame = this.#host.encodeFrame(this.#serializer, head, tail);
      if (frame !== undefined) this.#outbox.pushFrame(frame);
    } else if (typeof tail === 'string') {
      this.#outbox.pushMessage(head, tail, head.length + tail.length);
    } else {
      const binary = binaryOf(tail);
      // What came as a copy can go on by moving, if this receiver is the last: that of a RESULT or ERROR is.
      const isLast = /^\[(50|8),/.test(head);
      const moved = isLast ? [...new Set(binary.map((bytes) => bytes.buffer as ArrayBuffer))] : [];
      this.#outbox.pushMessage(head, tail, head.length + byteLength(binary), moved);
    }
  }

  flush(): void {
    this.#outbox.flush();
  }

  /** The router ended the transport, and has forgotten it. */
  closedByRouter(code: number, reason: string): void {
    this.#outbox.flush();
    this.#setIdle();
    this.post({ close: code, reason, wasClean: true });
  }

  /** The port will not be used again; `farewell` says why, to a client that can still hear it. */
  drop(farewell?: CloseInfo): void {
    if (this.#state === 'gone') return;
    this.#outbox.flush();
    const wasOpen = this.#state === 'open';
    this.#setIdle();
    this.#state = 'gone';
    this.#stopListening();
    this.#stopWaitingForMaker();
    this.#stopWaitingForClient();
    if (farewell !== undefined) {
      this.post({ close: farewell.code, reason: farewell.reason, wasClean: farewell.wasClean });
    }
    closePort(this.#endpoint);
    this.#host.forget(this);
    if (wasOpen) this.#host.closed(this.#key);
  }

  #receive(data: unknown): void {
    if (this.#waiting === undefined) {
      this.#take(data);
    } else if (this.#waiting.push(data) > MAX_WAITING) {
      this.#refuse(new Refusal(1008, `more than ${MAX_WAITING} messages came before the router had started`));
    }
  }

  #take(data: unknown): void {
    if (this.#state === 'gone') return;
    try {
      if (Array.isArray(data)) this.#takeBatch(data);
      else if (isMessage(data, 'hello')) this.#open(data);
      else if (isMessage(data, 'close')) this.#closedByClient(data);
      else if (isMessage(data, 'gone')) this.drop();
      else throw new Refusal(1002, 'expected a batch, hello, close or gone; found something else');
    } catch (error) {
      // A value that throws when it is read is the sender's mistake, and must end nothing but its port.
      this.#refuse(error instanceof Refusal ? error : new Refusal(1002, sentence(error)));
    }
  }

  #open(hello: Record<string, unknown>): void {
    if (this.#isUsed) throw new Refusal(1002, 'a second hello came while a transport was open');
    if (hello.hello !== WIRE_VERSION) {
      const versions = `version ${WIRE_VERSION} of the port protocol, the client version ${hello.hello}`;
      throw new Refusal(1002, `the router speaks ${versions}: deploy both from the same release of wamplet`);
    }
    const serializer = serializerOf(`wamp.2.${hello.serializer}`);
    if (serializer === undefined) throw new Refusal(1002, 'hello.serializer: expected json, msgpack or cbor');
    const told = plainRecord(hello.transport);
    if (told === undefined) {
      throw new Refusal(1002, `hello.transport: expected an object of at most ${MAX_INFO} JSON characters`);
    }
    if (this.#state === 'open') {
      // Whoever said hello before gave up waiting for the answer.
      this.#setIdle();
      this.#host.closed(this.#key);
    }
    const transport = {
      type: 'messageport',
      ...told,
      ...this.#info,
      // What the members of a realm may rely on is not for the client to say.
      protocol: subprotocol(serializer),
      peer: `port:${this.#number}`,
      serializer,
    };
    try {
      this.#key = this.#host.open(this, { ...transport, type: String(transport.type) }, this.#identity);
    } catch (error) {
      // As a server that is full: try again later.
      this.post({ close: 1013, reason: sentence(error), wasClean: false });
      return;
    }
    this.#serializer = serializer;
    this.#state = 'open';
    this.#stopWaitingForClient();
    this.#stopWaitingForClient = this.#dropWith(hello.lock);
    this.post({ open: this.#host.epoch, lock: this.#host.lock });
  }

  /** Whoever is no more cannot hear a farewell. Answers how to stop waiting. */
  #dropWith(lock: unknown): () => void {
    // Our own page or worker: whoever waits for its end ends with it.
    if (typeof lock !== 'string' || lock === this.#host.lock || !LOCK.test(lock)) return () => {};
    return whenReleased(lock, () => this.drop());
  }

  #closedByClient({ close, reason }: Record<string, unknown>): void {
    if (this.#state !== 'open') return;
    const key = this.#key;
    this.#setIdle();
    this.#host.closed(key);
    this.post({ close: Number(close), reason: String(reason), wasClean: true });
  }

  #takeBatch(batch: unknown[]): void {
    // On its way when the transport ended.
    if (this.#state === 'idle') return;
    if (this.#state === 'new') throw new Refusal(1002, 'a batch came before hello');
    this.#isUsed = true;
    if (this.#serializer === 'json') this.#takeMessages(batch);
    else this.#takeFrames(batch);
  }

  #takeMessages(batch: unknown[]): void {
    if (batch.length % 2 !== 0 || batch.length > 2 * MAX_BATCH_MESSAGES) {
      throw new Refusal(1002, `a batch of ${batch.length} entries: expected up to ${MAX_BATCH_MESSAGES} pairs`);
    }
    const heads: string[] = [];
    const tails: Tail[] = [];
    for (let index = 0; index < batch.length; index += 2) {
      const head = batch[index];
      const tail = batch[index + 1];
      if (typeof head !== 'string') throw new Refusal(1003, 'expected text, found another kind of message');
      const length = head.length + this.#sizeOf(head, tail, this.#host.messageLength);
      if (length > this.#host.messageLength) throw new Refusal(1009, this.#tooLong(length));
      // Heads go to the router joined by newlines; in JSON a carriage return is legal, or not, in the same places.
      heads.push(head.includes('\n') ? head.replaceAll('\n', '\r') : head);
      tails.push(tail as Tail);
    }
    if (heads.length > 0) this.#host.handle(this.#key, heads, tails);
  }

  /**
   * Tails go to others as they are, whose parsers a malformed one would break. The clients of this library make good text,
   * which is let be: a check of every byte would cost more than the rest. Whom a page gave an identity, it need not trust.
   */
  #sizeOf(head: string, tail: unknown, limit: number): number {
    if (typeof tail === 'string') {
      const isChecked = this.#identity?.authmethod === 'port' && tail !== '' && tail.length <= limit;
      if (isChecked) this.#sizeOf(head, JSON.parse(`[${tail}]`), Number.POSITIVE_INFINITY);
      return tail.length;
    }
    if (!isStructuredTail(head, tail)) throw new Refusal(1002, 'a tail must be Args, or Args and Kwargs');
    const size = sizeOfTail(tail, limit);
    if (size === undefined) throw new Refusal(1002, 'a tail must hold plain data, not nested too deep');
    return size;
  }

  #takeFrames(batch: unknown[]): void {
    if (batch.length > MAX_BATCH_MESSAGES) {
      throw new Refusal(1002, `a batch of ${batch.length} frames: expected up to ${MAX_BATCH_MESSAGES}`);
    }
    for (const frame of batch) {
      if (!(frame instanceof Uint8Array)) throw new Refusal(1003, 'expected binary frames, found something else');
      if (frame.byteLength > this.#host.messageLength) throw new Refusal(1009, this.#tooLong(frame.byteLength));
    }
    if (batch.length > 0) this.#host.handleFrames(this.#key, batch as Uint8Array[]);
  }

  #tooLong(length: number): string {
    return `a message of ${length} bytes: the router takes at most ${this.#host.messageLength}`;
  }

  /** Not what the port protocol allows: the port is no use any more, and nobody else notices. */
  #refuse({ code, message }: Refusal): void {
    this.#host.log('warn', `port ${this.#number} was closed: ${message}`);
    this.drop({ code, reason: message, wasClean: true });
  }

  #setIdle(): void {
    if (this.#state === 'open') this.#state = 'idle';
    this.#isUsed = false;
  }
}

/** What came is not what the port protocol allows. */
class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

function isStructuredTail(head: string, tail: unknown): tail is StructuredTail {
  if (!Array.isArray(tail) || tail.length === 0 || tail.length > 2) return false;
  const [args] = tail;
  if (!Array.isArray(args)) {
    return tail.length === 1 && hasEncodedArgs(head) && (typeof args === 'string' || args instanceof Uint8Array);
  }
  return tail.length === 1 || (typeof tail[1] === 'object' && tail[1] !== null && !Array.isArray(tail[1]));
}

/** A copy as JSON would make it; undefined for what is no object, or is too much of one. */
function plainRecord(value: unknown): TransportInfo | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  try {
    const json = JSON.stringify(value);
    return json.length <= MAX_INFO ? JSON.parse(json) : undefined;
  } catch {
    return undefined;
  }
}
