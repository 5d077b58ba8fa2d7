//! What is needed to read a node of the native router.
//!
//! Owns where files and variables come from: relative paths start at the directory of the configuration, and a text such
//! as `"$PORT"` is the environment variable of that name. The walk over a node is in [`load`](super::load).

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cursor::{Cursor, Key, Object, Report, quote};
use super::node::{Address, AnonymousAuth};
use super::{RealmConfig, Realms};
use crate::auth::authorizer::Role;
use crate::codec::Serializer;

/// The problems so far, and what surrounds the text.
pub(super) struct NodeReader<'n> {
    pub report: Report,
    /// The directory of the configuration.
    pub base: &'n Path,
    /// Name of an environment variable -> its value.
    pub environment: &'n dyn Fn(&str) -> Option<String>,
    /// The realms of the node; `None` where they have problems of their own.
    pub realms: Option<Realms>,
    /// Where the listeners so far are, and where they stand in the configuration.
    pub addresses: Vec<(Address, String)>,
}

impl NodeReader<'_> {
    /// A text, or that of the environment variable it names.
    pub fn text(&mut self, value: &Cursor<'_>, expected: &str) -> Option<String> {
        let text = value.string(expected, &mut self.report)?;
        match variable_name(text) {
            Some(name) => self.variable(value, name),
            None if text.is_empty() => value.problem(expected, &mut self.report),
            None => Some(text.to_owned()),
        }
    }

    /// An integer, or an environment variable that holds one.
    pub fn integer(&mut self, value: &Cursor<'_>, least: u64, most: u64) -> Option<u64> {
        let Some(text) = value.value().and_then(|value| value.as_str()) else {
            return value.integer(least, most, &mut self.report);
        };
        let Some(name) = variable_name(text) else {
            let expected =
                format!("an integer from {least} to {most}, or an environment variable such as \"$PORT\"");
            return value.problem(&expected, &mut self.report);
        };
        let text = self.variable(value, name)?;
        match text.trim().parse() {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                let expected =
                    format!("the environment variable {name} to be an integer from {least} to {most}");
                value.problem_found(&expected, &quote(&text), &mut self.report)
            }
        }
    }

    fn variable(&mut self, value: &Cursor<'_>, name: &str) -> Option<String> {
        let text = (self.environment)(name);
        if text.as_ref().is_none_or(|text| text.is_empty()) {
            let found = if text.is_some() { "it empty" } else { "it unset" };
            let expected = format!("the environment variable {name} to be set");
            return value.problem_found(&expected, found, &mut self.report);
        }
        text
    }

    /// A file or directory.
    pub fn path(&mut self, value: &Cursor<'_>, expected: &str) -> Option<PathBuf> {
        let text = self.text(value, expected)?;
        if text.contains('\0') {
            return value.problem(expected, &mut self.report);
        }
        Some(self.base.join(text))
    }

    /// The files or directories of a list that may be left out.
    pub fn paths(&mut self, object: &Object<'_>, key: &str, what: &str, each: &str) -> Vec<PathBuf> {
        let Some(list) = object.get(key) else { return Vec::new() };
        let elements = list.elements(MAX_PATHS, what, &mut self.report).unwrap_or_default();
        elements.iter().filter_map(|element| self.path(element, each)).collect()
    }

    /// What `read` makes of the value at a key that may be left out.
    pub fn optional<'a, T>(
        &mut self,
        object: &Object<'a>,
        key: &str,
        read: impl FnOnce(&mut Self, &Cursor<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        match object.get(key) {
            Some(value) => read(self, &value).map(Some),
            None => Some(None),
        }
    }

    /// 4 or 6, at a key that may be left out.
    pub fn ip_version(&mut self, object: &Object<'_>) -> Option<u64> {
        let version = object.get("version")?;
        match version.value().and_then(|version| version.as_u64()) {
            Some(version @ (4 | 6)) => Some(version),
            _ => version.problem("4 or 6", &mut self.report),
        }
    }

    pub fn flag(&mut self, object: &Object<'_>, key: &str) -> Option<bool> {
        object.get(key).and_then(|value| value.boolean(&mut self.report))
    }

    /// An integer that is in the text itself, at a key that may be left out.
    pub fn number(&mut self, object: &Object<'_>, key: &str, least: u64, most: u64) -> Option<u64> {
        object.get(key).and_then(|value| value.integer(least, most, &mut self.report))
    }

    /// Seconds, at a key that may be left out.
    pub fn seconds(&mut self, object: &Object<'_>, key: &str, least: u64, most: u64) -> Option<Duration> {
        self.number(object, key, least, most).map(Duration::from_secs)
    }

    /// Warns of flags that have one value here: key, that value, and what is to be said of the other.
    pub fn fixed(&mut self, object: &Object<'_>, flags: &[(&str, bool, &str)]) {
        for (key, served, message) in flags {
            if self.flag(object, key).is_some_and(|wanted| wanted != *served) {
                self.report.warn(object.required(key).path(), message);
            }
        }
    }

    /// Checks what is only there for the eyes of people.
    pub fn note(&mut self, object: &Object<'_>, key: &str) {
        if let Some(value) = object.get(key) {
            value.string("a text", &mut self.report);
        }
    }

    /// The serializers that a listener is to speak. Default all.
    pub fn serializers(&mut self, object: &Object<'_>) -> Option<Vec<Serializer>> {
        let Some(list) = object.get("serializers") else { return Some(Serializer::ALL.to_vec()) };
        let mut serializers = Vec::new();
        let elements = list.elements(MAX_SERIALIZERS, "serializers", &mut self.report)?;
        let mut is_complete = true;
        for element in &elements {
            match self.serializer(element) {
                Some(Some(serializer)) if !serializers.contains(&serializer) => serializers.push(serializer),
                Some(_) => {}
                None => is_complete = false,
            }
        }
        if serializers.is_empty() && is_complete {
            let found = if elements.is_empty() { "none" } else { "none of them" };
            return list.problem_found("\"json\", \"msgpack\" or \"cbor\"", found, &mut self.report);
        }
        Some(serializers)
    }

    /// A serializer; `Some(None)` for one that is not served, after a warning.
    pub fn serializer(&mut self, value: &Cursor<'_>) -> Option<Option<Serializer>> {
        let (word, key) = value.kind(&SERIALIZERS, &mut self.report)?;
        if let Key::NotServed(message) = key {
            self.report.warn(value.path(), message);
            return Some(None);
        }
        Some(Serializer::named(word))
    }

    /// `auth` of a transport. To read past a method would let strangers in, or keep friends out.
    pub fn anonymous(&mut self, transport: &Object<'_>) -> Option<AnonymousAuth> {
        let Some(auth) = transport.get("auth") else { return Some(AnonymousAuth::default()) };
        let methods = auth.object(&AUTH_KEYS, &mut self.report)?;
        let Some(anonymous) = methods.get("anonymous") else { return Some(AnonymousAuth::default()) };
        let object = anonymous.any_object(&mut self.report)?;
        let kind = object.required("type");
        if ["dynamic", "function"].iter().any(|other| kind.is(other)) {
            return kind.problem(STATIC_ONLY, &mut self.report);
        }
        kind.choice(&[("static", ())], &mut self.report)?;
        object.check_keys(&ANONYMOUS_KEYS, &mut self.report);
        let authid = self.optional(&object, "authid", |reader, authid| reader.text(authid, "an authid"));
        let realm = self.optional(&object, "realm", Self::realm)?;
        let role = self.optional(&object, "role", |reader, role| reader.role(role, realm.as_deref()))?;
        let authid = authid?;
        Some(AnonymousAuth { role, authid, realm })
    }

    /// The name of a realm that there is.
    pub fn realm(&mut self, value: &Cursor<'_>) -> Option<String> {
        let name = value.string("the name of a realm", &mut self.report)?;
        let known: Vec<&str> = match &self.realms {
            Some(Realms::Named(realms)) => realms.iter().map(|realm| realm.name.as_str()).collect(),
            Some(Realms::Any) | None => return Some(name.to_owned()),
        };
        self.report.known(value.path(), "a realm of this node", name, &known)
    }

    /// The name of a role that there is, in this realm or in any.
    pub fn role(&mut self, value: &Cursor<'_>, realm: Option<&str>) -> Option<String> {
        let name = value.string("the name of a role", &mut self.report)?;
        let Some(known) = roles(self.realms.as_ref(), realm) else { return Some(name.to_owned()) };
        let expected = match realm {
            Some(realm) => format!("a role of realm {}", quote(realm)),
            None => "a role of this node".to_owned(),
        };
        self.report.known(value.path(), &expected, name, &known)
    }

    /// The role of those who are given none: `anonymous`, if the realm has it.
    pub fn default_role(&mut self, role: &Cursor<'_>, realm: &str) -> Option<String> {
        if roles(self.realms.as_ref(), Some(realm)).is_some_and(|roles| !roles.contains(&ANONYMOUS)) {
            let expected =
                format!("a role of realm {} (it has no \"anonymous\" to be the default)", quote(realm));
            return role.problem(&expected, &mut self.report);
        }
        Some(ANONYMOUS.to_owned())
    }
}

