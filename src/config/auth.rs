//! `auth` of a transport: by which methods its clients authenticate, and who is known.
//!
//! Owns Crossbar's keys for it, with a few more: every principal may have a `realm` and an `extra` (the `authextra` of its
//! sessions). Reads the same object for a listener, where a text such as `"$SECRET"` or `"${SECRET}"` is an environment
//! variable, and for the ports of a router in a browser. What is done with it is in [`auth`](crate::auth).
//!
//! What is secret is never shown: a complaint about it says what kind of value it is.

use super::ask;
use super::auth_keys::{
    ANONYMOUS_KEYS, AUTH_KEYS, CRYPTOSIGN_KEYS, DYNAMIC_KEYS, FUNCTION_KEYS, KDFS, SCRAM_KEYS, TICKET_KEYS,
    TRUSTROOTS, TYPES, WAMPCRA_KEYS,
};
#[cfg(feature = "native")]
use super::auth_keys::{AUTH_KEYS_BEHIND_PROXIES, COOKIE_KEYS, PROXY_METHODS, SHA1, SHA256, TLS_KEYS};
use super::cursor::{Cursor, Key, Object, Report, quote};
use super::{RealmConfig, Realms};
use crate::auth::authorizer::Role;
use crate::auth::{
    ANONYMOUS, Anonymous, Ask, Authenticator, AuthorizedKeys, CraSecret, Grant, Kdf, Methods, Principal,
    Principals, Provider, Salting, ScramKeys, Ticket, hex,
};
#[cfg(feature = "native")]
use crate::auth::{Fingerprint, Fingerprints};

/// Name of an environment variable -> its value.
pub(super) type Environment<'e> = dyn Fn(&str) -> Option<String> + 'e;

/// What is needed to read `auth`.
pub(super) struct AuthReader<'r> {
    pub report: &'r mut Report,
    /// `None` where they have problems of their own.
    pub realms: Option<&'r Realms>,
    /// `None` where there is none: in a browser.
    pub environment: Option<&'r Environment<'r>>,
    /// Whether the transport has cookies.
    #[cfg(feature = "native")]
    pub has_cookies: bool,
    /// Whether clients of the transport show certificates.
    #[cfg(feature = "native")]
    pub has_certificates: bool,
    /// Whether there are workers of type `proxy`, with methods of their own to come to the router.
    #[cfg(feature = "native")]
    pub has_proxies: bool,
}

/// Takes the next principal: its object, authid and grant.
type Add<'a, 'r> = dyn FnMut(&mut AuthReader<'r>, &Object<'_>, String, Option<Grant>) + 'a;

/// A valid `auth`.
pub(super) struct Auth {
    pub methods: Methods,
    /// Whether cookies log in; the store is for the driver to make.
    #[cfg(feature = "native")]
    pub by_cookie: bool,
}

