// npm run bench:routing: instructions that the router alone takes for a call or a publication. See `--help`.
//
// Counts them with valgrind, which gives the same number on a busy machine as on an idle one. Two runs of different
// length are subtracted, so that start and warm-up do not count.

import { execFile } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { optionsOf, root, run, Stop, script, step } from '../../scripts/steps.mjs';

const HELP = `npm run bench:routing -- [options]

  --against COMMIT    measure the router of that commit too, and print the difference
  --most PERCENT      fail if a call or publication takes that much more than there`;

const ROUNDS = [2_000, 12_000];
const WORKLOADS = { call: 'call', publish: 'event, 1:1', fan: 'event, 1:64' };
const SERIALIZERS = ['json', 'msgpack', 'cbor'];

const execute = promisify(execFile);

await script(async () => {
  const options = optionsOf({ against: { type: 'string' }, most: { type: 'string' } }, HELP);
  await execute('valgrind', ['--version']).catch(() => {
    throw new Stop(
      'valgrind counts the instructions, and is not installed: apt install valgrind, or brew install valgrind',
    );
  });
  let here;
  let there;
  await step('build', async () => {
    here = await build(root, '');
    return 'this checkout';
  });
  if (options.against) {
    await step('build', async () => {
      there = await build(await checkout(options.against), 'before');
      return options.against;
    });
  }
  const rows = [];
  for (const [workload, title] of Object.entries(WORKLOADS)) {
    for (const serializer of SERIALIZERS) {
      await step(title, async () => {
        const now = await perRound(here, workload, serializer);
        const before = there && (await perRound(there, workload, serializer));
        const percent = before && (now / before - 1) * 100;
        rows.push({ title, serializer, percent });
        const change = before ? `, before ${before.toFixed(0)}: ${percent > 0 ? '+' : ''}${percent.toFixed(1)} %` : '';
        return `${serializer}: ${now.toFixed(0)} instructions${change}`;
      });
    }
  }
  const most = Number(options.most ?? Number.POSITIVE_INFINITY);
  const worse = rows.filter(({ percent }) => percent > most);
  if (worse.length > 0) {
    throw new Stop(`more than ${most} % slower: ${worse.map((row) => `${row.title} in ${row.serializer}`).join(', ')}`);
  }
}, 'Instructions per operation');

/** The path of the built benchmark. */
async function build(directory, target) {
  const manifest = join(directory, 'benches/routing/Cargo.toml');
  const args = [
    'build',
    '--release',
    '--manifest-path',
    manifest,
    '--target-dir',
    join(root, 'target/benches', target),
  ];
  await run('cargo', args, { orStop: `the benchmark of ${directory} was not built` });
  return join(root, 'target/benches', target, 'release/routing');
}

/** A work tree of another commit, with this benchmark in it. */
async function checkout(commit) {
  const directory = join(root, 'target/benches/before-tree');
  if (existsSync(directory)) await execute('git', ['-C', root, 'worktree', 'remove', '--force', directory]);
  await execute('git', ['-C', root, 'worktree', 'add', '--detach', directory, commit]);
  cpSync(join(root, 'benches/routing'), join(directory, 'benches/routing'), { recursive: true });
  return directory;
}

async function perRound(executable, workload, serializer) {
  const [few, many] = await Promise.all(
    ROUNDS.map(async (rounds) => {
      const args = [
        '--tool=callgrind',
        '--callgrind-out-file=/dev/null',
        executable,
        workload,
        serializer,
        `${rounds}`,
      ];
      const { stderr } = await execute('valgrind', args);
      return Number(/Collected : (\d+)/.exec(stderr)[1]);
    }),
  );
  return (many - few) / (ROUNDS[1] - ROUNDS[0]);
}