/// The roles of a realm, or of all, sorted. `None` where they are not known.
fn roles<'r>(realms: Option<&'r Realms>, realm: Option<&str>) -> Option<Vec<&'r str>> {
    let realms = match realms? {
        Realms::Named(realms) => realms,
        Realms::Any => return Some(vec![ANONYMOUS]),
    };
    let is_meant = |candidate: &&RealmConfig| realm.is_none_or(|realm| candidate.name == realm);
    let roles = realms.iter().filter(is_meant).flat_map(|realm| realm.roles.iter().map(Role::name));
    let mut roles: Vec<_> = roles.collect();
    roles.sort_unstable();
    roles.dedup();
    Some(roles)
}

/// The name in `$NAME`, and in nothing else.
fn variable_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    is_name.then_some(name)
}

/// The role of a session that proves nothing.
const ANONYMOUS: &str = "anonymous";

const MAX_PATHS: usize = 1_000;
/// Each of them a few times.
const MAX_SERIALIZERS: usize = 20;

pub(super) const SERIALIZERS: [(&str, Key); 5] = [
    ("json", Key::Served),
    ("msgpack", Key::Served),
    ("cbor", Key::Served),
    ("ubjson", Key::NotServed("UBJSON is not served: clients that speak nothing else cannot join")),
    (
        "flatbuffers",
        Key::NotServed("FlatBuffers are not served: clients that speak nothing else cannot join"),
    ),
];