impl<'r> AuthReader<'r> {
    /// `auth` itself. To read past a method would let strangers in, or keep friends out: nothing here is only warned of.
    pub fn read(&mut self, auth: &Cursor<'_>) -> Option<Auth> {
        #[cfg(feature = "native")]
        let keys = if self.has_proxies { &AUTH_KEYS_BEHIND_PROXIES } else { &AUTH_KEYS };
        #[cfg(not(feature = "native"))]
        let keys = &AUTH_KEYS;
        let object = auth.object(keys, self.report)?;
        let mut methods = Methods::default();
        if let Some(method) = object.get("anonymous") {
            methods.anonymous = self.anonymous(&method);
        }
        if let Some(method) = object.get("ticket") {
            methods.ticket = self.provider(&method, PRINCIPALS, &TICKET_KEYS, Self::ticket);
        }
        if let Some(method) = object.get("wampcra") {
            methods.wampcra = self.provider(&method, USERS, &WAMPCRA_KEYS, Self::cra_secret);
        }
        if let Some(method) = object.get("scram") {
            methods.scram = self.provider(&method, PRINCIPALS, &SCRAM_KEYS, Self::scram_keys);
        }
        if let Some(method) = object.get("cryptosign") {
            methods.cryptosign = self.provider(&method, PRINCIPALS, &CRYPTOSIGN_KEYS, Self::authorized_keys);
        }
        #[cfg(feature = "native")]
        if let Some(method) = object.get("tls") {
            methods.tls = self.provider(&method, PRINCIPALS, &TLS_KEYS, Self::fingerprints);
            if !self.has_certificates {
                method.problem_found::<()>(NEEDS_CERTIFICATES, "none", self.report);
            }
        }
        #[cfg(feature = "native")]
        let by_cookie = match object.get("cookie") {
            Some(cookie) => self.cookie(&cookie),
            None => false,
        };
        let Methods {
            #[cfg(feature = "native")]
                realms: _,
            anonymous,
            ticket,
            wampcra,
            scram,
            cryptosign,
            tls,
            cookie: _,
        } = &methods;
        let has_method = anonymous.is_some()
            || ticket.is_some()
            || wampcra.is_some()
            || scram.is_some()
            || cryptosign.is_some()
            || tls.is_some();
        #[cfg(feature = "native")]
        let has_method =
            has_method || self.has_proxies && PROXY_METHODS.iter().any(|key| object.get(key).is_some());
        if !has_method && !self.report.has_problems() {
            #[cfg(feature = "native")]
            if by_cookie {
                let found = "\"cookie\" alone, with which nobody can begin";
                return auth.problem_found(SOME_METHOD, found, self.report);
            }
            return auth.problem_found(SOME_METHOD, "none", self.report);
        }
        Some(Auth {
            methods,
            #[cfg(feature = "native")]
            by_cookie,
        })
    }

    fn anonymous(&mut self, method: &Cursor<'_>) -> Option<Anonymous> {
        let (object, kind) = self.kind(method)?;
        if kind != "static" {
            return self.authenticator(&object, kind).map(Anonymous::Dynamic);
        }
        object.check_keys(&ANONYMOUS_KEYS, self.report);
        let authid = object.get("authid").and_then(|authid| self.text(&authid, AUTHID));
        let mut grant = self.grant(&object, Some(ANONYMOUS.into()))?;
        grant.authid = authid;
        #[cfg(feature = "native")]
        if grant.role == ANONYMOUS && !has_anonymous(self.realms, grant.realm.as_deref()) {
            self.report.warn(method.path(), NO_SUCH_DEFAULT);
        }
        Some(Anonymous::Static(grant))
    }

    /// A method of which principals are known, or an authenticator is.
    fn provider<C>(
        &mut self,
        method: &Cursor<'_>,
        principals: &'static str,
        keys: &[(&str, Key)],
        credential: fn(&mut Self, &Object<'_>) -> Option<C>,
    ) -> Option<Provider<C>> {
        let mut list = Vec::new();
        let authenticator = self.known(method, principals, keys, &mut |reader, object, authid, grant| {
            if let (Some(credential), Some(grant)) = (credential(reader, object), grant) {
                list.push(Principal { authid, credential, grant });
            }
        })?;
        Some(match authenticator {
            Some(authenticator) => Provider::Dynamic(authenticator),
            None => Provider::Static(Principals::new(list)),
        })
    }

    /// The same for any credential, so that it is in the binary once: adds each principal, or answers an authenticator.
    fn known(
        &mut self,
        method: &Cursor<'_>,
        principals: &'static str,
        keys: &[(&str, Key)],
        add: &mut Add<'_, 'r>,
    ) -> Option<Option<Authenticator>> {
        let (object, kind) = self.kind(method)?;
        if kind != "static" {
            return self.authenticator(&object, kind).map(Some);
        }
        for (authid, principal, default_role) in self.principals(&object, principals)? {
            if !principal.value().is_some_and(|principal| principal.is_object()) {
                // It may be the secret itself.
                principal.problem_kind::<()>("an object", self.report);
                continue;
            }
            let Some(object) = principal.object(keys, self.report) else { continue };
            let grant = self.grant(&object, default_role);
            add(self, &object, authid, grant);
        }
        Some(None)
    }

    /// The object of a method, and its `type`.
    fn kind<'a>(&mut self, method: &Cursor<'a>) -> Option<(Object<'a>, &'static str)> {
        let object = method.any_object(self.report)?;
        let kind = object.required("type").choice(&TYPES, self.report)?;
        Some((object, kind))
    }

