// Small help with the DOM. Text always goes in as text, never as markup.

export const byId = (id) => document.getElementById(id);

/** An element with properties (`dataset` and attributes with a dash too) and children, nodes or strings. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name === 'dataset') Object.assign(node.dataset, value);
    else if (name.includes('-') || name === 'role') node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== undefined && child !== false));
  return node;
}

/** Pairs as the rows of a definition list. */
export function describe(list, pairs) {
  list.replaceChildren(
    ...pairs.map(([term, value]) => element('div', {}, element('dt', {}, term), element('dd', {}, value))),
  );
}

/** 14:03:07, with thousandths when `exact`. */
export function clockTime(date = new Date(), exact = false) {
  const two = (number) => String(number).padStart(2, '0');
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return exact ? `${time}.${String(date.getMilliseconds()).padStart(3, '0')}` : time;
}

/** One of eight colours of the style sheet, so that a session looks the same in every tab. */
export const colourOf = (sessionId) => String((sessionId ?? 0) % 8);

export function initialOf(name) {
  return ([...name.trim()][0] ?? '?').toUpperCase();
}

export function avatar(sessionId, name, look = '') {
  const dataset = { colour: colourOf(sessionId) };
  return element('span', { className: `avatar ${look}`, dataset, 'aria-hidden': 'true' }, initialOf(name));
}

/**
 * Keeps the end of a list that grows downwards in view until somebody scrolls up, and again when somebody scrolls to
 * the end. `changed(following)` tells when that begins and ends.
 */
export function followEnd(scroller, changed = () => {}) {
  let following = true;
  let lastTop = 0;
  const update = (now) => {
    if (now !== following) changed(now);
    following = now;
  };
  const catchUp = () => {
    if (following) scroller.scrollTop = scroller.scrollHeight;
  };
  const look = () => {
    const { scrollTop, scrollHeight, clientHeight } = scroller;
    if (scrollHeight - scrollTop - clientHeight < 16) update(true);
    // Away from the end without a move upwards: the list has grown, or its window has shrunk.
    else if (scrollTop < lastTop) update(false);
    lastTop = scrollTop;
  };
  scroller.addEventListener('scroll', look, { passive: true });
  new ResizeObserver(catchUp).observe(scroller);
  return {
    /** To be called after each change of the list. */
    grown: catchUp,
    toEnd() {
      update(true);
      catchUp();
    },
    stop: () => update(false),
  };
}
