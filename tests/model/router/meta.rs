//! The meta API: the procedures of the router itself, and its events. [advanced/meta_api_*, advanced/pubsub_testament]

use serde_json::{Value, json};

use super::broker::AUDIENCE;
use super::{Fault, Model, Session, Testament, grammar, in_any_order, uri};

const INVALID_ARGUMENT: Fault = Fault::Refused("wamp.error.invalid_argument");
const NO_SUCH_PROCEDURE: Fault = Fault::Refused("wamp.error.no_such_procedure");
const NO_SUCH_SESSION: Fault = Fault::Refused("wamp.error.no_such_session");

/// Bytes of a text that the router passes on to somebody.
const MAX_TEXT: usize = 1_024;

impl Model {
    pub(super) fn call_meta(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let procedure = message[3].as_str().expect("a URI");
        let is_served = self.configured(&self.session(at).realm).is_none_or(|realm| realm.has_meta_api);
        if !is_served {
            return Err(NO_SUCH_PROCEDURE);
        }
        match procedure {
            "wamplet.retention.clear" => return self.clear_retained_of(at, message),
            "wamplet.authorization.purge" => return self.purge(at, message),
            "wamp.subscription.get_events" => {
                let events = self.history(at, message)?;
                return self.answer_meta(at, message, events);
            }
            _ if !uri::is_reserved(procedure) => return Err(NO_SUCH_PROCEDURE),
            _ => {}
        }
        let mut components = procedure.splitn(3, '.').skip(1);
        let (kind, name) = (components.next().unwrap_or_default(), components.next().unwrap_or_default());
        match kind {
            "session" => self.call_session_meta(at, name, message),
            "registration" | "subscription" => self.call_held_meta(at, kind, name, message),
            _ => Err(NO_SUCH_PROCEDURE),
        }
    }

    fn answer_meta(&mut self, at: usize, message: &Value, result: Value) -> Result<(), Fault> {
        self.send(at, json!([50, message[1], {}, [result]]));
        Ok(())
    }

    fn clear_retained_of(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let (topic, policy) = (text(message, 0, "topic")?, match_policy(message)?);
        let realm = self.session(at).realm.clone();
        let count = self.clear_retained(&realm, topic, policy);
        self.answer_meta(at, message, count.into())
    }

    /// What authorizers have decided about the sessions of an authid, or about all, is forgotten; and what they are still
    /// asked will be.
    fn purge(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let authid = match argument(message, 0, "authid") {
            Value::Null => None,
            _ => Some(text(message, 0, "authid")?),
        };
        let realm = self.session(at).realm.clone();
        let count = self.forget_decisions(&realm, authid);
        self.answer_meta(at, message, count.into())
    }

    fn call_session_meta(&mut self, at: usize, name: &str, message: &Value) -> Result<(), Fault> {
        let realm = self.session(at).realm.clone();
        let sessions = self.sessions(&realm);
        let result = match name {
            "count" => json!(self.filtered(&sessions, message)?.len()),
            "list" => json!(self.filtered(&sessions, message)?),
            "get" => {
                let found = self.find_session(at, message, 0, "session")?;
                Value::clone(&self.session(found).details)
            }
            "kill" => {
                let victim = self.find_session(at, message, 0, "session")?;
                return if victim == at {
                    Err(NO_SUCH_SESSION)
                } else {
                    self.kill(at, message, &[victim], Value::Null, true)
                };
            }
            "kill_by_authid" | "kill_by_authrole" | "kill_all" => {
                let wanted = match name {
                    "kill_by_authid" => text(message, 0, "authid")?,
                    "kill_by_authrole" => text(message, 0, "authrole")?,
                    _ => "",
                };
                let is_wanted = |victim: usize| match name {
                    "kill_by_authid" => self.session(victim).authid == wanted,
                    "kill_by_authrole" => self.session(victim).authrole == wanted,
                    _ => true,
                };
                let others = sessions.iter().filter(|(_, victim)| *victim != at && is_wanted(*victim));
                let (ids, victims): (Vec<u64>, Vec<usize>) = others.copied().unzip();
                let answer = if name == "kill_by_authid" { json!(ids) } else { json!(ids.len()) };
                return self.kill(at, message, &victims, answer, name != "kill_all");
            }
            "add_testament" => self.add_testament(at, message)?,
            "flush_testaments" => {
                let scope = scope(message, 0)?;
                let testaments = &mut self.session_mut(at).testaments;
                let before = testaments.len();
                testaments.retain(|testament| testament.scope != scope);
                json!(before - testaments.len())
            }
            _ => return Err(NO_SUCH_PROCEDURE),
        };
        self.answer_meta(at, message, result)
    }