    /// `type: dynamic` and `type: function`.
    fn authenticator(&mut self, object: &Object<'_>, kind: &str) -> Option<Authenticator> {
        let ask = if kind == "function" {
            object.check_keys(&FUNCTION_KEYS, self.report);
            let create = object.required("create");
            self.text(&create, "the name of a function").map(Ask::Function)
        } else {
            object.check_keys(&DYNAMIC_KEYS, self.report);
            let procedure = object.required("authenticator");
            let realm = object.get("authenticator-realm").map(|realm| self.realm(&realm));
            let uri = procedure.string(PROCEDURE, self.report).filter(|uri| {
                let is_procedure = ask::is_procedure(uri);
                if !is_procedure {
                    procedure.problem::<()>(PROCEDURE, self.report);
                }
                is_procedure
            });
            match (uri, realm) {
                (Some(uri), None) => Some(Ask::Procedure { uri: uri.to_owned(), realm: None }),
                (Some(uri), Some(Some(realm))) => {
                    Some(Ask::Procedure { uri: uri.to_owned(), realm: Some(realm) })
                }
                _ => None,
            }
        };
        let default_role = self.default_role(object)?;
        Some(Authenticator { ask: ask?, default_role })
    }

    /// `default-role`: `Some(None)` where there is none.
    fn default_role(&mut self, object: &Object<'_>) -> Option<Option<String>> {
        match object.get("default-role") {
            Some(role) => self.role(&role, None).map(Some),
            None => Some(None),
        }
    }

