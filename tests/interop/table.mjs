// The table: which client reaches which router, over which transport, in which serializer, and what each client cannot do.
// A column runs all of cases.mjs; docs/clients.md is written from here. A new transport or host is a few lines below, and
// what opens it in hosts.mjs.

/** What a case may need: a client that... */
export const capabilities = {
  tells_why_it_closed: 'passes on the reason of a GOODBYE',
  shows_roles: 'shows what the router announced',
  is_interrupted: 'understands INTERRUPT as a callee',
  cancels_at_once: 'lives on after `skip` and `killnowait`',
  discloses_itself: 'can ask to be disclosed',
  asks_who_calls: 'can register with `disclose_caller`',
  is_told_trust_levels: 'announces trust levels',
  retains: 'can publish what is retained',
  hears_itself: 'can publish with `exclude_me: false`',
  sends_empty_lists: 'can publish for nobody',
  limits_calls: 'can register with `concurrency`',
  takes_procedures: 'can register with `force_reregister`',
  tells_of_revoked_registrations: 'tells its program of a registration that is revoked',
  tells_of_revoked_subscriptions: 'tells its program of a subscription that is revoked',
  survives_revoked_subscriptions: 'lives on when a subscription is revoked',
  passes_payloads_through: 'has payload passthru (`ppt_*`)',
  encrypts_payloads: 'has payload transparency (`enc_*`)',
  has_undefined: 'has values that are `undefined`',
  ticket: 'authenticates by ticket',
  wampcra: 'authenticates by WAMP-CRA',
  scram: 'authenticates by SCRAM',
  cryptosign: 'authenticates by cryptosign',
};

const python = {
  library: 'Autobahn|Python',
  cannot: {
    shows_roles: 'keeps it to itself',
    discloses_itself: 'has no such option',
    asks_who_calls: 'has no such option',
    is_told_trust_levels: 'announces none',
    tells_of_revoked_registrations: 'writes it into its log',
    tells_of_revoked_subscriptions: 'takes the UNSUBSCRIBED that it announces for a violation (26.10.2)',
    survives_revoked_subscriptions: 'takes the UNSUBSCRIBED that it announces for a violation (26.10.2)',
    passes_payloads_through: 'has the older `enc_*`',
    has_undefined: 'has no such value',
  },
};

/** Which library each is of, and what it cannot do, with the reason, by its source; a version where that is a mistake. */
export const clients = {
  'Autobahn|Python with asyncio': python,
  'Autobahn|Python with Twisted': python,
  'Autobahn|JS': {
    library: 'Autobahn|JS',
    cannot: {
      is_interrupted: 'does not announce it, and closes its connection on one',
      cancels_at_once: 'closes its connection on the ERROR that answers it (22.11.1)',
      is_told_trust_levels: 'announces none',
      passes_payloads_through: 'has none',
      encrypts_payloads: 'has none',
      scram: 'does not',
      'has_undefined in msgpack': 'fails to write it in MessagePack (22.11.1)',
    },
  },
  wampy: {
    library: 'wampy',
    cannot: {
      tells_why_it_closed: 'keeps it to itself',
      is_interrupted: 'does not announce it, and closes its connection on one',
      asks_who_calls: 'drops the option',
      retains: 'drops the option (8.0.2)',
      hears_itself: 'drops the option where it is false (8.0.2)',
      sends_empty_lists: 'refuses an empty list (8.0.2)',
      limits_calls: 'drops the option',
      takes_procedures: 'drops the option',
      tells_of_revoked_registrations: 'does not announce revocation',
      tells_of_revoked_subscriptions: 'does not announce revocation',
      encrypts_payloads: 'has the newer `ppt_*`',
      scram: 'does not',
    },
  },
};

/** What none of these clients has, and hence no case. The tests of the core in Rust speak for these. */
export const nobody = {
  'Call rerouting': 'none announces `call_reroute`',
  'Progressive invocations':
    'none announces them; what `progressiveCall` of wampy (8.0.2) sends is a violation without',
  '`forward_timeout`': 'none announces `call_timeout` as a callee',
  'TLS client certificates and cookies': 'the clients of this table connect without either',
  'SCRAM with PBKDF2': 'Autobahn|Python (26.10.2) takes the salt for bytes, which is text, and sends nothing',
};

/**
 * Clients that were tried once against the native router, in these versions, and are not run again: what was seen to work, and
 * what was not. "The cases" are those of the table, as far as the client has what they take.
 */
