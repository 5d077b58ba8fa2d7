// The two ends of a call, over several ways between two tabs. Runs in both tabs; `run.mjs` tells each what to do.
//
// The clients are as thin as can be, so that the figures are those of the way and not of a client library: a call makes
// JSON text of its arguments, the callee parses it and answers with the same values, the caller parses the answer. All
// ways carry the same texts.

import { sharedRouter } from '/pkg/index.js';

const ROLES = '{"roles":{"publisher":{},"subscriber":{},"caller":{},"callee":{}}}';

const handles = {};

/** A handle to the router of a mode; each has a name of its own, so that none finds another. */
export async function start(mode) {
  handles[mode] ??= sharedRouter({ name: `bench-${mode}`, mode, workerUrl: '/pkg/worker.js' });
  await handles[mode];
}

/** wamplet: what a task sends leaves in one postMessage. */
const wamplet = async (mode) => {
  await start(mode);
  const port = (await handles[mode]).createPort();
  const way = { isRouted: true, onMessage: undefined, close: () => port.postMessage({ gone: true }) };
  let batch = [];
  const flush = () => {
    port.postMessage(batch);
    batch = [];
  };
  way.send = (head, tail) => {
    if (batch.length === 0) queueMicrotask(flush);
    batch.push(head, tail);
  };
  const opened = new Promise((resolve, reject) => {
    port.onmessage = ({ data }) => {
      if (Array.isArray(data)) for (let i = 0; i < data.length; i += 2) way.onMessage(data[i], data[i + 1]);
      else if ('open' in data) resolve();
      else if ('close' in data) reject(new Error(data.reason));
    };
  });
  port.postMessage({ hello: 1, lock: undefined, serializer: 'json', transport: { type: 'bench' } });
  await opened;
  const welcomed = new Promise((resolve) => {
    way.onMessage = resolve;
  });
  way.send(`[1,"bench",${ROLES}`, '');
  await welcomed;
  return way;
};

/** Each way answers `{ send(head, tail), onMessage, isRouted }`; both texts are as wamplet has them. */
const ways = {
  'shared-worker': () => wamplet('shared-worker'),
  leader: () => wamplet('leader'),
  page: () => wamplet('page'),

  /** The same four hops through a SharedWorker that posts on what it gets. */
  async unrouted(role) {
    const { port } = new SharedWorker('/benches/browser/relay.js', { name: 'relay' });
    const way = { onMessage: undefined, close: () => port.close() };
    way.send = (head, tail) => port.postMessage([head, tail]);
    const ready = new Promise((resolve) => {
      port.onmessage = ({ data }) => (data === 'ready' ? resolve() : way.onMessage(data[0], data[1]));
    });
    port.postMessage(role);
    await ready;
    return way;
  },

  /** A WebSocket server on this machine that passes frames on. */
  async websocket(role, address) {
    const socket = new WebSocket(`${address}/${role}`);
    const way = { onMessage: undefined, close: () => socket.close() };
    way.send = (head, tail) => socket.send(`${head}${tail}]`);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`no WebSocket at ${address}`));
    });
    socket.onmessage = ({ data }) => {
      // A forwarder knows no heads: both ends split where the tail begins, which stands behind the first "},".
      const at = data.indexOf('},[') + 2;
      way.onMessage(data.slice(0, at), data.slice(at, -1));
    };
    return way;
  },
};

/** Calls that are timed together. */
const GROUP = 20;

/** By role: where the router runs in the page, both ends do. */
const ends = {};

async function open(role, kind, address) {
  ends[role]?.close();
  ends[role] = await ways[kind](role, address);
  return ends[role];
}

export async function beCallee(kind, address) {
  const way = await open('callee', kind, address);
  if (way.isRouted) {
    const registered = new Promise((resolve) => {
      way.onMessage = resolve;
    });
    way.send('[64,1,{},"com.example.echo"', '');
    await registered;
  }
  way.onMessage = (head, tail) => {
    const values = JSON.parse(tail);
    // [68, request, ...] or, where nothing routes, the caller's own [48, request, ...].
    const request = head.slice(4, head.indexOf(',', 4));
    way.send(way.isRouted ? `[70,${request},{}` : `[50,${request},{},`, JSON.stringify(values));
  };
}

export async function beCaller(kind, address) {
  const way = await open('caller', kind, address);
  way.request = 0;
}

/** Microseconds per call. One at a time: the median of groups of 20, since a browser's clock has steps of 100. */
export function measure(size, inFlight, calls) {
  const way = ends.caller;
  const values = records(size);
  const comma = way.isRouted ? '' : ',';
  const procedure = way.isRouted ? '{},"com.example.echo"' : '{}';
  const times = [];
  let answered = 0;
  let sent = 0;
  let groupBegan = 0;
  const call = () => {
    sent += 1;
    way.request += 1;
    way.send(`[48,${way.request},${procedure}${comma}`, JSON.stringify([values]));
  };
  const begin = performance.now();
  groupBegan = begin;
  return new Promise((resolve) => {
    way.onMessage = (head, tail) => {
      if (!head.startsWith('[50,') || JSON.parse(tail).length !== 1) throw new Error(`expected RESULT, found ${head}`);
      answered += 1;
      if (answered % GROUP === 0) {
        const now = performance.now();
        times.push((now - groupBegan) / GROUP);
        groupBegan = now;
      }
      if (answered === calls) {
        const all = ((performance.now() - begin) * 1000) / calls;
        resolve(inFlight === 1 ? times.sort((a, b) => a - b)[times.length >> 1] * 1000 : all);
      } else if (sent < calls) call();
    };
    for (let i = 0; i < inFlight; i += 1) call();
  });
}

/** About `size` bytes of JSON: records, as applications send them. */
function records(size) {
  const one = { id: 1234567, name: 'temperature', value: 21.5, ok: true };
  if (size < 64) return { id: 1234567, value: 21.5 };
  return Array.from({ length: Math.ceil(size / (JSON.stringify(one).length + 1)) }, (_, id) => ({ ...one, id }));
}
