// npm run bench:native: what routing costs, natively. See `--help`.
//
// Builds the router and the generator, starts both relays and the routers, alternates their measurements, and hands what
// came out to report.mjs. The generator (src/) does one measurement at a time and prints it. Loopback only.

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { optionsOf, root, run, Stop, script, step } from '../../scripts/steps.mjs';
import { markdown, summarize, table } from './report.mjs';
import { parseRouter, relay, startServer, stopServers, wamplet } from './servers.mjs';

const HELP = `npm run bench:native -- [options]

  --rounds N          how often everything is measured; the order is reversed every round (5)
  --seconds S         how long one measurement takes (0.5)
  --workloads A,B     of call64, call1k, fan64, fan1k, lat64, churn, idle (all)
  --transports A,B    ws or rs, a slash, and json, msgpack or cbor (ws/json,ws/msgpack,rs/msgpack)
  --router SPEC       put another router beside wamplet, or in its place if it has that name; repeatable:
                      'name=other;cmd=other --ports {ws} {rs};ws=ws://127.0.0.1:{ws}/;rs=rs://127.0.0.1:{rs}'
                      and, where needed, ';serializers=json+msgpack;sessions=90' (at most so many of them)
  --quick-ack         acknowledge every read at once: else routers without TCP_NODELAY stall
  --json FILE         write all samples and what was made of them
  --markdown          print the table as Markdown`;

/** Workloads: what they are called, what the generator is told, the unit of their figure, the ratio to a relay aimed at. */
const WORKLOADS = {
  call64: { title: 'call, 64 B', args: ['call'], per: 'messages', aim: 1.3 },
  call1k: { title: 'call, 1 KB', args: ['call', '--mixed', '10'], per: 'messages', aim: 1.3 },
  fan64: { title: 'event 1:64, 64 B', args: ['fan', '--peers', '64'], per: 'messages', aim: 1.3 },
  fan1k: { title: 'event 1:64, 1 KB', args: ['fan', '--peers', '64', '--mixed', '10'], per: 'messages', aim: 1.3 },
  lat64: {
    title: 'one call at a time',
    args: ['call', '--peers', '1', '--window', '1', '--cpu', firstCpu()],
    per: 'operations',
    aim: 1.15,
  },
  churn: { title: 'join and leave', args: ['churn'], per: 'operations' },
  idle: { title: 'idle session', args: ['idle'], aim: 12 },
};

/** A fresh process for each of these measurements makes them slow, and they hardly vary. */
const IDLE_ROUNDS = 3;

const generator = join(root, 'target/benches/release/wamplet-bench');
const terminal = process.stderr.isTTY;

process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
await script(async () => {
  const options = parseOptions();
  const routers = options.router.map(parseRouter);
  await build(routers);
  try {
    const samples = await measureAll(options, routers);
    const summary = summarize(samples, WORKLOADS);
    console.log(`\n${options.markdown ? markdown(summary) : table(summary)}`);
    if (options.json)
      writeFileSync(options.json, `${JSON.stringify({ ...circumstances(options), ...summary, samples })}\n`);
    if (samples.some(({ error }) => error)) process.exitCode = 1;
  } finally {
    progress('');
    await stopServers();
  }
}, 'Native benchmark');

function parseOptions() {
  const option = (value) => ({ type: 'string', default: value });
  const options = {
    rounds: option('5'),
    seconds: option('0.5'),
    workloads: option(Object.keys(WORKLOADS).join()),
    transports: option('ws/json,ws/msgpack,rs/msgpack'),
    router: { type: 'string', multiple: true, default: [] },
    'quick-ack': { type: 'boolean', default: false },
    json: { type: 'string' },
    markdown: { type: 'boolean', default: false },
  };
  const values = optionsOf(options, HELP);
  const workloads = values.workloads.split(',');
  const transports = values.transports.split(',');
  const unknown =
    workloads.find((name) => !Object.hasOwn(WORKLOADS, name)) ??
    transports.find((name) => !/^(ws|rs)\/(json|msgpack|cbor)$/.test(name));
  if (unknown !== undefined) throw new Stop(`There is no workload or transport "${unknown}".\n\n${HELP}`);
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (!(Number.isInteger(rounds) && rounds > 0 && seconds >= 0.1)) {
    throw new Stop('--rounds must be a whole number from 1 up, --seconds a number from 0.1 up.');
  }
  return { ...values, rounds, seconds, workloads, transports };
}

