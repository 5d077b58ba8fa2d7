// Asks a router about the sessions of a realm, or ends one.
//
//   node sessions.mjs                 count them, and list what is known of each
//   node sessions.mjs kill 1234567    end this one

import autobahn from 'autobahn';

const [verb, id] = process.argv.slice(2);
const connection = new autobahn.Connection({ url: 'ws://127.0.0.1:8080/ws', realm: 'realm1', max_retries: 0 });

connection.onopen = async (session) => {
  try {
    if (verb === 'kill') {
      await session.call('wamp.session.kill', [Number(id)], { reason: 'because', message: 'foobar' });
      console.log(`killed ${id}`);
    } else {
      console.log(`count: ${await session.call('wamp.session.count')}`);
      for (const one of await session.call('wamp.session.list')) {
        console.log(JSON.stringify(await session.call('wamp.session.get', [one])));
      }
    }
  } catch (error) {
    console.log(`${error.error}: ${error.args}`);
    process.exitCode = 1;
  }
  connection.close();
};

connection.onclose = (reason, details) => {
  if (details.reason === 'wamp.close.goodbye_and_out') return;
  console.log(`no session: ${details.message || details.reason || reason}`);
  process.exitCode = 1;
};

connection.open();
