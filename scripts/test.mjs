// Runs the tests, kind by kind, against what is built, and sums up at the end.
//
//   node scripts/test.mjs                every kind
//   node scripts/test.mjs node web       these kinds

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, Stop, script } from './steps.mjs';

const kinds = {
  rust: () => ['cargo', ['test']],
  node: () => nodeTest('tests/node'),
  package: () => nodeTest('tests/package'),
  install: () => nodeTest('tests/install', installLimit),
  examples: () => nodeTest('examples'),
  web: () => nodeTest('tests/web'),
  lifecycle: () => nodeTest('tests/lifecycle'),
  interop: () => nodeTest('tests/interop'),
};

/** No kind takes more than a few minutes; a test that hangs must not hold up everything behind it for ever. */
const limit = 20 * 60 * 1000;

/** A file is a test of its own to Node, and some have a thousand. A test that waits for ever ends by its own patience. */
const testLimit = 10 * 60 * 1000;

/** This file is one after the other what eight users do: half a minute, and far more where much else runs. */
const installLimit = 6 * 60 * 1000;

await script(() => {
  const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(kinds);
  const unknown = chosen.find((kind) => !Object.hasOwn(kinds, kind));
  if (unknown !== undefined) {
    throw new Stop(`There are no tests of kind "${unknown}": the kinds are ${Object.keys(kinds).join(', ')}.`);
  }
  const outcomes = chosen.map((kind) => [kind, runKind(kind)]);
  console.log(`\n${outcomes.map(([kind, outcome]) => `${kind.padEnd(10)} ${outcome}`).join('\n')}`);
  const failed = outcomes.filter(([, outcome]) => outcome.startsWith('FAILED')).map(([kind]) => kind);
  if (failed.length > 0) throw new Stop(`Tests failed: ${failed.join(', ')}.`);
});

function runKind(kind) {
  const [command, args] = kinds[kind]();
  if (command === undefined) return 'no tests yet';
  console.log(`\n--- ${kind} tests`);
  const begun = performance.now();
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', timeout: limit });
  const seconds = `${((performance.now() - begun) / 1000).toFixed(1)} s`;
  if (status === 0) return `passed in ${seconds}`;
  return `FAILED after ${seconds}${error ? ` (${error.message})` : ''}`;
}

/** The files are named one by one: Node 20 and the command line of Windows know no patterns. */
function nodeTest(folder, fileLimit = testLimit) {
  const files = existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true }).filter((path) => /\.test\.m?js$/.test(path))
    : [];
  if (files.length === 0) return [];
  const options = ['--test', '--test-reporter=spec', `--test-timeout=${fileLimit}`];
  return [process.execPath, [...options, ...files.sort().map((file) => join(folder, file))]];
}
