// How the sentences of the library name what they found, as those of the core do.

/** A value in a sentence. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return JSON.stringify(value) ?? (typeof value === 'function' ? 'a function' : 'nothing');
}

export function listed(names: readonly unknown[]): string {
  return names.map(shown).join(', ');
}

/** Throws a TypeError for what has other keys than these: a misspelt one would have no effect, and nobody would know. */
export function expectKeys(what: string, value: unknown, keys: readonly string[]): void {
  if (shown(value) !== 'an object') throw new TypeError(`${what}: expected an object, found ${shown(value)}`);
  for (const key of Object.keys(value as object)) {
    if (keys.includes(key)) continue;
    throw new TypeError(`${what}.${key}: expected one of the keys ${listed(keys)}, found ${shown(key)}`);
  }
}
