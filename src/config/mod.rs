//! Configuration: what a router serves, typed and already valid.
//!
//! Owns realms, limits and their defaults. Reading Crossbar's JSON is in [`crossbar`]; roles and permissions are in
//! [`authorizer`](crate::auth::authorizer). What the native router serves beside realms, and how a file of it is read, is
//! in `node`.

mod ask;
mod auth;
mod auth_keys;
#[cfg(feature = "native")]
mod bridge;
mod call_queues;
#[cfg(feature = "native")]
mod children;
#[cfg(feature = "native")]
mod cookie;
pub mod crossbar;
mod cursor;
mod error;
mod json;
mod keys;
#[cfg(feature = "native")]
mod load;
#[cfg(feature = "native")]
pub mod node;
#[cfg(feature = "native")]
mod node_reader;
#[cfg(feature = "native")]
mod processes;
#[cfg(feature = "native")]
mod proxies;
mod roles;
#[cfg(feature = "native")]
mod schema;
#[cfg(feature = "native")]
mod transports;
#[cfg(feature = "native")]
mod upgrade;
#[cfg(feature = "native")]
mod web;
#[cfg(feature = "native")]
mod websocket;
#[cfg(feature = "native")]
mod yaml;

use std::sync::Arc;

use serde_json::Value;

use crate::auth::Methods;
use crate::auth::authorizer::Role;
use crate::codec::DecodeLimits;
use crate::uri::{MatchPolicy, UriCheck};

#[cfg(feature = "native")]
pub(crate) use load::read_at_most;
#[cfg(feature = "native")]
pub use load::{Format, Source};
#[cfg(feature = "native")]
pub use schema::schema;
#[cfg(feature = "native")]
pub use upgrade::{Upgraded, upgrade};

pub(crate) use cursor::describe;

pub use call_queues::{CallQueue, CallQueues};
pub use error::{ConfigError, Problem, SHOWN, Warning};

/// What a router serves.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The realms a session may join.
    pub realms: Realms,
    /// What a peer may use up.
    pub limits: Limits,
    /// `auth` of the transport `messageport`, or beside `realms`: how clients of a router in a browser authenticate, at
    /// ports to which the page fixes no identity. Default not at all: they are `anonymous`.
    pub auth: Option<Arc<Methods>>,
}

impl Config {
    /// Reads wamplet's own object (`realms`, `limits`) or a whole Crossbar.io node (`workers`). `null` and `{}` are the
    /// default: any realm, and everything allowed.
    pub fn from_value(value: &Value) -> Result<Loaded, ConfigError> {
        crossbar::read(value)
    }

    /// The same from JSON text.
    pub fn from_json(text: &str) -> Result<Loaded, ConfigError> {
        Self::from_value(&json::parse(text)?)
    }
}

impl Config {
    /// The functions of the program that the configuration names, each as often as it does, and where it does.
    fn functions(&self) -> impl Iterator<Item = (String, &str)> {
        let realms = match &self.realms {
            Realms::Any => &[][..],
            Realms::Named(realms) => realms,
        };
        let authorizers = realms.iter().flat_map(|realm| {
            realm.roles.iter().filter_map(move |role| {
                let function = role.authorizer()?.ask.function()?;
                Some((
                    format!("authorizer of the role '{}' in the realm '{}'", role.name(), realm.name),
                    function,
                ))
            })
        });
        let authenticators = self.auth.iter().flat_map(|methods| methods.functions());
        authorizers.chain(authenticators.map(|(method, function)| (format!("auth.{method}"), function)))
    }

    /// Refuses a configuration that names functions that the program does not have: what they would decide would fail.
    pub fn check_functions(&self, has: impl Fn(&str) -> bool) -> Result<(), ConfigError> {
        check_functions(self.functions(), has)
    }

