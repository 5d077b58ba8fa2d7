// Values on their way from who has them to who iterates: pieces of progressive calls and results.
//
// Owns nothing but their order. There is no pressure back: WAMP has none, so what is not taken waits in memory.

export interface Queue<Value> extends AsyncIterable<Value> {
  push(value: Value): void;
  /** What came before is still handed out. */
  end(error?: unknown): void;
}

export function createQueue<Value>(): Queue<Value> {
  const values: Value[] = [];
  let ended: unknown[] | undefined;
  let wake = () => {};
  return {
    push(value) {
      values.push(value);
      wake();
    },
    end(...error) {
      ended = error;
      wake();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        if (values.length > 0) yield values.shift() as Value;
        else if (ended) {
          if (ended.length > 0) throw ended[0];
          return;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}
