//! Configurations that random runs are made with, as plain data: what the model reads, and what becomes a
//! configuration of the router.

use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value, json};
use wamplet::auth::authorizer::{self, Role};
use wamplet::auth::{self, Anonymous, Ask, Grant, Methods, Principal, Principals, Provider, Ticket};
use wamplet::config::{Config, Realms};

/// What a router serves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A HELLO may bring a realm into being, and none is configured.
    pub any_realm: bool,
    pub realms: Vec<Rc<RealmSettings>>,
    pub limits: Limits,
    /// How clients authenticate to whom the driver gives no identity; nothing is not at all.
    pub auth: Option<Auth>,
}

/// How clients authenticate.
#[derive(Clone, Debug)]
pub struct Auth {
    /// Who is asked about those who prove nothing; nobody lets them in with the role `anonymous`.
    pub anonymous: Option<Authenticator>,
    pub ticket: Tickets,
}

/// Whose tickets are right.
#[derive(Clone, Debug)]
pub enum Tickets {
    Static(Vec<Holder>),
    Dynamic(Authenticator),
}

/// Somebody with a ticket.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    pub authid: &'static str,
    pub ticket: &'static str,
    pub role: &'static str,
    pub realm: Option<&'static str>,
}

/// Who is asked who somebody is: a function, or else a procedure of the realm that HELLO names.
#[derive(Clone, Debug)]
pub struct Authenticator {
    pub function: Option<&'static str>,
    pub procedure: &'static str,
    pub default_role: Option<&'static str>,
}

/// The limits that random runs meet.
#[derive(Clone, Debug)]
pub struct Limits {
    pub realms: usize,
    pub uri_length: usize,
    pub audience: usize,
    pub subscriptions: usize,
    pub registrations: usize,
    pub calls: usize,
    pub testaments: usize,
    pub waiting_requests: usize,
    pub retained_topics: usize,
    pub events_at_once: usize,
    pub answer_timeout_ms: u64,
    pub hello_timeout_ms: u64,
    pub goodbye_timeout_ms: u64,
}

#[derive(Clone, Debug)]
pub struct RealmSettings {
    pub name: &'static str,
    /// `uri_check`.
    pub is_strict: bool,
    /// `session_on_leave`: the specification's three positionals.
    pub leaves_with_three: bool,
    /// `enable_meta_api`.
    pub has_meta_api: bool,
    /// `call-queue` of the store.
    pub call_queue: Vec<StoreRule>,
    /// `event-history` of the store.
    pub history: Vec<StoreRule>,
    /// `event-retention` of the store.
    pub retention: Vec<StoreRule>,
    pub roles: Vec<RoleSettings>,
}

#[derive(Clone, Debug)]
pub struct RoleSettings {
    pub name: &'static str,
    pub rules: Vec<Rule>,
    /// Who decides in the place of the rules.
    pub authorizer: Option<Authorizer>,
}

/// Who is asked what a role may do.
#[derive(Clone, Debug)]
pub struct Authorizer {
    /// A procedure of the realm, or a function of the driver.
    pub name: &'static str,
    pub is_function: bool,
    pub cache_ms: u64,
}

/// What is kept of some topics, or how many calls of some procedures wait.
#[derive(Clone, Copy, Debug)]
pub struct StoreRule {
    pub uri: &'static str,
    pub policy: &'static str,
    pub limit: usize,
    /// Of retained events.
    pub expires_after_s: Option<u64>,
}

/// Whether a caller or publisher is revealed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Disclosure {
    #[default]
    OnRequest,
    Always,
    Never,
}

/// One permission.
#[derive(Clone, Debug)]
pub struct Rule {
    pub uri: &'static str,
    pub policy: &'static str,
    /// Letters of `call`, `register`, `publish`, `subscribe` that are allowed: `"crps"` is everything.
    pub allow: &'static str,
    pub caller: Disclosure,
    pub publisher: Disclosure,
    pub trustlevel: Option<u64>,
}

