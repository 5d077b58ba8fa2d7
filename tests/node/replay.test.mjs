// Recorded conversations: the WebAssembly build gives the same outputs, byte for byte, as the native one
// (`tests/replay.rs`, with the same files; the form of the files is described there).

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { importSource } from '../fixtures/source.mjs';

// The bindings import from www/lib, where no name of a package leads.
const { initSync, WasmRouter } = await importSource('target/wasm-bindgen/wamplet.js');

const folder = new URL('../replay/', import.meta.url);
initSync({ module: readFileSync(new URL('../../target/wasm-bindgen/wamplet_bg.wasm', import.meta.url)) });

const files = readdirSync(folder).filter((file) => file.endsWith('.jsonl'));
assert.ok(files.length >= 2, `conversations in tests/replay: ${files}`);

for (const file of files) {
  test(`wasm_repeats_${file.replace('.jsonl', '')}_byte_for_byte`, () => {
    const lines = readFileSync(new URL(file, folder), 'utf8').trimEnd().split('\n');
    const [header, ...steps] = lines.map((line) => JSON.parse(line));
    const player = new Player(header);
    for (const [index, step] of steps.entries()) {
      assert.deepEqual(player.play(step.in), step.out, `${file}:${index + 2}: ${JSON.stringify(step.in)}`);
    }
  });
}

class Player {
  #now = 1_000;
  #router;
  #keys = new Map();
  #names = new Map();
  /** Session ids as text. */
  #sessions = new Map();

  constructor({ config, seed }) {
    this.#router = new WasmRouter(config ?? undefined, new Uint8Array(32).fill(seed), () => this.#now);
  }

  /** What the router does with one input. */
  play([input, who, ...rest]) {
    const router = this.#router;
    switch (input) {
      case 'open': {
        const transport = { type: 'messageport', protocol: 'wamp.2.json', peer: `port:${who}`, serializer: 'json' };
        const key = router.open(transport);
        this.#keys.set(who, key);
        this.#names.set(key, who);
        break;
      }
      case 'say': {
        const [head, tail] = rest.map((text) => this.#withIds(text));
        router.handle(this.#keys.get(who), head, [tail]);
        break;
      }
      case 'lose':
        router.closed(this.#keys.get(who));
        break;
      case 'advance':
        return this.#advance(who);
      case 'shutdown':
        router.shutdown();
        break;
      default:
        assert.fail(`no input is called ${input}`);
    }
    return this.#drain();
  }

  #advance(ms) {
    const end = this.#now + ms;
    const outputs = [];
    for (;;) {
      const left = this.#router.nextTimeout();
      if (left === undefined || this.#now + left > end) break;
      this.#now += left;
      this.#router.timeout();
      outputs.push(...this.#drain());
    }
    this.#now = end;
    return outputs;
  }

  #withIds(text) {
    return text.replaceAll(/@(\w+)@/g, (whole, who) => this.#sessions.get(who) ?? whole);
  }

  #drain() {
    const actions = this.#router.drain();
    const outputs = [];
    for (let index = 0; index < actions.length; index += 3) {
      const [key, head, tail] = actions.slice(index, index + 3);
      const who = this.#names.get(key);
      const welcome = head?.match(/^\[2,(\d+),/);
      if (welcome) this.#sessions.set(who, welcome[1]);
      outputs.push([who, head, head === null ? tail.code : tail]);
    }
    return outputs;
  }
}