    /// What registrations and subscriptions have in common is said once.
    fn call_held_meta(&mut self, at: usize, kind: &str, name: &str, message: &Value) -> Result<(), Fault> {
        let is_registration = kind == "registration";
        let (members, uri_name) =
            if is_registration { ("callees", "procedure") } else { ("subscribers", "topic") };
        let held = self.held(at, kind);
        let result = match name {
            "list" => {
                let of = match argument(message, 0, "session_id") {
                    Value::Null => None,
                    _ => Some(self.find_session(at, message, 0, "session_id")?),
                };
                let wanted = held.iter().filter(|held| of.is_none_or(|of| held.members.contains(&of)));
                let mut lists = json!({ "exact": [], "prefix": [], "wildcard": [] });
                for held in wanted {
                    lists[&held.policy].as_array_mut().expect("a policy").push(held.id.into());
                }
                lists
            }
            "lookup" => {
                let wanted = text(message, 0, uri_name)?;
                let policy = match_policy(message)?;
                let found = held.iter().find(|held| held.uri == wanted && held.policy == policy);
                found.map_or(Value::Null, |held| held.id.into())
            }
            "match" if is_registration => {
                let procedure = text(message, 0, uri_name)?;
                let realm = self.realm_of(at);
                // No registration answers in the router's name.
                let found = realm.best_registration(procedure).filter(|_| !uri::is_of_router(procedure));
                found.map_or(Value::Null, |found| realm.registrations[found].id.into())
            }
            "match" => {
                let topic = text(message, 0, uri_name)?;
                let matching = held.iter().filter(|held| uri::matches(&held.uri, &held.policy, topic));
                let ids: Vec<u64> = matching.map(|held| held.id).collect();
                if ids.is_empty() { Value::Null } else { in_any_order(ids) }
            }
            "get" => {
                let found = find(&held, kind, message)?;
                found.details.clone()
            }
            _ => match name.rsplit_once('_') {
                Some(("list", whose)) if whose == members => {
                    let found = find(&held, kind, message)?;
                    let ids: Vec<u64> = found.members.iter().map(|at| self.session(*at).id).collect();
                    // Those of a registration are in the order in which they came.
                    if is_registration { json!(ids) } else { in_any_order(ids) }
                }
                Some(("count", whose)) if whose == members => {
                    json!(find(&held, kind, message)?.members.len())
                }
                Some(("remove", whose)) if format!("{whose}s") == members => {
                    let found = find(&held, kind, message)?;
                    let member = self.find_session(at, message, 1, &format!("{whose}_id"))?;
                    if !found.members.contains(&member) {
                        return Err(NO_SUCH_SESSION);
                    }
                    let reason = self.reason(argument(message, 2, "reason"))?.map(Value::from);
                    self.send(at, json!([50, message[1], {}]));
                    self.revoke(kind, found.id, member, reason);
                    return Ok(());
                }
                _ => return Err(NO_SUCH_PROCEDURE),
            },
        };
        self.answer_meta(at, message, result)
    }

    /// [advanced/rpc_registration_revocation, advanced/pubsub_subscription_revocation]
    fn revoke(&mut self, kind: &str, id: u64, at: usize, reason: Option<Value>) {
        let session = self.session(at).clone();
        if kind == "registration" {
            self.take_registration(id, at, reason.as_ref());
            self.announce_end(&session, kind, id);
            return;
        }
        let is_understood = self.has_feature(at, "subscriber", "subscription_revocation");
        let realm = self.realm_of(at);
        let is_told = realm.subscriptions.iter().any(|held| held.id == id && held.is_told());
        realm.take_subscriber(at, Some(id));
        if is_understood {
            let mut details = json!({ "subscription": id });
            if let Some(reason) = reason {
                details["reason"] = reason;
            }
            self.send(at, json!([35, 0, details]));
        }
        if is_told {
            self.announce_end(&session, kind, id);
        }
    }

    /// A session has got hold of something that it did not hold before.
    pub(super) fn announce_beginning(&mut self, at: usize, kind: &str, id: u64, is_created: bool) {
        let (realm, session) = (self.session(at).realm.clone(), self.session(at).id);
        if is_created {
            let held = self.held(at, kind);
            let details = &held.iter().find(|held| held.id == id).expect("it was created").details;
            self.announce(&realm, &format!("wamp.{kind}.on_create"), &json!([session, details]));
        }
        let joined = if kind == "registration" { "on_register" } else { "on_subscribe" };
        self.announce(&realm, &format!("wamp.{kind}.{joined}"), &json!([session, id]));
    }

