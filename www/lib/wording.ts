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
