//! The keys and words of Crossbar's format for realms, roles, permissions and limits, each said once: for the reader
//! ([`crossbar`](super::crossbar)) and for the JSON Schema (`schema`).
//!
//! Owns which keys there are, which of them are not served and why, and between which bounds numbers are. What they mean is
//! the reader's business.

use super::cursor::Key;
use super::{Limits, OnLeave, Overflow, StoreKind};
use crate::uri::{MatchPolicy, UriCheck};

/// Calls that wait for the callees of one registration, where a rule does not say how many may.
pub(super) const QUEUED_CALLS: usize = 1_000;
/// One that is canceled is looked for among all of them.
pub(super) const MAX_QUEUED_CALLS: u64 = 100_000;

pub(super) const MAX_TRUSTLEVEL: u64 = 1 << 31;

/// Beside true and false: whose identity is revealed neither without being asked nor by their own wish.
pub(super) const NEVER: &str = "never";

/// Rated messages, or seconds (of which this is 31 years).
pub(super) const MAX_TRIGGER: u64 = 1_000_000_000;
pub(super) const MAX_RATED_SIZE: u64 = 1 << 30;
pub(super) const A_DAY_MS: u64 = 86_400_000;

// What neither router serves.
pub(super) const NO_CONTROLLER: Key =
    Key::NotServed("there is no controller: one router runs in one process");
pub(super) const NO_PROXY: Key = Key::NotServed("proxies are not served");
pub(super) const NO_HOSTMONITOR: Key = Key::NotServed("hosts are not monitored");
pub(super) const NO_TESTEE: Key = Key::NotServed("testees are not served");
pub(super) const NO_MARKET: Key = Key::NotServed("markets are not served");
pub(super) const NO_MANHOLE: Key = Key::NotServed("there is no manhole");
pub(super) const NO_CONNECTIONS: Key = Key::NotServed("no connections are made to databases");

pub(super) const REALM_KEYS: [(&str, Key); 10] = [
    ("name", Key::Served),
    ("id", Key::Served),
    ("roles", Key::Served),
    ("options", Key::Served),
    ("stats", Key::Served),
    ("store", Key::Served),
    ("inventory", Key::NotServed("payloads are not validated")),
    ("rlinks", NO_LINKS),
    ("uplinks", NO_LINKS),
    ("trace", Key::NotServed("traffic is not traced")),
];

const NO_LINKS: Key = Key::NotServed("routers are not linked: what happens at others is not seen here");

pub(super) const STORE_KEYS: [(&str, Key); 11] = [
    ("type", Key::Served),
    ("path", Key::Served),
    ("limit", Key::Served),
    ("event-history", Key::Served),
    ("event-retention", Key::Served),
    ("call-queue", Key::Served),
    ("maxsize", OF_CFXDB),
    ("max-buffer", OF_CFXDB),
    ("buffer-flush", OF_CFXDB),
    ("sync", OF_CFXDB),
    ("readonly", OF_CFXDB),
];

const OF_CFXDB: Key = Key::NotServed("has no effect: it is for the database of Crossbar.io");

pub(super) const STORE_KINDS: [(&str, StoreKind); 3] =
    [("memory", StoreKind::Memory), ("database", StoreKind::Database), (CFXDB, StoreKind::Database)];

/// Crossbar.io's own database, which is a folder.
pub(super) const CFXDB: &str = "cfxdb";

pub(super) const HISTORY_KEYS: [(&str, Key); 3] =
    [("uri", Key::Served), ("match", Key::Served), ("limit", Key::Served)];

pub(super) const RETENTION_KEYS: [(&str, Key); 4] =
    [("uri", Key::Served), ("match", Key::Served), ("limit", Key::Served), ("expires_after", Key::Served)];

/// Events of a history.
pub(super) const MAX_HISTORY: u64 = 1_000_000;
pub(super) const HISTORY_LIMIT: usize = 1_000;
/// Retained events of a topic.
pub(super) const MAX_RETAINED: u64 = 1_000;

pub(super) const CALL_QUEUE_KEYS: [(&str, Key); 3] =
    [("uri", Key::Served), ("match", Key::Served), ("limit", Key::Served)];

pub(super) const STATS_KEYS: [(&str, Key); 5] = [
    ("rated_message_size", Key::Served),
    ("trigger_after_rated_messages", Key::Served),
    ("trigger_after_duration", Key::Served),
    ("trigger_on_join", Key::Served),
    ("trigger_on_leave", Key::Served),
];

pub(super) const REALM_OPTION_KEYS: [(&str, Key); 6] = [
    ("uri_check", Key::Served),
    ("session_on_leave", Key::Served),
    ("enable_meta_api", Key::Served),
    ("strict_request_ids", Key::Served),
    ("bridge_meta_api", Key::Served),
    ("event_dispatching_chunk_size", Key::NotServed("has no effect: events are not dispatched in chunks")),
];

