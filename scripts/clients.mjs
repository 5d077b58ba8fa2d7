// docs/clients.md, written from the table of real clients: which client runs which case where, and why not.

import { chapters } from '../tests/interop/cases.mjs';
import { arrangement, capabilities, clients, columns, hosts, nobody, tried } from '../tests/interop/table.mjs';
import { Stop } from './steps.mjs';

const HEADER = `# Real clients

Clients that others wrote, against wamplet: natively over sockets, in a browser over ports and through the WebSocket shim, and in
a Node process. Each runs all the cases below over each of its transports, in each serializer; the tests have the same names. A
number says what a case takes that a client has not, so that it is skipped. \`npm run features\` writes this page from \`tests/interop/table.mjs\` and
\`tests/interop/cases.mjs\`.`;

const OTHERS = `These were tried once against the native router, with a Crossbar.io 26.10 beside it to compare with; no test runs them. What
one of them cannot do is its own doing: it is the same there.`;

/** The text of the page. */
export function clientsPage() {
  checkCapabilities();
  const reasons = [];
  const sections = Object.entries(chapters).map(([chapter, cases]) => {
    const rows = Object.entries(cases).map(([name, aCase]) => [
      `\`${name}\``,
      ...groups.map(({ members }) => cell(members, aCase, reasons)),
    ]);
    return `## ${chapter}\n\n${markdownTable(['Case', ...groups.map(({ title }) => title)], rows)}`;
  });
  const notes = reasons.map((reason, index) => `${index + 1}. ${reason}`);
  const [untested, others] = [nobody, tried].map((table) => Object.entries(table).map((row) => row.map(escaped)));
  return [
    HEADER,
    whereTheyRun(),
    ...sections,
    `## Why not\n\n${notes.join('\n')}`,
    `## What none of them has\n\nTests of the core in Rust speak for these.\n\n${markdownTable(['Feature', 'Why'], untested)}`,
    `## Others\n\n${OTHERS}\n\n${markdownTable(['Client', 'What works'], others)}\n`,
  ].join('\n\n');
}

/** A column of the page: a library over sockets, or where JavaScript runs the router. */
const groups = [...new Set(columns.map(({ client }) => clients[client].library))].flatMap((library) =>
  [
    ['', (host) => hosts[host].clients === hosts['the native router'].clients],
    [' without sockets', (host) => hosts[host].clients !== hosts['the native router'].clients],
  ]
    .map(([where, isThere]) => ({
      title: `${escaped(library)}${where}`,
      members: columns.filter(({ client, host }) => clients[client].library === library && isThere(host)),
    }))
    .filter(({ members }) => members.length > 0),
);

function cell(members, aCase, reasons) {
  const skips = members.map((column) => arrangement(column, aCase).skip);
  const numbers = [...new Set(skips.filter(Boolean))].map((reason) => {
    if (!reasons.includes(reason)) reasons.push(reason);
    return reasons.indexOf(reason) + 1;
  });
  if (numbers.length === 0) return 'yes';
  return skips.includes(undefined) ? `yes, but ${numbers.join(', ')}` : numbers.join(', ');
}

function whereTheyRun() {
  const names = Object.keys(hosts);
  const rows = Object.keys(clients).map((client) => [
    escaped(client),
    ...names.map((host) =>
      Object.entries(hosts[host].clients[client] ?? {})
        .map(([transport, serializers]) => `${transport}: ${serializers.join(', ')}`)
        .join('; '),
    ),
  ]);
  return `## Where they run\n\n${markdownTable(['Client', ...names], rows)}`;
}

/** A capability that is misspelt would never be missed. */
function checkCapabilities() {
  const named = [
    ...Object.values(clients).flatMap(({ cannot }) => Object.keys(cannot)),
    ...Object.values(chapters).flatMap((cases) =>
      Object.values(cases).flatMap(({ needs = [], other = [] }) => [...needs, ...other]),
    ),
  ].map((name) => name.split(' in ')[0]);
  const unknown = named.filter((name) => !Object.hasOwn(capabilities, name));
  const unused = Object.keys(capabilities).filter((name) => !named.includes(name));
  if (unknown.length > 0) throw new Stop(`tests/interop needs what no client is asked for: ${unknown.join(', ')}`);
  if (unused.length > 0)
    throw new Stop(`tests/interop/table.mjs has capabilities that nobody needs: ${unused.join(', ')}`);
}

/** A text as a cell of a table. */
export function escaped(text) {
  return text.replaceAll('|', '\\|');
}

function markdownTable(titles, rows) {
  return [titles, titles.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
