//! What a web transport serves at which path.
//!
//! Owns the names of paths, the services and their options. WebSocket has options enough for a file of its own,
//! [`websocket`](super::websocket), and so has the HTTP bridge, [`bridge`].

use std::time::Duration;

use super::bridge;
use super::cursor::{Cursor, Key, Object, quote};
use super::node::{JsonOptions, LongPoll, Paths, Service, Static, Web};
use super::node_reader::NodeReader;
use super::websocket;

impl NodeReader<'_> {
    /// `paths` and `options` of a web transport.
    pub fn web(&mut self, object: &Object<'_>, is_tls: bool) -> Option<Web> {
        let paths = self.services(&object.required("paths"), 0);
        let options = object.get("options");
        let mut web = Web::new(paths?);
        let Some(options) = options else { return Some(web) };
        let options = options.object(&OPTION_KEYS, &mut self.report)?;
        web.access_log = self.flag(&options, "access_log").unwrap_or(web.access_log);
        let age = self.seconds(&options, "hsts_max_age", 0, MAX_AGE).unwrap_or(HSTS_AGE);
        if self.flag(&options, "hsts") == Some(true) {
            if is_tls {
                web.hsts = Some(age);
            } else {
                let message = "has no effect: browsers heed it over TLS alone, and the endpoint has none";
                self.report.warn(options.required("hsts").path(), message);
            }
        }
        web.client_timeout =
            self.seconds(&options, "client_timeout", 1, MAX_SECONDS).unwrap_or(web.client_timeout);
        Some(web)
    }

    fn services(&mut self, paths: &Cursor<'_>, depth: usize) -> Option<Paths> {
        let object = paths.any_object(&mut self.report)?;
        if depth == MAX_DEPTH {
            let expected = format!("at most {MAX_DEPTH} paths within each other");
            return paths.problem_found(&expected, "one more", &mut self.report);
        }
        let mut paths = Paths::default();
        for (name, value) in object.entries() {
            let Some(name) = self.path_name(&value, name) else { continue };
            let is_root = name == "/";
            let Some(service) = self.service(&value, is_root, depth) else { continue };
            if is_root {
                paths.root = Some(Box::new(service));
            } else {
                paths.children.push((name, service));
            }
        }
        paths.children.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Some(paths)
    }

    /// The name of a path: `/`, or one segment.
    pub fn path_name(&mut self, value: &Cursor<'_>, name: &str) -> Option<String> {
        let is_segment = |name: &str| {
            !matches!(name, "" | "." | "..")
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        if name == "/" || is_segment(name) {
            return Some(name.to_owned());
        }
        let expected = "the key \"/\", or one of letters, digits, \"_\", \"-\" and \".\"";
        let meant = name.trim_matches('/');
        value.problem_key(expected, name, is_segment(meant).then(|| meant.to_owned()), &mut self.report)
    }

    fn service(&mut self, value: &Cursor<'_>, is_root: bool, depth: usize) -> Option<Service> {
        let object = value.any_object(&mut self.report)?;
        let kind = object.required("type");
        let (word, key) = kind.kind(&SERVICE_TYPES, &mut self.report)?;
        if let Key::NotServed(message) = key {
            self.report.warn(value.path(), message);
            return None;
        }
        let keys: &[(&str, Key)] = match word {
            "websocket" => &websocket::SERVICE_KEYS,
            "longpoll" => &LONG_POLL_KEYS,
            "publisher" | "caller" | "webhook" => &bridge::SERVICE_KEYS,
            "static" => &STATIC_KEYS,
            "json" => &JSON_KEYS,
            "redirect" => &REDIRECT_KEYS,
            "path" => &PATH_KEYS,
            _ => &PLAIN_KEYS,
        };
        object.check_keys(keys, &mut self.report);
        self.note(&object, "id");
        match word {
            "websocket" => self.websocket(&object).map(Service::WebSocket),
            "longpoll" => self.long_poll(&object).map(Service::LongPoll),
            "publisher" | "caller" | "webhook" => self.bridge(&object, word).map(Service::Bridge),
            "static" => self.static_files(&object).map(Service::Static),
            "json" => self.json(&object),
            "redirect" => self.redirect(&object),
            "path" if is_root => {
                kind.problem("another type at \"/\" (its paths can stand beside it)", &mut self.report)
            }
            "path" => self.services(&object.required("paths"), depth + 1).map(Service::Path),
            "nodeinfo" => Some(Service::NodeInfo),
            "metrics" => Some(Service::Metrics),
            _ => Some(Service::Status),
        }
    }

    fn long_poll(&mut self, object: &Object<'_>) -> Option<LongPoll> {
        self.fixed(object, &websocket::DEBUG);
        let auth = self.auth(object);
        let cookie = self.cookie(object);
        let mut long_poll = LongPoll { auth: auth?, cookie: cookie?, ..LongPoll::default() };
        let Some(options) = object.get("options") else { return Some(long_poll) };
        let options = options.object(&LONG_POLL_OPTION_KEYS, &mut self.report)?;
        self.fixed(&options, &websocket::DEBUG);
        if let Some(time) = self.seconds_or_never(&options, "request_timeout") {
            long_poll.request_timeout = time;
        }
        if let Some(time) = self.seconds_or_never(&options, "session_timeout") {
            long_poll.session_timeout = time;
        }
        if let Some(bytes) = self.number(&options, "queue_limit_bytes", 1, MAX_QUEUE_BYTES) {
            long_poll.queue_limit_bytes = bytes as usize;
        }
        if let Some(messages) = self.number(&options, "queue_limit_messages", 1, MAX_QUEUE_MESSAGES) {
            long_poll.queue_limit_messages = messages as usize;
        }
        Some(long_poll)
    }

    /// A time of long polling, of which 0 says never to Crossbar.io. No socket says that a client is gone, so that the
    /// longest time stands for it.
    fn seconds_or_never(&mut self, options: &Object<'_>, key: &str) -> Option<Duration> {
        let time = self.seconds(options, key, 0, MAX_SECONDS)?;
        if !time.is_zero() {
            return Some(time);
        }
        let message = format!("there is always one: it is {MAX_SECONDS} s");
        self.report.warn(options.required(key).path(), &message);
        Some(Duration::from_secs(MAX_SECONDS))
    }

    fn static_files(&mut self, object: &Object<'_>) -> Option<Static> {
        let directory = match object.get("package").or_else(|| object.get("resource")) {
            Some(_) => None,
            None => self.path(&object.required("directory"), "a directory"),
        };
        let mut files = Static {
            directory: directory.unwrap_or_default(),
            enable_directory_listing: false,
            mime_types: Vec::new(),
            cache_timeout: None,
            default_file: None,
            allow_cross_origin: true,
        };
        let Some(options) = object.get("options") else { return Some(files) };
        let options = options.object(&STATIC_OPTION_KEYS, &mut self.report)?;
        files.enable_directory_listing = self.flag(&options, "enable_directory_listing").unwrap_or_default();
        files.allow_cross_origin = self.flag(&options, "allow_cross_origin").unwrap_or(true);
        // Zero is what is done anyway: the browser asks each time.
        files.cache_timeout =
            self.seconds(&options, "cache_timeout", 0, MAX_AGE).filter(|age| *age > Duration::ZERO);
        if let Some(default_file) = options.get("default_file") {
            files.default_file = Some(self.file_below(&default_file)?);
        }
        if let Some(types) = options.get("mime_types") {
            files.mime_types = self.mime_types(&types)?;
        }
        Some(files)
    }

    fn file_below(&mut self, value: &Cursor<'_>) -> Option<String> {
        let path = value.string(FILE_BELOW, &mut self.report)?;
        if path.split('/').any(|name| matches!(name, "" | "." | "..")) || path.contains(['\\', '\0']) {
            return value.problem(FILE_BELOW, &mut self.report);
        }
        Some(path.to_owned())
    }

    fn mime_types(&mut self, types: &Cursor<'_>) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        for (ending, value) in types.any_object(&mut self.report)?.entries() {
            if !ending.starts_with('.') || ending.len() == 1 || ending.contains('/') {
                let meant = format!(".{}", ending.trim_start_matches(['.', '*']));
                value.problem_key::<()>("a key such as \".js\"", ending, Some(meant), &mut self.report);
                continue;
            }
            let Some(kind) = value.string(MIME_TYPE, &mut self.report) else { continue };
            if !kind.contains('/') || kind.bytes().any(|b| b.is_ascii_control() || !b.is_ascii()) {
                value.problem::<()>(MIME_TYPE, &mut self.report);
                continue;
            }
            found.push((ending.to_owned(), kind.to_owned()));
        }
        Some(found)
    }

    fn json(&mut self, object: &Object<'_>) -> Option<Service> {
        let value = object.given("value");
        if value.is_none() {
            object.required("value").problem::<()>("a value", &mut self.report);
        }
        let mut options = JsonOptions::default();
        if let Some(given) = object.get("options") {
            let given = given.object(&JSON_OPTION_KEYS, &mut self.report)?;
            options.prettify = self.flag(&given, "prettify").unwrap_or_default();
            options.allow_cross_origin = self.flag(&given, "allow_cross_origin").unwrap_or(true);
            options.discourage_caching = self.flag(&given, "discourage_caching").unwrap_or_default();
        }
        Some(Service::Json { value: value?.value()?.clone(), options })
    }

    fn redirect(&mut self, object: &Object<'_>) -> Option<Service> {
        let value = object.required("url");
        let url = self.text(&value, URL)?;
        if url.bytes().any(|b| !b.is_ascii_graphic()) {
            return value.problem_found(URL, &quote(&url), &mut self.report);
        }
        Some(Service::Redirect { url })
    }
}

