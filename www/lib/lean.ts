// A port to a router in as little code as it takes: `link.ts` for the small client, whose pages may download nothing else.
//
// Owns the same handshake, batches and ends of a transport, for JSON only. What both must agree on with `port.ts`, the
// router's end, is in `wire.ts`; what the messages are made of, in `binary.ts`.

import { readMessage, writeMessage } from './binary.ts';
import type { Channel, ChannelHandlers } from './channel.ts';
import { type Endpoint, isEndpoint } from './endpoint.ts';
import { report, sentence } from './environment.ts';
import { ownLock, whenReleased } from './liveness.ts';
import type { PortMaker, RouterSource } from './source.ts';
import { BATCH_SIZE, WIRE_VERSION } from './wire.ts';

/** Milliseconds for the router to answer a Hello or a Close. */
const PATIENCE = 3000;

/** Promise continuations that run after each message: what an app awaits goes on before the next one comes. */
const TURNS = 12;

export function overPort(source: RouterSource, { onOpen, onMessage, onClose }: ChannelHandlers): Channel {
  let port: Endpoint | undefined;
  let isOwned = false;
  let isGreeted = false;
  let isOpen = false;
  let isOver = false;
  let isDelivering = false;
  let batch: unknown[] = [];
  let moved: ArrayBuffer[] = [];
  let size = 0;
  let undo = () => {};
  let timer: ReturnType<typeof setTimeout>;
  /** What has come is handed out one by one, the end last, and never from within a call of the app's. */
  let told = Promise.resolve();

  const tell = (work: () => unknown) => {
    told = told.then(work as () => void).catch(report);
  };

  const flush = () => {
    if (batch.length > 0) port?.postMessage(batch, moved);
    batch = [];
    moved = [];
    size = 0;
  };

  const hangUp = () => {
    isOver = true;
    isOpen = false;
    clearTimeout(timer);
    undo();
    if (isOwned) {
      port?.postMessage({ gone: true });
      (port as MessagePort).close();
    }
  };

  const end = (reason: string) => {
    if (isOver) return;
    hangUp();
    tell(() => onClose(reason));
  };

  const endWithin = (reason: string) => {
    clearTimeout(timer);
    timer = setTimeout(() => end(reason), PATIENCE);
  };

  const say = (close: number, reason: string) => {
    flush();
    isOpen = false;
    port?.postMessage({ close, reason, wasClean: true });
  };

  /** A page in the back/forward cache answers nothing, so its session ends now; a callee would swallow calls. */
  const onPageHide = () => {
    say(1001, 'the page was left');
    hangUp();
    addEventListener('pageshow', () => tell(() => onClose('the page was left, and came back')), { once: true });
  };

  const deliver = async (messages: string[]) => {
    isDelivering = true;
    for (let index = 0; isOpen && index < messages.length; index += 2) {
      try {
        onMessage(readMessage(messages[index] as string, messages[index + 1]));
      } catch (error) {
        // Garbled by its sender: it costs this one message.
        report(error);
      }
      for (let turn = 0; turn < TURNS; turn += 1) await undefined;
    }
    isDelivering = false;
    flush();
  };

  const onPortMessage = ({ data }: { data: unknown }) => {
    const said = (data ?? {}) as { wamplet?: number; open?: string; lock?: string; reason?: string; fatal?: string };
    if (Array.isArray(data)) {
      tell(() => deliver(data));
    } else if (said.wamplet !== undefined) {
      // A browser may start a SharedWorker anew and hand it the same ports.
      if (isGreeted) end('the router was restarted');
      if (said.wamplet !== WIRE_VERSION) end('the router is of another version of wamplet than the client');
      isGreeted = true;
    } else if (said.open !== undefined) {
      clearTimeout(timer);
      isGreeted = true;
      isOpen = true;
      const stop = undo;
      const forget = said.lock === undefined ? () => {} : whenReleased(said.lock, () => end('the router is gone'));
      undo = () => {
        stop();
        forget();
      };
      tell(onOpen);
    } else {
      end(said.reason ?? said.fatal ?? 'the router sent what could not be read');
    }
  };

  const connect = async () => {
    const isFunction = typeof source === 'function';
    const found = await (isFunction ? source() : source);
    const lock = await ownLock();
    if (isOver) return;
    const made = (found as PortMaker).createPort?.();
    isOwned = isFunction || made !== undefined;
    port = made ?? (found as Endpoint);
    if (!isEndpoint(port)) throw new TypeError('expected a router or a MessagePort');
    const lost = () => end('the port to the router was closed');
    const on: [EventTarget, string, (event: never) => void][] = [
      [port as MessagePort, 'message', onPortMessage],
      [port as MessagePort, 'close', lost],
      [globalThis as unknown as EventTarget, 'pagehide', onPageHide],
    ];
    for (const [target, type, listener] of on) target.addEventListener?.(type, listener as () => void);
    undo = () => {
      for (const [target, type, listener] of on) target.removeEventListener?.(type, listener as () => void);
    };
    port.start?.();
    port.postMessage({ hello: WIRE_VERSION, lock, serializer: 'json', transport: {} });
    endWithin('the router did not answer: is it still there, and the port attached to it?');
  };

  connect().catch((error) => end(sentence(error)));

  return {
    send(message) {
      const written = writeMessage(message);
      if (!isOpen) return;
      if (size + written.size > BATCH_SIZE) flush();
      if (batch.length === 0 && !isDelivering) queueMicrotask(flush);
      batch.push(written.head, written.tail);
      moved.push(...written.moved);
      size += written.size;
    },
    close() {
      if (!isOpen) end('it was closed before it was open');
      else {
        say(1000, '');
        endWithin('it was closed here');
      }
    },
  };
}
