//! What is needed to read a node of the native router.
//!
//! Owns where files and variables come from: relative paths start at the directory of the configuration, and a text such
//! as `"$PORT"` or `"${PORT}"` is the environment variable of that name. The walk over a node is in [`load`](super::load).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::auth::{self, AuthReader, Environment, variable_name};
use super::cursor::{Cursor, Key, Object, Report, quote};
use super::node::{Address, Auth};
use super::transports::WEBSOCKET_TESTEE;
use super::{RealmConfig, Realms};
use crate::auth::ANONYMOUS;
use crate::codec::Serializer;

/// The problems so far, and what surrounds the text.
pub(super) struct NodeReader<'n> {
    pub report: Report,
    /// The directory of the configuration.
    pub base: &'n Path,
    /// Name of an environment variable -> its value.
    pub environment: &'n Environment<'n>,
    /// The realms of the node, and while a router worker is read its own; `None` where they have problems of their own.
    pub realms: Option<Realms>,
    /// The names of those of the router worker that is being read.
    pub realms_of_worker: Option<Arc<[String]>>,
    /// `limits.message_length`
    pub message_length: usize,
    /// Where the listeners so far are, and where they stand in the configuration.
    pub addresses: Vec<(Address, String)>,
    /// Whether clients of the listener that is being read show certificates.
    pub has_certificates: bool,
    /// Whether there are workers of type `proxy`.
    pub has_proxies: bool,
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
        auth::variable(self.environment, value, name, &mut self.report)
    }

    /// A file or directory.
    pub fn path(&mut self, value: &Cursor<'_>, expected: &str) -> Option<PathBuf> {
        let text = self.text(value, expected)?;
        if text.contains('\0') {
            return value.problem(expected, &mut self.report);
        }
        Some(self.base.join(text))
    }

    /// The realms of the node, if they are known and have names.
    pub fn named_realms(&self) -> Option<&[RealmConfig]> {
        match &self.realms {
            Some(Realms::Named(realms)) => Some(realms),
            _ => None,
        }
    }

    /// Reads what belongs to a worker whose clients have these of the named realms of the node, and no others.
    pub fn with_realms<T>(&mut self, own: Option<Vec<RealmConfig>>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.realms_of_worker = own.as_ref().map(|own| own.iter().map(|realm| realm.name.clone()).collect());
        let all = std::mem::replace(&mut self.realms, own.map(Realms::Named));
        let answer = read(self);
        (self.realms, self.realms_of_worker) = (all, None);
        answer
    }

    /// The path of a Unix socket, in which variables may stand anywhere, as in Crossbar.io.
    pub fn socket(&mut self, value: &Cursor<'_>) -> Option<PathBuf> {
        let text = value.string(SOCKET, &mut self.report)?;
        let (mut path, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('$') {
            path.push_str(before);
            match auth::leading_variable(after) {
                Some((name, after)) => {
                    path.push_str(&self.variable(value, name)?);
                    rest = after;
                }
                None => {
                    path.push('$');
                    rest = after;
                }
            }
        }
        path.push_str(rest);
        if path.is_empty() || path.contains('\0') {
            return value.problem(SOCKET, &mut self.report);
        }
        Some(self.base.join(path))
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

    /// Warns of a `max_message_size` of a transport that is beyond what the node takes anywhere.
    pub fn check_message_size(&mut self, options: &Object<'_>, size: usize) {
        if size > self.message_length {
            let message = format!("it is {}: that is \"message_length\" of \"limits\"", self.message_length);
            self.report.warn(options.required("max_message_size").path(), &message);
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

    /// `auth` of a transport, which may be left out.
    pub fn auth(&mut self, transport: &Object<'_>) -> Option<Option<Auth>> {
        let is_wamp = !transport.required("type").is(WEBSOCKET_TESTEE);
        if is_wamp && transport.get("auth").is_none() && !auth::has_anonymous(self.realms.as_ref(), None) {
            let has_realms = self.realms_of_worker.as_ref().is_none_or(|realms| !realms.is_empty());
            let message = if has_realms { NOBODY } else { NO_REALMS };
            self.report.warn(transport.required("auth").path(), message);
        }
        let has_cookies = transport.get("cookie").is_some();
        self.optional(transport, "auth", |reader, auth| {
            let mut reader = AuthReader {
                report: &mut reader.report,
                realms: reader.realms.as_ref(),
                environment: Some(reader.environment),
                has_cookies,
                has_certificates: reader.has_certificates,
                has_proxies: reader.has_proxies,
            };
            let auth::Auth { methods, by_cookie } = reader.read(auth)?;
            Some(Auth { methods: Arc::new(methods), by_cookie })
        })
    }

    /// The name of a realm that there is.
    pub fn realm(&mut self, value: &Cursor<'_>) -> Option<String> {
        auth::known_realm(self.realms.as_ref(), value, &mut self.report)
    }

    /// The name of a role that there is, in this realm or in any.
    pub fn role(&mut self, value: &Cursor<'_>, realm: Option<&str>) -> Option<String> {
        auth::known_role(self.realms.as_ref(), value, realm, &mut self.report)
    }

    /// The role of those who are given none: `anonymous`, if the realm has it.
    pub fn default_role(&mut self, role: &Cursor<'_>, realm: &str) -> Option<String> {
        if !auth::has_anonymous(self.realms.as_ref(), Some(realm)) {
            let expected =
                format!("a role of realm {} (it has no \"anonymous\" to be the default)", quote(realm));
            return role.problem(&expected, &mut self.report);
        }
        Some(ANONYMOUS.to_owned())
    }
}

const NOBODY: &str =
    "there is none: all clients are \"anonymous\", which no realm here has as a role, and nobody can join";
const NO_REALMS: &str = "nobody can join: clients come into the realms of the worker, and it has none";

const SOCKET: &str = "the path of a socket";
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