    /// authid, what is known, and the role of those who have none of their own
    fn principals<'a>(
        &mut self,
        object: &Object<'a>,
        key: &'static str,
    ) -> Option<Vec<(String, Cursor<'a>, Option<String>)>> {
        let keys = [("type", Key::Served), (key, Key::Served), ("default-role", Key::Served), TRUSTROOTS];
        // Only where Crossbar.io knows them.
        let known = if key == PRINCIPALS { &keys[..] } else { &keys[..3] };
        object.check_keys(known, self.report);
        let default_role = self.default_role(object);
        let list = object.required(key);
        let entries = list.any_object(self.report)?.entries();
        if entries.is_empty() {
            self.report.warn(list.path(), NOBODY);
        }
        if entries.len() > MAX_PRINCIPALS {
            let found = entries.len().to_string();
            return list.problem_found(&format!("at most {MAX_PRINCIPALS} authids"), &found, self.report);
        }
        let mut principals = Vec::new();
        for (authid, principal) in entries {
            if authid.is_empty() {
                principal.problem_found::<()>(AUTHID, "an empty text", self.report);
            }
            principals.push((authid.to_owned(), principal, default_role.clone()?));
        }
        Some(principals)
    }

    /// `realm`, `role` and `extra` of a principal.
    fn grant(&mut self, principal: &Object<'_>, default_role: Option<String>) -> Option<Grant> {
        let realm = match principal.get("realm") {
            Some(realm) => Some(self.realm(&realm)?),
            None => None,
        };
        let role = match (principal.get("role"), default_role) {
            // Which needs to be no role of the realm, as in Crossbar.io: then nobody joins by it.
            (Some(role), Some(default_role)) if role.is(&default_role) => Some(default_role),
            (Some(role), _) => self.role(&role, realm.as_deref()),
            (None, Some(default_role)) => Some(default_role),
            (None, None) => principal.required("role").problem_found(ROLE_OR_DEFAULT, "neither", self.report),
        };
        let extra = match principal.get("extra") {
            Some(extra) => {
                extra.any_object(self.report)?;
                extra.value().and_then(|extra| extra.as_object()).cloned()
            }
            None => None,
        };
        Some(Grant { realm, authid: None, role: role?, extra })
    }

    fn ticket(&mut self, principal: &Object<'_>) -> Option<Ticket> {
        self.secret(&principal.required("ticket"), "the text of a ticket").map(Ticket)
    }

    fn cra_secret(&mut self, user: &Object<'_>) -> Option<CraSecret> {
        let secret = self.secret(&user.required("secret"), "the text of a secret");
        let number = |reader: &mut Self, key, most, default| match user.get(key) {
            Some(value) => value.integer(1, most, reader.report),
            None => Some(default),
        };
        let iterations = number(self, "iterations", MAX_ITERATIONS, CRA_ITERATIONS);
        let keylen = number(self, "keylen", MAX_KEYLEN, CRA_KEYLEN);
        let salting = match user.get("salt") {
            Some(salt) => {
                let salt = self.text(&salt, "the text of a salt");
                let (salt, iterations, keylen) = (salt?, iterations? as u32, keylen? as u32);
                Some(Salting { salt, iterations, keylen })
            }
            None => {
                for key in ["iterations", "keylen"] {
                    if let Some(value) = user.get(key) {
                        value.problem_found::<()>("\"salt\" beside it", "none", self.report);
                    }
                }
                None
            }
        };
        let secret = secret?;
        #[cfg(feature = "native")]
        let secret = match &salting {
            Some(salting) if !salting.may_have_made(&secret) => {
                self.report.warn(user.required("secret").path(), NO_DERIVED_KEY);
                salting.derive(&secret)
            }
            _ => secret,
        };
        Some(CraSecret { secret, salting })
    }

    fn scram_keys(&mut self, principal: &Object<'_>) -> Option<ScramKeys> {
        let kdf = principal.required("kdf").choice(&KDFS, self.report);
        let iterations = principal.required("iterations").integer(1, MAX_ITERATIONS, self.report);
        let memory = match principal.get("memory") {
            Some(memory) => memory.integer(0, MAX_MEMORY, self.report).map(Some),
            // The other function needs none, though Crossbar.io wants it said.
            None if kdf != Some(Kdf::Argon2id13) => Some(None),
            None => principal.required("memory").problem(MEMORY, self.report),
        };
        let salt = self.bytes(&principal.required("salt"), "hexadecimal digits", hex::decode);
        let stored_key = self.bytes(&principal.required("stored-key"), KEY, hex::decode_array);
        let server_key = self.bytes(&principal.required("server-key"), KEY, hex::decode_array);
        Some(ScramKeys {
            kdf: kdf?,
            iterations: iterations? as u32,
            memory: memory?.map(|memory| memory as u32),
            salt: salt?,
            stored_key: stored_key?,
            server_key: server_key?,
        })
    }

    fn authorized_keys(&mut self, principal: &Object<'_>) -> Option<AuthorizedKeys> {
        let list = principal.required("authorized_keys");
        let mut keys = Vec::new();
        for key in list.elements(MAX_KEYS, "public keys", self.report)? {
            keys.extend(self.bytes(&key, PUBLIC_KEY, hex::decode_array));
        }
        if keys.is_empty() && !self.report.has_problems() {
            return list.problem_found("at least one public key", "none", self.report);
        }
        Some(AuthorizedKeys(keys))
    }

    #[cfg(feature = "native")]
    fn fingerprints(&mut self, principal: &Object<'_>) -> Option<Fingerprints> {
        let mut fingerprints = Vec::new();
        for (key, expected) in [(SHA1, FINGERPRINT_SHA1), (SHA256, FINGERPRINT_SHA256)] {
            let Some(value) = principal.get(key) else { continue };
            // Crossbar.io takes one or many.
            let values = match value.value() {
                Some(serde_json::Value::Array(_)) => value.elements(MAX_KEYS, "fingerprints", self.report)?,
                _ => vec![value],
            };
            for value in values {
                let is_meant = |print: &Fingerprint| matches!(print, Fingerprint::Sha1(_)) == (key == SHA1);
                let decode = |text: &str| Fingerprint::from_hex(text).filter(is_meant);
                fingerprints.extend(self.bytes(&value, expected, decode));
            }
        }
        if fingerprints.is_empty() && !self.report.has_problems() {
            let expected = "\"certificate-sha1\" or \"certificate-sha256\"";
            return principal.required(SHA1).problem_found(expected, "neither", self.report);
        }
        Some(Fingerprints(fingerprints))
    }

    /// Whether cookies log in.
    #[cfg(feature = "native")]
    fn cookie(&mut self, cookie: &Cursor<'_>) -> bool {
        let Some(object) = cookie.object(&COOKIE_KEYS, self.report) else { return false };
        if let Some(kind) = object.get("type") {
            kind.choice(&[("static", ())], self.report);
        }
        if !self.has_cookies {
            self.report.warn(cookie.path(), NEEDS_COOKIES);
        }
        self.has_cookies
    }

    fn secret(&mut self, value: &Cursor<'_>, expected: &str) -> Option<String> {
        secret(self.environment, value, expected, self.report)
    }

    /// What `decode` makes of a text, or of the environment variable that holds it.
    fn bytes<T>(
        &mut self,
        value: &Cursor<'_>,
        expected: &str,
        decode: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.secret(value, expected)?;
        match decode(&text) {
            Some(decoded) => Some(decoded),
            None => {
                let found = format!("{} characters that are something else", text.chars().count());
                value.problem_found(expected, &found, self.report)
            }
        }
    }

    fn text(&mut self, value: &Cursor<'_>, expected: &str) -> Option<String> {
        match value.string(expected, self.report)? {
            "" => value.problem(expected, self.report),
            text => Some(text.to_owned()),
        }
    }

    fn realm(&mut self, value: &Cursor<'_>) -> Option<String> {
        known_realm(self.realms, value, self.report)
    }

    fn role(&mut self, value: &Cursor<'_>, realm: Option<&str>) -> Option<String> {
        known_role(self.realms, value, realm, self.report)
    }
}

