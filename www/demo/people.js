// Who is here: the sessions of the realm, and the two dialogs about one of them.

import { avatar, byId, clockTime, describe, element } from './dom.js';

/** Rows shown; more sessions are counted. */
const mostRows = 200;
/** Names of sessions that have left, kept for what they said before. */
const mostDeparted = 200;

export class People {
  /** Session id to details, in the order of arrival. */
  #sessions = new Map();
  #departed = new Map();
  #own;
  #actions;
  #list = byId('sessions');
  #details = new DetailsDialog();
  #kill;

  /** `actions` are `sayHello(id)`, `getDetails(id)` and `kill(id, reason, message)`, which return promises. */
  constructor(actions) {
    this.#actions = actions;
    this.#kill = new KillDialog(actions.kill);
    for (const dialog of [byId('details'), byId('kill')]) {
      dialog.addEventListener('close', () => {
        // The button that opened it may have left with its row: then the focus is nowhere, or still inside.
        const { activeElement, body } = document;
        if (activeElement === body || dialog.contains(activeElement)) this.#list.querySelector('button')?.focus();
      });
    }
    this.#draw();
  }

  /** Begins anew as the session `own`, or as none. */
  reset(own) {
    for (const id of this.#sessions.keys()) this.#remember(id);
    this.#sessions.clear();
    this.#list.replaceChildren();
    this.#own = own;
    this.#details.close();
    this.#kill.close();
    this.#draw();
  }

  add(details) {
    if (this.#sessions.has(details.session)) return false;
    this.#sessions.set(details.session, details);
    if (this.#list.childElementCount < mostRows) this.#addRow(details);
    this.#draw();
    return true;
  }

  remove(id) {
    if (!this.#sessions.has(id)) return false;
    this.#remember(id);
    const name = this.nameOf(id);
    this.#sessions.delete(id);
    const row = this.#rowOf(id);
    // Whoever stands on the row goes on from the one that takes its place.
    if (row?.contains(document.activeElement)) {
      (row.nextElementSibling ?? row.previousElementSibling)?.querySelector('button')?.focus();
    }
    row?.remove();
    const hidden = [...this.#sessions.values()].find((details) => !this.#rowOf(details.session));
    if (hidden) this.#addRow(hidden);
    this.#details.sessionLeft(id, name);
    this.#kill.sessionLeft(id, name);
    this.#draw();
    return true;
  }

  nameOf(id) {
    if (id === undefined) return 'somebody';
    return this.#departed.get(id) ?? nameIn(this.#sessions.get(id)) ?? `session ${id}`;
  }

  get others() {
    return [...this.#sessions.values()]
      .filter(({ session }) => session !== this.#own)
      .map((details) => ({ id: details.session, name: this.nameOf(details.session), kind: kindOf(details) }));
  }

  #remember(id) {
    this.#departed.set(id, this.nameOf(id));
    if (this.#departed.size > mostDeparted) this.#departed.delete(this.#departed.keys().next().value);
  }

  #rowOf(id) {
    return this.#list.querySelector(`[data-session="${id}"]`);
  }

  #addRow(details) {
    const id = details.session;
    const name = this.nameOf(id);
    const own = id === this.#own;
    const kind = kindOf(details);
    const answer = element('p', { className: 'answer', role: 'status' });
    const row = element(
      'li',
      { className: 'session', dataset: { session: id } },
      avatar(id, name, kind),
      element(
        'div',
        { className: 'who' },
        element(
          'p',
          { className: 'name' },
          element('span', { className: 'name-text', title: name }, name),
          own && element('span', { className: 'badge' }, 'you'),
        ),
        element('p', { className: 'sub mono' }, String(id)),
      ),
      element(
        'div',
        { className: 'row-actions' },
        !own && button('Say hello', `Say hello to ${name}`, (event) => this.#sayHello(id, answer, event.currentTarget)),
        button('Details', `Details of ${name}`, () => this.#details.open(name, id, this.#actions.getDetails)),
        !own && button('Kill…', `Kill… the session of ${name}`, () => this.#kill.open(name, id), 'danger-quiet'),
      ),
      answer,
    );
    if (own) this.#list.prepend(row);
    else this.#list.append(row);
  }

  async #sayHello(id, answer, pressed) {
    pressed.setAttribute('aria-busy', 'true');
    const outcome = await this.#actions.sayHello(id);
    pressed.removeAttribute('aria-busy');
    answer.replaceChildren(...answerParts(outcome));
    answer.classList.toggle('failed', outcome.failure !== undefined);
  }

  #draw() {
    const count = this.#sessions.size;
    byId('people-count').textContent = count === 0 ? '' : String(count);
    byId('hello-anyone').disabled = this.#own === undefined;
    const empty = byId('people-empty');
    empty.hidden = false;
    if (this.#own === undefined) empty.textContent = 'You are in no realm now. Rejoin to see who is there.';
    else if (count < 2) empty.textContent = 'Nobody else yet. Open another tab, or start a worker.';
    else if (count > mostRows) empty.textContent = `And ${count - mostRows} more.`;
    else empty.hidden = true;
  }
}

/** What to show of a call: the answer and how long it took, or why there is none. */
export function answerParts({ answer, milliseconds, failure }) {
  if (failure !== undefined) return [failure];
  return [`“${answer}” `, element('span', { className: 'took' }, `${milliseconds.toFixed(1)} ms there and back`)];
}

class DetailsDialog {
  #dialog = byId('details');
  #error = byId('details-error');
  #id;

  async open(name, id, getDetails) {
    this.#id = id;
    byId('details-title').textContent = name;
    this.#error.textContent = '';
    describe(byId('details-list'), [['session', String(id)]]);
    this.#dialog.showModal();
    try {
      const details = await getDetails(id);
      if (id === this.#id) describe(byId('details-list'), [...flatten(details)]);
    } catch (failure) {
      this.#error.textContent = failure.message;
    }
  }

  close() {
    this.#dialog.close();
  }

  sessionLeft(id, name) {
    if (this.#dialog.open && id === this.#id) this.#error.textContent = `${name} has left meanwhile.`;
  }
}

class KillDialog {
  #dialog = byId('kill');
  #error = byId('kill-error');
  #submit = byId('kill-submit');
  #reason = byId('kill-reason');
  #message = byId('kill-message');
  #id;

  constructor(kill) {
    byId('kill-cancel').addEventListener('click', () => this.close());
    byId('kill-form').addEventListener('submit', async (event) => {
      event.preventDefault();
      this.#error.textContent = '';
      try {
        await kill(this.#id, this.#reason.value.trim(), this.#message.value.trim());
        this.close();
      } catch (failure) {
        this.#error.textContent = failure.message;
        this.#reason.focus();
      }
    });
  }

  open(name, id) {
    this.#id = id;
    byId('kill-title').textContent = `Kill the session of ${name}?`;
    this.#reason.value = 'wamp.close.killed';
    this.#message.value = 'Ended from another tab.';
    this.#error.textContent = '';
    this.#submit.disabled = false;
    this.#dialog.showModal();
    this.#message.select();
  }

  close() {
    this.#dialog.close();
  }

  sessionLeft(id, name) {
    if (!this.#dialog.open || id !== this.#id) return;
    this.#error.textContent = `${name} has left meanwhile.`;
    this.#submit.disabled = true;
  }
}

function button(text, label, onClick, look = '') {
  const node = element('button', { type: 'button', className: `small ${look}`, 'aria-label': label }, text);
  node.addEventListener('click', onClick);
  return node;
}

function nameIn(details) {
  const name = details?.authextra?.name;
  return typeof name === 'string' && name.trim() !== '' ? name.slice(0, 40) : undefined;
}

function kindOf(details) {
  return details.authextra?.kind === 'worker' ? 'worker' : undefined;
}

/** Nested details as `transport.type` and so on. */
function* flatten(value, path = '') {
  for (const [key, inner] of Object.entries(value)) {
    const name = path === '' ? key : `${path}.${key}`;
    const nested =
      typeof inner === 'object' && inner !== null && !Array.isArray(inner) && Object.keys(inner).length > 0;
    if (nested) yield* flatten(inner, name);
    else yield [name, typeof inner === 'string' ? inner : JSON.stringify(inner)];
  }
}

/** News in one line, with the time: "Grace joined, 14:03:07". */
export function tell(news) {
  byId('arrivals').textContent = `${news}, ${clockTime()}`;
}
