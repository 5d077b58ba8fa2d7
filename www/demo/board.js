// The drawing at the top: this tab, the router, the other sessions, and a spark for each message as this tab sees it.
//
// It repeats what the list and the log say in words, so assistive technology passes over its moving parts.

import { avatar, byId, element } from './dom.js';

/** Sessions drawn; more are counted. */
const mostDrawn = 4;
/** Sparks at a time; a burst of messages draws no more. */
const mostSparks = 24;
/** Milliseconds for one stretch of wire. */
const travel = 420;

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const svg = (tag) => document.createElementNS('http://www.w3.org/2000/svg', tag);

export class Board {
  #board = byId('board');
  #wires = byId('wires');
  #others = byId('others');
  /** Session id, or 'self', to its wire: a path that begins at the session and ends at the router. */
  #paths = new Map();
  #sparks = new Set();
  #frame;

  constructor() {
    new ResizeObserver(() => this.#wire()).observe(this.#board);
    this.show([], false);
  }

  /** Draws `others`, `[{ id, name, kind }]`; `live` says whether this tab is joined. */
  show(others, live) {
    this.#board.classList.toggle('live', live);
    const drawn = others.length > mostDrawn ? others.slice(0, mostDrawn - 1) : others;
    const chips = drawn.map(({ id, name, kind }) =>
      element(
        'li',
        { className: 'chip', dataset: { session: id } },
        avatar(id, name, `tiny ${kind ?? ''}`),
        element('span', { className: 'chip-name' }, name),
        kind && element('span', { className: 'chip-kind' }, kind),
      ),
    );
    if (others.length > drawn.length) {
      chips.push(element('li', { className: 'chip more' }, `and ${others.length - drawn.length} more`));
    }
    if (others.length === 0) {
      chips.push(element('li', { className: 'chip nobody' }, live ? 'nobody else yet' : 'not connected'));
    }
    this.#others.replaceChildren(...chips);
    this.#wire();
  }

  /** A spark from the session `from` to `to`; both are ids, 'self', 'router', or 'others' for all of them. */
  spark(from, to, direction) {
    if (calm.matches || document.hidden) return;
    if (from !== 'router') this.#launch(from, direction, 0, false);
    const targets = to === 'others' ? [...this.#paths.keys()].filter((key) => key !== 'self') : [to];
    for (const target of targets) {
      if (target !== 'router') this.#launch(target, direction, from === 'router' ? 0 : travel, true);
    }
  }

  #launch(key, direction, delay, backwards) {
    if (!this.#paths.has(key) || this.#sparks.size >= mostSparks) return;
    const dot = svg('circle');
    dot.setAttribute('r', '4');
    dot.setAttribute('class', `spark ${direction}`);
    dot.style.visibility = 'hidden';
    this.#wires.append(dot);
    this.#sparks.add({ dot, key, backwards, begin: performance.now() + delay });
    this.#frame ??= requestAnimationFrame((now) => this.#move(now));
  }

  #move(now) {
    this.#frame = undefined;
    for (const spark of this.#sparks) {
      const path = this.#paths.get(spark.key);
      const part = (now - spark.begin) / travel;
      if (part >= 1 || path === undefined) {
        spark.dot.remove();
        this.#sparks.delete(spark);
      } else if (part >= 0) {
        const eased = part < 0.5 ? 2 * part * part : 1 - 2 * (1 - part) ** 2;
        const { x, y } = path.getPointAtLength((spark.backwards ? 1 - eased : eased) * path.getTotalLength());
        spark.dot.setAttribute('transform', `translate(${x} ${y})`);
        spark.dot.style.visibility = 'visible';
      }
    }
    if (this.#sparks.size > 0) this.#frame = requestAnimationFrame((next) => this.#move(next));
  }

  /** Draws the wires between the boxes where the layout has put them: side by side, or one below the other. */
  #wire() {
    const frame = this.#board.getBoundingClientRect();
    if (frame.width === 0) return;
    const box = (node) => {
      const { left, right, top, bottom } = node.getBoundingClientRect();
      return { left: left - frame.left, right: right - frame.left, top: top - frame.top, bottom: bottom - frame.top };
    };
    const self = box(byId('node-self'));
    const hub = box(byId('node-hub'));
    const stacked = hub.top > self.bottom;

    for (const path of this.#paths.values()) path.remove();
    this.#paths.clear();
    this.#connect('self', self, hub, stacked);
    for (const chip of this.#others.querySelectorAll('[data-session]')) {
      this.#connect(Number(chip.dataset.session), box(chip), hub, stacked);
    }
  }

  #connect(key, from, to, stacked) {
    const path = svg('path');
    const middle = (box, low, high) => (box[low] + box[high]) / 2;
    if (stacked) {
      const down = from.bottom < to.top;
      const [x1, y1] = [middle(from, 'left', 'right'), down ? from.bottom : from.top];
      const [x2, y2] = [middle(to, 'left', 'right'), down ? to.top : to.bottom];
      const y = (y1 + y2) / 2;
      path.setAttribute('d', `M${x1} ${y1}C${x1} ${y} ${x2} ${y} ${x2} ${y2}`);
    } else {
      const rightwards = from.right < to.left;
      const [x1, y1] = [rightwards ? from.right : from.left, middle(from, 'top', 'bottom')];
      const [x2, y2] = [rightwards ? to.left : to.right, middle(to, 'top', 'bottom')];
      const x = (x1 + x2) / 2;
      path.setAttribute('d', `M${x1} ${y1}C${x} ${y1} ${x} ${y2} ${x2} ${y2}`);
    }
    path.setAttribute('class', 'wire');
    this.#wires.prepend(path);
    this.#paths.set(key, path);
  }
}
