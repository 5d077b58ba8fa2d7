// Functions of the program that decide where the configuration names them: who a client is, what a session may do.
//
// Owns how they are asked and what is made of their answers. When somebody is asked, how long that may take and what an
// answer means is the core's to know.

import { type CodeRegistry, loadCode, place, readRegistry } from './code.ts';
import { sentence } from './environment.ts';
import type { HostOptions } from './host.ts';
import { shown } from './wording.ts';

// biome-ignore lint/suspicious/noExplicitAny: what it is asked depends on where the configuration names it
export type Decider = (...args: any[]) => unknown;

export type DeciderRegistry = CodeRegistry<Decider>;

type Log = HostOptions['log'];

/** What the router is told: an answer in JSON, or an error URI and a sentence. */
export interface Decided {
  ok: boolean;
  json: string;
}

/** What a client may be told: the loose URIs of WAMP. */
const URI = /^[^\s.#]+(\.[^\s.#]+)*$/;

/** What the router is told of an exception that names no error of its own: an error that clients learn nothing from. */
const FAULT = 'wamp.error.runtime_error';

export class Deciders {
  readonly #functions: ReadonlyMap<string, Decider>;
  readonly #log: Log;

  private constructor(functions: ReadonlyMap<string, Decider>, log: Log) {
    this.#functions = functions;
    this.#log = log;
  }

  /** Loads all of them: a router that cannot ask must not begin. Rejects with a sentence. */
  static async load(registry: DeciderRegistry | undefined, log: Log): Promise<Deciders> {
    const functions = [...readRegistry('deciders', registry)].map(async ([name, code]): Promise<[string, Decider]> => {
      if (typeof code === 'function') return [name, code];
      const loaded = loadCode<Decider>(code).catch((error) => {
        throw new Error(`${place('deciders', name)}: ${sentence(error)}`);
      });
      return [name, await loaded];
    });
    return new Deciders(new Map(await Promise.all(functions)), log);
  }

  get names(): string[] {
    return [...this.#functions.keys()];
  }

  /** Asks a function, in a turn of its own; `tail` is the JSON text of its arguments, as in a message. */
  async ask(name: string, tail: string): Promise<Decided> {
    try {
      const [args] = JSON.parse(`[${tail}]`);
      await undefined;
      const answer = await this.#functions.get(name)?.(...args);
      return { ok: true, json: JSON.stringify([answer ?? null]) };
    } catch (error) {
      // As an Error of Autobahn|JS has it.
      const { error: uri, args } = (error ?? {}) as { error?: unknown; args?: unknown };
      if (typeof uri === 'string' && URI.test(uri)) {
        const text = Array.isArray(args) ? args[0] : sentence(error);
        return { ok: false, json: JSON.stringify([uri, String(text ?? '')]) };
      }
      const found = typeof uri === 'string' ? ` with the error ${shown(uri)}, which is no URI` : '';
      this.#log('error', `the function ${shown(name)} failed${found}: ${sentence(error)}`);
      return { ok: false, json: JSON.stringify([FAULT, 'see the console of the router']) };
    }
  }
}
