// The demo page: puts what `wamp.js` does and what the page shows together.

import { Board } from './board.js';
import { byId, colourOf, describe, initialOf } from './dom.js';
import { Feed } from './feed.js';
import { Log } from './log.js';
import { Reader } from './messages.js';
import { answerParts, People, tell } from './people.js';
import { recall, remember, suggestName, urlForAnotherTab } from './settings.js';
import { tapped } from './tap.js';
import { toast } from './toasts.js';
import * as wamp from './wamp.js';
import { WorkerControl } from './worker-control.js';

const settings = recall();
const board = new Board();
const log = new Log();
const reader = new Reader();
const people = new People({
  sayHello,
  getDetails: (id) => orSentence(() => wamp.sessionDetails(session, id)),
  kill: (id, reason, message) => orSentence(() => wamp.killSession(session, id, reason, message)),
});
const feed = new Feed((text) => orSentence(() => wamp.postToChat(session, text)));
new WorkerControl(() => ({
  port: router.createPort({ label: 'a worker of the demo' }),
  realm: settings.realm,
  name: `${settings.name}’s worker`,
}));

let router;
let connection;
let session;
/** Whether it was this tab that ended its session. */
let leaving = false;
/** Whether the router was lost, and Autobahn is going to try again. */
let waiting = false;

// --- The router

async function start() {
  const state = byId('router-state');
  byId('failure').hidden = true;
  setState(state, 'busy', 'The router is starting…');
  try {
    router = await wamp.startRouter(settings.mode);
  } catch (error) {
    setState(state, 'off', 'There is no router.');
    byId('failure-sentence').textContent = `${capitalized(wamp.sentenceOf(error))}.`;
    byId('failure-hint').textContent = hint();
    byId('failure').hidden = false;
    return;
  }
  wamp.useRouter(router, (Transport) => tapped(Transport, seeMessage));
  const where = { 'shared-worker': 'shared worker', leader: 'leading tab', page: 'this page' }[router.mode];
  setState(state, 'on', `The router is up, in ${router.mode === 'page' ? where : `a ${where}`}.`);
  state.textContent += limits[router.mode];
  byId('hub-mode').textContent = where;
  router.addEventListener('lost', (event) => {
    tell(`The router was started anew (${event.detail.reason})`);
  });
  router.addEventListener('split', (event) => {
    tell(`There is a second router (${event.detail.reason})`);
  });
}

const limits = {
  'shared-worker': '',
  leader: ' When that tab is closed, another one takes over, and all join anew.',
  page: ' It serves this tab and its worker only.',
};

function hint() {
  if (location.protocol === 'file:') {
    return 'The page was opened as a file. Run npm start, and open the address that it prints.';
  }
  if (!isSecureContext) {
    return 'Browsers offer what it needs to https pages and to http://localhost only: use one of them.';
  }
  return 'Close the other tabs of this address and try again. The console of the browser may say more.';
}

/** Every WAMP message of this tab, with Autobahn|JS on the one side and the router on the other. */
function seeMessage(direction, message) {
  const parts = reader.read(message);
  log.add(direction, message, parts);

  const owner = wamp.ownerOf(parts.uri ?? '');
  const peer = owner === session?.id ? undefined : owner;
  const details = message[3];
  if (direction === 'sent') {
    if (parts.type === 'PUBLISH') board.spark('self', 'others', direction);
    else board.spark('self', (parts.type === 'CALL' && peer) || 'router', direction);
  } else {
    const publisher = parts.type === 'EVENT' && details?.publisher !== session?.id && details?.publisher;
    const caller = parts.type === 'INVOCATION' && details?.caller;
    const callee = parts.type === 'RESULT' && peer;
    board.spark(publisher || caller || callee || 'router', 'self', direction);
  }
}

// --- The session

function join() {
  if (connection) return;
  leaving = false;
  remember({ ...settings, joined: true });
  showWork();
  byId('notice').hidden = true;
  byId('self-name').textContent = settings.name;
  byId('hub-realm').textContent = settings.realm;
  setState(byId('self-state'), 'busy', 'joining');
  byId('leave').disabled = false;
  connection = wamp.join({
    realm: settings.realm,
    about: { name: settings.name },
    onopen: joined,
    onclose: closed,
  });
}

/** Autobahn's `onopen`: after joining, and again after each time the router was lost and found. */
async function joined(opened) {
  session = opened;
  document.title = `${settings.name} · wamplet demo`;
  setState(byId('self-state'), 'on', 'joined');
  byId('notice').hidden = true;
  byId('self-session').textContent = String(session.id);
  byId('self-avatar').textContent = initialOf(settings.name);
  byId('self-avatar').dataset.colour = colourOf(session.id);
  people.reset(session.id);
  feed.enabled = true;
  drawPeople();

  let listed = false;
  try {
    await wamp.offerHello(opened, answerHello);
    await wamp.followChat(opened, showPost);
    await wamp.watchSessions(opened, {
      joined(details) {
        if (session !== opened || !people.add(details)) return;
        if (listed) tell(`${people.nameOf(details.session)} joined`);
        drawPeople();
      },
      left(id) {
        if (session !== opened || !people.remove(id)) return;
        tell(`${people.nameOf(id)} left`);
        drawPeople();
      },
    });
    listed = true;
  } catch (error) {
    showNotice('This tab joined, but not all of it works.', `${capitalized(wamp.sentenceOf(error))}.`, []);
  }
}

