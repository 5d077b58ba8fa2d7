// A port to a router in as little code as it takes: `link.ts` for the small client, whose pages may download nothing else.
//
// Owns the same handshake, batches and ends of a transport, for JSON only. What both must agree on with `port.ts`, the
// router's end, is in `wire.ts`; what the messages are made of, in `binary.ts`.

import { readMessage, writeMessage } from './binary.ts';
import type { Channel, ChannelHandlers, Tell } from './channel.ts';
import { LOCK_PATIENCE, sentence } from './environment.ts';
import type { PortMaker, RouterSource } from './source.ts';
import { BATCH_SIZE, TO_OPEN, WIRE_VERSION } from './wire.ts';

/** They tell when a page, worker or router has died; see `liveness.ts`. Node's know one process only. */
function locks(): LockManager | undefined {
  return globalThis.isSecureContext ? navigator.locks : undefined;
}

let own: Promise<string | undefined> | undefined;

/** The name of the lock that this page or worker holds until it dies. */
function ownLock(): Promise<string | undefined> | undefined {
  own ??=
    locks() &&
    new Promise((resolve) => {
      const name = `wamp:${crypto.randomUUID().replace(/-/g, '').slice(16)}@${origin}`;
      const held = () => {
        resolve(name);
        return new Promise(() => {});
      };
      // A lock manager that refuses, or does not answer, must not keep anybody from connecting.
      setTimeout(resolve, LOCK_PATIENCE);
      locks()
        ?.request(name, held)
        .catch(() => resolve(undefined));
    });
  return own;
}

const GONE = 'the router is gone';
export const HERE = 'it was closed here';
const LEFT = 'the page was left';

/** What a router says that is no batch. */
interface Said {
  wamplet?: number;
  open?: string;
  lock?: string;
  reason?: string;
  fatal?: string;
}

export function overPort(source: RouterSource, { onOpen, onMessage, onClose }: ChannelHandlers, tell: Tell): Channel {
  const life = new AbortController();
  const { signal } = life;
  let port: MessagePort;
  let isOwned = false;
  let isOpen = false;
  /** Batches that are not told yet: what is sent meanwhile leaves together. */
  let delivering = 0;
  let batch: unknown[] = [];
  let moved: ArrayBuffer[] = [];
  let size = 0;
  let timer: ReturnType<typeof setTimeout>;

  const flush = () => {
    if (batch.length > 0) port.postMessage(batch, moved);
    batch = [];
    moved = [];
    size = 0;
  };

  const end = (reason: string) => {
    if (signal.aborted) return;
    life.abort();
    clearTimeout(timer);
    isOpen = false;
    if (isOwned) {
      port.postMessage({ gone: true });
      port.close();
    }
    tell(() => onClose(reason));
  };

  const endSoon = (reason: string) => {
    timer = setTimeout(end, TO_OPEN, reason);
  };

  const sayClose = (close: number, reason: string) => {
    flush();
    isOpen = false;
    port.postMessage({ close, reason });
  };

  /** A page that is put away, or frozen, answers nothing, so its session ends now; a callee would swallow calls. */
  const watch = (leaving: string, coming: string) => {
    const onLeave = ({ target }: Event) => {
      // Apps have events of these names, too.
      if (target !== document) return;
      sayClose(1001, LEFT);
      const back = new Promise((resolve) => addEventListener(coming, resolve, { once: true, capture: true }));
      tell(() => back);
      end(LEFT);
    };
    globalThis.addEventListener?.(leaving, onLeave, { signal, capture: true });
  };

  const hear = ({ data }: { data: unknown }) => {
    const { wamplet, open, lock, reason, fatal } = (data || {}) as Said;
    if (Array.isArray(data)) {
      delivering += 1;
      for (let index = 0; index < data.length; index += 2) {
        tell(() => onMessage(readMessage(data[index], data[index + 1])));
      }
      tell(() => {
        delivering -= 1;
        flush();
      });
    } else if (wamplet !== undefined) {
      // A browser may start a SharedWorker anew and hand it the same ports.
      if (isOpen) end(GONE);
      if (wamplet !== WIRE_VERSION) end('the router is of another version');
    } else if (open !== undefined) {
      clearTimeout(timer);
      // A second one is the answer to us, the first was to whoever gave up connecting over this port.
      if (!isOpen) tell(onOpen);
      isOpen = true;
      // That of another origin would look free.
      if (lock?.endsWith(origin)) {
        locks()
          ?.request(lock, { mode: 'shared', signal }, () => end(GONE))
          .catch(() => {});
      }
    } else {
      end(reason ?? fatal ?? GONE);
    }
  };

  const connect = async () => {
    const given = await source;
    const found = await (typeof given === 'function' ? given() : given);
    const lock = await ownLock();
    if (signal.aborted) return;
    port = (found as PortMaker | null)?.createPort?.() ?? (found as MessagePort);
    if (!port?.postMessage) throw new TypeError('expected a router');
    port.addEventListener('message', hear, { signal });
    port.addEventListener('close', () => end(GONE), { signal });
    // A port that was handed over stays open for the next connection.
    isOwned = port !== given;
    watch('pagehide', 'pageshow');
    watch('freeze', 'resume');
    port.start?.();
    port.postMessage({ hello: WIRE_VERSION, lock, serializer: 'json', transport: {} });
    endSoon('the router did not answer');
  };

  connect().catch((error) => end(sentence(error)));

  return {
    send(message, payload) {
      const [head, tail, length, buffers] = writeMessage(message, payload);
      if (!isOpen) return;
      if (size + length > BATCH_SIZE) flush();
      if (batch.length + delivering === 0) queueMicrotask(flush);
      batch.push(head, tail);
      moved.push(...buffers);
      size += length;
    },
    close() {
      if (isOpen) {
        sayClose(1000, '');
        endSoon(HERE);
      } else end(HERE);
    },
  };
}
