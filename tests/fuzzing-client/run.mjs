// Runs the Autobahn WebSocket fuzzing client against our WebSocket stack and sums up what it found. See `--help`.
//
// The fuzzing client is a program of Python 2.7; the first run installs it into target/fuzzing-client. Its reports, a page
// for each case, are in target/fuzzing-client/report/index.html.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { optionsOf, root, run, Stop, script, step } from '../../scripts/steps.mjs';
import { startRouter } from '../interop/router.mjs';

const HELP = `npm run test:fuzzing -- [options]

  --all           all cases (those that neither take long nor repeat others)
  --cases A,B     these, as in '1.*,7.*'
  --url URL       against another echo server, which runs already`;

const folder = join(root, 'target/fuzzing-client');
const installed = join(folder, 'packages');
const report = join(folder, 'report');
const requirements = join(root, 'tests/fuzzing-client/requirements.txt');

/**
 * The cases that run by default. Chapter 9 measures speed; of 12 and 13, which send a thousand compressed messages in each
 * case, every kind of data and of parameters runs with the first sizes of its 18.
 */
const DEFAULT_CASES = [
  ...[1, 2, 3, 4, 5, 6, 7, 10].map((chapter) => `${chapter}.*`),
  ...sized(12, 5, 6),
  ...sized(13, 7, 6),
];

/** More than the default cases take, and than all of them. */
const LIMIT_SECONDS = { some: 10 * 60, all: 60 * 60 };

/** Everything that is no failure. UNIMPLEMENTED: the server did not accept the extension that a case is about. */
const FINE = ['OK', 'NON-STRICT', 'INFORMATIONAL', 'UNIMPLEMENTED'];

const TITLES = {
  1: 'framing',
  2: 'pings and pongs',
  3: 'reserved bits',
  4: 'opcodes',
  5: 'fragmentation',
  6: 'UTF-8',
  7: 'closing',
  9: 'limits and speed',
  10: 'automatic fragmentation',
  12: 'compression, payloads',
  13: 'compression, parameters',
};

let outcome;

await script(async () => {
  const options = optionsOf({ all: { type: 'boolean' }, cases: { type: 'string' }, url: { type: 'string' } }, HELP);
  const python = findPython2();
  await step('fuzzing client', (say) => install(python, say));
  await step('cases', (say) => fuzz(python, options, say));
}, 'WebSocket fuzzing client');

if (outcome !== undefined) {
  console.log(`\n${outcome.table}\n`);
  for (const line of outcome.failed) console.log(line);
  if (outcome.failed.length > 0) process.exitCode = 1;
}

/** CPython 2.7: the variable PYTHON2 names it, or it is `python2.7` on the PATH, or pyenv has it. */
function findPython2() {
  const chosen = process.env.PYTHON2;
  if (chosen !== undefined) {
    if (existsSync(chosen)) return chosen;
    throw new Stop(`The variable PYTHON2 names "${chosen}", and there is no such file: correct or unset it.`);
  }
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions');
  const ofPyenv = existsSync(versions) ? readdirSync(versions).filter((name) => name.startsWith('2.7.')) : [];
  const places = [
    ...ofPyenv.map((name) => join(versions, name, 'bin')),
    ...(process.env.PATH ?? '').split(':').filter((place) => !place.endsWith('.pyenv/shims')),
  ];
  const found = places.map((place) => join(place, 'python2.7')).find((path) => existsSync(path));
  if (found === undefined) {
    throw new Stop(
      'The fuzzing client runs under CPython 2.7, and none was found: install it, for example with ' +
        '`pyenv install 2.7.18`, or set the variable PYTHON2 to the path of its program.',
    );
  }
  return found;
}

async function install(python, say) {
  const stamp = join(folder, 'stamp');
  const input = `${python}\n${readFileSync(requirements, 'utf8')}`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === input) return 'up to date';
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  say('pip install autobahntestsuite: about half a minute, once');
  const args = ['-m', 'pip', 'install', '--disable-pip-version-check', '--target', installed, '-r', requirements];
  await run(python, args, {
    orStop: `The fuzzing client could not be installed by \`${python} ${args.join(' ')}\`: see the lines above.`,
  });
  writeFileSync(stamp, input);
  return `installed for ${python}`;
}