pub(super) const URI_CHECKS: [(&str, UriCheck); 2] =
    [("loose", UriCheck::Loose), ("strict", UriCheck::Strict)];

/// wamplet's own option, named after the positional arguments that it is about.
pub(super) const ON_LEAVE: [(&str, OnLeave); 2] =
    [("session", OnLeave::Session), ("session_authid_authrole", OnLeave::SessionAuthidAuthrole)];

pub(super) const ROLE_KEYS: [(&str, Key); 6] = [
    ("name", Key::Served),
    ("id", Key::Served),
    ("permissions", Key::Served),
    ("authorizer", Key::Served),
    ("allow-by-default", Key::Served),
    // wamplet's own.
    ("authorizer_cache_ms", Key::Served),
];

pub(super) const PERMISSION_KEYS: [(&str, Key); 11] = [
    ("uri", Key::Served),
    ("match", Key::Served),
    ("allow", Key::Served),
    ("disclose", Key::Served),
    ("trustlevel", Key::Served),
    ("cache", Key::Served),
    ("validate", Key::NotServed("payloads are not validated")),
    ("call", Key::Served),
    ("register", Key::Served),
    ("publish", Key::Served),
    ("subscribe", Key::Served),
];

pub(super) const ALLOW_KEYS: [(&str, Key); 4] =
    [("call", Key::Served), ("register", Key::Served), ("publish", Key::Served), ("subscribe", Key::Served)];

pub(super) const DISCLOSE_KEYS: [(&str, Key); 2] = [("caller", Key::Served), ("publisher", Key::Served)];

pub(super) const MATCH_POLICIES: [(&str, MatchPolicy); 3] =
    [("exact", MatchPolicy::Exact), ("prefix", MatchPolicy::Prefix), ("wildcard", MatchPolicy::Wildcard)];

pub(super) type SetLimit = fn(&mut Limits, u64);

/// Key, maximum, and where the value goes. The maxima fit into the 32 bits of wasm.
pub(super) const LIMITS: [(&str, u64, SetLimit); 25] = [
    ("transports", 1_000_000, |limits, value| limits.transports = value as usize),
    ("realms", 1_000_000, |limits, value| limits.realms = value as usize),
    // Reading recurses once for each level, and no deeper than this.
    ("message_depth", 512, |limits, value| limits.message_depth = value as usize),
    ("message_length", 1 << 30, |limits, value| limits.message_length = value as usize),
    ("hello_length", 1 << 30, |limits, value| limits.hello_length = value as usize),
    ("audience", 1_000_000, |limits, value| limits.audience = value as usize),
    // The index of wildcards recurses once for each component, which may be empty: twice this fits a stack of 1 MiB.
    ("uri_length", 2_048, |limits, value| limits.uri_length = value as usize),
    ("subscriptions", 1_000_000, |limits, value| limits.subscriptions = value as usize),
    ("registrations", 1_000_000, |limits, value| limits.registrations = value as usize),
    ("calls", 1_000_000, |limits, value| limits.calls = value as usize),
    ("kept_length", 1 << 30, |limits, value| limits.kept_length = value as usize),
    ("waiting_requests", 1_000_000, |limits, value| limits.waiting_requests = value as usize),
    ("waiting_length", 1 << 30, |limits, value| limits.waiting_length = value as usize),
    ("authorization_cache", 1_000_000, |limits, value| limits.authorization_cache = value as usize),
    ("testaments", 1_000_000, |limits, value| limits.testaments = value as usize),
    ("testament_length", 1 << 30, |limits, value| limits.testament_length = value as usize),
    ("retained_topics", 1_000_000, |limits, value| limits.retained_topics = value as usize),
    ("retained_length", 1 << 30, |limits, value| limits.retained_length = value as usize),
    ("history_length", 1 << 30, |limits, value| limits.history_length = value as usize),
    ("events_at_once", 1_000_000, |limits, value| limits.events_at_once = value as usize),
    // A day. Whoever wants none at all does not want a limit.
    ("answer_timeout_ms", A_DAY_MS, |limits, value| limits.answer_timeout_ms = value),
    ("hello_timeout_ms", A_DAY_MS, |limits, value| limits.hello_timeout_ms = value),
    ("failed_logins", 1_000_000, |limits, value| limits.failed_logins = value as usize),
    ("goodbye_timeout_ms", A_DAY_MS, |limits, value| limits.goodbye_timeout_ms = value),
    ("queue_length", 1 << 30, |limits, value| limits.queue_length = value as usize),
];

pub(super) const OVERFLOWS: [(&str, Overflow); 2] = [("close", Overflow::Close), ("drop", Overflow::Drop)];

/// The keys of all limits.
pub(super) const LIMIT_KEYS: [(&str, Key); LIMITS.len() + 1] = {
    let mut keys = [("overflow", Key::Served); LIMITS.len() + 1];
    let mut position = 0;
    while position < LIMITS.len() {
        keys[position].0 = LIMITS[position].0;
        position += 1;
    }
    keys
};