export const tried = {
  'Autobahn|Python 19.11, 21.11, 23.6':
    'the cases. 18.12 passes them, too, but closes its connection on an INTERRUPT that crosses its answer, and takes no message over 100 KB over RawSocket with Twisted',
  'Autobahn|JS 26.3, 20.9, 19.12, 18.10':
    'the cases. So do 17.5, which cannot cancel, and 0.12, which has neither cryptosign nor `get_retained`. 0.9.9: events, calls, progressive results',
  'wampy 7.2': 'the cases. 6.4: events, calls, patterns, errors; 5.0 and 3.0: events and calls',
  'xconn-core 0.1 (Python)':
    'logins, events, calls, patterns, shared procedures, canceling, progressive calls both ways. Over RawSocket it takes messages of up to 1 MiB; longer ones are refused with `wamp.error.payload_size_exceeded`',
  'xconn 0.5 (Python)': 'logins, events, calls, patterns, errors. It closes a WebSocket on a message of over 1 MiB',
  'swampyer 3.1 (Python)': 'login by ticket, events, calls, patterns, errors, over WebSocket, TCP and unix sockets',
  'wampy 1.1 (Python)': 'logins by ticket and WAMP-CRA, events, calls, errors',
  'aiowamp 0.1 (Python)':
    'events, calls, progressive results over RawSocket. Its WebSocket fails by itself; where it is interrupted, its procedure works on',
  'wamp_async 0.3 (Rust)':
    'login by ticket, events, calls, errors, over WebSocket and RawSocket, in JSON and MessagePack',
  'Autobahn|Cpp of May 2025': 'events, calls, patterns, errors, timeouts over RawSocket',
  'kraftfahrstrasse 0.9 (JavaScript)':
    'login by ticket, events, calls, progressive results, canceling. It announces what it can as a callee in the wrong place, so that nobody interrupts it',
  'thruway.js 2.0': 'calls and errors. It closes its connection after each, and opens another for the next',
  'crossbarhttp3 1.1 (Python)': 'events and calls over the HTTP bridge, unsigned: it cannot sign under Python 3',
};

const all = ['json', 'msgpack', 'cbor'];
const batched = ['json.batched', 'msgpack.batched', 'cbor.batched'];

const native = {
  file: 'clients.test.mjs',
  clients: {
    'Autobahn|Python with asyncio': {
      WebSocket: [...all, ...batched],
      'RawSocket over TCP': all,
      'RawSocket over a unix socket': all,
    },
    'Autobahn|Python with Twisted': {
      WebSocket: [...all, ...batched],
      'RawSocket over TCP': all,
      'RawSocket over a unix socket': all,
    },
    'Autobahn|JS': { WebSocket: all, 'RawSocket over TCP': ['json'], 'RawSocket over a unix socket': ['json'] },
    wampy: { WebSocket: all },
  },
};

/** Every mode of `sharedRouter` has the same ways in. */
const browser = {
  file: 'clients_in_a_browser.test.mjs',
  clients: {
    'Autobahn|JS': { 'the port transport': ['json'], 'an intercepted WebSocket': all },
    wampy: { 'the WebSocket class': all },
  },
};

/**
 * Where the router runs. `mode` is that of `sharedRouter`; with two `tabs`, the peers of a case are in different ones.
 */
export const hosts = {
  'the native router': native,
  'a SharedWorker': { ...browser, mode: 'shared-worker', tabs: 2 },
  'the leading one of some tabs': { ...browser, mode: 'leader', tabs: 2 },
  'the page': { ...browser, mode: 'page', tabs: 1 },
  Node: {
    file: 'clients_in_node.test.mjs',
    clients: { 'Autobahn|JS': { 'the port transport': ['json'] }, wampy: { 'the WebSocket class': all } },
  },
};

/** The name that the session details have for a transport. */
const TYPES = {
  WebSocket: 'websocket',
  'RawSocket over TCP': 'rawsocket',
  'RawSocket over a unix socket': 'rawsocket',
  'the port transport': 'messageport',
  'an intercepted WebSocket': 'websocket',
  'the WebSocket class': 'websocket',
};

/** The columns; each has a realm of its own, where nobody else comes and goes. */
export const columns = Object.entries(hosts).flatMap(([host, { clients: there }]) =>
  Object.entries(there).flatMap(([client, transports]) =>
    Object.entries(transports).flatMap(([transport, serializers]) =>
      serializers.map((serializer) => ({ host, client, transport, serializer, type: TYPES[transport] })),
    ),
  ),
);
columns.forEach((column, number) => {
  column.realm = `realm${number + 1}`;
});

export const columnsOf = (host) => columns.filter((column) => column.host === host);

/** Why a client cannot do something, at all or in its serializer; or undefined. */
function reasonAgainst({ client, serializer }, needs) {
  const { library, cannot } = clients[client];
  const need = needs.find((need) => cannot[need] ?? cannot[`${need} in ${serializer}`]);
  if (need === undefined) return undefined;
  return `takes a client that ${capabilities[need]}: ${library} ${cannot[need] ?? cannot[`${need} in ${serializer}`]}`;
}

/**
 * Who may stand at the other end of a column's cases: each client of the host over its first transport, another library
 * before the same one and itself at last, and in another serializer where it has one.
 */
function others({ host, client, serializer }) {
  const kinship = (name) => Number(clients[name].library === clients[client].library) + Number(name === client);
  return Object.entries(hosts[host].clients)
    .sort(([one], [two]) => kinship(one) - kinship(two))
    .map(([name, transports]) => {
      const [[transport, serializers]] = Object.entries(transports);
      const spoken = serializers.find((other) => !serializer.startsWith(other)) ?? serializers[0];
      return columns.find(
        (column) =>
          column.host === host &&
          column.client === name &&
          column.transport === transport &&
          column.serializer === spoken,
      );
    });
}

/**
 * How a column runs a case: with which column's client at the other end, or why not. A case says what it `needs` of the
 * client, and what the `other` must be able to do.
 */
export function arrangement(column, { needs = [], other = [] }) {
  const against = reasonAgainst(column, needs);
  if (against !== undefined) return { skip: against };
  const found = others(column).find((candidate) => reasonAgainst(candidate, other) === undefined);
  if (found === undefined) {
    const what = other.map((need) => capabilities[need]).join(' and ');
    return { skip: `takes another client that ${what}: none does that reaches ${column.host}` };
  }
  return { other: found };
}
