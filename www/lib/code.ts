// Code that a program names where the configuration only has a name for it: a function, or a module that exports one.
//
// Owns how it is named, and the loading. What runs when is for those who need it: `components.ts`, `deciders.ts`.

import { absolute } from './environment.ts';
import { shown } from './wording.ts';

/** name -> a function, or the address of a module whose default export is one */
export type CodeRegistry<Code> = Record<string, Code | string | URL>;

/** What a registry has, by name. Throws a TypeError for what is no code; `option` is where it was given. */
export function readRegistry<Code>(
  option: string,
  registry: CodeRegistry<Code> | undefined,
): ReadonlyMap<string, Code | string | URL> {
  const codes = new Map(Object.entries(registry ?? {}));
  for (const [name, code] of codes) {
    if (typeof code === 'function' || typeof code === 'string' || code instanceof URL) continue;
    const expected = 'expected a function or the address of a module';
    throw new TypeError(`${place(option, name)}: ${expected}, found ${shown(code)}`);
  }
  return codes;
}

/** The function that a module exports as its default. */
export async function loadCode<Code>(address: string | URL): Promise<Code> {
  const url = absolute(address, 'the address of a module').href;
  const module = await import(/* webpackIgnore: true */ /* @vite-ignore */ url);
  if (typeof module.default !== 'function') throw new Error(`expected ${url} to export a function as its default`);
  return module.default;
}

export function place(option: string, name: string): string {
  return `options.${option}[${shown(name)}]`;
}