async function build(routers) {
  const cargo = (...args) =>
    run('cargo', ['build', '--release', '--locked', ...args], { orStop: 'This did not build.' });
  await step('load generator', async () => {
    await cargo('--manifest-path', 'benches/native/Cargo.toml', '--target-dir', 'target/benches');
    return 'built';
  });
  if (routers.some(({ name }) => name === wamplet.name)) return;
  routers.unshift(wamplet);
  await step('wamplet', async () => {
    await cargo('--bin', 'wamplet');
    return 'built';
  });
}

async function measureAll(options, routers) {
  const { rounds, transports, workloads } = options;
  const servers = [relay(generator, 'lean'), relay(generator, 'tokio'), ...routers];
  const plan = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const transport of transports) {
      for (const workload of workloads) {
        if (workload === 'idle' && round >= IDLE_ROUNDS) continue;
        const able = servers.filter((server) => canMeasure(server, workload, transport));
        if (round % 2 === 1) able.reverse();
        for (const server of able) plan.push({ round, transport, workload, server });
      }
    }
  }
  const live = new Map();
  const samples = [];
  const begun = performance.now();
  for (const [index, { round, transport, workload, server }] of plan.entries()) {
    const failed = (sample) => sample.error && sample.workload === workload && sample.transport === transport;
    if (samples.some((sample) => sample.server === server.name && failed(sample))) continue;
    const each = (performance.now() - begun) / 1000 / index;
    const left = index < 10 ? '' : `, ${Math.ceil(each * (plan.length - index))} s left`;
    progress(`round ${round + 1} of ${rounds}: ${transport} ${workload} ${server.name}${left}`, round);

    const fresh = workload === 'idle';
    const started = (!fresh && live.get(server.name)) || (await startServer(server));
    const sample = await measure(workload, transport, started, options);
    samples.push({ workload, transport, server: server.name, relay: server.relay, round, ...sample });
    if (!fresh) live.set(server.name, started);
    // What has failed once may be left in any state.
    if (sample.error) live.delete(server.name);
    if (sample.error || fresh) await started.stop();
  }
  return samples;
}

function canMeasure({ schemes, serializers, ...server }, workload, transport) {
  const [scheme, serializer] = transport.split('/');
  return schemes.includes(scheme) && serializers.includes(serializer) && !(server.relay && workload === 'idle');
}

/** One measurement; what fails is a sample too, with an `error`. */
async function measure(workload, transport, server, { seconds, 'quick-ack': quickAck }) {
  const [scheme, serializer] = transport.split('/');
  const args = [...WORKLOADS[workload].args, '--url', server[scheme]];
  args.push('--serializer', serializer, '--seconds', String(seconds));
  if (server.relay) args.push('--relay');
  if (quickAck) args.push('--quick-ack');
  if (workload === 'idle') args.push('--sessions', String(server.sessions));
  try {
    args.push('--pid', server.pids().join());
    return JSON.parse(await generate(args, seconds));
  } catch (error) {
    return { error: error.message };
  }
}

function generate(args, seconds) {
  return new Promise((resolve, reject) => {
    const timeout = (30 + 2 * seconds) * 1000;
    execFile(generator, args, { timeout, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      reject(new Error(error.killed ? 'it took too long' : stderr.trim().split('\n')[0] || error.message));
    });
  });
}

function circumstances({ rounds, seconds }) {
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model,
    cpus: cpus().length,
    kernel: release(),
    rounds,
    seconds,
  };
}

/** Where a pinned measurement runs: the first CPU that this process may use. */
function firstCpu() {
  return /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1];
}

async function interrupted() {
  progress('');
  await stopServers();
  process.exit(130);
}

/** One line that is written over; in a log, one line per round. */
function progress(text, round) {
  if (terminal) process.stderr.write(`\r\x1b[K${text.slice(0, process.stderr.columns - 1)}`);
  else if (text && progress.round !== round) console.error(text);
  progress.round = round;
}
