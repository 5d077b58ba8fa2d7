//! Random operations, most of them such that something comes of them.

use std::cell::Cell;

use serde_json::{Value, json};

use super::operation::{IDENTITIES, Operation, SERIALIZERS};
use super::router::State;
use super::run::{CLIENTS, Run};
use super::settings::Settings;

/// Where choices come from.
pub trait Chance {
    /// A number below `end`.
    fn below(&self, end: usize) -> usize;

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

/// SplitMix64: enough chance for a test, in four lines.
pub struct SplitMix(pub Cell<u64>);

impl Chance for SplitMix {
    fn below(&self, end: usize) -> usize {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let z = self.0.get();
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).expect("less than a usize")
    }
}

/// Names that meet as topics and procedures.
const URIS: [&str; 9] =
    ["a.b", "a.c", "a.b.c", "a.b.d", "b.b.c", "a.c.c.d", "b.c", "a", "wamp.session.on_leave"];

/// With their match policies.
const PATTERNS: [(&str, &str); 14] = [
    ("a.", "prefix"),
    ("a.b", "prefix"),
    ("a.b.", "prefix"),
    ("", "prefix"),
    ("wamp.", "prefix"),
    ("a.", "wildcard"),
    (".b", "wildcard"),
    ("..c", "wildcard"),
    ("a..c", "wildcard"),
    (".b.", "wildcard"),
    ("...", "wildcard"),
    ("a...d", "wildcard"),
    ("wamp.session.", "wildcard"),
    ("", "wildcard"),
];

const META_TOPICS: [&str; 12] = [
    "wamp.session.on_join",
    "wamp.session.on_leave",
    "wamp.metaevent.session.on_join",
    "wamp.metaevent.session.on_leave",
    "wamp.registration.on_create",
    "wamp.registration.on_register",
    "wamp.registration.on_unregister",
    "wamp.registration.on_delete",
    "wamp.subscription.on_create",
    "wamp.subscription.on_subscribe",
    "wamp.subscription.on_unsubscribe",
    "wamp.subscription.on_delete",
];

/// Those of registrations and subscriptions are both.
const META_PROCEDURES: [&str; 28] = [
    "session.count",
    "session.list",
    "session.get",
    "session.get",
    "session.kill",
    "session.kill_by_authid",
    "session.kill_by_authrole",
    "session.kill_all",
    "session.nothing",
    "session.add_testament",
    "session.add_testament",
    "session.add_testament",
    "session.add_testament",
    "session.add_testament",
    "session.add_testament",
    "session.add_testament",
    "session.flush_testaments",
    "registration.list",
    "registration.lookup",
    "registration.match",
    "registration.get",
    "registration.list_callees",
    "registration.count_callees",
    "registration.remove_callee",
    "registration.remove_callee",
    "subscription.list_callees",
    "nothing",
    "nothing.list",
];

const WRONG_URIS: [&str; 6] =
    ["", "a..b", "a b", "a#b", "A.B", "a.very.long.uri.that.is.longer.than.the.limit.of.uris"];

const FEATURES: [(&str, &str); 6] = [
    ("callee", "call_canceling"),
    ("callee", "call_timeout"),
    ("callee", "payload_passthru_mode"),
    ("callee", "progressive_call_results"),
    ("caller", "payload_passthru_mode"),
    ("publisher", "payload_passthru_mode"),
];