const LIMITS: Limits = Limits {
    realms: 2,
    uri_length: 40,
    audience: 4,
    subscriptions: 5,
    registrations: 5,
    calls: 4,
    testaments: 3,
    waiting_requests: 3,
    retained_topics: 3,
    events_at_once: 3,
    answer_timeout_ms: 300,
    hello_timeout_ms: 2_000,
    goodbye_timeout_ms: 1_000,
};

const fn store(uri: &'static str, policy: &'static str, limit: usize) -> StoreRule {
    StoreRule { uri, policy, limit, expires_after_s: None }
}

const fn rule(uri: &'static str, policy: &'static str, allow: &'static str) -> Rule {
    let (caller, publisher) = (Disclosure::OnRequest, Disclosure::OnRequest);
    Rule { uri, policy, allow, caller, publisher, trustlevel: None }
}

impl Settings {
    /// How many different ones there are.
    pub const COUNT: usize = 7;

    /// One of them.
    pub fn of(number: usize) -> Self {
        let open = |name| RoleSettings { name, rules: vec![rule("", "prefix", "crps")], authorizer: None };
        let realm = |name, roles| RealmSettings { name, roles, ..RealmSettings::open() };
        let realms = match number {
            0 => vec![
                realm("realm1", vec![open("anonymous"), open("user"), open("admin")]),
                RealmSettings {
                    has_meta_api: false,
                    ..realm("realm2", vec![open("anonymous"), open("user")])
                },
            ],
            1 => {
                let mut wildcard = rule(".b.", "wildcard", "cp");
                wildcard.caller = Disclosure::Always;
                wildcard.trustlevel = Some(3);
                let mut publishing = rule("a.c", "prefix", "crps");
                publishing.publisher = Disclosure::Always;
                publishing.trustlevel = Some(0);
                let mut hidden = rule("a.b.d", "exact", "crps");
                (hidden.caller, hidden.publisher) = (Disclosure::Never, Disclosure::Never);
                hidden.trustlevel = Some(7);
                let user = RoleSettings {
                    name: "user",
                    authorizer: None,
                    rules: vec![
                        rule("a.", "prefix", "crps"),
                        rule("a.b", "exact", "c"),
                        rule("b.b", "prefix", "crs"),
                        wildcard,
                        hidden,
                        publishing,
                        rule("wamp.", "prefix", "cs"),
                        rule("wamp.session.kill", "exact", ""),
                    ],
                };
                let mut anonymous = open("anonymous");
                anonymous.rules.push(rule("a.b.c", "exact", "r"));
                let expiring = StoreRule { expires_after_s: Some(1), ..store("a.c", "prefix", 2) };
                let first = RealmSettings {
                    history: vec![
                        store("a.b", "exact", 3),
                        store("a.", "prefix", 5),
                        store(".b.", "wildcard", 2),
                    ],
                    retention: vec![store("a.", "prefix", 1), store("a.b.c", "exact", 0), expiring],
                    is_strict: true,
                    leaves_with_three: true,
                    call_queue: vec![store("", "prefix", 1), store("a.b", "exact", 2)],
                    ..realm("realm1", vec![anonymous, user])
                };
                vec![first, realm("realm3", vec![open("admin"), open("anonymous")])]
            }
            2 => Vec::new(),
            3 => {
                let call_queue = vec![store("a.", "prefix", 3), store(".c", "wildcard", 2)];
                let roles = vec![open("user"), open("admin"), open("anonymous")];
                let history = vec![store("a.b", "prefix", 4), store("b.c", "exact", 2)];
                let retention = vec![store("", "prefix", 2)];
                vec![RealmSettings { call_queue, history, retention, ..realm("realm1", roles) }]
            }
            6 => {
                let history = vec![store("b.c", "exact", 2), store("", "prefix", 9)];
                let roles = || vec![open("user"), open("admin"), open("anonymous")];
                vec![RealmSettings { history, ..realm("realm1", roles()) }, realm("realm2", roles())]
            }
            5 => vec![realm("realm1", vec![open("user"), open("anonymous"), open("admin")])],
            _ => {
                let asking = |name, procedure, is_function, cache_ms| RoleSettings {
                    name,
                    rules: Vec::new(),
                    authorizer: Some(Authorizer { name: procedure, is_function, cache_ms }),
                };
                let user = asking("user", "check", true, 400);
                let admin = asking("admin", "a.c", false, 1_000);
                let anonymous = asking("anonymous", "a.c", false, 0);
                vec![
                    RealmSettings {
                        history: vec![store("a.", "prefix", 3)],
                        ..realm("realm1", vec![open("anonymous"), user, admin])
                    },
                    realm("realm2", vec![anonymous, open("user")]),
                ]
            }
        };
        let auth = match number {
            5 => {
                let holder = |authid, ticket, role| Holder { authid, ticket, role, realm: None };
                let root = Holder { realm: Some("realm1"), ..holder("root", "top", "admin") };
                let holders = vec![
                    holder("joe", "old", "admin"),
                    holder("joe", "secret", "user"),
                    root,
                    holder("nobody", "", "nobody"),
                ];
                Some(Auth { anonymous: None, ticket: Tickets::Static(holders) })
            }
            6 => {
                let function =
                    |name| Authenticator { function: Some(name), procedure: "", default_role: None };
                let procedure =
                    Authenticator { function: None, procedure: "b.c", default_role: Some("user") };
                Some(Auth { anonymous: Some(function("admit")), ticket: Tickets::Dynamic(procedure) })
            }
            _ => None,
        };
        let realms: Vec<_> = realms.into_iter().map(Rc::new).collect();
        Self { any_realm: realms.is_empty(), realms, limits: LIMITS, auth }
    }