async function fuzz(python, { all, cases, url }, say) {
  const server = url === undefined ? await startEcho() : { url, stop: () => {} };
  const specification = join(folder, 'specification.json');
  rmSync(report, { recursive: true, force: true });
  writeFileSync(
    specification,
    JSON.stringify({
      outdir: report,
      servers: [{ agent: 'wamplet', url: server.url }],
      cases: cases?.split(',') ?? (all ? ['*'] : DEFAULT_CASES),
      'exclude-cases': [],
      'exclude-agent-cases': {},
    }),
  );
  say(`against ${server.url}`);
  // As a folder of packages, which the option --target of pip makes, and not as a path: some of them are parts of one.
  const program = `import site; site.addsitedir(${JSON.stringify(installed)}); from autobahntestsuite.wstest import run; run()`;
  try {
    const { ok, output } = await run(python, ['-c', program, '-m', 'fuzzingclient', '-s', specification], {
      limitSeconds: all ? LIMIT_SECONDS.all : LIMIT_SECONDS.some,
    });
    const index = join(report, 'index.json');
    if (!ok || !existsSync(index)) {
      throw new Stop(`The fuzzing client did not come to its end:\n${output.split('\n').slice(-10).join('\n')}`);
    }
    outcome = judge(JSON.parse(readFileSync(index, 'utf8')).wamplet ?? {});
  } finally {
    await server.stop();
  }
  return outcome.summary;
}

/** Counts what each chapter of the case list came to, and lists what failed, if only in how it was closed. */
function judge(results) {
  const chapters = new Map();
  const failed = [];
  for (const [name, { behavior, behaviorClose, reportfile }] of Object.entries(results)) {
    const chapter = name.split('.')[0];
    const counts = chapters.get(chapter) ?? {};
    chapters.set(chapter, counts);
    const isFine = FINE.includes(behavior) && FINE.includes(behaviorClose);
    const kind = isFine ? behavior : 'FAILED';
    counts[kind] = (counts[kind] ?? 0) + 1;
    if (isFine) continue;
    const page = relative(root, join(report, reportfile.replace('.json', '.html')));
    failed.push({ name, text: `case ${name}: ${behavior}, closing ${behaviorClose}: ${page}` });
  }
  const byNumber = (one, two) => one.localeCompare(two, 'en', { numeric: true });
  const columns = [...FINE, 'FAILED'];
  const row = (title, cells) => `${title.padEnd(28)}${cells.map((cell) => String(cell).padStart(15)).join('')}`;
  const lines = [...chapters]
    .sort(([one], [two]) => byNumber(one, two))
    .map(([chapter, counts]) => {
      return row(
        `${chapter.padStart(2)} ${TITLES[chapter] ?? ''}`,
        columns.map((kind) => counts[kind] ?? ''),
      );
    });
  const total = Object.keys(results).length;
  if (total === 0) throw new Stop('No case ran: is the server there, and does --cases name any?');
  return {
    table: [row('', columns), ...lines].join('\n'),
    failed: failed.sort((one, two) => byNumber(one.name, two.name)).map(({ text }) => text),
    summary: `${total - failed.length} of ${total} passed`,
  };
}

/** The first sizes of each section of a chapter. */
function sized(chapter, sections, sizes) {
  return Array.from({ length: sections }, (_, section) =>
    Array.from({ length: sizes }, (_, size) => `${chapter}.${section + 1}.${size + 1}`),
  ).flat();
}

/** Starts the router with a listener that echoes. */
async function startEcho() {
  const transport = {
    type: 'websocket.testee',
    endpoint: { type: 'tcp', interface: '127.0.0.1', port: 0 },
    options: { compression: { deflate: {} } },
  };
  const realm = { name: 'realm1', roles: [] };
  const router = await startRouter({
    version: 2,
    workers: [{ type: 'router', realms: [realm], transports: [transport] }],
  });
  return { url: `ws://127.0.0.1:${router.ports[0]}`, stop: () => router.stop() };
}
