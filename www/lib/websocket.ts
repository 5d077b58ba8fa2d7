// A WebSocket that ends at a wamplet router: for clients that take a class, and for `intercept.ts`.
//
// Owns the WebSocket interface as browsers have it (states, events, errors, close codes) and the choice of a
// subprotocol. The text of a message is split, not parsed (`split.ts`); the port below is the business of `link.ts`.
// [WHATWG WebSockets, section 3; RFC 6455]

import { Link } from './link.ts';
import { defaultRouter } from './shared.ts';
import type { RouterSource } from './source.ts';
import { splitMessage } from './split.ts';
import { messageText } from './tail.ts';
import { type CloseInfo, type Serializer, serializerOf, type Tail } from './wire.ts';

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

const STATES = { CONNECTING, OPEN, CLOSING, CLOSED } as const;
const HANDLERS = ['open', 'message', 'error', 'close'] as const;

/** What RFC 6455 lets a subprotocol's name consist of. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

type Handler = ((event: Event) => unknown) | null;

export type WebSocketClass = typeof WebSocket;

/** A class whose sockets all end at this router. */
export function webSocketClass(router: RouterSource = defaultRouter): WebSocketClass {
  return class WampletWebSocket extends BaseSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols, router);
    }
  } as unknown as WebSocketClass;
}

/** Its constants and handler properties are in the static block. */
class BaseSocket extends EventTarget {
  readonly #url: string;
  #protocol = '';
  #readyState: number = CONNECTING;
  #binaryType: BinaryType = 'blob';
  /** Of messages sent after the close began: they count, and go nowhere. */
  #lostBytes = 0;
  #serializer: Serializer | undefined;
  #link: Link | undefined;
  #handlers = new Map<string, { handler: Handler; listener: (event: Event) => void }>();
  /** Set while a Blob is being read: what is sent meanwhile must not overtake it. */
  #reading: Promise<void> | undefined;

  constructor(url: string | URL, protocols: string | string[] | undefined, router: RouterSource) {
    super();
    this.#url = normalizeUrl(url);
    const offered = offeredProtocols(protocols);
    const chosen = offered.find((protocol) => serializerOf(protocol) !== undefined);
    if (chosen === undefined) {
      const what = offered.length === 0 ? 'no subprotocol' : offered.join(', ');
      console.warn(
        `wamplet: ${this.#url} was opened with ${what}: expected wamp.2.json, wamp.2.msgpack or wamp.2.cbor`,
      );
      // As when a server does not agree.
      setTimeout(() => this.#onClose({ code: 1006, reason: '', wasClean: false }));
      return;
    }
    const serializer = serializerOf(chosen) as Serializer;
    this.#serializer = serializer;
    this.#link = new Link(router, {
      serializer,
      transport: { type: 'websocket', url: this.#url },
      onOpen: () => this.#onOpen(chosen),
      onMessage: (headOrFrame, tail) => this.#onMessage(headOrFrame, tail),
      onClose: (info) => this.#onClose(info),
    });
  }

  get url(): string {
    return this.#url;
  }

  get protocol(): string {
    return this.#protocol;
  }

  get extensions(): string {
    return '';
  }

  get readyState(): number {
    return this.#readyState;
  }

  get bufferedAmount(): number {
    return this.#lostBytes + (this.#link?.waiting ?? 0);
  }

  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(value: BinaryType) {
    // As browsers do, anything else is ignored.
    if (value === 'blob' || value === 'arraybuffer') this.#binaryType = value;
  }