const STATIC_ONLY: &str = "\"static\" (an authenticator for anonymous clients is not served yet)";

// Not warnings: without its method, a transport would let in whoever comes.
pub(super) const AUTH_KEYS: [(&str, Key); 8] = [
    ("anonymous", Key::Served),
    ("ticket", Key::Refused("\"anonymous\" or nothing (authentication by ticket is not served yet)")),
    ("wampcra", Key::Refused("\"anonymous\" or nothing (authentication by WAMP-CRA is not served yet)")),
    ("scram", Key::Refused("\"anonymous\" or nothing (authentication by SCRAM is not served yet)")),
    ("cryptosign", Key::Refused("\"anonymous\" or nothing (authentication by Cryptosign is not served yet)")),
    (
        "cryptosign-proxy",
        Key::Refused("\"anonymous\" or nothing (authentication by Cryptosign is not served yet)"),
    ),
    (
        "tls",
        Key::Refused("\"anonymous\" or nothing (authentication by client certificate is not served yet)"),
    ),
    ("cookie", Key::Refused("\"anonymous\" or nothing (authentication by cookie is not served yet)")),
];

pub(super) const ANONYMOUS_KEYS: [(&str, Key); 4] =
    [("type", Key::Served), ("role", Key::Served), ("authid", Key::Served), ("realm", Key::Served)];
