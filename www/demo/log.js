// The message log: one row for each WAMP message of this tab, to be opened for its elements.

import { byId, clockTime, element, followEnd } from './dom.js';
import { elementsOf } from './messages.js';

/** Rows kept; the oldest go first. */
const capacity = 500;
/** Characters of one element shown in an open row. */
const longest = 4000;
/** Milliseconds between two updates of the page, so that a burst of messages is drawn once. */
const pace = 60;

export class Log {
  #rows = byId('messages');
  #filter = byId('log-filter');
  #pause = byId('log-pause');
  #newest = byId('log-newest');
  #end = followEnd(byId('log-scroll'), (following) => {
    this.#newest.hidden = following;
  });
  /** Rows that are not in the page yet. */
  #waiting = [];
  #timer;
  /** Messages since the last pause or clearing that did not get a row. */
  #missed = 0;
  #number = 0;
  #paused = false;

  constructor() {
    this.#pause.addEventListener('click', () => this.#togglePause());
    byId('log-clear').addEventListener('click', () => this.#clear());
    this.#filter.addEventListener('input', () => this.#applyFilter());
    this.#newest.addEventListener('click', () => {
      this.#visible().at(-1)?.focus();
      this.#end.toEnd();
    });
    this.#rows.addEventListener('keydown', (event) => this.#moveBetweenRows(event));
    this.#rows.addEventListener('focusin', (event) => this.#makeReachable(event.target.closest('summary')));
    // `toggle` does not bubble.
    this.#rows.addEventListener('toggle', (event) => this.#toggled(event.target), { capture: true });
    this.#tell();
  }

  /** `parts` are those of `Reader.read`. */
  add(direction, message, parts) {
    if (this.#paused) {
      this.#missed += 1;
    } else {
      this.#number += 1;
      this.#waiting.push({ direction, message, parts, at: new Date(), number: this.#number });
      if (this.#waiting.length > capacity) this.#waiting.shift();
    }
    this.#timer ??= setTimeout(() => this.#draw(), pace);
  }

  #draw() {
    this.#timer = undefined;
    if (this.#waiting.length > 0) {
      const rows = this.#waiting.splice(0).map(rowOf);
      for (const row of rows) row.hidden = !this.#passes(row);
      this.#rows.append(...rows);
      while (this.#rows.childElementCount > capacity) this.#rows.firstElementChild.remove();
      if (!this.#rows.querySelector('summary[tabindex="0"]')) this.#makeReachable(this.#visible().at(-1));
      this.#end.grown();
    }
    this.#tell();
  }

  #togglePause() {
    this.#paused = !this.#paused;
    this.#pause.textContent = this.#paused ? 'Resume' : 'Pause';
    this.#pause.classList.toggle('on', this.#paused);
    this.#missed = 0;
    this.#tell();
  }

  #clear() {
    this.#waiting.length = 0;
    this.#rows.replaceChildren();
    this.#missed = 0;
    this.#end.toEnd();
    this.#tell();
  }

  #passes(row) {
    const wanted = this.#filter.value.trim().toLowerCase();
    return row.dataset.text.includes(wanted);
  }

  #applyFilter() {
    for (const row of this.#rows.children) row.hidden = !this.#passes(row);
    if (this.#rows.querySelector('details:not([hidden]) > summary[tabindex="0"]') === null) {
      this.#makeReachable(this.#visible().at(-1));
    }
    this.#end.toEnd();
    this.#tell();
  }

  #visible() {
    return [...this.#rows.querySelectorAll('details:not([hidden]) > summary')];
  }

  #tell() {
    const all = this.#rows.childElementCount;
    const shown = this.#filter.value.trim() === '' ? all : this.#visible().length;
    const counted = shown === all ? `${all}` : `${shown} of ${all}`;
    const missed = this.#missed > 0 ? `, ${this.#missed} not shown` : '';
    byId('log-count').textContent = this.#paused ? `${counted}, paused${missed}` : counted;
    const empty = byId('log-empty');
    empty.hidden = shown > 0;
    if (all > 0) empty.textContent = 'No message matches the filter. Change it, or clear it to see all.';
    else if (this.#paused) empty.textContent = 'The log is paused. Resume it to see new messages.';
    else empty.textContent = 'No messages yet. Say hello to somebody, or publish something.';
  }

  #toggled(row) {
    if (!row.open) return;
    fill(row);
    // What was opened stays where it is, all of it in view, while others arrive.
    this.#end.stop();
    row.scrollIntoView({ block: 'nearest' });
  }

  /** The rows are one stop of the Tab key; the arrow keys move among them. */
  #moveBetweenRows(event) {
    const rows = this.#visible();
    const here = rows.indexOf(event.target.closest('summary'));
    const next = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (here === -1 || next === undefined) return;
    event.preventDefault();
    rows[Math.min(Math.max(next, 0), rows.length - 1)].focus();
  }

  #makeReachable(summary) {
    if (!summary) return;
    for (const other of this.#rows.querySelectorAll('summary[tabindex="0"]')) other.tabIndex = -1;
    summary.tabIndex = 0;
  }
}

const shown = { sent: ['→', 'sent'], received: ['←', 'received'] };

function rowOf({ direction, message, parts, at, number }) {
  const { type, id, uri, about } = parts;
  const [arrow, word] = shown[direction];
  const what = [about, uri].filter(Boolean).join(': ');
  const summary = element(
    'summary',
    { tabIndex: -1 },
    element('span', { className: 'arrow', 'aria-hidden': 'true' }, arrow),
    element('span', { className: 'visually-hidden' }, word),
    element('span', { className: 'type' }, type),
    element('span', { className: 'uri', title: what }, what),
    element('span', { className: 'id' }, id === undefined ? '' : String(id)),
    element('time', { dateTime: at.toISOString() }, clockTime(at, true)),
  );
  const row = element('details', { className: 'message', dataset: { direction, type } }, summary);
  row.dataset.text = [word, type, what, id, number].join(' ').toLowerCase();
  unopened.set(row, message);
  return row;
}

/** Row to message, until the row is opened: few are, and pretty JSON takes time. */
const unopened = new WeakMap();

function fill(row) {
  const message = unopened.get(row);
  if (message === undefined) return;
  unopened.delete(row);
  const list = element('dl', { className: 'elements' });
  for (const [name, value] of elementsOf(message)) {
    const json = JSON.stringify(value, replaceUnusual, 2) ?? 'null';
    const text = json.length > longest ? `${json.slice(0, longest)}… (${json.length} characters)` : json;
    list.append(element('dt', {}, name), element('dd', {}, element('pre', {}, text)));
  }
  row.append(list);
}

/** Values that a payload may have and JSON may not. */
function replaceUnusual(_key, value) {
  if (typeof value === 'bigint') return String(value);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `${value.byteLength} bytes`;
  return value;
}
