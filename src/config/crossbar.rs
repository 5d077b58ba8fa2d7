//! Crossbar's JSON to a [`Config`].
//!
//! Owns which keys there are and what their values mean. Takes a Crossbar.io node (its `workers`) and wamplet's own form
//! (`realms` at the top), and in both the permissions of configuration versions 1 and 2 side by side. What a value is
//! called in a complaint, and where it stands, is in `cursor`; roles are read in `roles`. What a node of the native
//! router has beside realms and limits is read in `load`.
//!
//! Values:
//! * The name of a realm is a loose URI, since a HELLO with another one is aborted.
//! * `null` is the same as leaving the key out, but for `realms` and `workers`: who writes one of these does not want
//!   any realm there is.
//! * `{}`, `[]`, `false` and `null` at a key that is not served are no reason for a warning.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::auth::AuthReader;
use super::cursor::{Cursor, Key, Object, Report, quote};
use super::error::ConfigError;
use super::keys::{
    CALL_QUEUE_KEYS, CFXDB, HISTORY_KEYS, HISTORY_LIMIT, LIMIT_KEYS, LIMITS, MAX_HISTORY, MAX_QUEUED_CALLS,
    MAX_RATED_SIZE, MAX_RETAINED, MAX_TRIGGER, NO_CONNECTIONS, NO_CONTROLLER, NO_HOSTMONITOR, NO_MANHOLE,
    NO_MARKET, NO_PROXY, NO_TESTEE, ON_LEAVE, OVERFLOWS, QUEUED_CALLS, REALM_KEYS, REALM_OPTION_KEYS,
    RETENTION_KEYS, STATS_KEYS, STORE_KEYS, STORE_KINDS, URI_CHECKS,
};
use super::{
    CallQueue, CallQueues, Config, HistoryRule, Limits, Loaded, OnLeave, RealmConfig, Realms, RetentionRule,
    Stats, Store,
};
use crate::auth::Methods;
use crate::uri::{self, MatchPolicy, UriCheck};

/// Reads a whole configuration for a router that has neither listeners nor processes.
pub(super) fn read(value: &Value) -> Result<Loaded, ConfigError> {
    let mut report = Report::default();
    let config = read_config(&Cursor::root(value), &IN_PROCESS, &mut report).unwrap_or_default();
    Ok(Loaded { config, warnings: report.finish()? })
}

// Wherever a reader below answers `None` or goes on with a default, the report holds a problem, and no configuration
// comes out. Reading goes on all the same, so that all problems are found in one go.