    /// The configuration that says the same.
    pub fn config(&self) -> Config {
        let mut config = json!({ "limits": {
            "realms": self.limits.realms,
            "uri_length": self.limits.uri_length,
            "audience": self.limits.audience,
            "subscriptions": self.limits.subscriptions,
            "registrations": self.limits.registrations,
            "calls": self.limits.calls,
            "testaments": self.limits.testaments,
            "waiting_requests": self.limits.waiting_requests,
            "retained_topics": self.limits.retained_topics,
            "events_at_once": self.limits.events_at_once,
            "answer_timeout_ms": self.limits.answer_timeout_ms,
            "hello_timeout_ms": self.limits.hello_timeout_ms,
            "goodbye_timeout_ms": self.limits.goodbye_timeout_ms,
        } });
        if !self.any_realm {
            config["realms"] = self.realms.iter().map(|realm| realm.config()).collect();
        }
        let mut config = Config::from_value(&config).expect("the settings are a valid configuration").config;
        if let Realms::Named(realms) = &mut config.realms {
            for (realm, settings) in realms.iter_mut().zip(&self.realms) {
                for (role, settings) in realm.roles.iter_mut().zip(&settings.roles) {
                    if let Some(authorizer) = &settings.authorizer {
                        *role = Role::dynamic(settings.name, authorizer.config());
                    }
                }
            }
        }
        config.auth = self.auth.as_ref().map(Auth::config);
        config
    }
}

impl Auth {
    fn config(&self) -> Arc<Methods> {
        let grant = |role: &str| Grant { role: role.into(), ..Grant::default() };
        let anonymous = match &self.anonymous {
            Some(authenticator) => Anonymous::Dynamic(authenticator.config()),
            None => Anonymous::Static(grant("anonymous")),
        };
        let ticket = match &self.ticket {
            Tickets::Static(holders) => {
                let principal = |holder: &Holder| Principal {
                    authid: holder.authid.into(),
                    credential: Ticket(holder.ticket.into()),
                    grant: Grant { realm: holder.realm.map(str::to_owned), ..grant(holder.role) },
                };
                Provider::Static(Principals::new(holders.iter().map(principal).collect()))
            }
            Tickets::Dynamic(authenticator) => Provider::Dynamic(authenticator.config()),
        };
        Arc::new(Methods { anonymous: Some(anonymous), ticket: Some(ticket), ..Methods::default() })
    }
}

