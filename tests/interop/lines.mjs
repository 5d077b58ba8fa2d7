// What programs print, line by line.

import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { until } from '../fixtures/wait.mjs';

/**
 * Collects the lines of some streams. `all` are those so far; `next` waits for the first line that matches and comes
 * after the one that it answered last, and a wait in vain shows what came instead.
 */
export function lines(...streams) {
  const all = [];
  let seen = 0;
  for (const stream of streams) {
    createInterface({ input: stream }).on('line', (line) => all.push(stripVTControlCharacters(line)));
  }
  const search = (pattern) => {
    const index = all.findIndex((line, number) => number >= seen && pattern.test(line));
    if (index === -1) return undefined;
    seen = index + 1;
    return all[index];
  };
  return {
    all,
    async next(pattern, patience) {
      try {
        return await until(`a line with ${pattern}`, () => search(pattern), patience);
      } catch (error) {
        throw new Error(`${error.message} in:\n${all.join('\n')}`);
      }
    },
  };
}