/** Autobahn's `onclose`. Returning true would stop it from trying again. */
function closed(reason, details) {
  const wasJoined = session !== undefined;
  waiting = details.will_retry;
  session = undefined;
  people.reset(undefined);
  feed.enabled = false;
  byId('hello-answer').textContent = helloHint;
  byId('self-session').textContent = 'none';
  drawPeople();
  if (waiting) {
    setState(byId('self-state'), 'busy', 'lost, trying again');
    showNotice('The connection to the router was lost.', 'This tab tries to come back by itself.', []);
    return;
  }
  connection = undefined;
  byId('leave').disabled = true;
  remember({ ...settings, joined: false });

  const facts = [
    ['Reason', details.reason],
    ['Message', details.message],
  ].filter(([, value]) => value);
  if (leaving) {
    setState(byId('self-state'), 'idle', 'left');
    showNotice(`You left the realm ${settings.realm}.`, 'The other sessions were told.', []);
    // The button that had the focus is disabled.
    byId('notice').focus();
  } else if (details.reason && !wasJoined) {
    setState(byId('self-state'), 'off', 'refused');
    showNotice('The router did not let you in.', 'It refused with this reason and message.', facts);
  } else if (details.reason) {
    setState(byId('self-state'), 'off', 'ended');
    document.title = `Session ended · wamplet demo`;
    const killed = details.reason === 'wamp.close.killed';
    showNotice(
      `Your session was ${killed ? 'killed' : 'ended'}.`,
      'The router said GOODBYE, with this reason and message.',
      facts,
    );
  } else {
    setState(byId('self-state'), 'off', reason);
    showNotice('The router could not be reached.', hint(), facts);
  }
}

function leave() {
  leaving = true;
  setState(byId('self-state'), 'busy', 'leaving');
  if (waiting) {
    // Autobahn has no transport to close now; should it still get one, that is not for us.
    const late = connection;
    late.onopen = () => late.close();
    late.onclose = () => true;
    closed('closed', { will_retry: false });
  } else {
    connection.close();
  }
}

// --- Calls and events

/** Somebody calls this tab. What we return is what the caller gets. */
function answerHello(caller) {
  const name = people.nameOf(caller);
  const answer = `Hello ${name}, ${settings.name} here.`;
  toast({
    id: caller,
    name,
    title: caller === session?.id ? 'You called yourself' : `${name} says hello`,
    text: `Answered: “${answer}”`,
  });
  return answer;
}

async function sayHello(id) {
  const begin = performance.now();
  try {
    const answer = await wamp.sayHello(session, id);
    return { answer, milliseconds: performance.now() - begin };
  } catch (error) {
    return { failure: `No answer: ${wamp.sentenceOf(error)}` };
  }
}

function showPost(text, publisher) {
  feed.add({ id: publisher, name: people.nameOf(publisher), own: publisher === session?.id, text });
}

// --- What the page shows

function drawPeople() {
  board.show(people.others, session !== undefined);
  const known = [settings.name, ...people.others.map(({ name }) => name)];
  byId('open-tab').href = urlForAnotherTab(suggestName(known), settings);
}

function showWork() {
  byId('start').hidden = true;
  byId('work').hidden = false;
  byId('actions').hidden = false;
  drawPeople();
}

function showStart() {
  byId('start').hidden = false;
  byId('work').hidden = true;
  byId('actions').hidden = true;
  byId('name').focus();
}

function showNotice(title, sentence, facts) {
  byId('notice-title').textContent = title;
  byId('notice-sentence').textContent = sentence;
  describe(byId('notice-facts'), facts);
  byId('rejoin').hidden = connection !== undefined;
  byId('notice').classList.toggle('calm', leaving);
  byId('notice').hidden = false;
}

function setState(node, state, text) {
  node.dataset.state = state;
  node.textContent = text;
}

const helloHint = 'The router picks who answers.';

async function helloAnyone() {
  byId('hello-answer').replaceChildren(...answerParts(await sayHello()));
}

// --- The form

/** A URI as WAMP wants it: no white space, no '#', no empty part. `wamp` itself belongs to the routers. */
function realmProblem(realm) {
  if (realm === '') return 'A realm needs a name, such as demo.';
  if (/[\s#]/.test(realm)) return 'A realm’s name has no spaces and no #.';
  if (realm.split('.').includes('')) return 'A realm’s name has something before and after each dot.';
  return '';
}

function submit(event) {
  event.preventDefault();
  const name = byId('name').value.trim();
  const realm = byId('realm').value.trim();
  const problems = { name: name === '' ? 'The others need a name to call you by.' : '', realm: realmProblem(realm) };
  for (const [field, problem] of Object.entries(problems)) {
    byId(`${field}-error`).textContent = problem;
    byId(field).setAttribute('aria-invalid', String(problem !== ''));
  }
  const wrong = Object.keys(problems).find((field) => problems[field] !== '');
  if (wrong) {
    byId(wrong).focus();
    return;
  }
  Object.assign(settings, { name, realm });
  started.then(() => {
    if (router) {
      join();
      byId('board-title').focus();
    } else {
      byId('start-again').focus();
    }
  });
}

/** Runs a WAMP request; a failure becomes an Error whose message is for people. */
async function orSentence(request) {
  try {
    return await request();
  } catch (error) {
    throw new Error(`${capitalized(wamp.sentenceOf(error))}.`);
  }
}

/** Words become a sentence; a URI at the beginning stays as it is. */
const capitalized = (text) => (/^[a-z]+\s/i.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text);

byId('name').value = settings.name;
byId('realm').value = settings.realm;
byId('hello-answer').textContent = helloHint;
byId('join-form').addEventListener('submit', submit);
byId('start-again').addEventListener('click', () => {
  started = start();
});
byId('leave').addEventListener('click', leave);
byId('rejoin').addEventListener('click', () => {
  join();
  byId('board-title').focus();
});
byId('change').addEventListener('click', () => {
  if (connection) leave();
  showStart();
});
byId('hello-anyone').addEventListener('click', helloAnyone);

let started = start();
if (settings.joined) started.then(() => router && join());