    /// Refuses what would open or empty a router that runs and has so many realms of its own: a file that lost them would
    /// let everybody in, or nobody.
    #[cfg(feature = "native")]
    pub fn check_named(&self, before: usize) -> Result<(), ConfigError> {
        let (expected, found) = match &self.realms {
            Realms::Any => (STILL_NAMED, "none, which is any realm"),
            Realms::Named(realms) if realms.is_empty() && before > 0 => (STILL_SOME, "none"),
            Realms::Named(_) => return Ok(()),
        };
        let mut report = cursor::Report::default();
        cursor::Cursor::root(&Value::Null).problem_found::<()>(expected, found, &mut report);
        report.finish().map(|_| ())
    }
}

#[cfg(feature = "native")]
const STILL_NAMED: &str = "\"realms\", which this router has had so far (restart it to serve any realm)";
#[cfg(feature = "native")]
const STILL_SOME: &str = "\"realms\", which this router has had so far (restart it to serve none)";

/// Refuses functions that the program does not have; each comes with where it is named.
fn check_functions<'n>(
    functions: impl Iterator<Item = (String, &'n str)>,
    has: impl Fn(&str) -> bool,
) -> Result<(), ConfigError> {
    let problem = |(path, name): (String, &str)| Problem {
        path,
        expected: "a function of this program".to_owned(),
        found: cursor::quote(name),
        did_you_mean: None,
    };
    let mut problems: Vec<Problem> = functions.filter(|(.., name)| !has(name)).map(problem).collect();
    let more = problems.len().saturating_sub(SHOWN);
    problems.truncate(SHOWN);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Invalid { problems, more, warnings: Vec::new() })
    }
}

/// A valid configuration, and what is to be said about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is served.
    pub config: Config,
    /// What was asked for and is not served.
    pub warnings: Vec<Warning>,
}

/// The realms of a router.
#[derive(Clone, Debug, Default)]
pub enum Realms {
    /// Any realm named in a HELLO comes into being, with one role `anonymous` that may do everything, and goes with
    /// its last session. The default.
    #[default]
    Any,
    /// These realms and no others.
    Named(Vec<RealmConfig>),
}

/// One realm.
#[derive(Clone, Debug)]
pub struct RealmConfig {
    /// The name that a HELLO gives.
    pub name: String,
    /// Who may do what.
    pub roles: Vec<Role>,
    /// `options.uri_check`. Default loose.
    pub uri_check: UriCheck,
    /// `options.session_on_leave`. Default the session id alone.
    pub on_leave: OnLeave,
    /// `options.enable_meta_api`: the procedures and events of the meta API, but for statistics, which are wanted where
    /// they are configured. Default true.
    pub has_meta_api: bool,
    /// `options.strict_request_ids`: a session whose first request has the id 1 is held to count on by one, and aborted
    /// where it does not. [wamp: basic/building_blocks, IDs] Default true; false for clients that count otherwise.
    pub checks_request_ids: bool,
    /// `stats`. Default none: nothing is counted, and nothing published.
    pub stats: Option<Stats>,
    /// `store`: which events are kept. Default no history, and every event that is published to be retained, in memory.
    pub store: Option<Store>,
    /// `store.call-queue`. Default none.
    pub call_queues: CallQueues,
}

impl RealmConfig {
    /// A realm whose one role, `anonymous`, may do everything.
    pub fn open(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            roles: vec![Role::allow_all("anonymous")],
            uri_check: UriCheck::default(),
            on_leave: OnLeave::default(),
            has_meta_api: true,
            checks_request_ids: true,
            stats: None,
            store: None,
            call_queues: CallQueues::default(),
        }
    }
}

/// `store` of a realm: which events are kept, where, and for how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// `type`. Default memory.
    pub kind: StoreKind,
    /// `path`: where the native router has its database. Default `events.redb` beside the configuration. A file may be
    /// that of several realms.
    pub path: Option<String>,
    /// `event-history`: the topics whose events can be asked for later. Default none.
    pub history: Vec<HistoryRule>,
    /// `event-retention`: how events are retained, topic by topic; the most specific rule holds. A topic without a rule
    /// is as one with all defaults.
    pub retention: Vec<RetentionRule>,
}

