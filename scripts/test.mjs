// Runs the tests, kind by kind, against what is built, and sums up at the end: each failure once more, then the kinds.
//
//   node scripts/test.mjs                every kind
//   node scripts/test.mjs node web       these kinds

import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { root, Stop, script } from './steps.mjs';

const kinds = {
  rust: () => ['cargo', ['test', '--no-fail-fast']],
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

/** How long what a kind has printed may take to arrive after its end, in milliseconds. */
const patience = 5_000;

/** A file is a test of its own to Node, and some have a thousand. A test that waits for ever ends by its own patience. */
const testLimit = 10 * 60 * 1000;

/** This file is one after the other what eight users do: half a minute, and far more where much else runs. */
const installLimit = 6 * 60 * 1000;

/** Where each runner begins and ends to say what failed, with why: libtest after each program, Node at its very end. */
const failuresBegin = /^(failures:|✖ failing tests:)$/;
const failuresEnd = /^test result: FAILED/;

/** Of one kind, this much of what failed is said again: the rest stands where it happened. */
const linesSaidAgain = 80;

await script(async () => {
  const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(kinds);
  const unknown = chosen.find((kind) => !Object.hasOwn(kinds, kind));
  if (unknown !== undefined) {
    throw new Stop(`There are no tests of kind "${unknown}": the kinds are ${Object.keys(kinds).join(', ')}.`);
  }
  const outcomes = [];
  for (const kind of chosen) outcomes.push({ kind, ...(await runKind(kind)) });
  const failed = outcomes.filter(({ failures }) => failures !== undefined);
  for (const { kind, failures } of failed) {
    const said = failures.slice(0, linesSaidAgain);
    if (failures.length > said.length) said.push(`... and ${failures.length - said.length} lines more, above`);
    if (said.length > 0) console.log(`\n--- what failed of ${kind}\n${said.join('\n')}`);
  }
  console.log(`\n${outcomes.map(({ kind, outcome }) => `${kind.padEnd(10)} ${outcome}`).join('\n')}`);
  if (failed.length > 0) throw new Stop(`Tests failed: ${failed.map(({ kind }) => kind).join(', ')}.`);
});

/** Resolves to the outcome as the summary shows it, with the lines that say what failed where something did. */
function runKind(kind) {
  const [command, args] = kinds[kind]();
  if (command === undefined) return { outcome: 'no tests yet' };
  console.log(`\n--- ${kind} tests`);
  const begun = performance.now();
  const child = spawn(command, args, { cwd: root, stdio: ['inherit', 'pipe', 'inherit'], timeout: limit });
  child.stdout.pipe(process.stdout, { end: false });
  const failures = [];
  let saying = false;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const text = stripVTControlCharacters(line);
    if (failuresBegin.test(text)) saying = true;
    if (saying) failures.push(line);
    if (failuresEnd.test(text)) saying = false;
  });
  return new Promise((resolve) => {
    const end = (error, code, signal) => {
      const seconds = `${((performance.now() - begun) / 1000).toFixed(1)} s`;
      if (code === 0) return resolve({ outcome: `passed in ${seconds}` });
      const why = error?.message ?? (signal ? `ended by ${signal}` : undefined);
      resolve({ outcome: `FAILED after ${seconds}${why ? ` (${why})` : ''}`, failures });
    };
    child.on('error', (error) => end(error));
    // What it started and left behind may hold on to its output, and is not waited for.
    child.on('exit', () => setTimeout(() => child.stdout.destroy(), patience).unref());
    child.on('close', (code, signal) => end(undefined, code, signal));
  });
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
