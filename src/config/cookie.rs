//! `cookie` of a WebSocket or of long polling.
//!
//! Owns Crossbar's keys for it. What a cookie is good for is in `native::cookies`.

use super::cursor::{Cursor, Key, Object};
use super::node::{Cookie, CookieStore, SameSite};
use super::node_reader::NodeReader;

impl NodeReader<'_> {
    /// `cookie`, which may be left out.
    pub fn cookie(&mut self, object: &Object<'_>) -> Option<Option<Cookie>> {
        self.optional(object, "cookie", Self::read_cookie)
    }

    fn read_cookie(&mut self, cookie: &Cursor<'_>) -> Option<Cookie> {
        let object = cookie.object(&COOKIE_KEYS, &mut self.report)?;
        let mut cookie = Cookie::default();
        if let Some(name) = object.get("name") {
            let text = name.string(NAME, &mut self.report)?;
            let is_name = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
            if text.is_empty() || !is_name {
                return name.problem(NAME, &mut self.report);
            }
            cookie.name = text.to_owned();
        }
        if let Some(length) = self.number(&object, "length", MIN_LENGTH, MAX_LENGTH) {
            cookie.length = length as usize;
            if length < GUESSABLE {
                let message = format!("a value of less than {GUESSABLE} characters can be guessed");
                self.report.warn(object.required("length").path(), &message);
            }
        }
        if let Some(age) = self.seconds(&object, "max_age", 1, MAX_AGE) {
            cookie.max_age = age;
        }
        cookie.secure = self.flag(&object, "secure").unwrap_or_default();
        cookie.http_strict = self.flag(&object, "http_strict").unwrap_or_default();
        if let Some(same_site) = object.get("same_site") {
            cookie.same_site = Some(same_site.choice(&SAME_SITES, &mut self.report)?);
        }
        if cookie.same_site == Some(SameSite::None) && !cookie.secure {
            self.report.warn(
                object.required("same_site").path(),
                "browsers take \"None\" only together with \"secure\"",
            );
        }
        if let Some(store) = object.get("store") {
            cookie.store = self.cookie_store(&store)?;
        }
        Some(cookie)
    }

    fn cookie_store(&mut self, store: &Cursor<'_>) -> Option<CookieStore> {
        let object = store.any_object(&mut self.report)?;
        let (kind, _) = object.required("type").kind(&STORE_TYPES, &mut self.report)?;
        let (keys, key): (&[(&str, Key)], _) = match kind {
            "memory" => {
                object.check_keys(&MEMORY_KEYS, &mut self.report);
                return Some(CookieStore::Memory);
            }
            "file" => (&FILE_KEYS, "filename"),
            _ => (&DATABASE_KEYS, "path"),
        };
        object.check_keys(keys, &mut self.report);
        let mut path = self.path(&object.required(key), "the path of a file");
        if kind == "database" {
            // A database is a directory of its own.
            path = path.map(|path| path.join("cookies"));
        }
        let purge_on_startup = self.flag(&object, "purge_on_startup").unwrap_or_default();
        Some(CookieStore::File { path: path?, purge_on_startup })
    }
}

const NAME: &str = "the name of a cookie: letters, digits, \"_\", \"-\" and \".\"";

pub(super) const MIN_LENGTH: u64 = 6;
pub(super) const MAX_LENGTH: u64 = 64;
/// 96 bits of chance.
const GUESSABLE: u64 = 16;
/// Ten years.
pub(super) const MAX_AGE: u64 = 10 * 365 * 86_400;

pub(super) const COOKIE_KEYS: [(&str, Key); 7] = [
    ("name", Key::Served),
    ("length", Key::Served),
    ("max_age", Key::Served),
    ("store", Key::Served),
    ("secure", Key::Served),
    ("http_strict", Key::Served),
    ("same_site", Key::Served),
];

pub(super) const SAME_SITES: [(&str, SameSite); 6] = [
    ("Strict", SameSite::Strict),
    ("Lax", SameSite::Lax),
    ("None", SameSite::None),
    ("strict", SameSite::Strict),
    ("lax", SameSite::Lax),
    ("none", SameSite::None),
];

pub(super) const STORE_TYPES: [(&str, Key); 3] =
    [("memory", Key::Served), ("file", Key::Served), ("database", Key::Served)];

pub(super) const MEMORY_KEYS: [(&str, Key); 1] = [("type", Key::Served)];

pub(super) const FILE_KEYS: [(&str, Key); 3] =
    [("type", Key::Served), ("filename", Key::Served), ("purge_on_startup", Key::Served)];

pub(super) const DATABASE_KEYS: [(&str, Key); 6] = [
    ("type", Key::Served),
    ("path", Key::Served),
    ("purge_on_startup", Key::Served),
    ("maxsize", Key::NotServed("has no effect: cookies are kept in a file \"cookies\" of that directory")),
    ("readonly", Key::NotServed("has no effect: the file is written")),
    ("sync", Key::NotServed("has no effect: the file is replaced whole")),
];