/// The name of a realm that there is.
pub(super) fn known_realm(
    realms: Option<&Realms>,
    value: &Cursor<'_>,
    report: &mut Report,
) -> Option<String> {
    let name = value.string("the name of a realm", report)?;
    let known: Vec<&str> = match realms {
        Some(Realms::Named(realms)) => realms.iter().map(|realm| realm.name.as_str()).collect(),
        Some(Realms::Any) | None => return Some(name.to_owned()),
    };
    report.known(value.path(), "a realm of this router", name, &known)
}

/// The name of a role that there is, in this realm or in any.
pub(super) fn known_role(
    realms: Option<&Realms>,
    value: &Cursor<'_>,
    realm: Option<&str>,
    report: &mut Report,
) -> Option<String> {
    let name = value.string("the name of a role", report)?;
    let Some(known) = roles(realms, realm) else { return Some(name.to_owned()) };
    let expected = match realm {
        Some(realm) => format!("a role of realm {}", quote(realm)),
        None => "a role of this router".to_owned(),
    };
    report.known(value.path(), &expected, name, &known)
}

/// The roles of a realm, or of all, sorted. `None` where they are not known.
pub(super) fn roles<'r>(realms: Option<&'r Realms>, realm: Option<&str>) -> Option<Vec<&'r str>> {
    let realms = match realms? {
        Realms::Named(realms) => realms,
        Realms::Any => return Some(vec![ANONYMOUS]),
    };
    let is_meant = |candidate: &&RealmConfig| realm.is_none_or(|realm| candidate.name == realm);
    let mut roles = Vec::new();
    for name in realms.iter().filter(is_meant).flat_map(|realm| realm.roles.iter().map(Role::name)) {
        if let Err(position) = roles.binary_search(&name) {
            roles.insert(position, name);
        }
    }
    Some(roles)
}

/// Whether those who prove nothing may join a realm, or this one.
#[cfg(feature = "native")]
pub(super) fn has_anonymous(realms: Option<&Realms>, realm: Option<&str>) -> bool {
    roles(realms, realm).is_none_or(|roles| roles.contains(&ANONYMOUS))
}

/// The name in `$NAME`, and in nothing else; or in Crossbar's `${NAME}`, where it may have any characters.
pub(super) fn variable_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    if let Some(name) = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        return (!name.is_empty()).then_some(name);
    }
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    is_name.then_some(name)
}