/// `store.type`: what becomes of kept events when the router ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// `"memory"`: they are gone. The default.
    #[default]
    Memory,
    /// `"database"`: they are there again when it begins anew. Read once, when the router begins.
    Database,
}

/// One history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRule {
    /// The topic or pattern. The router subscribes to it itself.
    pub uri: String,
    pub match_policy: MatchPolicy,
    /// Most events; the oldest go first. Default `store.limit`, which is 1 000 by default.
    pub limit: usize,
}

/// How events of some topics are retained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRule {
    pub uri: String,
    pub match_policy: MatchPolicy,
    /// Most events of a topic: one for everybody, and newer ones that are for some. Default 16; 0 retains nothing.
    pub limit: usize,
    /// Seconds after which an event is no longer retained. Default never.
    pub expires_after_s: Option<u64>,
}

impl RetentionRule {
    /// The default of [`limit`](Self::limit).
    pub const LIMIT: usize = 16;
}

/// The positional arguments of the event `wamp.session.on_leave`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLeave {
    /// `"session"`: `[session]`, what Crossbar.io sends and its clients' handlers take. The default.
    #[default]
    Session,
    /// `"session_authid_authrole"`: `[session, authid, authrole]`, what the specification says.
    SessionAuthidAuthrole,
}

/// `stats` of a realm: when `wamp.session.on_stats` is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of a rated message, a power of two. Default 512.
    pub rated_message_size: u32,
    /// Rated messages, sent and received together, after which statistics are published; 0 is never. Default 0.
    pub trigger_after_rated_messages: u32,
    /// Seconds after which statistics are published, of an idle session too; 0 is never. Default 0.
    pub trigger_after_duration: u32,
    /// Default true.
    pub trigger_on_join: bool,
    /// Default true.
    pub trigger_on_leave: bool,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            rated_message_size: 512,
            trigger_after_rated_messages: 0,
            trigger_after_duration: 0,
            trigger_on_join: true,
            trigger_on_leave: true,
        }
    }
}