/// Paths within a path that a configuration may have: far more than an address has segments.
const MAX_DEPTH: usize = 10;
/// A day.
pub(super) const MAX_SECONDS: u64 = 86_400;
/// Ten years.
pub(super) const MAX_AGE: u64 = 315_360_000;
pub(super) const MAX_QUEUE_BYTES: u64 = 1 << 30;
pub(super) const MAX_QUEUE_MESSAGES: u64 = 1_000_000;
/// `hsts_max_age` where there is none: a year.
pub(super) const HSTS_AGE: Duration = Duration::from_secs(31_536_000);

const FILE_BELOW: &str = "the path of a file below the directory";
const MIME_TYPE: &str = "a content type such as \"text/plain\"";
const URL: &str = "an address of ASCII characters without white space";

pub(super) const OPTION_KEYS: [(&str, Key); 6] = [
    ("access_log", Key::Served),
    ("hsts", Key::Served),
    ("hsts_max_age", Key::Served),
    ("client_timeout", Key::Served),
    ("display_tracebacks", Key::NotServed("has no effect: there are no tracebacks")),
    ("debug", Key::NotServed(websocket::DEBUG[0].2)),
];

pub(super) const SERVICE_TYPES: [(&str, Key); 22] = [
    ("static", Key::Served),
    ("websocket", Key::Served),
    ("longpoll", Key::Served),
    ("publisher", Key::Served),
    ("caller", Key::Served),
    ("webhook", Key::Served),
    ("json", Key::Served),
    ("redirect", Key::Served),
    ("nodeinfo", Key::Served),
    ("path", Key::Served),
    ("metrics", Key::Served),
    ("status", Key::Served),
    ("wsgi", Key::NotServed("WSGI applications are not served: it is as if this path were not there")),
    ("cgi", Key::NotServed("CGI scripts are not run: it is as if this path were not there")),
    ("resource", Key::NotServed("Python resources are not served: it is as if this path were not there")),
    ("upload", Key::NotServed("uploads are not taken: it is as if this path were not there")),
    ("archive", Key::NotServed("archives are not served: unpack it, and let it be \"static\"")),
    ("reverseproxy", Key::NotServed("requests are not passed on: it is as if this path were not there")),
    (
        "websocket-reverseproxy",
        Key::NotServed("WebSockets are not passed on: it is as if this path were not there"),
    ),
    ("wap", Key::NotServed("pages are not made from procedures: it is as if this path were not there")),
    ("pairme", Key::NotServed("nodes are not paired: it is as if this path were not there")),
    ("catalog", Key::NotServed("payload schemas are not served: it is as if this path were not there")),
];