/// Messages that are not WAMP, or that no client sends in this way at this time.
const VIOLATIONS: [&str; 30] = [
    "{}",
    "[]",
    "7",
    "[99]",
    "[\"16\"]",
    "[2,1,{}]",
    "[4,\"ticket\",{}]",
    "[5,\"signature\",{}]",
    "[17,1,1]",
    "[36,1,1,{}]",
    "[50,1,{}]",
    "[68,1,1,{}]",
    "[69,1,{}]",
    "[16,0,{},\"a.b\"]",
    "[16,\"$next\",{\"acknowledge\":1},\"a.b\"]",
    "[16,\"$next\",{\"eligible\":7},\"a.b\"]",
    "[16,\"$next\",{\"exclude_authid\":[7]},\"a.b\"]",
    "[16,\"$next\",{},\"a.b\",{}]",
    "[16,\"$next\",{},\"a.b\",[],[]]",
    "[16,\"$next\",{},\"a.b\",[],{},7]",
    "[32,\"$next\",{\"match\":\"regex\"},\"a.b\"]",
    "[32,\"$next\",{}]",
    "[32,\"$next\",{},7]",
    "[64,\"$next\",{\"invoke\":\"all\"},\"a.b\"]",
    "[64,\"$next\",{\"concurrency\":0},\"a.b\"]",
    "[48,\"$next\",{\"timeout\":-1},\"a.b\"]",
    "[49,\"$call 0\",{\"mode\":\"maim\"}]",
    "[70,\"$invocation 0\",{\"progress\":\"yes\"}]",
    "[8,48,\"$next\",{},\"a.error\"]",
    "[1,\"realm1\",{\"roles\":{}}]",
];

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
        0..6 => return Operation::IsLost { client },
        6 => return Operation::Reload { settings: chance.below(Settings::COUNT) },
        7 if chance.one_in(20) => return Operation::ShutDown,
        // Somebody should answer, where somebody is asked.
        40..140 if run.model.questions.iter().any(|question| question.function.is_some()) => {
            let answer = if chance.one_in(20) { Value::Null } else { verdict(chance) };
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
        State::Closing(_) => say(chance),
        State::Open(_) if chance.one_in(40) => say(chance),
        State::Open(_) => hello(chance),
        _ => say_something_apt(chance, run, at),
    };
    Operation::Says { client, message }
}

/// A message of a session; seldom about something that the session has not.
fn say_something_apt(chance: &impl Chance, run: &Run, at: usize) -> Value {
    let model = &run.model;
    let calls = || model.realms.iter().flat_map(|realm| &realm.calls);
    let is_asked = calls().any(|call| call.callee == at);
    if is_asked && chance.one_in(4) {
        return answer(chance);
    }
    if is_asked || chance.one_in(50) {
        return say(chance);
    }
    loop {
        let message = say(chance);
        if !matches!(message[0].as_u64(), Some(8 | 70)) {
            return message;
        }
    }
}

fn hello(chance: &impl Chance) -> Value {
    let realm = match chance.below(16) {
        0 => Value::Null,
        1 => chance.pick(&["realm3", "not a realm"]).into(),
        2 | 3 => "realm2".into(),
        _ => "realm1".into(),
    };
    let mut roles = json!({});
    let is_limited = chance.one_in(6);
    for role in ["publisher", "subscriber", "caller", "callee"] {
        if !is_limited || chance.one_in(2) {
            roles[role] = json!({});
        }
    }
    let has_none = chance.one_in(3);
    for (role, feature) in FEATURES {
        if !has_none && roles.get(role).is_some() && !chance.one_in(4) {
            roles[role]["features"][feature] = true.into();
        }
    }
    let mut details = json!({ "roles": roles });
    if chance.one_in(10) {
        details["authmethods"] = chance.pick(&[json!([]), json!(["anonymous"]), json!(["ticket"]), json!(7)]);
    }
    if chance.one_in(10) {
        details["authextra"] = chance.pick(&[json!({ "x": 1 }), json!("x")]);
    }
    json!([1, realm, details])
}

/// A message of a session.
fn say(chance: &impl Chance) -> Value {
    match chance.below(100) {
        0..16 => subscribe(chance),
        16..20 => json!([34, "$next", reference(chance, "subscription")]),
        20..40 => publish(chance),
        40..54 => register(chance),
        54..58 => json!([66, "$next", reference(chance, "registration")]),
        58..73 => call(chance),
        73..86 => answer(chance),
        86..89 => {
            let mut options = json!({});
            if !chance.one_in(4) {
                options["mode"] = chance.pick(&["skip", "kill", "killnowait"]).into();
            }
            json!([49, reference(chance, "call"), options])
        }
        89..97 => call_meta(chance),
        97 => json!([6, {}, "wamp.close.close_realm"]),
        98 if chance.one_in(2) => match chance.below(6) {
            0 => json!([3, {}, "wamp.close.normal"]),
            1 => json!([337, 1]),
            // An id that is not the next.
            2 => json!([32, 1 + chance.below(40), {}, "a.b"]),
            _ => json!([16, "$next", { "unknown": [1, { "x": null }] }, "a.b", ["$tag"]]),
        },
        _ if chance.one_in(6) => {
            serde_json::from_str(chance.pick(&VIOLATIONS)).expect("the violations are JSON")
        }
        _ => json!([16, "$next", { "acknowledge": true }, chance.pick(&WRONG_URIS)]),
    }
}

