//! The roles of a realm and their permissions, in the styles of configuration versions 1 and 2.
//!
//! Owns their keys and values. What a permission then allows is in [`authorizer`](crate::auth::authorizer).
//!
//! Values:
//! * The name of a role is any text.
//! * `cache` has no effect: static permissions are looked up in an index, and there is nothing to cache.

use super::ask;
use super::crossbar::{Paths, Reader};
use super::cursor::{Cursor, Object, quote};
use super::keys::{
    A_DAY_MS, ALLOW_KEYS, DISCLOSE_KEYS, MATCH_POLICIES, MAX_TRUSTLEVEL, NEVER, PERMISSION_KEYS, ROLE_KEYS,
};
use crate::auth::authorizer::{Allow, Authorizer, Disclose, Disclosure, Permission, Role};
use crate::uri::{self, MatchPolicy, UriCheck};

impl Reader<'_> {
    pub(super) fn roles(&mut self, list: &Cursor<'_>) -> Option<Vec<Role>> {
        let mut names = Paths::new();
        let mut roles = Vec::new();
        for role in list.elements(MAX_ROLES, "roles", self.report)? {
            roles.extend(self.role(&role, &mut names));
        }
        Some(roles)
    }

    fn role(&mut self, role: &Cursor<'_>, names: &mut Paths) -> Option<Role> {
        let object = role.object(&ROLE_KEYS, self.report)?;
        let is_name = |name: &str| !name.is_empty() && name != TRUSTED;
        let name = self.name(&object, names, UNIQUE_ROLE, ROLE_NAME, is_name);
        let by_default = object.get("allow-by-default");
        let is_allowed = by_default.as_ref().and_then(|flag| flag.boolean(self.report)) == Some(true);
        let permissions = object.get("permissions");
        let is_ruled = permissions.is_some() || object.get("authorizer").is_some();
        if let Some(flag) = by_default.as_ref().filter(|_| is_allowed && is_ruled) {
            self.report.warn(flag.path(), "has no effect beside \"permissions\" or \"authorizer\"");
        }
        let Some(authorizer) = object.get("authorizer") else {
            if let Some(lifetime) = object.get("authorizer_cache_ms") {
                lifetime.problem_found::<()>("\"authorizer\" beside it", "none", self.report);
            }
            let permissions = match &permissions {
                Some(permissions) => self.permissions(permissions),
                None if is_allowed => return name.map(Role::allow_all),
                None => {
                    if by_default.is_none() {
                        self.report.warn(role.path(), NOTHING);
                    }
                    Some(Vec::new())
                }
            };
            return Some(Role::new(name?, permissions?));
        };
        if permissions.is_some() {
            return role.problem_found("either \"permissions\" or \"authorizer\"", "both", self.report);
        }
        let ask = ask::read(&authorizer, self.keys.functions, self.uri_length, self.report);
        let lifetime = object.get("authorizer_cache_ms");
        let cache_ms = lifetime.and_then(|lifetime| lifetime.integer(0, A_DAY_MS, self.report));
        Some(Role::dynamic(
            name?,
            Authorizer { ask: ask?, cache_ms: cache_ms.unwrap_or(Authorizer::CACHE_MS) },
        ))
    }

    fn permissions(&mut self, list: &Cursor<'_>) -> Option<Vec<Permission>> {
        let mut permissions = Vec::new();
        let mut paths = Paths::new();
        for element in list.elements(MAX_PERMISSIONS, "permissions", self.report)? {
            let Some(permission) = self.permission(&element) else { continue };
            let pattern = format!("{} {}", permission.match_policy.as_str(), permission.uri);
            if let Some(earlier) = paths.insert(pattern, element.path().into()) {
                self.report.warn(
                    element.path(),
                    &format!(
                        "replaces {}, which has the same URI and the same match policy",
                        earlier.as_str().unwrap_or_default()
                    ),
                );
            }
            permissions.push(permission);
        }
        Some(permissions)
    }

    fn permission(&mut self, permission: &Cursor<'_>) -> Option<Permission> {
        let object = permission.object(&PERMISSION_KEYS, self.report)?;
        let pattern = self.pattern(&object);
        let flat = self.allow(&object);
        let has_flat = ALLOW_KEYS.iter().any(|(key, _)| object.get(key).is_some());
        let allow = match object.get("allow") {
            Some(allow) if has_flat => allow.problem_found(ONE_STYLE, "both", self.report),
            Some(allow) => allow.object(&ALLOW_KEYS, self.report).map(|object| self.allow(&object)),
            None => Some(flat),
        };
        let disclose = match object.get("disclose") {
            Some(disclose) => self.disclose(&disclose),
            None => Some(Disclose::default()),
        };
        self.flag(&object, "cache");
        let trustlevel = match object.get("trustlevel") {
            Some(level) => Some(level.integer(0, MAX_TRUSTLEVEL, self.report)?),
            None => None,
        };
        let (uri, match_policy) = pattern?;
        Some(Permission { uri, match_policy, allow: allow?, disclose: disclose?, trustlevel })
    }

    fn allow(&mut self, object: &Object<'_>) -> Allow {
        Allow {
            call: self.flag(object, "call"),
            register: self.flag(object, "register"),
            publish: self.flag(object, "publish"),
            subscribe: self.flag(object, "subscribe"),
        }
    }

    fn disclose(&mut self, disclose: &Cursor<'_>) -> Option<Disclose> {
        let object = disclose.object(&DISCLOSE_KEYS, self.report)?;
        let [caller, publisher] = ["caller", "publisher"].map(|key| self.disclosure(&object, key));
        Some(Disclose { caller: caller?, publisher: publisher? })
    }

    fn disclosure(&mut self, object: &Object<'_>, key: &str) -> Option<Disclosure> {
        let Some(value) = object.get(key) else { return Some(Disclosure::default()) };
        if value.is(NEVER) {
            return Some(Disclosure::Never);
        }
        match value.is_boolean() {
            true => value.boolean(self.report).map(|always| match always {
                true => Disclosure::Always,
                false => Disclosure::OnRequest,
            }),
            false => value.problem("true, false or \"never\"", self.report),
        }
    }

    /// The URI and match policy of a permission. Without `match`, stars in the URI say what may vary.
    pub(super) fn pattern(&mut self, object: &Object<'_>) -> Option<(String, MatchPolicy)> {
        let policy = object.get("match").map(|value| value.choice(&MATCH_POLICIES, self.report));
        let value = object.required("uri");
        let text = value.string("a URI", self.report)?;
        self.check_length(&value, text)?;
        let is_starred = policy.is_none();
        let (uri, policy) = match policy {
            Some(policy) => (text.to_owned(), policy?),
            None => starred(text),
        };
        if !uri::is_valid_pattern(&uri, policy, UriCheck::Loose) {
            let expected = match policy {
                MatchPolicy::Exact if is_starred => URI_OR_STARRED,
                MatchPolicy::Exact => URI,
                MatchPolicy::Prefix => URI_PREFIX,
                MatchPolicy::Wildcard => URI_WILDCARD,
            };
            return value.problem(expected, self.report);
        }
        if !is_starred && text.contains('*') {
            self.report.warn(value.path(), "beside \"match\" a \"*\" is an ordinary character");
        }
        let is_half_starred = |component: &str| component.contains('*') && component != "*";
        if is_starred && policy == MatchPolicy::Wildcard && text.split('.').any(is_half_starred) {
            let message = format!("a \"*\" is for a whole component: this is the wildcard {}", quote(&uri));
            self.report.warn(value.path(), &message);
        }
        Some((uri, policy))
    }
}