    /// A session, which may have left, holds something no longer.
    pub(super) fn announce_end(&mut self, session: &Session, kind: &str, id: u64) {
        let realm = self.realm(&session.realm);
        let is_there = match kind {
            "registration" => realm.registrations.iter().any(|held| held.id == id),
            _ => realm.subscriptions.iter().any(|held| held.id == id),
        };
        self.announce_departure(session, kind, id, !is_there);
    }

    /// The same, told whether it went with the session.
    pub(super) fn announce_departure(&mut self, session: &Session, kind: &str, id: u64, is_gone: bool) {
        let values = json!([session.id, id]);
        let left = if kind == "registration" { "on_unregister" } else { "on_unsubscribe" };
        self.announce(&session.realm, &format!("wamp.{kind}.{left}"), &values);
        if is_gone {
            self.announce(&session.realm, &format!("wamp.{kind}.on_delete"), &values);
        }
    }

    /// The registrations or subscriptions of a session's realm.
    fn held(&mut self, at: usize, kind: &str) -> Vec<Held> {
        let realm = self.realm_of(at);
        let mut held: Vec<Held> = if kind == "registration" {
            let registrations = realm.registrations.iter();
            registrations
                .map(|known| Held {
                    id: known.id,
                    uri: known.uri.clone(),
                    policy: known.policy.clone(),
                    members: known.callees.iter().map(|callee| callee.transport).collect(),
                    details: json!({
                        "id": known.id,
                        "created": known.created,
                        "uri": known.uri,
                        "match": known.policy,
                        "invoke": known.invoke,
                    }),
                })
                .collect()
        } else {
            let subscriptions = realm.subscriptions.iter();
            subscriptions
                .map(|known| Held {
                    id: known.id,
                    uri: known.uri.clone(),
                    policy: known.policy.clone(),
                    members: known.subscribers.clone(),
                    details: json!({
                        "id": known.id,
                        "created": known.created,
                        "uri": known.uri,
                        "match": known.policy,
                    }),
                })
                .collect()
        };
        held.sort_by_key(|held| held.id);
        held
    }

    /// Everything that a PUBLISH would be refused for is refused when the testament is made.
    fn add_testament(&mut self, at: usize, message: &Value) -> Result<Value, Fault> {
        let scope = scope(message, 4)?;
        let topic = text(message, 0, "topic")?;
        let or_empty = |position, name, empty: Value| match argument(message, position, name) {
            Value::Null => Ok(empty),
            value if value.is_array() == empty.is_array() && value.is_object() == empty.is_object() => {
                Ok(value.clone())
            }
            _ => Err(INVALID_ARGUMENT),
        };
        let args = or_empty(1, "args", json!([]))?;
        let kwargs = or_empty(2, "kwargs", json!({}))?;
        let options = or_empty(3, "publish_options", json!({}))?;
        let mut publish = vec![json!(16), json!(1), options.clone(), topic.into()];
        if kwargs != json!({}) {
            publish.extend([args, kwargs]);
        } else if args != json!([]) {
            publish.push(args);
        }
        let publish = Value::from(publish);
        if !grammar::is_well_formed(&publish) {
            return Err(INVALID_ARGUMENT);
        }
        self.check_uri(at, topic, "exact")?;
        if uri::is_reserved(topic) {
            return Err(Fault::Refused("wamp.error.invalid_uri"));
        }
        let lists = AUDIENCE.iter().filter_map(|key| options[*key].as_array());
        if lists.map(Vec::len).sum::<usize>() > self.settings.limits.audience {
            return Err(Fault::Refused("wamplet.error.limit_exceeded"));
        }
        let (decision, session) = (self.testament_verdict, self.session(at));
        let grant = match decision {
            Some(grant) => grant,
            None => self.authorize_session(session, topic, "exact", "publish")?,
        };
        grant.check(&options)?;
        if !self.takes_payload(at, "publisher", &options) {
            return Err(Fault::Refused("wamp.error.feature_not_supported"));
        }
        if self.session(at).testaments.len() >= self.settings.limits.testaments {
            return Err(Fault::Refused("wamplet.error.limit_exceeded"));
        }
        let publication = self.next_publication();
        let testament =
            Testament { scope: scope.into(), publication: publication.clone(), publish, decision };
        self.session_mut(at).testaments.push(testament);
        Ok(publication)
    }

