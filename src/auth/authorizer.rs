//! Authorization: the roles of a realm, and the permissions or the authorizer of a role.
//!
//! Owns the choice of the one permission that decides about a URI, and the reading of what an authorizer answers. Reading
//! permissions from a configuration is in [`config`](crate::config); how an authorizer is asked, in
//! [`router`](crate::router).

use std::sync::Arc;

use serde_json::Value;

use super::decider::Ask;
use crate::payload::Values;
use crate::router::pattern_index::PatternIndex;
use crate::uri::MatchPolicy;

/// What a session asks to do with a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Call,
    Register,
    Publish,
    Subscribe,
}

impl Action {
    /// The name in configurations, and in sentences: `call`, `register`, `publish`, `subscribe`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Register => "register",
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }
}

/// The actions that a permission allows. Default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    pub call: bool,
    pub register: bool,
    pub publish: bool,
    pub subscribe: bool,
}

/// What a permission says about the identity of callers and publishers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disclose {
    pub caller: Disclosure,
    pub publisher: Disclosure,
}

/// Whether a caller or publisher is revealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disclosure {
    /// To whom it wants to be (`disclose_me`), and to callees that ask for all their callers. The default.
    #[default]
    OnRequest,
    /// Without being asked.
    Always,
    /// To nobody; asking for it is refused.
    Never,
}

impl Disclosure {
    /// Whether somebody is revealed, who or whose peer has `asked` for it or not.
    pub fn reveals(self, asked: bool) -> bool {
        match self {
            Self::OnRequest => asked,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// One rule of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The URI or pattern that the rule is about.
    pub uri: String,
    pub match_policy: MatchPolicy,
    pub allow: Allow,
    pub disclose: Disclose,
    /// What callees and subscribers are told of how far this role is trusted there: 0 is the least. Default nothing.
    pub trustlevel: Option<u64>,
}

/// The answer about one action on one URI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    pub allow: bool,
    /// Whether the caller or publisher is revealed.
    pub disclose: Disclosure,
    /// Of a call or publication.
    pub trustlevel: Option<u64>,
}

/// Who decides for a role in the place of permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorizer {
    /// Asked with the details of the session, the URI, the name of the action and the options of the request; the answer
    /// is a [`Verdict`].
    pub ask: Ask,
    /// Milliseconds for which a decision is remembered that says it may be; 0 is not at all. Default 60 000.
    pub cache_ms: u64,
}

impl Authorizer {
    /// [`cache_ms`](Self::cache_ms) where nobody says otherwise.
    pub const CACHE_MS: u64 = 60_000;

    /// An authorizer with the default lifetime of its decisions.
    pub fn new(ask: Ask) -> Self {
        Self { ask, cache_ms: Self::CACHE_MS }
    }
}

/// What an authorizer answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub decision: Decision,
    /// Whether the decision may be remembered.
    pub cache: bool,
}

impl Verdict {
    /// Reads `true`, `false` or `{allow, disclose, cache}`, of which the last two may be left out; the first argument.
    ///
    /// # Errors
    /// What was expected in the place of anything else.
    pub fn from_answer(values: &Values) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "expected true, false, or a dictionary of allow, and perhaps disclose and cache";
        let (mut decision, mut cache) = (Decision::default(), false);
        let mut disclose = false;
        match values.args.first() {
            Some(Value::Bool(allow)) => decision.allow = *allow,
            Some(Value::Object(answer)) if answer.get("allow").is_some_and(Value::is_boolean) => {
                for (key, value) in answer {
                    let flag = match key.as_str() {
                        "allow" => &mut decision.allow,
                        "disclose" => &mut disclose,
                        "cache" => &mut cache,
                        // Crossbar.io's: types to check payloads with, where there are any.
                        "validate" if value.is_null() => continue,
                        _ => return Err(EXPECTED),
                    };
                    *flag = match value {
                        Value::Bool(value) => *value,
                        Value::Null => false,
                        _ => return Err(EXPECTED),
                    };
                }
            }
            _ => return Err(EXPECTED),
        }
        if disclose {
            decision.disclose = Disclosure::Always;
        }
        Ok(Self { decision, cache })
    }
}

/// A named set of permissions, or a name for those about whom an authorizer decides.
///
/// Exactly one permission decides about a URI: the exact one; else, of the patterns that match, the one with most
/// literal characters (a wildcard before a prefix where they are equal). It decides alone: no other rule is asked when
/// it denies. No matching permission denies.
#[derive(Clone, Debug)]
pub struct Role {
    name: String,
    permissions: Vec<Permission>,
    /// Positions in `permissions`.
    index: PatternIndex,
    /// Then there are no permissions.
    authorizer: Option<Arc<Authorizer>>,
}

