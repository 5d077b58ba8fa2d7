// The live feed: what is published to the chat topic, and a line to publish to it.

import { avatar, byId, clockTime, element, followEnd } from './dom.js';

/** Posts kept; the oldest go first. */
const capacity = 200;

export class Feed {
  #posts = byId('posts');
  #end = followEnd(byId('feed-scroll'));
  #text = byId('text');
  #error = byId('compose-error');

  /** `publish(text)` returns a promise. */
  constructor(publish) {
    byId('compose').addEventListener('submit', async (event) => {
      event.preventDefault();
      const text = this.#text.value.trim();
      this.#error.textContent = '';
      if (text === '') return;
      try {
        await publish(text);
        // Meanwhile somebody may have typed on.
        if (this.#text.value.trim() === text) this.#text.value = '';
      } catch (failure) {
        this.#error.textContent = failure.message;
      }
    });
  }

  set enabled(enabled) {
    for (const control of byId('compose').elements) control.disabled = !enabled;
    this.#error.textContent = '';
  }

  add({ id, name, own, text }) {
    const now = new Date();
    this.#posts.append(
      element(
        'li',
        { className: own ? 'post own' : 'post' },
        avatar(id, name),
        element(
          'div',
          {},
          element(
            'p',
            { className: 'post-head' },
            element('strong', {}, name),
            element('time', { dateTime: now.toISOString() }, clockTime(now)),
          ),
          element('p', { className: 'post-text' }, typeof text === 'string' ? text : JSON.stringify(text)),
        ),
      ),
    );
    while (this.#posts.childElementCount > capacity) this.#posts.firstElementChild.remove();
    byId('feed-empty').hidden = true;
    if (own) this.#end.toEnd();
    else this.#end.grown();
  }
}
