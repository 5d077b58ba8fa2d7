// Shows who is in the realm, keeps that up to date, and ends sessions.

const state = document.getElementById('state');
const sessions = document.getElementById('sessions');
const connection = new autobahn.Connection({ url: 'ws://127.0.0.1:8080/ws', realm: 'realm1' });

connection.onopen = async (session) => {
  await session.subscribe('wamp.session.on_join', () => show(session));
  await session.subscribe('wamp.session.on_leave', () => show(session));
  await show(session);
};

connection.onclose = (_reason, details) => {
  state.textContent = `Gone: ${details.reason} ${details.message ?? ''}`;
  sessions.replaceChildren();
};

connection.open();

async function show(session) {
  const count = await session.call('wamp.session.count');
  const ids = await session.call('wamp.session.list');
  state.textContent = `I am session ${session.id}, one of ${count}`;
  // A session of the list may be gone by the time that it is asked about.
  const all = await Promise.all(ids.map((id) => session.call('wamp.session.get', [id]).catch(() => undefined)));
  sessions.replaceChildren(...all.filter(Boolean).map((details) => line(session, details)));
}

function line(session, { session: id, authrole, transport }) {
  const item = document.createElement('li');
  item.textContent = `${id}, ${authrole}, ${transport.type} from ${transport.peer} `;
  if (id === session.id) return item;
  const button = document.createElement('button');
  button.textContent = 'Kill';
  button.onclick = () => {
    session.call('wamp.session.kill', [id], { reason: 'because', message: 'I was told to' }).catch(console.error);
  };
  item.append(button);
  return item;
}