impl Role {
    /// A role with these permissions; of two with the same URI and match policy the later one holds.
    pub fn new(name: impl Into<String>, permissions: Vec<Permission>) -> Self {
        let mut index = PatternIndex::new(0);
        for (position, permission) in (0..).zip(&permissions) {
            index.insert(&permission.uri, permission.match_policy, position);
        }
        Self { name: name.into(), permissions, index, authorizer: None }
    }

    /// A role that may do everything.
    pub fn allow_all(name: impl Into<String>) -> Self {
        let allow = Allow { call: true, register: true, publish: true, subscribe: true };
        let everything = Permission {
            uri: String::new(),
            match_policy: MatchPolicy::Prefix,
            allow,
            disclose: Disclose::default(),
            trustlevel: None,
        };
        Self::new(name, vec![everything])
    }

    /// A role for which an authorizer decides.
    pub fn dynamic(name: impl Into<String>, authorizer: Authorizer) -> Self {
        Self { authorizer: Some(Arc::new(authorizer)), ..Self::new(name, Vec::new()) }
    }

    /// Who decides in the place of permissions.
    pub fn authorizer(&self) -> Option<&Arc<Authorizer>> {
        self.authorizer.as_ref()
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The permissions, in the order in which they were given.
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

    /// Decides about `action` on a concrete `uri`.
    pub fn authorize(&self, uri: &str, action: Action) -> Decision {
        self.decide(uri, MatchPolicy::Exact, action)
    }

    /// Decides about a pattern-based subscription or registration: by the pattern's own text, but an exact permission
    /// does not allow a pattern, and a wildcard permission no prefix, because they speak of fewer URIs than it reaches.
    pub fn authorize_pattern(&self, uri: &str, policy: MatchPolicy, action: Action) -> Decision {
        let decision = self.decide(uri, MatchPolicy::Exact, action);
        let covering = self.decide(uri, policy, action);
        Decision { allow: decision.allow && covering.allow, ..decision }
    }

    /// By the permissions that speak of all that a pattern of `asked` policy reaches.
    fn decide(&self, uri: &str, asked: MatchPolicy, action: Action) -> Decision {
        let mut best: Option<(usize, MatchPolicy, &Permission)> = None;
        self.index.for_each_match(uri, |policy, position| {
            let permission = &self.permissions[position as usize];
            let literal = match policy {
                MatchPolicy::Exact => usize::MAX,
                MatchPolicy::Prefix | MatchPolicy::Wildcard => permission.uri.len(),
            };
            let covers = match asked {
                MatchPolicy::Exact => true,
                MatchPolicy::Prefix => policy == MatchPolicy::Prefix,
                MatchPolicy::Wildcard => policy != MatchPolicy::Exact,
            };
            if covers && best.is_none_or(|(most, by, _)| (literal, policy) > (most, by)) {
                best = Some((literal, policy, permission));
            }
        });
        let Some((_, _, permission)) = best else { return Decision::default() };
        let Allow { call, register, publish, subscribe } = permission.allow;
        let (allow, disclose) = match action {
            Action::Call => (call, permission.disclose.caller),
            Action::Register => (register, Disclosure::default()),
            Action::Publish => (publish, permission.disclose.publisher),
            Action::Subscribe => (subscribe, Disclosure::default()),
        };
        Decision { allow, disclose, trustlevel: permission.trustlevel }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(uri: &str, match_policy: MatchPolicy, publish: bool) -> Permission {
        let allow = Allow { publish, ..Allow::default() };
        let disclose = Disclose::default();
        Permission { uri: uri.into(), match_policy, allow, disclose, trustlevel: None }
    }

    #[test]
    fn the_most_specific_permission_decides_alone() {
        let role = Role::new(
            "anonymous",
            vec![
                rule("com.", MatchPolicy::Prefix, true),
                rule("com.example.", MatchPolicy::Prefix, false),
                rule("com.example.open", MatchPolicy::Exact, true),
                rule("com..open.door", MatchPolicy::Wildcard, true),
                rule(".secret", MatchPolicy::Wildcard, false),
            ],
        );
        for (uri, allowed) in [
            ("com.foobar", true),
            ("com.example.x", false),
            ("com.example.open", true),
            ("com.example.open.door", true),
            ("org.example", false),
            ("com.secret", false),
        ] {
            assert_eq!(role.authorize(uri, Action::Publish).allow, allowed, "{uri}");
            assert!(!role.authorize(uri, Action::Call).allow, "{uri} call");
        }
    }

    #[test]
    fn an_exact_permission_does_not_hide_a_prefix_for_longer_uris() {
        let role = Role::new(
            "anonymous",
            vec![rule("com.foo", MatchPolicy::Exact, false), rule("com.", MatchPolicy::Prefix, true)],
        );
        assert!(role.authorize("com.foobar", Action::Publish).allow);
    }
}
