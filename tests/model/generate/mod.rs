//! Random operations, most of them such that something comes of them.

pub mod habits;
mod messages;
mod meta;

use std::cell::Cell;

use serde_json::{Value, json};

use self::habits::Habits;
use self::messages::{answer, grant, hello, publish, say, uri, verdict, with_payload};
use super::operation::{IDENTITIES, Operation, SERIALIZERS};
use super::router::{Caller, Model, State};
use super::run::{CLIENTS, Run};
use super::settings::Settings;

/// Where choices come from.
pub trait Chance {
    /// A number below `end`.
    fn below(&self, end: usize) -> usize;

    /// What to do more often; nothing is everything.
    fn habits(&self) -> Option<&Habits> {
        None
    }

    fn is_calm(&self) -> bool {
        self.habits().is_some_and(|habits| habits.is_calm)
    }

    fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Clone>(&self, from: &[T]) -> T
    where
        Self: Sized,
    {
        from[self.below(from.len())].clone()
    }
}

/// SplitMix64: enough chance for a test, in four lines. With the habits of its run.
pub struct SplitMix(pub Cell<u64>, pub Option<Habits>);

impl Chance for SplitMix {
    fn habits(&self) -> Option<&Habits> {
        self.1.as_ref()
    }

    fn below(&self, end: usize) -> usize {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let z = self.0.get();
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).expect("less than a usize")
    }
}

/// The next operation of a run.
pub fn operation(chance: &impl Chance, run: &Run) -> Operation {
    let client = chance.below(CLIENTS);
    let Some(at) = run.clients[client] else {
        return Operation::Opens {
            client,
            serializer: chance.pick(&SERIALIZERS),
            // Most are nobody in particular, and some that have a role like others.
            identity: match chance.below(6) {
                0 | 1 => "nobody",
                2 => "user",
                3 => "joe",
                _ => chance.pick(&IDENTITIES),
            },
        };
    };
    match chance.below(400) {
        0..6 if !(chance.is_calm() && chance.one_in(4)) => return Operation::IsLost { client },
        6 if !(chance.is_calm() && chance.one_in(2)) => {
            return Operation::Reload { settings: chance.below(Settings::COUNT) };
        }
        7 if chance.one_in(20) => return Operation::ShutDown,
        // Somebody should answer, where somebody is asked.
        40..140 if run.model.questions.iter().any(|question| question.function.is_some()) => {
            let answer = match chance.below(20) {
                0 => Value::Null,
                1..8 if run.model.settings.auth.is_some() => grant(chance),
                _ => verdict(chance),
            };
            return Operation::Answers { position: chance.below(4), answer };
        }
        8..40 => {
            let ms = [1, 50, 99, 100, 101, 400, 1_000, 2_500];
            return Operation::Wait { ms: chance.pick(&ms) };
        }
        _ => {}
    }
    let message = match run.model.transports[at].state {
        State::Closing(_) if chance.one_in(2) => json!([6, {}, "wamp.close.goodbye_and_out"]),
        State::Closing(_) => say(chance, run),
        State::Authenticating(..) if chance.one_in(12) => say(chance, run),
        State::Authenticating(..) if chance.one_in(12) => json!([3, {}, "wamp.error.cannot_authenticate"]),
        State::Authenticating(..) => {
            json!([5, chance.pick(&["secret", "secret", "secret", "top", "old", ""]), {}])
        }
        State::Open(_) if chance.one_in(40) => say(chance, run),
        State::Open(_) => hello(chance, run.model.settings.auth.is_some() && !chance.one_in(4)),
        _ => say_something_apt(chance, run, at),
    };
    Operation::Says { client, message }
}