/// The pattern that a URI with stars means: one at the very end makes a prefix; others stand for a component each.
pub(super) fn starred(text: &str) -> (String, MatchPolicy) {
    match (text.matches('*').count(), text.strip_suffix('*')) {
        (0, _) => (text.to_owned(), MatchPolicy::Exact),
        (1, Some(prefix)) => (prefix.to_owned(), MatchPolicy::Prefix),
        _ => (text.replace('*', ""), MatchPolicy::Wildcard),
    }
}

const MAX_ROLES: usize = 1_000;
const MAX_PERMISSIONS: usize = 10_000;
/// The role of the router's own sessions in Crossbar.io: it may do everything.
const TRUSTED: &str = "trusted";
const UNIQUE_ROLE: &str = "a name that no other role has";
const NOTHING: &str = "has neither \"permissions\" nor \"authorizer\": it may do nothing";
const ROLE_NAME: &str = "the name of a role: any text but \"\" and \"trusted\"";
const ONE_STYLE: &str = "either \"allow\" or flat \"call\", \"register\", \"publish\" and \"subscribe\"";
const URI: &str = "a URI without white space, \"#\" and empty components";
const URI_OR_STARRED: &str =
    "a URI without white space, \"#\" and empty components (a pattern needs a \"*\", or \"match\" beside it)";
const URI_PREFIX: &str = "a prefix without white space, \"#\" and empty components but the last";
const URI_WILDCARD: &str = "a wildcard without white space and \"#\"";