/// Of the services that have nothing to say.
pub(super) const PLAIN_KEYS: [(&str, Key); 2] = [("type", Key::Served), ("id", Key::Served)];

pub(super) const PATH_KEYS: [(&str, Key); 3] =
    [("type", Key::Served), ("id", Key::Served), ("paths", Key::Served)];

pub(super) const REDIRECT_KEYS: [(&str, Key); 3] =
    [("type", Key::Served), ("id", Key::Served), ("url", Key::Served)];

pub(super) const JSON_KEYS: [(&str, Key); 4] =
    [("type", Key::Served), ("id", Key::Served), ("value", Key::Served), ("options", Key::Served)];

pub(super) const JSON_OPTION_KEYS: [(&str, Key); 3] =
    [("prettify", Key::Served), ("allow_cross_origin", Key::Served), ("discourage_caching", Key::Served)];

const IN_DIRECTORY: &str = "\"directory\" in its place (Python packages are not searched for files)";

pub(super) const STATIC_KEYS: [(&str, Key); 6] = [
    ("type", Key::Served),
    ("id", Key::Served),
    ("directory", Key::Served),
    ("options", Key::Served),
    ("package", Key::Refused(IN_DIRECTORY)),
    ("resource", Key::Refused(IN_DIRECTORY)),
];

pub(super) const STATIC_OPTION_KEYS: [(&str, Key); 5] = [
    ("allow_cross_origin", Key::Served),
    ("enable_directory_listing", Key::Served),
    ("mime_types", Key::Served),
    ("cache_timeout", Key::Served),
    ("default_file", Key::Served),
];

pub(super) const LONG_POLL_KEYS: [(&str, Key); 6] = [
    ("type", Key::Served),
    ("id", Key::Served),
    ("options", Key::Served),
    ("auth", Key::Served),
    ("cookie", Key::Served),
    ("debug", Key::Served),
];

pub(super) const LONG_POLL_OPTION_KEYS: [(&str, Key); 6] = [
    ("request_timeout", Key::Served),
    ("session_timeout", Key::Served),
    ("queue_limit_bytes", Key::Served),
    ("queue_limit_messages", Key::Served),
    ("debug", Key::Served),
    ("debug_transport_id", Key::NotServed("has no effect: the ids of transports are always random")),
];