    /// The ids of sessions with one of the wanted roles.
    fn filtered(&self, sessions: &[(u64, usize)], message: &Value) -> Result<Vec<u64>, Fault> {
        let wanted = match argument(message, 0, "filter_authroles") {
            Value::Null => None,
            Value::Array(roles) if roles.iter().all(Value::is_string) => Some(roles),
            _ => return Err(INVALID_ARGUMENT),
        };
        let has_role = |at: usize| {
            wanted.is_none_or(|roles| roles.iter().any(|role| *role == self.session(at).authrole.as_str()))
        };
        Ok(sessions.iter().filter(|(_, at)| has_role(*at)).map(|(id, _)| *id).collect())
    }

    /// Why something becomes of somebody, if that is said: a URI.
    fn reason<'a>(&self, value: &'a Value) -> Result<Option<&'a str>, Fault> {
        match value {
            Value::Null => Ok(None),
            Value::String(reason)
                if reason.len() <= self.settings.limits.uri_length
                    && uri::is_valid(reason, "exact", false) =>
            {
                Ok(Some(reason))
            }
            _ => Err(Fault::Refused("wamp.error.invalid_uri")),
        }
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
        let (reason, text) = match is_announced {
            true => (argument(message, 1, "reason"), argument(message, 2, "message")),
            false => (&message[5]["reason"], &message[5]["message"]),
        };
        let reason = self.reason(reason)?.unwrap_or("wamp.close.killed");
        let details = match sentence(text)? {
            None => json!({}),
            Some(text) => json!({ "message": text }),
        };
        if answer.is_null() {
            self.send(at, json!([50, message[1], {}]));
        } else {
            self.answer_meta(at, message, answer)?;
        }
        for victim in victims {
            self.say_goodbye(*victim, reason, details.clone(), is_announced);
        }
        Ok(())
    }

    /// The transport of the session that an argument names, in the realm of the caller.
    fn find_session(&self, at: usize, message: &Value, position: usize, name: &str) -> Result<usize, Fault> {
        let id = id(message, position, name)?;
        let sessions = self.sessions(&self.session(at).realm);
        let found = sessions.iter().find(|(session, _)| *session == id);
        found.map(|(_, found)| *found).ok_or(NO_SUCH_SESSION)
    }
}

/// A registration or a subscription.
struct Held {
    id: u64,
    uri: String,
    policy: String,
    members: Vec<usize>,
    details: Value,
}

fn find<'h>(held: &'h [Held], kind: &str, message: &Value) -> Result<&'h Held, Fault> {
    let id = id(message, 0, &format!("{kind}_id"))?;
    let error = if kind == "registration" {
        "wamp.error.no_such_registration"
    } else {
        "wamp.error.no_such_subscription"
    };
    held.iter().find(|held| held.id == id).ok_or(Fault::Refused(error))
}

/// A positional argument, or else the keyword of this name; null is as good as none.
fn argument<'a>(message: &'a Value, position: usize, name: &str) -> &'a Value {
    match &message[4][position] {
        Value::Null => &message[5][name],
        value => value,
    }
}

/// The topic of the testament that a message adds, if it does.
pub fn wanted_testament(message: &Value) -> Option<String> {
    let is_wanted = message[0] == 48 && message[3] == "wamp.session.add_testament";
    let topic = is_wanted.then(|| argument(message, 0, "topic").as_str())?;
    topic.map(str::to_owned)
}

/// `match` of the options that a topic or procedure may come with.
fn match_policy(message: &Value) -> Result<&str, Fault> {
    let options = argument(message, 1, "options");
    match &options["match"] {
        Value::Null if options.is_null() || options.is_object() => Ok("exact"),
        Value::String(policy) if ["exact", "prefix", "wildcard"].contains(&&**policy) => Ok(policy),
        _ => Err(INVALID_ARGUMENT),
    }
}

fn id(message: &Value, position: usize, name: &str) -> Result<u64, Fault> {
    let id = argument(message, position, name).as_u64();
    id.filter(|id| (1..=1 << 53).contains(id)).ok_or(INVALID_ARGUMENT)
}

fn text<'a>(message: &'a Value, position: usize, name: &str) -> Result<&'a str, Fault> {
    argument(message, position, name).as_str().ok_or(INVALID_ARGUMENT)
}

/// A text that somebody is sent, if there is one.
fn sentence(value: &Value) -> Result<Option<Value>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.len() <= MAX_TEXT => Ok(Some(value.clone())),
        _ => Err(INVALID_ARGUMENT),
    }
}

fn scope(message: &Value, position: usize) -> Result<&str, Fault> {
    match argument(message, position, "scope") {
        Value::Null => Ok("destroyed"),
        Value::String(scope) if scope == "detached" || scope == "destroyed" => Ok(scope),
        _ => Err(Fault::Refused("wamp.error.testament_error")),
    }
}