  send(data: string | ArrayBufferLike | ArrayBufferView | Blob): void {
    if (this.#readyState === CONNECTING) {
      throw new DOMException('The WebSocket is still connecting: send after its open event.', 'InvalidStateError');
    }
    if (this.#readyState !== OPEN) {
      this.#lostBytes += lengthOf(data);
      return;
    }
    const isBlob = typeof Blob !== 'undefined' && data instanceof Blob;
    if (!isBlob && this.#reading === undefined) {
      this.#send(data as string | BufferSource);
      return;
    }
    const before = this.#reading ?? Promise.resolve();
    // A view may change until its turn comes.
    const content = isBlob ? data.arrayBuffer() : copyOf(data as string | BufferSource);
    const turn = before
      .then(() => content)
      .then((read) => this.#send(read))
      .finally(() => {
        if (this.#reading === turn) this.#reading = undefined;
      });
    this.#reading = turn;
  }

  close(code?: number, reason = ''): void {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new DOMException(`The close code must be 1000 or 3000 to 4999, not ${code}.`, 'InvalidAccessError');
    }
    if (new TextEncoder().encode(reason).length > 123) {
      throw new DOMException('The close reason must not be longer than 123 bytes.', 'SyntaxError');
    }
    if (this.#readyState === CLOSING || this.#readyState === CLOSED) return;
    this.#readyState = CLOSING;
    // 1005: no code was given. It comes back in the close event.
    const finish = () => this.#link?.close(code ?? 1005, reason);
    if (this.#reading === undefined) finish();
    else this.#reading.then(finish);
  }

  #send(data: string | BufferSource): void {
    const isText = typeof data === 'string' || !(ArrayBuffer.isView(data) || data instanceof ArrayBuffer);
    if (isText !== (this.#serializer === 'json')) {
      // [wamp: advanced/websocket transport] JSON in text frames, the others in binary frames.
      this.#readyState = CLOSING;
      const found = isText ? 'a text frame' : 'a binary frame';
      this.#link?.close(1003, `the subprotocol ${this.#protocol} does not take ${found}`);
    } else if (isText) {
      const { head, tail } = splitMessage(String(data));
      this.#link?.send({ head, tail, size: head.length + tail.length, transfer: [], isBorrowing: false });
    } else {
      this.#link?.sendFrame(new Uint8Array(copyOf(data as BufferSource) as ArrayBuffer));
    }
  }

  #onOpen(protocol: string): void {
    // Closed while the router was answering.
    if (this.#readyState !== CONNECTING) return;
    this.#protocol = protocol;
    this.#readyState = OPEN;
    this.dispatchEvent(new Event('open'));
  }

  #onMessage(headOrFrame: unknown, tail: unknown): void {
    if (this.#readyState !== OPEN) return;
    const data =
      this.#serializer === 'json'
        ? messageText(headOrFrame as string, tail as Tail)
        : this.#binaryData(headOrFrame as Uint8Array<ArrayBuffer>);
    this.dispatchEvent(new MessageEvent('message', { data, origin: new URL(this.#url).origin }));
  }

  #binaryData(frame: Uint8Array<ArrayBuffer>): Blob | ArrayBuffer {
    if (this.#binaryType === 'blob') return new Blob([frame]);
    return frame.byteLength === frame.buffer.byteLength ? frame.buffer : frame.slice().buffer;
  }

  #onClose({ code, reason, wasClean }: CloseInfo): void {
    if (this.#readyState === CLOSED) return;
    this.#readyState = CLOSED;
    // [WHATWG WebSockets] an unclean end is an error first.
    if (!wasClean) this.dispatchEvent(new Event('error'));
    this.dispatchEvent(closeEvent({ code, reason: wasClean ? reason : '', wasClean }));
  }

  static {
    for (const [name, value] of Object.entries(STATES)) {
      const constant = { value, enumerable: true };
      Object.defineProperty(BaseSocket, name, constant);
      Object.defineProperty(BaseSocket.prototype, name, constant);
    }
    for (const type of HANDLERS) {
      Object.defineProperty(BaseSocket.prototype, `on${type}`, {
        enumerable: true,
        configurable: true,
        get(this: BaseSocket): Handler {
          return this.#handlers.get(type)?.handler ?? null;
        },
        set(this: BaseSocket, handler: unknown) {
          this.#setHandler(type, handler);
        },
      });
    }
  }

  /** A handler property keeps its place among the listeners when it is replaced. [WHATWG HTML, event handlers] */
  #setHandler(type: string, value: unknown): void {
    const handler = typeof value === 'function' ? (value as Handler) : null;
    const present = this.#handlers.get(type);
    if (present !== undefined && handler !== null) {
      present.handler = handler;
      return;
    }
    if (present !== undefined) {
      this.removeEventListener(type, present.listener);
      this.#handlers.delete(type);
    }
    if (handler === null) return;
    const entry = { handler: handler as Handler, listener: (event: Event) => entry.handler?.call(this, event) };
    this.#handlers.set(type, entry);
    this.addEventListener(type, entry.listener);
  }
}

/** The class of those who name no router. */
export const WampletWebSocket = /* @__PURE__ */ webSocketClass();

/** As WebSocket's constructor does: relative to the page, http as ws, and no fragment. */
export function normalizeUrl(url: string | URL): string {
  let parsed: URL;
  try {
    parsed = new URL(url, typeof document === 'undefined' ? globalThis.location?.href : document.baseURI);
  } catch {
    throw new DOMException(`"${url}" is no URL.`, 'SyntaxError');
  }
  if (parsed.protocol === 'http:') parsed.protocol = 'ws:';
  else if (parsed.protocol === 'https:') parsed.protocol = 'wss:';
  if (parsed.protocol !== 'ws:' && parsed.protocol !== 'wss:') {
    throw new DOMException(`The URL's scheme must be ws or wss, not "${parsed.protocol.slice(0, -1)}".`, 'SyntaxError');
  }
  if (parsed.hash !== '' || parsed.href.endsWith('#')) {
    throw new DOMException(`The URL "${url}" has a fragment, which a WebSocket's must not have.`, 'SyntaxError');
  }
  return parsed.href;
}

function offeredProtocols(protocols: string | string[] | undefined): string[] {
  const offered = typeof protocols === 'string' ? [protocols] : [...(protocols ?? [])].map(String);
  const wrong = offered.find((protocol) => !TOKEN.test(protocol));
  if (wrong !== undefined) throw new DOMException(`"${wrong}" is no name of a subprotocol.`, 'SyntaxError');
  if (new Set(offered.map((protocol) => protocol.toLowerCase())).size < offered.length) {
    throw new DOMException('A subprotocol is offered twice.', 'SyntaxError');
  }
  return offered;
}

function lengthOf(data: string | ArrayBufferLike | ArrayBufferView | Blob): number {
  if (typeof data === 'string') return new TextEncoder().encode(data).length;
  return 'size' in data ? data.size : data.byteLength;
}

/** The caller may change its buffer as soon as send() returns. */
function copyOf(data: string | BufferSource): string | ArrayBuffer {
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice().buffer as ArrayBuffer;
  }
  return data instanceof ArrayBuffer ? data.slice(0) : data;
}

/** Node has no CloseEvent before version 23. */
function closeEvent(info: CloseInfo): Event {
  if (typeof CloseEvent === 'function') return new CloseEvent('close', info);
  return Object.assign(new Event('close'), info);
}
