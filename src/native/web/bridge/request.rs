//! The bodies of requests to publishers and callers: `{"topic": .., "args": [..], "kwargs": {..}, "options": {..}}`.
//!
//! Owns what may stand in them, and nothing of what it means: arguments are carried as they were written. What is empty in
//! any way (`null`, `[]`, `{}`, `""`, 0, `false`) is as good as absent, as in Crossbar.io: PHP writes `[]` for an empty map.
//! Other keys are passed over.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::denial::Denial;
use crate::codec::{Serializer, value_as_id};
use crate::config::describe;
use crate::id::SessionId;
use crate::message::{Audience, Dict, PublishOptions, Restrictions};
use crate::payload::EncodedPayload;
use crate::uri::{self, UriCheck};

/// The text of a body.
pub(super) fn text(body: &[u8]) -> Result<&str, Denial> {
    std::str::from_utf8(body).map_err(|_| Denial::bad("the body is not UTF-8"))
}

/// The object that a body is, with its values as they were written.
pub(super) fn object(body: &[u8]) -> Result<Body<'_>, Denial> {
    let text = text(body)?;
    serde_json::from_str(text).map(Body).map_err(|error| match serde_json::from_str::<&RawValue>(text) {
        Ok(other) => expected("the body", "an object", outline(other).as_ref()),
        Err(_) => Denial::bad(format!("the body is no JSON: {error}")),
    })
}

/// Key -> value.
pub(super) struct Body<'b>(BTreeMap<String, &'b RawValue>);

impl Body<'_> {
    /// The URI at a key. The router may want a stricter one.
    pub fn uri(&self, key: &str) -> Result<String, Denial> {
        let text = self.0.get(key).map(|value| serde_json::from_str::<String>(value.get()));
        match text {
            Some(Ok(uri)) if uri::is_valid(&uri, UriCheck::Loose) => Ok(uri),
            _ => Err(self.expected(key, "a URI")),
        }
    }

    /// `args` and `kwargs`.
    pub fn payload(&self) -> Result<EncodedPayload, Denial> {
        let args = match self.given("args") {
            None => None,
            Some(args) if args.starts_with('[') => Some(args),
            Some(_) => return Err(self.expected("args", "a list")),
        };
        let (tail, elements) = match (args, self.given("kwargs")) {
            (None, None) => (String::new(), 0),
            (Some(args), None) => (args.to_owned(), 1),
            (args, Some(kwargs)) if kwargs.starts_with('{') => {
                (format!("{},{kwargs}", args.unwrap_or("[]")), 2)
            }
            (_, Some(_)) => return Err(self.expected("kwargs", "an object")),
        };
        Ok(EncodedPayload { bytes: tail.into(), elements, serializer: Serializer::Json })
    }

    /// `options`, which may have `most` bytes.
    pub fn options(&self, most: usize) -> Result<Dict, Denial> {
        let given = self.given("options");
        if let Some(options) = given.filter(|options| options.len() > most) {
            let length = options.len();
            return Err(Denial::bad(format!("options: expected at most {most} bytes, found {length}")));
        }
        match given.map(serde_json::from_str) {
            None => Ok(Dict::new()),
            Some(Ok(options)) => Ok(options),
            Some(Err(_)) => Err(self.expected("options", "an object")),
        }
    }

    /// The text of a value that is not empty.
    fn given(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.get()).filter(|value| !is_empty(value))
    }

    fn expected(&self, key: &str, what: &str) -> Denial {
        let found = self.0.get(key).and_then(|value| outline(value));
        expected(key, what, found.as_ref())
    }
}

/// `options` of an event: those that Crossbar.io knows there, but for `forward_for`, which is of links between routers.
pub(super) fn publish_options(options: &Dict) -> Result<PublishOptions<'_>, Denial> {
    let mut read = PublishOptions::default();
    let flag = |key: &str| match options.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        other => Err(expected(key, "true or false", other)),
    };
    read.exclude_me = flag("exclude_me")?.unwrap_or(read.exclude_me);
    read.retain = flag("retain")?.unwrap_or(read.retain);
    let restrictions = Restrictions {
        eligible: audience(options, ["eligible", "eligible_authid", "eligible_authrole"])?,
        exclude: audience(options, ["exclude", "exclude_authid", "exclude_authrole"])?,
    };
    if restrictions != Restrictions::default() {
        read.restrictions = Some(Box::new(restrictions));
    }
    Ok(read)
}

fn audience<'b>(options: &'b Dict, [ids, authids, authroles]: [&str; 3]) -> Result<Audience<'b>, Denial> {
    let id = |value: &Value| value_as_id(value).map(SessionId);
    Ok(Audience {
        sessions: list(options, ids, "session ids", id)?,
        authids: list(options, authids, "texts", name)?,
        authroles: list(options, authroles, "texts", name)?,
    })
}

fn name(value: &Value) -> Option<Cow<'_, str>> {
    value.as_str().map(Cow::Borrowed)
}

/// A list, or what would be its one element. An empty one says something.
fn list<'b, T>(
    options: &'b Dict,
    key: &str,
    what: &str,
    read: impl Fn(&'b Value) -> Option<T>,
) -> Result<Option<Vec<T>>, Denial> {
    let value = match options.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let elements = match value {
        Value::Array(elements) => elements.as_slice(),
        one => std::slice::from_ref(one),
    };
    let elements: Option<_> = elements.iter().map(read).collect();
    elements.map(Some).ok_or_else(|| expected(key, &format!("a list of {what}"), Some(value)))
}

/// A result as Crossbar.io answers it: one that is nothing is `null`.
pub(super) fn result(payload: &EncodedPayload) -> String {
    let (args, kwargs) = parts(payload);
    match (is_empty(&args), is_empty(&kwargs)) {
        (true, true) => "{\"args\":[null]}".to_owned(),
        (false, true) => format!("{{\"args\":{args}}}"),
        (true, false) => format!("{{\"kwargs\":{kwargs}}}"),
        (false, false) => format!("{{\"args\":{args},\"kwargs\":{kwargs}}}"),
    }
}

/// The text of the args and kwargs of a payload in JSON.
pub(super) fn parts(payload: &EncodedPayload) -> (String, String) {
    let tail = String::from_utf8_lossy(&payload.bytes);
    let list = format!("[{tail}]");
    // What is not there, or what the router would not have sent, is nothing.
    let parts: Vec<&RawValue> = serde_json::from_str(&list).unwrap_or_default();
    let part = |at: usize, nothing: &str| parts.get(at).map_or(nothing, |part| part.get()).to_owned();
    (part(0, "[]"), part(1, "{}"))
}

/// A value as far as sentences tell of it: as values, lists and objects take many times the memory of their text.
fn outline(value: &RawValue) -> Option<Value> {
    match value.get().as_bytes().first()? {
        b'[' => Some(Value::Array(Vec::new())),
        b'{' => Some(Value::Object(Dict::new())),
        _ => serde_json::from_str(value.get()).ok(),
    }
}

/// Whether a value in JSON is nothing to speak of.
fn is_empty(value: &str) -> bool {
    let inner = |open: char, close: char| value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    match value {
        "null" | "false" | "\"\"" => true,
        _ => match inner('[', ']').or_else(|| inner('{', '}')) {
            Some(inner) => inner.trim_ascii().is_empty(),
            None => value.parse() == Ok(0.0),
        },
    }
}

fn expected(key: &str, what: &str, found: Option<&Value>) -> Denial {
    Denial::bad(format!("{key}: expected {what}, found {}", describe(found)))
}