/// The name in `$NAME` or `${NAME}`, and what comes after it; `text` is what comes after the dollar.
#[cfg(feature = "native")]
pub(super) fn leading_variable(text: &str) -> Option<(&str, &str)> {
    if let Some(text) = text.strip_prefix('{') {
        return text.split_once('}').filter(|(name, _)| !name.is_empty());
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (name, rest) = text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()));
    let is_name = name.chars().next().is_some_and(|first| !first.is_ascii_digit());
    is_name.then_some((name, rest))
}

/// A text that is nobody else's business, or the environment variable that holds it.
pub(super) fn secret(
    environment: Option<&Environment<'_>>,
    value: &Cursor<'_>,
    expected: &str,
    report: &mut Report,
) -> Option<String> {
    let Some(text) = value.value().and_then(|value| value.as_str()) else {
        return value.problem_kind(expected, report);
    };
    match (variable_name(text), environment) {
        (Some(name), Some(environment)) => variable(environment, value, name, report),
        (Some(_), None) => value.problem_found(IN_THE_OPEN, "the name of a variable", report),
        (None, _) if text.is_empty() => value.problem(expected, report),
        (None, environment) => {
            if cfg!(feature = "native") && environment.is_some() && text.starts_with('$') {
                report.warn(value.path(), NO_VARIABLE);
            }
            Some(text.to_owned())
        }
    }
}

/// What an environment variable holds, which must be something.
pub(super) fn variable(
    environment: &Environment<'_>,
    value: &Cursor<'_>,
    name: &str,
    report: &mut Report,
) -> Option<String> {
    let text = environment(name);
    if text.as_ref().is_none_or(|text| text.is_empty()) {
        #[cfg(feature = "native")]
        if report.leaves_open() {
            return None;
        }
        let found = if text.is_some() { "it empty" } else { "it unset" };
        let expected = format!("the environment variable {name} to be set");
        return value.problem_found(&expected, found, report);
    }
    text
}

// What one configuration may hold.
const MAX_PRINCIPALS: usize = 100_000;
const MAX_KEYS: usize = 1_000;
pub(super) const MAX_ITERATIONS: u64 = 100_000_000;
/// Bytes.
pub(super) const MAX_KEYLEN: u64 = 1_024;
/// Kibibytes, of which these are 4 GiB.
pub(super) const MAX_MEMORY: u64 = 1 << 22;

/// The defaults of Autobahn and Crossbar.io.
pub(super) const CRA_ITERATIONS: u64 = 1_000;
pub(super) const CRA_KEYLEN: u64 = 32;

const PRINCIPALS: &str = "principals";
const USERS: &str = "users";

const AUTHID: &str = "an authid";
const PROCEDURE: &str = "the URI of a procedure";
const KEY: &str = "64 hexadecimal digits";
const PUBLIC_KEY: &str = "a public key: 64 hexadecimal digits";
#[cfg(feature = "native")]
const FINGERPRINT_SHA1: &str = "a fingerprint: 40 hexadecimal digits";
#[cfg(feature = "native")]
const FINGERPRINT_SHA256: &str = "a fingerprint: 64 hexadecimal digits";
const MEMORY: &str = "the memory of Argon2 in kibibytes";
const ROLE_OR_DEFAULT: &str = "a role, here or as \"default-role\"";
const IN_THE_OPEN: &str = "the text itself (there are no environment variables here)";
const NO_VARIABLE: &str =
    "begins with \"$\" and is the secret itself: a variable is \"$NAME\" or \"${NAME}\"";
#[cfg(feature = "native")]
const NO_SUCH_DEFAULT: &str = "these are \"anonymous\", and there is no such role: nobody can join by it";
const NOBODY: &str = "are none: nobody can log in by this method";
const SOME_METHOD: &str = "a method by which clients can authenticate";
#[cfg(feature = "native")]
const NEEDS_COOKIES: &str = "has no effect: there is no \"cookie\" beside \"auth\" at this transport";
#[cfg(feature = "native")]
const NEEDS_CERTIFICATES: &str = "\"tls\" with \"ca_certificates\" at the endpoint of this transport";

/// Of a salted secret. Crossbar.io takes a password there since 2025, against its own documentation; before, the key.
#[cfg(feature = "native")]
const NO_DERIVED_KEY: &str = "is taken for the password: the key that clients derive from it with the salt would be base64 of \
                              keylen bytes";
