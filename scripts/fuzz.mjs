// Fuzzes with libFuzzer: each target for as long as you like, beginning from tests/fuzz/corpus. See `--help`.
//
// It needs Rust and a C++ compiler, and nothing else: the stable compiler instruments for coverage, and libFuzzer comes as
// a crate. What a run finds interesting stays in target/fuzz/corpus for the next one; the input of a failure is in
// target/fuzz/failures, and becomes a test when it is copied to tests/fuzz/corpus.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { optionsOf, root, Stop, script } from './steps.mjs';

const TARGETS = ['json', 'msgpack', 'cbor', 'rawsocket', 'config', 'operations'];

const HELP = `npm run fuzz -- [options]

  --seconds N       how long each target is fuzzed (60)
  --targets A,B     of ${TARGETS.join(', ')} (all)`;

/** Coverage of edges and of comparisons, as cargo-fuzz asks for it; no sanitizer, since no unsafe code touches memory. */
const RUSTFLAGS = [
  '--cfg fuzzing',
  '-Cpasses=sancov-module',
  '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Cllvm-args=-sanitizer-coverage-trace-compares',
  '-Ccodegen-units=1',
  // Realm::check and the other assertions of debug builds.
  '-Cdebug-assertions',
].join(' ');

/** Megabytes that a target may take: an input that needs more is a finding. */
const MEMORY_MB = 1024;

/** Bytes of the longest input. */
const MAX_LENGTH = 4096;

/** Seconds that one input may take. */
const TIMEOUT = 10;

const folder = join(root, 'target/fuzz');

await script(() => {
  const { seconds, targets } = parseOptions();
  const programs = build();
  const failed = targets.filter((target) => !fuzz(target, join(programs, target), seconds));
  if (failed.length > 0) throw new Stop(`Findings in: ${failed.join(', ')}. The inputs are in target/fuzz/failures.`);
  console.log(`\nNo findings: ${targets.join(', ')}, ${seconds} s each.`);
});

function parseOptions() {
  const options = { seconds: { type: 'string', default: '60' }, targets: { type: 'string', default: TARGETS.join() } };
  const values = optionsOf(options, HELP);
  const seconds = Number(values.seconds);
  if (!Number.isInteger(seconds) || seconds < 1)
    throw new Stop(`--seconds wants a number from 1, not "${values.seconds}".`);
  const targets = values.targets.split(',');
  const unknown = targets.find((target) => !TARGETS.includes(target));
  if (unknown !== undefined) throw new Stop(`There is no target "${unknown}".\n\n${HELP}`);
  return { seconds, targets };
}

/** Answers the folder of the programs. With a target triple build scripts are left uninstrumented. */
function build() {
  const { stdout, status } = spawnSync('rustc', ['-vV'], { encoding: 'utf8' });
  if (status !== 0) throw new Stop('rustc is not there: install Rust (https://rustup.rs).');
  const triple = /^host: (.*)$/m.exec(stdout)[1];
  const manifest = join(root, 'tests/fuzz/Cargo.toml');
  const args = ['build', '--release', '--manifest-path', manifest, '--target-dir', folder, '--target', triple];
  const env = { ...process.env, RUSTFLAGS, CARGO_ENCODED_RUSTFLAGS: undefined };
  const built = spawnSync('cargo', args, { cwd: root, stdio: 'inherit', env });
  if (built.status !== 0) throw new Stop('The fuzz targets could not be built (libFuzzer needs a C++ compiler).');
  return join(folder, triple, 'release');
}

/** Answers whether nothing was found. */
function fuzz(target, program, seconds) {
  const corpus = join(folder, 'corpus', target);
  const failures = join(folder, 'failures');
  mkdirSync(failures, { recursive: true });
  if (!existsSync(corpus)) cpSync(join(root, 'tests/fuzz/corpus', target), corpus, { recursive: true });
  const before = readdirSync(failures).length;
  console.log(`\n--- ${target}, ${seconds} s`);
  const args = [
    corpus,
    join(root, 'tests/fuzz/corpus', target),
    `-max_total_time=${seconds}`,
    `-rss_limit_mb=${MEMORY_MB}`,
    `-max_len=${MAX_LENGTH}`,
    `-timeout=${TIMEOUT}`,
    `-artifact_prefix=${failures}/${target}-`,
    '-print_final_stats=1',
    '-verbosity=0',
  ];
  const { status, stderr } = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  const figure = (name) => new RegExp(`^stat::${name}:\\s*(\\d+)`, 'm').exec(stderr)?.[1] ?? '?';
  if (status === 0) {
    console.log(
      `${figure('number_of_executed_units')} inputs, ${figure('new_units_added')} of them new, ${figure('peak_rss_mb')} MB`,
    );
    return true;
  }
  console.log(stderr.split('\n').slice(-60).join('\n'));
  const found = readdirSync(failures).length - before;
  console.log(`\n${target}: ended with ${status}, ${found} inputs in ${relative(root, failures)}`);
  console.log(`Copy an input to tests/fuzz/corpus/${target}/; cargo test --test fuzz_corpus shows what happens.`);
  return false;
}
