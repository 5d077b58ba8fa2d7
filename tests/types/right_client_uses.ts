// Must compile: what the documentation of the small client shows, and what a careful user writes.

import { createRouter, defaultRouter, sharedRouter } from 'wamplet';
import {
  type AuthMethod,
  type ClosedError,
  connect,
  type EventHandler,
  type ProcedureHandler,
  type Registration,
  Result,
  type Session,
  type Stream,
  type Subscription,
  WampError,
} from 'wamplet/client';
import { cryptosign, wampcra } from 'wamplet/client/auth';

declare module 'wamplet/client' {
  interface Procedures {
    'com.example.add': (args: [a: number, b: number]) => number;
    'com.example.ping': () => Promise<'pong'>;
  }
  interface Topics {
    'com.example.news': [headline: string, page?: number];
  }
}

export async function ways(port: MessagePort, worker: Worker): Promise<Session[]> {
  const router = await createRouter();
  return Promise.all([
    connect(),
    connect({ realm: 'realm1' }),
    connect({ realm: 'realm1', router }),
    connect({ realm: 'realm1', router: sharedRouter() }),
    connect({ realm: 'realm1', router: () => defaultRouter(), reconnect: true }),
    connect({ port }),
    connect({ port: worker, signal: AbortSignal.timeout(1000) }),
    connect({ realm: 'realm1', url: new URL('wss://a.test/ws') }),
    connect({ realm: 'realm1', url: 'ws://a.test/ws', WebSocket }),
  ]);
}

export async function logins(pair: CryptoKeyPair): Promise<void> {
  const scram: AuthMethod = async ({ salt }, method) => [`${salt}${method}`, { nonce: 'x' }];
  const auth = {
    'wamp-scram': scram,
    ticket: () => 'secret',
    wampcra: wampcra('secret'),
    cryptosign: cryptosign(pair),
  };
  await connect({ realm: 'realm1', authid: 'joe', authextra: { a: 1 }, auth });
}

export async function calls(session: Session, signal: AbortSignal): Promise<void> {
  const sum: number = await session.call('com.example.add', [2, 3]);
  const pong: 'pong' = await session.call('com.example.ping');
  const other: string = await session.call<string>('com.example.other', [1, 'two', { three: 3 }], { four: 4 });
  const anything = await session.call('com.example.other');
  anything.whatever.it.has;
  const options = { signal, cancelMode: 'kill', timeout: 100, disclose_me: true, x_own: 1 } as const;
  const { args, kwargs, details }: Result = await session.call('com.example.add', [1], {}, { ...options, full: true });
  console.log(sum, pong, other, args[0].length, kwargs.any.thing, details.progress);

  async function* pieces() {
    yield 1;
  }
  await session.call('com.example.add', pieces());

  const stream: Stream<number, string> = session.stream<number, string>('com.example.render', [1]);
  for await (const part of stream) console.log(part + 1);
  const end: string = await stream.result;
  for await (const part of session.stream('com.example.render', [], {}, { full: true })) console.log(part.args, end);
}

export async function callee(session: Session, signal: AbortSignal): Promise<void> {
  const registration: Registration = await session.register('com.example.add', ([a, b]) => a + b);
  await session.register('com.example.other', async ([name], { flag }, { signal, input, caller, procedure }) => {
    if (flag) throw new WampError('com.example.error', ['why', name], { caller, procedure });
    for await (const [piece] of input) if (signal.aborted) return piece;
    return new Result([1, 2], { three: 3 });
  });
  await session.register(
    'com.example.',
    async function* ([to]) {
      for (let part = 0; part < to; part += 1) yield part;
      return 'done';
    },
    { signal, match: 'prefix', invoke: 'roundrobin', concurrency: 2, disclose_caller: true },
  );
  await session.register('com.example.sum', ([a, b]: [number, number]) => a + b);
  const greet = (_: unknown[], { name }: { name: string }) => `hello ${name}`;
  await session.register('com.example.greet', greet);
  const count: ProcedureHandler = async function* ([limit], _kwargs, { signal }) {
    for (let part = 0; part < limit && !signal.aborted; part += 1) yield part;
  };
  await session.register('com.example.count', count);
  await registration.stop();
}

export async function events(session: Session, signal: AbortSignal): Promise<void> {
  const subscription: Subscription = await session.subscribe('com.example.news', ([headline, page = 1]) => {
    console.log(headline.length, page + 1);
  });
  await session.subscribe(
    'com..any',
    ([first], { more }, { topic, publication }) => first(more, topic, publication + 1),
    {
      signal,
      match: 'wildcard',
      get_retained: true,
    },
  );
  const hear: EventHandler<'com.example.news'> = ([headline]) => console.log(headline.length);
  await session.subscribe('com.example.news', hear);
  await session.subscribe('com.example.found', ([number]: [number]) => console.log(number + 1));
  const publication: number = await session.publish(
    'com.example.news',
    ['hi'],
    {},
    { acknowledge: true, retain: true },
  );
  const nothing: number | undefined = await session.publish(
    'com.example.any',
    [publication],
    { a: 1 },
    { exclude_me: false },
  );
  await session.publish('com.example.news', ['hi', 2], undefined, { eligible: [1], exclude_authrole: ['guest'] });
  await subscription.stop();
  console.log(nothing);
}

export async function ends(session: Session): Promise<void> {
  session.addEventListener('close', ({ detail: { error, willReconnect } }) => {
    const { uri, message }: ClosedError = error;
    console.log(uri, message, willReconnect === true, error instanceof WampError);
  });
  session.addEventListener('open', () => console.log(session.id + 1, session.details.authid, session.isOpen === true));
  session.addEventListener('revoked', ({ detail }) => console.log(detail.uri, detail.error?.uri), { once: true });
  await session.close();
  await session.close('com.example.reason', 'good night');
}
