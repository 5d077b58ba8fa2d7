// Must not compile: each line below a directive is a mistake that the declarations of the small client catch. Those of its
// own procedures and topics are in `right_client_uses.ts`.

import { connect, Result, type Session, WampError } from 'wamplet/client';
import { cryptosign, wampcra } from 'wamplet/client/auth';

// @ts-expect-error A misspelt option.
connect({ relam: 'realm1' });

// @ts-expect-error A realm has a name.
connect({ realm: 1 });

// @ts-expect-error A URL is no router.
connect({ router: 'ws://a.test/ws' });

// @ts-expect-error Milliseconds are not for connecting: a signal is.
connect({ timeout: 1000 });

// @ts-expect-error A method answers.
connect({ auth: { ticket: 'secret' } });

// @ts-expect-error A signature is a text.
connect({ auth: { ticket: () => 1 } });

// @ts-expect-error The secret is a text.
wampcra(7);

// @ts-expect-error Nor is a key an object of anybody's.
cryptosign({ seed: '00' });

// @ts-expect-error Values stand in an array.
new Result(1);

// @ts-expect-error An error has a URI.
new WampError();

export async function wrong(session: Session): Promise<void> {
  // @ts-expect-error A session is promised.
  connect().call('com.example.other');

  // @ts-expect-error The session counts its ids itself.
  session.id = 7;

  // @ts-expect-error Arguments stand in an array.
  session.call('com.example.other', 1);

  // @ts-expect-error Named ones in an object.
  session.call('com.example.other', [], 1);

  // @ts-expect-error Two numbers are added, not one text.
  session.call('com.example.add', ['1']);

  // @ts-expect-error Which makes a number.
  const sum: string = await session.call('com.example.add', [1, 2]);

  // @ts-expect-error What is asked for is what is answered.
  const value: number = await session.call<string>('com.example.other');

  // @ts-expect-error No way to cancel.
  session.call('com.example.other', [], {}, { cancelMode: 'now' });

  // @ts-expect-error Options of a call are not those of an event.
  session.call('com.example.other', [], {}, { acknowledge: true });

  // @ts-expect-error Milliseconds are a number.
  session.call('com.example.other', [], {}, { timeout: '1s' });

  // @ts-expect-error Somebody has to do it.
  session.register('com.example.other');

  // @ts-expect-error Not one of the match policies.
  session.register('com.example.other', () => {}, { match: 'prefx' });

  // @ts-expect-error Nor of the invocation policies.
  session.register('com.example.other', () => {}, { invoke: 'all' });

  // @ts-expect-error What is added are numbers.
  session.register('com.example.add', ([a]) => a.length);

  // @ts-expect-error Nor are they texts because the handler says so.
  session.register('com.example.add', ([a]: [string]) => a.length);

  // @ts-expect-error An event is heard by a function.
  session.subscribe('com.example.other', { handle: () => {} });

  // @ts-expect-error A headline is a text.
  session.publish('com.example.news', [1]);

  // @ts-expect-error The page comes after the headline.
  session.subscribe('com.example.news', ([headline]) => headline.toFixed());

  // @ts-expect-error Without acknowledgement there may be no publication to tell of.
  const publication: number = await session.publish('com.example.other', []);

  // @ts-expect-error Sessions are excluded by id.
  session.publish('com.example.other', [], {}, { exclude: ['me'] });

  // @ts-expect-error There is no such event.
  session.addEventListener('close', (event) => event.detail.why);

  console.log(sum, value, publication);
}
