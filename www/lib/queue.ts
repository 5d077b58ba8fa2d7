// Values on their way from who has them to who iterates: pieces of progressive calls and results.
//
// Owns nothing but their order. There is no pressure back: WAMP has none, so what is not taken waits in memory.

export class Queue<Value> {
  readonly #values: Value[] = [];
  #isOver = false;
  #error: unknown;
  #wake = () => {};

  push(value: Value): void {
    this.#values.push(value);
    this.#wake();
  }

  /** What came before is still handed out. */
  end(error?: unknown): void {
    this.#isOver = true;
    this.#error = error;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Value, void, undefined> {
    for (;;) {
      while (this.#values.length > 0) yield this.#values.shift() as Value;
      if (this.#error !== undefined) throw this.#error;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
