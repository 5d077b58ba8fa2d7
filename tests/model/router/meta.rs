//! The procedures of the router itself. [advanced/meta_api_*]

use serde_json::{Value, json};

use super::{Fault, Model, uri};

pub(super) const PROCEDURES: [&str; 7] = [
    "wamp.session.count",
    "wamp.session.list",
    "wamp.session.get",
    "wamp.session.kill",
    "wamp.session.kill_by_authid",
    "wamp.session.kill_by_authrole",
    "wamp.session.kill_all",
];

const INVALID_ARGUMENT: Fault = Fault::Refused("wamp.error.invalid_argument");

impl Model {
    pub(super) fn call_meta(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let procedure = message[3].as_str().expect("a URI");
        let first = &message[4][0];
        let realm = self.session(at).realm.clone();
        let sessions = self.sessions(&realm);
        let result = match procedure.strip_prefix("wamp.session.").expect("a procedure of sessions") {
            "count" => json!([self.filtered(&sessions, message)?.len()]),
            "list" => json!([self.filtered(&sessions, message)?]),
            "get" => {
                let (_, found) = find(&sessions, message)?;
                json!([self.session(found).details])
            }
            "kill" => {
                let (_, victim) = find(&sessions, message)?;
                if victim == at {
                    return Err(Fault::Refused("wamp.error.no_such_session"));
                }
                return self.kill(at, message, &[victim], Value::Null, true);
            }
            by => {
                let is_wanted = |victim: usize| match by {
                    "kill_by_authid" => *first == self.session(victim).authid.as_str(),
                    "kill_by_authrole" => *first == self.session(victim).authrole.as_str(),
                    _ => true,
                };
                if by != "kill_all" && !first.is_string() {
                    return Err(INVALID_ARGUMENT);
                }
                let others = sessions.iter().filter(|(_, victim)| *victim != at && is_wanted(*victim));
                let (ids, victims): (Vec<u64>, Vec<usize>) = others.copied().unzip();
                let answer = if by == "kill_by_authid" { json!([ids]) } else { json!([ids.len()]) };
                return self.kill(at, message, &victims, answer, by != "kill_all");
            }
        };
        self.send(at, json!([50, message[1], {}, result]));
        Ok(())
    }

    /// The ids of sessions with one of the wanted roles.
    fn filtered(&self, sessions: &[(u64, usize)], message: &Value) -> Result<Vec<u64>, Fault> {
        let wanted = match argument(message, "filter_authroles") {
            Value::Null => None,
            Value::Array(roles) if roles.iter().all(Value::is_string) => Some(roles),
            _ => return Err(INVALID_ARGUMENT),
        };
        let has_role = |at: usize| {
            wanted.is_none_or(|roles| roles.iter().any(|role| *role == self.session(at).authrole.as_str()))
        };
        Ok(sessions.iter().filter(|(_, at)| has_role(*at)).map(|(id, _)| *id).collect())
    }

    /// The answer, and then GOODBYE to each of them.
    fn kill(
        &mut self,
        at: usize,
        message: &Value,
        victims: &[usize],
        answer: Value,
        is_announced: bool,
    ) -> Result<(), Fault> {
        let reason = match &message[5]["reason"] {
            Value::Null => "wamp.close.killed",
            Value::String(reason)
                if reason.len() <= self.settings.limits.uri_length
                    && uri::is_valid(reason, "exact", false) =>
            {
                reason
            }
            _ => return Err(Fault::Refused("wamp.error.invalid_uri")),
        };
        let details = match &message[5]["message"] {
            Value::Null => json!({}),
            Value::String(text) => json!({ "message": text }),
            _ => return Err(INVALID_ARGUMENT),
        };
        let result =
            if answer.is_null() { json!([50, message[1], {}]) } else { json!([50, message[1], {}, answer]) };
        self.send(at, result);
        for victim in victims {
            self.say_goodbye(*victim, reason, details.clone(), is_announced);
        }
        Ok(())
    }
}

/// The first positional argument, or else the keyword of this name.
fn argument<'a>(message: &'a Value, name: &str) -> &'a Value {
    match message[4].get(0) {
        Some(value) => value,
        None => &message[5][name],
    }
}

fn find(sessions: &[(u64, usize)], message: &Value) -> Result<(u64, usize), Fault> {
    let id = argument(message, "session")
        .as_u64()
        .filter(|id| (1..=1 << 53).contains(id))
        .ok_or(INVALID_ARGUMENT)?;
    let found = sessions.iter().find(|(session, _)| *session == id).copied();
    found.ok_or(Fault::Refused("wamp.error.no_such_session"))
}