/// What a peer may use up before it is refused. Each has a default that no ordinary application meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open transports. Default 10 000; one more is refused.
    pub transports: usize,
    /// Realms that come into being by themselves ([`Realms::Any`]). Default 1 000; a HELLO for one more is aborted.
    pub realms: usize,
    /// Deepest nesting of a message. Default 128; a deeper one is a protocol violation.
    pub message_depth: usize,
    /// Bytes of a message. Default 16 MiB; a longer one is a protocol violation.
    pub message_length: usize,
    /// Bytes of a HELLO, or of whatever else comes before a session: its details are kept as long as the session.
    /// Default 64 KiB; a longer one is a protocol violation. Its details, as all dictionaries that are read as they are,
    /// may hold one value for each 64 of these bytes, and 256 in any case.
    pub hello_length: usize,
    /// Bytes of a URI. Default 1 024; a longer one is an invalid URI.
    pub uri_length: usize,
    /// Sessions, authids and authroles that one PUBLISH may name as eligible or excluded, all told. Default 1 000; more
    /// are refused.
    pub audience: usize,
    /// Subscriptions of one session. Default 10 000; one more is refused.
    pub subscriptions: usize,
    /// Registrations of one session. Default 10 000; one more is refused.
    pub registrations: usize,
    /// Calls of one session that wait for their result. Default 10 000; one more is refused.
    pub calls: usize,
    /// Bytes of the arguments of one session's calls that are kept because they wait for a callee to be free, or because
    /// another callee may have to answer; and of the texts of their options, which are kept for calls in pieces, too.
    /// Default 16 MiB; one more call does not wait, is not rerouted, or has no pieces.
    pub kept_length: usize,
    /// Milliseconds in which an authorizer or authenticator must answer. Default 10 000, then it is as good as an error.
    pub answer_timeout_ms: u64,
    /// Requests of one session that wait for its authorizer. Default 1 000; one more is refused.
    pub waiting_requests: usize,
    /// Bytes of these requests. Default 16 MiB; what is beyond is refused.
    pub waiting_length: usize,
    /// Decisions of authorizers that a realm remembers. Default 10 000; with one more it begins anew.
    pub authorization_cache: usize,
    /// Testaments of one session. Default 100; one more is refused.
    pub testaments: usize,
    /// Bytes of all testaments of one session, each the PUBLISH that it stands for, in JSON. Default 64 KiB; one that
    /// makes it more is refused.
    pub testament_length: usize,
    /// Topics with retained events of one realm. Default 10 000; events of one more are published and not retained.
    pub retained_topics: usize,
    /// Bytes of the retained events of one realm, in memory. Default 16 MiB; what has no room is published and not
    /// retained.
    pub retained_length: usize,
    /// Bytes of the events in the histories of one realm, in memory. Default 64 MiB; then the oldest go.
    pub history_length: usize,
    /// Kept events that one request brings, be they of a history or retained ones of a pattern. Default 1 000; who asks a
    /// history for more asks again, who subscribes gets the newest.
    pub events_at_once: usize,
    /// Milliseconds in which a transport must say HELLO (again, after a GOODBYE). Default 10 000, then it is closed.
    pub hello_timeout_ms: u64,
    /// Logins that may fail at one address in a minute, or at all addresses of a /64 network of IPv6. Default 1 000; then
    /// every login from there is denied until the minute is over. Clients behind one proxy have one address. Only the
    /// native router knows addresses; clients over a unix socket have none.
    pub failed_logins: usize,
    /// Milliseconds in which a session must answer the router's GOODBYE. Default 5 000, then it is closed. At a native
    /// router also the time in which a connection that ends, whoever ends it, must take what waits for it.
    pub goodbye_timeout_ms: u64,
    /// Bytes that wait for the transport of one session. Default 16 MiB; what happens then is for `overflow` to say. A
    /// session whose bytes are encrypted, compressed or batched is not closed for up to 1 MiB more that came before any of
    /// it could be. Only the native router queues.
    pub queue_length: usize,
    /// What happens to a session that does not read what it is sent. Default it is closed.
    pub overflow: Overflow,
}

/// `limits.overflow`: what happens where [`Limits::queue_length`] is reached, or a limit of a long poll's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// `"close"`: the session is closed. The default.
    #[default]
    Close,
    /// `"drop"`: events for the session are dropped. Anything else is an answer that somebody waits for, and closes it.
    Drop,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transports: 10_000,
            realms: 1_000,
            message_depth: 128,
            message_length: 16 << 20,
            hello_length: 64 << 10,
            uri_length: 1_024,
            audience: 1_000,
            subscriptions: 10_000,
            registrations: 10_000,
            calls: 10_000,
            kept_length: 16 << 20,
            answer_timeout_ms: 10_000,
            waiting_requests: 1_000,
            waiting_length: 16 << 20,
            authorization_cache: 10_000,
            testaments: 100,
            testament_length: 64 << 10,
            retained_topics: 10_000,
            retained_length: 16 << 20,
            history_length: 64 << 20,
            events_at_once: 1_000,
            hello_timeout_ms: 10_000,
            failed_logins: 1_000,
            goodbye_timeout_ms: 5_000,
            queue_length: 16 << 20,
            overflow: Overflow::Close,
        }
    }
}

impl Limits {
    /// The part of the limits that the codecs keep.
    pub fn decode(&self) -> DecodeLimits {
        DecodeLimits {
            depth: self.message_depth,
            only_from_client: true,
            values: (self.hello_length / BYTES_OF_A_VALUE).max(MIN_VALUES),
            // One more says that there are too many.
            audience: self.audience.saturating_add(1),
        }
    }
}

/// Bytes of [`Limits::hello_length`] for each value of a dictionary: an empty map in a map takes 7 of a frame, and 450 of
/// memory.
const BYTES_OF_A_VALUE: usize = 64;

/// Values that a dictionary may hold whatever [`Limits::hello_length`] is: a client that announces all there is has 60.
const MIN_VALUES: usize = 256;