/// YIELD or ERROR.
fn answer(chance: &impl Chance) -> Value {
    let mut options = json!({});
    passthru(chance, &mut options);
    let invocation = reference(chance, "invocation");
    if chance.one_in(4) {
        return with_payload(chance, json!([8, 68, invocation, options, "a.error"]));
    }
    if chance.one_in(3) {
        return json!([70, invocation, options, verdict(chance)]);
    }
    if chance.one_in(2) {
        options["progress"] = (!chance.one_in(4)).into();
    }
    with_payload(chance, json!([70, invocation, options]))
}

/// An id that the client has; seldom one that it has not.
fn reference(chance: &impl Chance, kind: &str) -> Value {
    match chance.below(60) {
        0 if chance.one_in(4) => 777.into(),
        0 | 1 => (1 + chance.below(4)).into(),
        _ => format!("${kind} {}", chance.below(5)).into(),
    }
}

fn uri(chance: &impl Chance) -> &'static str {
    if chance.one_in(40) { chance.pick(&WRONG_URIS) } else { chance.pick(&URIS) }
}

fn pattern(chance: &impl Chance, options: &mut Value) -> &'static str {
    if chance.one_in(2) {
        if chance.one_in(8) {
            options["match"] = "exact".into();
        }
        return uri(chance);
    }
    let (pattern, policy) = chance.pick(&PATTERNS);
    options["match"] = policy.into();
    pattern
}

fn subscribe(chance: &impl Chance) -> Value {
    let mut options = json!({});
    let topic = if chance.one_in(5) { chance.pick(&META_TOPICS) } else { pattern(chance, &mut options) };
    json!([32, "$next", options, topic])
}

fn publish(chance: &impl Chance) -> Value {
    let mut options = json!({});
    for (key, wanted) in [("acknowledge", true), ("exclude_me", false), ("disclose_me", true)] {
        if chance.one_in(3) {
            options[key] = (chance.one_in(8) != wanted).into();
        }
    }
    if chance.one_in(4) {
        let session = |_| Value::from(format!("$session {}", chance.below(CLIENTS)));
        let key = chance.pick(&[
            "eligible",
            "eligible_authid",
            "eligible_authrole",
            "exclude",
            "exclude_authid",
            "exclude_authrole",
        ]);
        options[key] = match key.rsplit_once('_') {
            Some((_, "authid")) => chance.pick(&[json!([]), json!(["joe"]), json!(["root", "joe"])]),
            Some(_) => chance.pick(&[
                json!(["user"]),
                json!(["anonymous", "admin"]),
                json!(["a", "b", "c", "d", "e"]),
            ]),
            None => (0..chance.below(3)).map(session).collect(),
        };
    }
    passthru(chance, &mut options);
    with_payload(chance, json!([16, "$next", options, uri(chance)]))
}

fn register(chance: &impl Chance) -> Value {
    let mut options = json!({});
    if !chance.one_in(3) {
        options["invoke"] =
            chance.pick(&["single", "first", "last", "roundrobin", "random", "roundrobin"]).into();
    }
    for key in ["disclose_caller", "forward_timeout"] {
        if chance.one_in(5) {
            options[key] = true.into();
        }
    }
    let procedure = pattern(chance, &mut options);
    json!([64, "$next", options, procedure])
}

fn call(chance: &impl Chance) -> Value {
    let mut options = json!({});
    for key in ["receive_progress", "disclose_me"] {
        if chance.one_in(3) {
            options[key] = true.into();
        }
    }
    if chance.one_in(3) {
        options["timeout"] = chance.pick(&[0, 100, 100, 400]).into();
    }
    passthru(chance, &mut options);
    with_payload(chance, json!([48, "$next", options, uri(chance)]))
}

