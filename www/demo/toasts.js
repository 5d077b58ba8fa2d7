// Short notes in a corner: somebody calls this tab.

import { avatar, byId, element } from './dom.js';

const most = 3;
/** Milliseconds; not while the pointer rests on a note. */
const duration = 7000;

export function toast({ id, name, title, text }) {
  const list = byId('toasts');
  const note = element(
    'div',
    { className: 'toast' },
    avatar(id, name),
    element(
      'div',
      {},
      element('p', { className: 'toast-title' }, title),
      element('p', { className: 'toast-text' }, text),
    ),
  );
  list.append(note);
  while (list.childElementCount > most) list.firstElementChild.remove();

  const expire = () => (note.matches(':hover') ? setTimeout(expire, 1000) : note.remove());
  setTimeout(expire, duration);
}