/// The keys around the realms, which are served by some routers and not by others.
pub(super) struct Keys {
    /// Whether a program may hold the router, whose functions can be named.
    pub functions: bool,
    pub config: [(&'static str, Key); 9],
    pub workers: [(&'static str, Key); 7],
    pub router: [(&'static str, Key); 8],
    /// Whether clients come by message ports: then transports are read here.
    pub has_ports: bool,
    /// Whether a worker is of use even where none has realms.
    pub is_enough: fn(&Cursor<'_>) -> bool,
    /// What a node has at least.
    pub least_worker: &'static str,
}

/// Realms and limits.
pub(super) fn read_config(config: &Cursor<'_>, keys: &Keys, report: &mut Report) -> Option<Config> {
    if config.is_null() {
        return Some(Config::default());
    }
    let object = config.object(&keys.config, report)?;
    let limits = match object.get("limits") {
        Some(limits) => read_limits(&limits, report).unwrap_or_default(),
        None => Limits::default(),
    };
    let version = object.get("version");
    version.as_ref().and_then(|version| version.integer(1, LATEST_VERSION, report));
    let mut reader = Reader { report, keys, uri_length: limits.uri_length };
    let realms = match (object.given("realms"), object.given("workers")) {
        (Some(realms), None) => Some(reader.realms(&[realms])),
        (None, Some(workers)) => reader.workers(&workers),
        (Some(realms), Some(_)) => {
            realms.problem_found("\"realms\" inside a worker", "it beside \"workers\"", report)
        }
        // A node without realms serves nobody; taken for zero-config it would serve everybody.
        (None, None) if version.is_some() || object.get("controller").is_some() => {
            config.problem_found("the key \"workers\" or \"realms\"", "neither", report)
        }
        (None, None) => Some(Realms::Any),
    };
    let auth = match keys.has_ports {
        true => read_ports(&object, realms.as_ref(), report),
        false => None,
    };
    Some(Config { realms: realms?, limits, auth })
}

/// How clients at message ports authenticate: `auth` at the top, or that of the transport `messageport`.
fn read_ports(object: &Object<'_>, realms: Option<&Realms>, report: &mut Report) -> Option<Arc<Methods>> {
    let mut found = object.get("auth");
    if let Some(auth) = &found
        && object.get("workers").is_some()
    {
        auth.problem_found::<()>("\"auth\" in a transport of a worker", "it beside \"workers\"", report);
    }
    let mut transports: Vec<Cursor<'_>> = object.get("transports").into_iter().collect();
    if let Some(workers) = object.get("workers") {
        for worker in workers.items() {
            let worker = worker.any_object(&mut Report::default());
            let router = worker.filter(|worker| worker.required("type").is("router"));
            transports.extend(router.and_then(|router| router.get("transports")));
        }
    }
    for list in transports {
        let elements = list.elements(MAX_TRANSPORTS, "transports", report).unwrap_or_default();
        let (mut has_ports, mut has_others) = (false, false);
        for transport in elements {
            let Some(object) = transport.any_object(report) else { continue };
            if !object.required("type").is(MESSAGE_PORT) {
                has_others = true;
                continue;
            }
            has_ports = true;
            object.check_keys(&PORT_KEYS, report);
            let Some(auth) = object.get("auth") else { continue };
            if let Some(other) = &found {
                let text = format!("one \"auth\" for all ports (there is {} already)", other.path());
                auth.problem_found::<()>(&text, "another", report);
            }
            found = Some(auth);
        }
        if has_others {
            report.warn(list.path(), if has_ports { ONLY_PORTS } else { NO_TRANSPORTS });
        }
    }
    let mut reader = AuthReader {
        report,
        realms,
        environment: None,
        #[cfg(feature = "native")]
        has_cookies: false,
        #[cfg(feature = "native")]
        has_certificates: false,
        #[cfg(feature = "native")]
        has_proxies: false,
    };
    reader.read(&found?).map(|auth| Arc::new(auth.methods))
}

fn read_limits(limits: &Cursor<'_>, report: &mut Report) -> Option<Limits> {
    let object = limits.object(&LIMIT_KEYS, report)?;
    let mut limits = Limits::default();
    for (key, most, set) in LIMITS {
        if let Some(value) = object.get(key).and_then(|value| value.integer(1, most, report)) {
            set(&mut limits, value);
        }
    }
    if let Some(overflow) = object.get("overflow").and_then(|value| value.choice(&OVERFLOWS, report)) {
        limits.overflow = overflow;
    }
    Some(limits)
}

/// What is needed to read realms.
pub(super) struct Reader<'r> {
    pub report: &'r mut Report,
    pub keys: &'r Keys,
    /// [`Limits::uri_length`]
    pub uri_length: usize,
}

/// `options` of a realm.
#[derive(Default)]
struct RealmOptions {
    uri_check: UriCheck,
    on_leave: OnLeave,
    has_meta_api: bool,
    checks_request_ids: bool,
}

impl Reader<'_> {
    fn workers(&mut self, workers: &Cursor<'_>) -> Option<Realms> {
        let elements = workers.elements(MAX_WORKERS, "workers", self.report)?;
        let lists: Vec<_> = elements.iter().filter_map(|worker| self.realms_of_worker(worker)).collect();
        let is_enough = !lists.is_empty() || elements.iter().any(self.keys.is_enough);
        if !is_enough && !self.report.has_problems() {
            return workers.problem_found(self.keys.least_worker, "none", self.report);
        }
        Some(self.realms(&lists))
    }

    fn realms_of_worker<'a>(&mut self, worker: &Cursor<'a>) -> Option<Cursor<'a>> {
        let object = worker.any_object(self.report)?;
        let kind = object.required("type");
        match kind.choice(&self.keys.workers, self.report)? {
            Key::NotServed(message) => {
                self.report.warn(worker.path(), message);
                None
            }
            _ if kind.is("router") => {
                object.check_keys(&self.keys.router, self.report);
                object.get("realms")
            }
            // Without realms; whoever serves it reads it.
            _ => None,
        }
    }

    fn realms(&mut self, lists: &[Cursor<'_>]) -> Realms {
        let mut names = Paths::new();
        let mut realms = Vec::new();
        let unique = if lists.len() > 1 { UNIQUE_IN_NODE } else { UNIQUE_REALM };
        for (index, list) in lists.iter().enumerate() {
            if index > 0 && self.keys.has_ports {
                self.report.warn(list.path(), ALL_WORKERS);
            }
            self.realms_in(list, &mut names, unique, &mut realms);
        }
        Realms::Named(realms)
    }

    fn realms_in(
        &mut self,
        list: &Cursor<'_>,
        names: &mut Paths,
        unique: &str,
        realms: &mut Vec<RealmConfig>,
    ) -> Option<()> {
        let elements = list.elements(MAX_REALMS, "realms", self.report)?;
        if elements.is_empty() {
            return list.problem_found("at least one realm", "none", self.report);
        }
        for realm in &elements {
            realms.extend(self.realm(realm, names, unique));
        }
        Some(())
    }

    fn realm(&mut self, realm: &Cursor<'_>, names: &mut Paths, unique: &str) -> Option<RealmConfig> {
        let object = realm.object(&REALM_KEYS, self.report)?;
        let name = self.name(&object, names, unique, REALM_NAME, |name| uri::is_valid(name, UriCheck::Loose));
        let options = match object.get("options") {
            Some(options) => self.realm_options(&options),
            None => {
                Some(RealmOptions { has_meta_api: true, checks_request_ids: true, ..RealmOptions::default() })
            }
        };
        let roles = self.roles(&object.required("roles"));
        let stats = object.get("stats").and_then(|stats| self.stats(&stats));
        let stored = object.get("store").and_then(|store| store.object(&STORE_KEYS, self.report));
        let (store, call_queues) = match stored {
            Some(stored) => (Some(self.store(&stored)), self.call_queues(&stored)),
            None => (None, CallQueues::default()),
        };
        let RealmOptions { uri_check, on_leave, has_meta_api, checks_request_ids } = options?;
        Some(RealmConfig {
            name: name?,
            roles: roles?,
            uri_check,
            on_leave,
            has_meta_api,
            checks_request_ids,
            stats,
            store,
            call_queues,
        })
    }

    fn call_queues(&mut self, store: &Object<'_>) -> CallQueues {
        let mut rules = Vec::new();
        self.patterns(store, "call-queue", &CALL_QUEUE_KEYS, |reader, object, uri, match_policy| {
            let limit = reader.limit_or(object, 1, MAX_QUEUED_CALLS, QUEUED_CALLS);
            rules.push(CallQueue { uri, match_policy, limit });
        });
        CallQueues::new(rules)
    }

    fn store(&mut self, object: &Object<'_>) -> Store {
        let kind = object.get("type").and_then(|kind| kind.choice(&STORE_KINDS, self.report));
        let path = object.get("path").and_then(|path| match path.string("a file", self.report)? {
            "" => path.problem("a file", self.report),
            file => Some(file.to_owned()),
        });
        let is_foreign = object.required("type").is(CFXDB);
        if is_foreign {
            self.report.warn(object.required("type").path(), FOREIGN_DATABASE);
        }
        let path = path.filter(|_| !is_foreign);
        let limit = self.limit_or(object, 1, MAX_HISTORY, HISTORY_LIMIT);
        let mut store = Store { kind: kind.unwrap_or_default(), path, ..Store::default() };
        self.patterns(object, "event-history", &HISTORY_KEYS, |reader, object, uri, match_policy| {
            let limit = reader.limit_or(object, 1, MAX_HISTORY, limit);
            store.history.push(HistoryRule { uri, match_policy, limit });
        });
        self.patterns(object, "event-retention", &RETENTION_KEYS, |reader, object, uri, match_policy| {
            let limit = reader.limit_or(object, 0, MAX_RETAINED, RetentionRule::LIMIT);
            let expiry = object.get("expires_after");
            let expires_after_s = expiry.and_then(|expiry| expiry.integer(1, MAX_TRIGGER, reader.report));
            store.retention.push(RetentionRule { uri, match_policy, limit, expires_after_s });
        });
        store
    }

    fn limit_or(&mut self, object: &Object<'_>, least: u64, most: u64, default: usize) -> usize {
        let limit = object.get("limit").and_then(|limit| limit.integer(least, most, self.report));
        limit.map_or(default, |limit| limit as usize)
    }

    /// The objects of a list, each with a pattern that no other has.
    fn patterns(
        &mut self,
        object: &Object<'_>,
        key: &str,
        keys: &[(&str, Key)],
        mut read: impl FnMut(&mut Self, &Object<'_>, String, MatchPolicy),
    ) -> Option<()> {
        let mut paths = Paths::new();
        for element in object.get(key)?.elements(MAX_STORED, "topics and patterns", self.report)? {
            let Some(object) = element.object(keys, self.report) else { continue };
            let Some((uri, policy)) = self.pattern(&object) else { continue };
            if let Some(earlier) = paths.insert(format!("{} {uri}", policy.as_str()), element.path().into()) {
                let found = format!("the same as {}", earlier.as_str().unwrap_or_default());
                element.problem_found::<()>("a pattern that no other has", &found, self.report);
            }
            read(self, &object, uri, policy);
        }
        Some(())
    }

    fn stats(&mut self, stats: &Cursor<'_>) -> Option<Stats> {
        let object = stats.object(&STATS_KEYS, self.report)?;
        let mut stats = Stats::default();
        let size = object.get("rated_message_size");
        if let Some(size) = size.and_then(|size| size.power_of_two(1, MAX_RATED_SIZE, self.report)) {
            stats.rated_message_size = size as u32;
        }
        stats.trigger_after_rated_messages = self.trigger(&object, "trigger_after_rated_messages");
        stats.trigger_after_duration = self.trigger(&object, "trigger_after_duration");
        stats.trigger_on_join = self.flag_or(&object, "trigger_on_join", true);
        stats.trigger_on_leave = self.flag_or(&object, "trigger_on_leave", true);
        Some(stats)
    }

    fn trigger(&mut self, object: &Object<'_>, key: &str) -> u32 {
        let value = object.get(key).and_then(|value| value.integer(0, MAX_TRIGGER, self.report));
        value.unwrap_or_default() as u32
    }

    fn realm_options(&mut self, options: &Cursor<'_>) -> Option<RealmOptions> {
        let object = options.object(&REALM_OPTION_KEYS, self.report)?;
        if let Some(value) = object.get("bridge_meta_api")
            && value.boolean(self.report) == Some(true)
        {
            self.report.warn(value.path(), "the meta API is not bridged: there is no management realm");
        }
        let has_meta_api = self.flag_or(&object, "enable_meta_api", true);
        let checks_request_ids = self.flag_or(&object, "strict_request_ids", true);
        let uri_check = object.get("uri_check").and_then(|value| value.choice(&URI_CHECKS, self.report));
        let on_leave = object.get("session_on_leave").and_then(|value| value.choice(&ON_LEAVE, self.report));
        let (uri_check, on_leave) = (uri_check.unwrap_or_default(), on_leave.unwrap_or_default());
        Some(RealmOptions { uri_check, on_leave, has_meta_api, checks_request_ids })
    }

    /// The name of a realm or role, unless another one has it.
    pub(super) fn name(
        &mut self,
        object: &Object<'_>,
        names: &mut Paths,
        unique: &str,
        expected: &str,
        is_valid: fn(&str) -> bool,
    ) -> Option<String> {
        let value = object.required("name");
        let name = value.string(expected, self.report)?;
        if !is_valid(name) {
            return value.problem(expected, self.report);
        }
        self.check_length(&value, name)?;
        if let Some(other) = names.insert(name.to_owned(), value.path().into()) {
            let found = format!("{}, the same as {}", quote(name), other.as_str().unwrap_or_default());
            return value.problem_found(unique, &found, self.report);
        }
        Some(name.to_owned())
    }

    pub(super) fn check_length(&mut self, value: &Cursor<'_>, text: &str) -> Option<()> {
        if text.len() <= self.uri_length {
            return Some(());
        }
        let expected = format!("at most {} bytes (limits.uri_length)", self.uri_length);
        value.problem_found(&expected, &format!("{} bytes", text.len()), self.report)
    }

    pub(super) fn flag(&mut self, object: &Object<'_>, key: &str) -> bool {
        self.flag_or(object, key, false)
    }

    fn flag_or(&mut self, object: &Object<'_>, key: &str, default: bool) -> bool {
        object.get(key).and_then(|value| value.boolean(self.report)).unwrap_or(default)
    }
}

/// name of a realm or role, or pattern of a permission -> path
///
/// The JSON map is in the binary anyway; a map of strings would be a few more kilobytes for the tab to load.
pub(super) type Paths = Map<String, Value>;

/// The versions of Crossbar's format are 1 (flat booleans) and 2 (`allow`); each may hold permissions of both.
const LATEST_VERSION: u64 = 2;

// What one configuration may hold. Each is far beyond what a router in a tab, or an operator's file, has; more is a
// mistake (a generator run wild), and is refused rather than indexed.
const MAX_WORKERS: usize = 1_000;
pub(super) const MAX_TRANSPORTS: usize = 1_000;
const MAX_REALMS: usize = 1_000;

/// What is said of the realms of another router worker, where clients come by ports.
const ALL_WORKERS: &str = "are open to all ports, which are of no worker: what keeps a client out of a realm is that it has no \
     role there";
/// Histories, rules of retention, or queues of calls, of one realm.
const MAX_STORED: usize = 1_000;

const UNIQUE_REALM: &str = "a name that no other realm has";
/// By its name alone a realm is found again in stores, logs, metrics and cookies, and when a file is read anew.
const UNIQUE_IN_NODE: &str = "a name that no other realm has, in other workers either: one name is one realm here (rename it, or \
     run the worker as a router of its own)";
const FOREIGN_DATABASE: &str =
    "is wamplet's own database, at its default path: it begins without the events of Crossbar.io";
const REALM_NAME: &str = "the name of a realm: a URI without white space, \"#\" and empty components";

/// A router in a tab, or in a program that holds it.
static IN_PROCESS: Keys = Keys {
    functions: true,
    config: [
        ("$schema", Key::Served),
        ("version", Key::Served),
        ("controller", NO_CONTROLLER),
        ("workers", Key::Served),
        ("realms", Key::Served),
        ("limits", Key::Served),
        ("transports", Key::Served),
        ("components", COMPONENTS),
        ("auth", Key::Served),
    ],
    workers: [
        ("router", Key::Served),
        ("container", NO_CONTAINER),
        ("guest", Key::NotServed("a router in a browser starts no processes")),
        ("proxy", NO_PROXY),
        ("hostmonitor", NO_HOSTMONITOR),
        ("websocket-testee", NO_TESTEE),
        ("xbrmm", NO_MARKET),
    ],
    router: [
        ("type", Key::Served),
        ("id", Key::Served),
        ("options", Key::NotServed("these are for processes, and have no effect here")),
        ("manhole", NO_MANHOLE),
        ("realms", Key::Served),
        ("transports", Key::Served),
        ("components", COMPONENTS),
        ("connections", NO_CONNECTIONS),
    ],
    has_ports: true,
    is_enough: |_| false,
    least_worker: "a worker of type \"router\" with \"realms\"",
};

const NO_TRANSPORTS: &str = "a router in a browser has no listeners: clients join as \"anonymous\", unless a transport of \
    the type \"messageport\" has an \"auth\"";
const ONLY_PORTS: &str = "a router in a browser has no listeners: \"messageport\" alone is served";

/// All ports that a router in a browser hands out.
pub(super) const MESSAGE_PORT: &str = "messageport";

const PORT_KEYS: [(&str, Key); 3] = [("id", Key::Served), ("type", Key::Served), ("auth", Key::Served)];
const NO_CONTAINER: Key =
    Key::NotServed("there are no containers in a browser: what runs in one can join like other clients");
/// In JavaScript they are read, and warned of one by one, where they are started: in `www/lib/components.ts`.
const COMPONENTS: Key = match cfg!(target_family = "wasm") {
    true => Key::Served,
    false => Key::NotServed("the program that holds the router has to start them itself"),
};
