// The requests of one session that have no answer yet, so that each gets one when the router is lost.
//
// Autobahn|JS forgets them with the transport, and whoever awaits such a call waits for ever. Owns which message answers
// which; that the transport has ended is `autobahn.ts`'s to know.

const ERROR = 8;
const PUBLISH = 16;
const CALL = 48;
const RESULT = 50;

/** What is answered, and by what. */
const ANSWERS = /* @__PURE__ */ new Map([
  [PUBLISH, 17],
  [32, 33],
  [34, 35],
  [CALL, RESULT],
  [64, 65],
  [66, 67],
]);
const ANSWERING = /* @__PURE__ */ new Set(ANSWERS.values());

/** ABORT and GOODBYE: the session ends in order, and the client knows what becomes of its requests. */
const ENDINGS = [3, 6];

export class Unanswered {
  /** request -> its type */
  readonly #requests = new Map<unknown, number>();

  sent(message: unknown[]): void {
    const [type, request, options] = message as [number, unknown, { acknowledge?: unknown } | undefined];
    if (ENDINGS.includes(type)) this.#requests.clear();
    else if (ANSWERS.has(type) && (type !== PUBLISH || options?.acknowledge === true))
      this.#requests.set(request, type);
  }

  received(message: unknown[]): void {
    const [type, request, details] = message as [number, unknown, unknown];
    if (type === ERROR) this.#requests.delete(details);
    else if (ENDINGS.includes(type)) this.#requests.clear();
    else if (ANSWERING.has(type) && !(type === RESULT && (details as { progress?: unknown } | null)?.progress)) {
      this.#requests.delete(request);
    }
  }

  /** An ERROR for each, once. */
  errors(reason: string): unknown[][] {
    const sentence = `there is no answer any more: ${reason}`;
    const errors = [...this.#requests].map(([request, type]) => [
      ERROR,
      type,
      request,
      {},
      'wamp.error.canceled',
      [sentence],
    ]);
    this.#requests.clear();
    return errors;
  }
}