/// A message of a session; seldom about something that the session has not.
fn say_something_apt(chance: &impl Chance, run: &Run, at: usize) -> Value {
    let model = &run.model;
    let calls = || model.realms.iter().flat_map(|realm| &realm.calls);
    let is_asked = calls().any(|call| call.callee() == Some(at));
    if is_asked && chance.one_in(3) {
        let mut answer = answer(chance);
        if !chance.one_in(40) {
            is_announced(run, at, &mut answer);
        }
        return answer;
    }
    if let Some(session) = model.joined(at) {
        if session.last_request == Some(0) && chance.one_in(8) {
            // Counts in its own way from now on.
            return json!([32, 500, {}, "a.b"]);
        }
        if chance.one_in(3)
            && let Some(piece) = piece_of_call(chance, model, at)
        {
            return piece;
        }
        if !session.cut_short.is_empty() && chance.one_in(6) {
            let mut options = json!({});
            options["progress"] = chance.one_in(2).into();
            return json!([48, format!("$cut {}", chance.below(4)), options, uri(chance)]);
        }
    }
    if is_asked || chance.one_in(50) {
        return say(chance, run);
    }
    for _ in 0..20 {
        let mut message = say(chance, run);
        let is_apt = match message[0].as_u64() {
            Some(8 | 70) => false,
            Some(34) => {
                run.model.realms.iter().flat_map(|realm| &realm.subscriptions).any(|held| held.has(at))
            }
            Some(66) => {
                run.model.realms.iter().flat_map(|realm| &realm.registrations).any(|held| held.has(at))
            }
            _ => true,
        } && (chance.one_in(40) || is_announced(run, at, &mut message));
        if message[0] == 48 && !chance.one_in(4) {
            // Somebody who answers is better than nobody.
            let realm = run.model.joined(at).map(|session| &session.realm);
            let here = run.model.realms.iter().filter(|known| Some(&known.name) == realm);
            let registered = here.flat_map(|realm| &realm.registrations);
            let exact: Vec<&str> =
                registered.filter(|known| known.policy == "exact").map(|known| known.uri.as_str()).collect();
            let is_of_router = message[3].as_str().is_some_and(|uri| uri.starts_with("wamp"));
            if !exact.is_empty() && !is_of_router {
                message[3] = chance.pick(&exact).into();
            }
        }
        if message[0] == 64 && chance.one_in(2) {
            let mut known = run.model.realms.iter().flat_map(|realm| &realm.registrations);
            if let Some(known) = known.find(|known| message[3] == known.uri.as_str()) {
                message[2]["invoke"] = known.invoke.as_str().into();
            }
        }
        if is_apt {
            return message;
        }
    }
    publish(chance)
}

/// Whether the session announced the role for a message; takes away what it did not announce beside that.
fn is_announced(run: &Run, at: usize, message: &mut Value) -> bool {
    let Some(session) = run.model.joined(at) else { return true };
    let (role, options) = match message[0].as_u64() {
        Some(8) => ("callee", 3),
        Some(16) => ("publisher", 2),
        Some(32) => ("subscriber", 2),
        Some(48) => ("caller", 2),
        Some(64 | 70) => ("callee", 2),
        _ => return true,
    };
    let has = |feature: &str| session.roles[role]["features"][feature] == true;
    let is_unknown = |key: &str| match key {
        "ppt_scheme" => !has("payload_passthru_mode"),
        "enc_algo" => !has("payload_transparency"),
        "progress" => role == "caller" && !has("progressive_call_invocations"),
        _ => false,
    };
    if let Some(options) = message[options].as_object_mut() {
        options.retain(|key, _| !is_unknown(key));
    }
    let is_plain = message[options]["enc_algo"].is_null();
    if is_plain
        && message.as_array().and_then(|message| message.last()).is_some_and(|last| *last == "a secret")
    {
        message.as_array_mut().expect("a message").pop();
    }
    session.roles.get(role).is_some()
}

/// The next piece of a call that its caller has not finished; seldom something that is none.
fn piece_of_call(chance: &impl Chance, model: &Model, at: usize) -> Option<Value> {
    let calls = model.realms.iter().flat_map(|realm| &realm.calls);
    let mine = calls.filter(|call| call.caller == Caller::Session(at)).enumerate();
    let unfinished: Vec<_> = mine.filter(|(_, call)| call.is_unfinished() || chance.one_in(40)).collect();
    if unfinished.is_empty() {
        return None;
    }
    let (position, call) = chance.pick(&unfinished);
    let mut options = json!({});
    if !chance.one_in(3) {
        options["progress"] = true.into();
    }
    // Those of the first piece hold for all.
    for key in ["disclose_me", "receive_progress"] {
        if chance.one_in(6) {
            options[key] = true.into();
        }
    }
    if call.is_encoded() {
        options["enc_algo"] = "mqtt".into();
    }
    let procedure = if chance.one_in(20) { uri(chance).into() } else { call.procedure().clone() };
    Some(with_payload(chance, json!([48, format!("$call {position}"), options, procedure])))
}
