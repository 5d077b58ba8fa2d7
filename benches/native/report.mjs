// Makes figures of samples, and tables of figures. Pure: reads and starts nothing.
//
// A ratio is taken between two samples of the same round, which were measured within seconds; the median of those
// outlasts a machine whose speed changes during a run, as the ratio of two medians does not.

const BASES = ['lean', 'tokio'];

/** More than this many CPUs used by other programs makes a sample doubtful. */
const FOREIGN_CPUS = 0.1;

/** Rows (one per workload, transport and server), and what is to be said about the whole. */
export function summarize(samples, workloads) {
  const groups = new Map();
  for (const sample of samples) {
    const key = keyOf({ ...sample, round: '' });
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  const figures = new Map(samples.map((sample) => [keyOf(sample), figure(sample, workloads)]));
  const rows = [...groups.values()].map((group) => {
    const [{ workload, transport, server, relay }] = group;
    const row = {
      workload,
      title: workloads[workload].title,
      transport,
      server,
      relay,
      aim: relay ? undefined : workloads[workload].aim,
    };
    const good = group.filter(({ error }) => !error);
    if (good.length < group.length) row.error = group.find(({ error }) => error).error;
    if (good.length === 0) return row;
    row.figure = spread(good.map((sample) => figures.get(keyOf(sample))));
    if (workload === 'idle') {
      row.before = spread(good.map(({ before }) => before / 1024)).median;
      return row;
    }
    row.rate = spread(good.map((sample) => sample[workloads[workload].per] / sample.seconds)).median;
    row.cpus = spread(good.map(({ cpu, seconds }) => cpu / seconds)).median;
    row.foreign = spread(good.map(({ foreign, seconds }) => foreign / seconds)).median;
    row.ratios = {};
    for (const base of BASES.filter((base) => base !== server)) {
      const ratios = good
        .map((sample) => figures.get(keyOf(sample)) / figures.get(keyOf({ ...sample, server: base })))
        .filter(Number.isFinite);
      if (ratios.length > 0) row.ratios[base] = spread(ratios);
    }
    return row;
  });
  rows.sort((a, b) => order(a, b, rows, 'workload') || order(a, b, rows, 'transport'));
  return { rows, warnings: warnings(rows, samples) };
}

/** For a terminal. */
export function table({ rows, warnings }) {
  const lines = cells(rows);
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const rule = widths.map((width) => '─'.repeat(width)).join('──');
  const text = [];
  for (const [index, line] of lines.entries()) {
    if (index > 0 && line[0] !== '') text.push(rule);
    const padded = line.map((cell, column) =>
      column < 3 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
    );
    text.push(padded.join('  ').trimEnd());
  }
  return [...text, '', ...notes(warnings)].join('\n');
}

/** For a README. */
export function markdown({ rows, warnings }) {
  const [head, ...lines] = cells(rows).map((line) => `| ${line.join(' | ')} |`);
  return [
    head,
    '| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |',
    ...lines,
    '',
    ...notes(warnings),
  ].join('\n');
}

function cells(rows) {
  const lines = [['', 'transport', 'server', 'cost', '/ lean', 'spread', '/ tokio', 'spread', 'throughput', 'aim']];
  let previous = {};
  for (const row of rows) {
    const again = row.workload === previous.workload && row.transport === previous.transport;
    const title = row.workload === previous.workload ? '' : row.title;
    previous = row;
    lines.push([title, again ? '' : row.transport.replace('/', ' '), row.server, ...values(row)]);
  }
  return lines;
}

function values(row) {
  if (row.figure === undefined) return ['failed', '', '', '', '', '', ''];
  const aim = row.aim === undefined ? '' : `at most ${row.aim}`;
  if (row.workload === 'idle') {
    const cost = `${row.figure.median.toFixed(1)} KiB${mark(row.figure, row)}`;
    return [cost, range(row.figure, 1), '', '', '', `on top of ${row.before.toFixed(1)} MiB`, `${aim} KiB`];
  }
  const ratios = BASES.flatMap((base) => {
    const ratio = row.ratios[base];
    return ratio ? [`${ratio.median.toFixed(2)}${mark(ratio, row)}`, range(ratio, 2)] : ['', ''];
  });
  const cost = `${row.foreign > FOREIGN_CPUS ? '~' : ''}${digits(row.figure.median)} µs`;
  return [cost, ...ratios, throughput(row), aim];
}

/** Whether a median keeps the aim of its row. */
function mark({ median }, { aim }) {
  if (aim === undefined) return '';
  return median <= aim ? ' ✓' : ' ✗';
}

function range({ min, max }, places) {
  return `${min.toFixed(places)}–${max.toFixed(places)}`;
}

function throughput({ workload, rate }) {
  if (workload === 'lat64') return `${digits(1e6 / rate)} µs there and back`;
  if (workload === 'churn') return `${Math.round(rate)} joins/s`;
  return rate >= 1e6 ? `${(rate / 1e6).toFixed(2)} M messages/s` : `${Math.round(rate / 1e3)} k messages/s`;
}

function notes(warnings) {
  return [
    'Cost: CPU time of the server per message that it reads or writes (a call is four, an event to 64 is 65), per call with',
    'server and client on one CPU, per session that joins and leaves; resident memory per idle session of a fresh process.',
    'Figures are medians; ratios are medians of those within a round, with the least and the greatest beside them.',
    ...warnings.map((warning) => `\nWarning: ${warning}`),
  ];
}

function warnings(rows, samples) {
  const failures = rows
    .filter(({ error }) => error)
    .map((row) => `${row.server}, ${row.title}, ${row.transport}: ${row.error}`);
  const foreign = samples.filter(({ seconds }) => seconds).map((sample) => sample.foreign / sample.seconds);
  const disturbed = foreign.filter((cpus) => cpus > FOREIGN_CPUS).length;
  if (disturbed === 0) return failures;
  const most = Math.max(...foreign).toFixed(1);
  return [
    ...failures,
    `the machine was not idle. Other programs used up to ${most} CPUs; ${disturbed} of ${foreign.length} measurements had ` +
      `more than ${FOREIGN_CPUS}, and ~ marks figures where that was the rule.`,
  ];
}

/** CPU microseconds per message or operation; KiB per session. */
function figure(sample, workloads) {
  if (sample.error) return Number.NaN;
  if (sample.workload === 'idle') return (sample.after - sample.before) / sample.sessions;
  return (sample.cpu / sample[workloads[sample.workload].per]) * 1e6;
}

function keyOf({ workload, transport, server, round }) {
  return `${workload} ${transport} ${server} ${round}`;
}

function order(a, b, rows, field) {
  const first = (value) => rows.findIndex((row) => row[field] === value);
  return first(a[field]) - first(b[field]);
}

function spread(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1) };
}

function digits(microseconds) {
  return microseconds >= 100
    ? microseconds.toFixed(0)
    : microseconds >= 10
      ? microseconds.toFixed(1)
      : microseconds.toFixed(2);
}
