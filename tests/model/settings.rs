//! Configurations that random runs are made with, as plain data: what the model reads, and what becomes a
//! configuration of the router.

use serde_json::{Value, json};
use wamplet::auth::Ask;
use wamplet::auth::authorizer::{self, Role};
use wamplet::config::{Config, Realms};

/// What a router serves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A HELLO may bring a realm into being, and none is configured.
    pub any_realm: bool,
    pub realms: Vec<RealmSettings>,
    pub limits: Limits,
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

/// One permission.
#[derive(Clone, Debug)]
pub struct Rule {
    pub uri: &'static str,
    pub policy: &'static str,
    /// Letters of `call`, `register`, `publish`, `subscribe` that are allowed: `"crps"` is everything.
    pub allow: &'static str,
    pub discloses_caller: bool,
    pub discloses_publisher: bool,
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
    answer_timeout_ms: 300,
    hello_timeout_ms: 2_000,
    goodbye_timeout_ms: 1_000,
};

const fn rule(uri: &'static str, policy: &'static str, allow: &'static str) -> Rule {
    Rule { uri, policy, allow, discloses_caller: false, discloses_publisher: false }
}

impl Settings {
    /// How many different ones there are.
    pub const COUNT: usize = 5;

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
                wildcard.discloses_caller = true;
                let mut publishing = rule("a.c", "prefix", "crps");
                publishing.discloses_publisher = true;
                let user = RoleSettings {
                    name: "user",
                    authorizer: None,
                    rules: vec![
                        rule("a.", "prefix", "crps"),
                        rule("a.b", "exact", "c"),
                        rule("b.b", "prefix", "crs"),
                        wildcard,
                        publishing,
                        rule("wamp.", "prefix", "cs"),
                        rule("wamp.session.kill", "exact", ""),
                    ],
                };
                let mut anonymous = open("anonymous");
                anonymous.rules.push(rule("a.b.c", "exact", "r"));
                let first = RealmSettings {
                    is_strict: true,
                    leaves_with_three: true,
                    ..realm("realm1", vec![anonymous, user])
                };
                vec![first, realm("realm3", vec![open("admin"), open("anonymous")])]
            }
            2 => Vec::new(),
            3 => vec![realm("realm1", vec![open("user"), open("admin")])],
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
                    realm("realm1", vec![open("anonymous"), user, admin]),
                    realm("realm2", vec![anonymous, open("user")]),
                ]
            }
        };
        Self { any_realm: realms.is_empty(), realms, limits: LIMITS }
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
            "answer_timeout_ms": self.limits.answer_timeout_ms,
            "hello_timeout_ms": self.limits.hello_timeout_ms,
            "goodbye_timeout_ms": self.limits.goodbye_timeout_ms,
        } });
        if !self.any_realm {
            config["realms"] = self.realms.iter().map(RealmSettings::config).collect();
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
        config
    }
}

impl RealmSettings {
    /// A realm that nobody configured: one role, which may do everything.
    pub fn open() -> Self {
        let rules = vec![rule("", "prefix", "crps")];
        let roles = vec![RoleSettings { name: "anonymous", rules, authorizer: None }];
        Self { name: "", is_strict: false, leaves_with_three: false, has_meta_api: true, roles }
    }

    /// Every realm has the role of those whom the driver trusts as itself.
    pub fn has_role(&self, name: &str) -> bool {
        name == "trusted" || self.roles.iter().any(|role| role.name == name)
    }

    fn config(&self) -> Value {
        let roles: Vec<Value> = self.roles.iter().map(RoleSettings::config).collect();
        let on_leave = if self.leaves_with_three { "session_authid_authrole" } else { "session" };
        json!({
            "name": self.name,
            "roles": roles,
            "options": {
                "uri_check": if self.is_strict { "strict" } else { "loose" },
                "session_on_leave": on_leave,
                "enable_meta_api": self.has_meta_api,
            },
        })
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
        json!({
            "uri": self.uri,
            "match": self.policy,
            "allow": {
                "call": self.allows("call"),
                "register": self.allows("register"),
                "publish": self.allows("publish"),
                "subscribe": self.allows("subscribe"),
            },
            "disclose": { "caller": self.discloses_caller, "publisher": self.discloses_publisher },
        })
    }
}
