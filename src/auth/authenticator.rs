//! Authenticators: procedures and functions that are asked who somebody is.
//!
//! Owns what they are asked, `authenticator(realm, authid, details)` as in Crossbar.io, and how their answers are read. Who
//! carries question and answer is the router's business.

use serde_json::Value;

use super::methods::{Denial, Hello};
use super::{AUTHENTICATION_FAILED, Ask, Failure, Grant};
use crate::codec::{value_as_id, value_kind};
use crate::message::{Dict, dict};
use crate::payload::Values;

impl Ask {
    /// What `authprovider` says of it.
    pub(super) fn provider(&self) -> &'static str {
        match self {
            Self::Procedure { .. } => "dynamic",
            Self::Function(_) => "function",
        }
    }
}

impl Failure {
    /// What the client is told: the authenticator's own words; but not what went wrong with the authenticator.
    pub(super) fn denial(self) -> Denial {
        let is_fault = match self.error.strip_prefix("wamp.error.") {
            Some(error) => FAULTS.contains(&error),
            None => self.error.starts_with("wamplet.") || self.error == BUSY,
        };
        if is_fault {
            return Self::no_answer(|| format!("{}: {:?}", self.error, self.text));
        }
        Denial { error: self.error.into(), text: self.text.into(), ..Denial::default() }
    }

    /// What the client is told where the authenticator gives no answer, or none that can be read; and why, for the log.
    #[cfg_attr(not(feature = "native"), expect(unused_variables, reason = "there is no log"))]
    pub(super) fn no_answer(why: impl FnOnce() -> String) -> Denial {
        Denial {
            error: AUTHENTICATION_FAILED.into(),
            text: "the authenticator has failed".into(),
            #[cfg(feature = "native")]
            fault: why(),
        }
    }
}

/// The authenticator of one method. `type: dynamic` and `type: function` of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticator {
    pub ask: Ask,
    /// `default-role`: the role of those for whom the answer names none. Default none: such an answer lets nobody in.
    pub default_role: Option<String>,
}

/// The arguments for an authenticator: realm, authid and what else is known, with `more` that the method knows.
pub(super) fn question(
    hello: &Hello<'_>,
    method: &'static str,
    authid: Option<&str>,
    more: Option<(&str, Value)>,
) -> Values {
    let said = |key| hello.details.get(key).cloned().unwrap_or_default();
    let mut details = dict([
        ("transport", hello.transport.clone()),
        ("session", hello.session.0.into()),
        ("authmethod", method.into()),
        ("authid", authid.into()),
        ("authrole", said("authrole")),
        ("authextra", said("authextra")),
    ]);
    if let Some((key, value)) = more {
        details.insert(key.to_owned(), value);
    }
    Values::args([hello.realm.into(), authid.into(), details.into()])
}

/// What an authenticator said: a role, or a dictionary with `role`, `realm`, `authid`, `extra` and the credential.
pub(super) struct Answer {
    pub grant: Grant,
    /// The whole dictionary.
    pub fields: Dict,
}

impl Answer {
    /// Reads the first argument, if it is such an answer.
    pub(super) fn read(values: &Values, default_role: Option<&str>) -> Option<Self> {
        let fields = match values.args.first()? {
            role @ Value::String(_) => dict([("role", role.clone())]),
            Value::Object(fields) => fields.clone(),
            _ => return None,
        };
        let extra = match fields.get("extra") {
            None | Some(Value::Null) => None,
            Some(Value::Object(extra)) => Some(extra.clone()),
            Some(_) => return None,
        };
        let role = text(&fields, "role")?.or_else(|| default_role.map(str::to_owned))?;
        let grant = Grant { realm: text(&fields, "realm")?, authid: text(&fields, "authid")?, role, extra };
        Some(Self { grant, fields })
    }

    /// The string at `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.fields.get(key)?.as_str()
    }

    /// The number from 1 at `key`. JavaScript's encoders may write it as a float.
    pub(super) fn number(&self, key: &str) -> Option<u32> {
        let number = value_as_id(self.fields.get(key)?)?;
        u32::try_from(number).ok()
    }
}

/// What an answer is that cannot be read, for the log: the names and types of what is in it, and no value, which may be a
/// secret.
pub(super) fn found(values: &Values) -> String {
    let Some(answer) = values.args.first() else { return "nothing".to_owned() };
    let Value::Object(fields) = answer else { return value_kind(answer).to_owned() };
    let mut text = "a dictionary".to_owned();
    for (number, (key, value)) in fields.iter().take(MOST_FIELDS).enumerate() {
        let before = if number == 0 { " of" } else { "," };
        text.push_str(&format!("{before} {key:?}: {}", value_kind(value)));
    }
    text
}

/// What an answer must be.
pub(super) const READABLE: &str = "a role, or a dictionary with texts as \"role\" (which the default-role may stand for), \"realm\" and \"authid\", and \
     a dictionary as \"extra\"";

/// The string at `key`, if there is one; `None` where something else is there.
fn text(fields: &Dict, key: &str) -> Option<Option<String>> {
    match fields.get(key) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    }
}

/// Entries of an answer that the log names.
const MOST_FIELDS: usize = 12;

/// Crossbar.io's name for an authenticator that has no time.
const BUSY: &str = "crossbar.error.max_concurrency_reached";

/// Errors of a call that went wrong, and what the client libraries make of an exception in a procedure.
const FAULTS: [&str; 8] = [
    "canceled",
    "invalid_argument",
    "no_available_callee",
    "no_such_procedure",
    "payload_size_exceeded",
    "runtime_error",
    "timeout",
    "unavailable",
];
