// What travels over a port between a client and a router: the words both ends agree on.
//
// Owns the wire version, the shape of each message and the limits. Refuses to know what a WAMP message means: a message
// is a head (JSON text without its closing bracket) and a tail (the payload). Who says what, and when, is in `port.ts`
// (the router's end), `link.ts` and `lean.ts` (the client's); over a line, in `line.ts` and `line-host.ts`.
//
//   router -> client   Greeting     when the port reaches a router; a second one means that the first router is gone
//   client -> router   Hello        opens a transport on the port; before it the client holds its Web Lock. Another one is
//                                   of the next client, where nothing came of the one before: that gave up waiting
//   router -> client   Opened       the transport is open
//   both ways          a batch      an array: [head, tail, head, tail, ...], or [frame, frame, ...] in binary serializers
//   both ways          Close        ends the transport; a client's Close is answered with a Close
//   client -> router   Gone         the port will not be used again
//   router -> client   Fatal        the router cannot run: a sentence
//
// A page and its SharedWorker speak over a line, the port that connecting gives, which is never handed out:
//
//   page -> worker     Start        once: what to run, who the page is; with a port for a client, or to watch
//   worker -> page     Started, Fatal, Log, Split
//   page -> worker     Inspect, answered with Inspected; Leave; Gone
//
// Where a tab leads, a line is a BroadcastChannel with a name of its own, and so is the port of a client. They are
// opened over one that all tabs hear:
//
//   page -> leader     Seek         who leads?
//   leader -> pages    Leads        when it begins, and as the answer
//   page -> leader     Call         names a channel, on which the leader then sends its Greeting

import type { Identity } from './identity.ts';

/** Part of the SharedWorker's name, so that pages of different versions never meet in one worker. */
export const WIRE_VERSION = 1;

/** Characters (or bytes) after which a batch leaves at once: larger ones make the receiver wait for the whole. */
export const BATCH_SIZE = 48 * 1024;

/** Milliseconds for the router to answer a Hello: its worker may only be starting, on a busy phone. */
export const TO_OPEN = 10_000;

/** Messages that a batch may have; ours leave far earlier, at `BATCH_SIZE`. */
export const MAX_BATCH_MESSAGES = 16 * 1024;

/** What a router of this version goes by, among the routers of all names and versions in a browser. */
export function versioned(router: string): string {
  return `wamp:${router}:v${WIRE_VERSION}`;
}

export type Serializer = 'json' | 'msgpack' | 'cbor';

/** The elements behind a head that hold binary data, for structured clone: Args, or Args and Kwargs. */
export type StructuredTail = unknown[];

/** `''` where there is none; else the JSON text of the elements without the brackets of the message. */
export type Tail = string | StructuredTail;

/** Why and how a transport ended, in the terms of a WebSocket's close event. */
export interface CloseInfo {
  code: number;
  reason: string;
  wasClean: boolean;
}

export interface Greeting {
  wamplet: number;
  /** Random, one for each life of a router. */
  epoch: string;
}

export interface Start {
  start: number;
  config: unknown;
  /** classname -> address of the module that runs it */
  components: Record<string, string> | undefined;
  /** name -> address of the module that decides by it */
  deciders: Record<string, string> | undefined;
  /** Names the page's handle to the router; a `Leave` closes all ports that were made with it. */
  handle: string;
  /** The Web Lock of the page. */
  lock: string | undefined;
  /**
   * A port that a client has the other end of, or true for the line itself. Without one the page watches: it gets all
   * that a worker says.
   */
  port: MessagePort | true | undefined;
  /** What the page says about the port: part of the session details. */
  info: TransportInfo | undefined;
  /** Who the port is for. */
  identity: Identity | undefined;
}

export interface Started {
  started: string;
}

export interface Hello {
  hello: number;
  /** The Web Lock that the client holds while it lives. */
  lock: string | undefined;
  serializer: Serializer;
  /** What the session details say of the transport. */
  transport: TransportInfo;
}

export interface Opened {
  open: string;
  /** The Web Lock that the router holds while it lives. */
  lock: string | undefined;
}

export interface Close {
  close: number;
  reason: string;
  /** For clients to know; a router is not told. */
  wasClean?: boolean;
}

export interface Gone {
  gone: true;
}

export interface Fatal {
  fatal: string;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface Log {
  log: LogLevel;
  text: string;
}

export interface Seek {
  seek: true;
}

export interface Leads {
  /** The router's epoch. */
  leads: string;
  /** The Web Lock that is held while the router lives. */
  lock: string | undefined;
}

export interface Call {
  call: string;
  /** The router that is meant. */
  epoch: string;
}

export interface Split {
  split: string;
  /** Between routers: the Web Lock of the later one. */
  lock: string;
}

export interface Inspect {
  inspect: number;
}

export interface Inspected {
  inspected: number;
  value: unknown;
}

export interface Leave {
  leave: true;
}

/** A router's realms as plain data, for people. */
export interface Inspection {
  transports: number;
  realms: {
    name: string;
    sessions: Record<string, unknown>[];
    subscriptions: { id: number; created: string; uri: string; match: string; subscribers: number[] }[];
    registrations: { id: number; created: string; uri: string; match: string; invoke: string; callees: number[] }[];
  }[];
}

/** Plain data about a transport. */
export type TransportInfo = Record<string, unknown>;

/** Whether `data` is an object with this key: how the two ends tell messages apart. */
export function isMessage<Key extends string>(data: unknown, key: Key): data is Record<Key, unknown> {
  return typeof data === 'object' && data !== null && key in data;
}

/** The subprotocol of WAMP over WebSocket that stands for a serializer. */
export function subprotocol(serializer: Serializer): string {
  return `wamp.2.${serializer}`;
}

/** The serializer that a subprotocol stands for, if we speak it. */
export function serializerOf(protocol: string): Serializer | undefined {
  return (['json', 'msgpack', 'cbor'] as const).find((serializer) => subprotocol(serializer) === protocol);
}