impl Authenticator {
    fn config(&self) -> auth::Authenticator {
        let ask = match self.function {
            Some(name) => Ask::Function(name.into()),
            None => Ask::Procedure { uri: self.procedure.into(), realm: None },
        };
        auth::Authenticator { ask, default_role: self.default_role.map(str::to_owned) }
    }
}

impl RealmSettings {
    /// A realm that nobody configured: one role, which may do everything.
    pub fn open() -> Self {
        let rules = vec![rule("", "prefix", "crps")];
        let roles = vec![RoleSettings { name: "anonymous", rules, authorizer: None }];
        Self {
            name: "",
            is_strict: false,
            leaves_with_three: false,
            has_meta_api: true,
            call_queue: Vec::new(),
            history: Vec::new(),
            retention: Vec::new(),
            roles,
        }
    }

    /// Every realm has the role of those whom the driver trusts as itself.
    pub fn has_role(&self, name: &str) -> bool {
        name == "trusted" || self.roles.iter().any(|role| role.name == name)
    }

    fn config(&self) -> Value {
        let rules = |rules: &[StoreRule]| rules.iter().map(StoreRule::config).collect::<Vec<Value>>();
        let roles: Vec<Value> = self.roles.iter().map(RoleSettings::config).collect();
        let on_leave = if self.leaves_with_three { "session_authid_authrole" } else { "session" };
        json!({
            "name": self.name,
            "roles": roles,
            "store": {
                "call-queue": rules(&self.call_queue),
                "event-history": rules(&self.history),
                "event-retention": rules(&self.retention),
            },
            "options": {
                "uri_check": if self.is_strict { "strict" } else { "loose" },
                "session_on_leave": on_leave,
                "enable_meta_api": self.has_meta_api,
            },
        })
    }
}

impl StoreRule {
    fn config(&self) -> Value {
        let mut config = json!({ "uri": self.uri, "match": self.policy, "limit": self.limit });
        if let Some(seconds) = self.expires_after_s {
            config["expires_after"] = seconds.into();
        }
        config
    }
}

impl Disclosure {
    fn config(self) -> Value {
        match self {
            Self::OnRequest => false.into(),
            Self::Always => true.into(),
            Self::Never => "never".into(),
        }
    }
}

impl RoleSettings {
    fn config(&self) -> Value {
        let permissions: Vec<Value> = self.rules.iter().map(Rule::config).collect();
        json!({ "name": self.name, "permissions": permissions })
    }
}

impl Authorizer {
    fn config(&self) -> authorizer::Authorizer {
        let ask = match self.is_function {
            true => Ask::Function(self.name.into()),
            false => Ask::Procedure { uri: self.name.into(), realm: None },
        };
        authorizer::Authorizer { cache_ms: self.cache_ms, ..authorizer::Authorizer::new(ask) }
    }
}

impl Rule {
    pub fn allows(&self, action: &str) -> bool {
        self.allow.contains(&action[..1])
    }

    fn config(&self) -> Value {
        let mut config = json!({
            "uri": self.uri,
            "match": self.policy,
            "allow": {
                "call": self.allows("call"),
                "register": self.allows("register"),
                "publish": self.allows("publish"),
                "subscribe": self.allows("subscribe"),
            },
            "disclose": { "caller": self.caller.config(), "publisher": self.publisher.config() },
        });
        if let Some(trustlevel) = self.trustlevel {
            config["trustlevel"] = trustlevel.into();
        }
        config
    }
}