fn call_meta(chance: &impl Chance) -> Value {
    let name = chance.pick(&META_PROCEDURES);
    // Most of them leave the others where they are.
    let name = if name.contains("kill_") && chance.one_in(2) { "session.get" } else { name };
    let name = if chance.one_in(2) {
        name.replace("registration", "subscription").replace("callee", "subscriber")
    } else {
        name.to_owned()
    };
    let procedure = format!("wamp.{name}");
    let held = if name.starts_with("registration") { "registration" } else { "subscription" };
    let session = json!(format!("$session {}", chance.below(CLIENTS)));
    let some_id = || if chance.one_in(3) { json!(1 + chance.below(6)) } else { reference(chance, held) };
    let mut options = json!({});
    let mut args = match name.split('.').next_back() {
        Some("count") => vec![chance.pick(&[Value::Null, json!(["user"]), json!(["anonymous", "user"])])],
        Some("list") if name == "session.list" => vec![chance.pick(&[json!(["user"]), json!([])])],
        Some("list") if chance.one_in(2) => Vec::new(),
        Some("kill_by_authid") => vec!["joe".into()],
        Some("kill_by_authrole") => vec!["user".into()],
        Some("lookup") => vec![pattern(chance, &mut options).into(), options],
        Some("match") => vec![uri(chance).into()],
        Some("get" | "list" | "kill") if name.starts_with("session") => vec![session],
        Some("list") => vec![session],
        Some("remove_callee" | "remove_subscriber") => {
            vec![some_id(), session, chance.pick(&[Value::Null, json!("a.reason")])]
        }
        Some("add_testament") => return call_add_testament(chance),
        Some("flush_testaments") => Vec::new(),
        _ => vec![some_id()],
    };
    if chance.one_in(20) && !args.is_empty() {
        let at = chance.below(args.len());
        args[at] = chance.pick(&[json!(777), json!("x"), json!({}), json!([7]), Value::Null]);
    }
    if chance.one_in(40) {
        args.clear();
    }
    let mut kwargs = json!({});
    if chance.one_in(3) && name.contains("kill") {
        kwargs["reason"] = chance.pick(&[json!("a.reason"), json!("because"), json!("not valid"), json!(7)]);
    }
    if chance.one_in(3) && name.contains("kill") {
        kwargs["message"] = chance.pick(&[json!("a message"), Value::Null, json!(7)]);
    }
    if chance.one_in(3) && name.contains("flush") {
        kwargs["scope"] = chance.pick(&["detached", "destroyed", "undone"]).into();
    }
    if kwargs == json!({}) && chance.one_in(2) {
        return json!([48, "$next", {}, procedure, args]);
    }
    json!([48, "$next", {}, procedure, args, kwargs])
}

/// A PUBLISH, by its parts.
fn call_add_testament(chance: &impl Chance) -> Value {
    let publish = publish(chance);
    let or = |value: &Value, other: Value| if value.is_null() { other } else { value.clone() };
    let args = json!([publish[3], or(&publish[4], json!([])), or(&publish[5], json!({}))]);
    let mut kwargs = json!({});
    if publish[2] != json!({}) {
        kwargs["publish_options"] = publish[2].clone();
    }
    if chance.one_in(2) {
        kwargs["scope"] = chance.pick(&["detached", "destroyed", "detached", "undone"]).into();
    }
    if chance.one_in(30) {
        kwargs["publish_options"] =
            chance.pick(&[json!(7), json!({ "eligible": 7 }), json!({ "retain": "x" })]);
    }
    json!([48, "$next", {}, "wamp.session.add_testament", args, kwargs])
}

fn passthru(chance: &impl Chance, options: &mut Value) {
    if chance.one_in(12) {
        options["ppt_scheme"] = "x_custom".into();
        if chance.one_in(2) {
            options["ppt_serializer"] = "cbor".into();
        }
    }
}

/// What an authorizer may answer.
fn verdict(chance: &impl Chance) -> Value {
    chance.pick(&[
        json!([true]),
        json!([true]),
        json!([false]),
        json!([{ "allow": true, "cache": true }]),
        json!([{ "allow": true, "cache": true, "disclose": true }]),
        json!([{ "allow": false, "cache": true, "disclose": null }]),
        json!([{ "cache": true }]),
        json!([{ "allow": true, "validate": true }]),
        json!(["yes"]),
        json!([]),
    ])
}

fn with_payload(chance: &impl Chance, mut head: Value) -> Value {
    let message = head.as_array_mut().expect("a message");
    match chance.below(6) {
        0 => {}
        1 => message.extend([json!([]), json!({ "tag": "$tag" })]),
        2 => message.extend([json!(["$tag", null, 1.5, "text"]), json!({})]),
        _ => message.push(json!(["$tag"])),
    }
    head
}
