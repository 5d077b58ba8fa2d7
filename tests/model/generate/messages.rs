//! Random messages, one function for each kind.

use serde_json::{Value, json};

use super::super::run::{CLIENTS, Run};
use super::Chance;
use super::habits::{PATTERNS, SAID, Said, URIS, WRONG_URIS};
use super::meta::call_meta;

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

const FEATURES: [(&str, &str); 18] = [
    ("callee", "call_canceling"),
    ("callee", "call_timeout"),
    ("callee", "payload_passthru_mode"),
    ("callee", "progressive_call_results"),
    ("callee", "progressive_call_invocations"),
    ("callee", "call_reroute"),
    ("callee", "call_trustlevels"),
    ("callee", "registration_revocation"),
    ("subscriber", "publication_trustlevels"),
    ("subscriber", "payload_transparency"),
    ("subscriber", "subscription_revocation"),
    ("caller", "progressive_call_invocations"),
    ("caller", "progressive_call_invocations"),
    ("callee", "payload_transparency"),
    ("caller", "payload_transparency"),
    ("publisher", "payload_transparency"),
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

pub fn hello(chance: &impl Chance, has_auth: bool) -> Value {
    let is_somewhere = chance.is_calm() && !chance.one_in(6);
    let realm = match chance.below(16) {
        _ if is_somewhere => "realm1".into(),
        0 => Value::Null,
        1 => chance.pick(&["realm3", "not a realm"]).into(),
        2 | 3 => "realm2".into(),
        _ => "realm1".into(),
    };
    let mut roles = json!({});
    let is_limited = chance.one_in(if chance.is_calm() { 40 } else { 6 });
    for role in ["publisher", "subscriber", "caller", "callee"] {
        if !is_limited || chance.one_in(2) {
            roles[role] = json!({});
        }
    }
    let is_able = chance.habits().is_some_and(|habits| habits.is_able) && !chance.one_in(6);
    let has_none = chance.one_in(3) && !is_able;
    for (role, feature) in FEATURES {
        if !has_none && roles.get(role).is_some() && (is_able || !chance.one_in(4)) {
            roles[role]["features"][feature] = true.into();
        }
    }
    let mut details = json!({ "roles": roles });
    if has_auth || chance.one_in(10) {
        let methods = [
            json!(["ticket"]),
            json!(["ticket"]),
            json!(["ticket"]),
            json!(["anonymous"]),
            json!([7, "wampcra", "ticket", "anonymous"]),
            json!([]),
            json!(7),
        ];
        details["authmethods"] = chance.pick(&methods);
    }
    if has_auth && !chance.one_in(12) {
        details["authid"] = chance.pick(&["joe", "joe", "joe", "root", "nobody", "stranger"]).into();
    }
    if chance.one_in(10) {
        details["authextra"] = chance.pick(&[json!({ "x": 1 }), json!("x")]);
    }
    json!([1, realm, details])
}

/// A message of a session.
pub fn say(chance: &impl Chance, run: &Run) -> Value {
    let weights = chance.habits().map_or(SAID.map(|(_, weight)| weight), |habits| habits.weights);
    let mut left = chance.below(weights.iter().sum());
    let mut said = SAID.iter().zip(weights);
    let chosen = said.find(|(_, weight)| {
        let is_here = left < *weight;
        left = left.saturating_sub(*weight);
        is_here
    });
    let ((said, _), _) = chosen.expect("one of them");
    match said {
        Said::Subscribe => subscribe(chance),
        Said::Unsubscribe => json!([34, "$next", reference(chance, "subscription")]),
        Said::Publish => publish(chance),
        Said::Register => register(chance),
        Said::Unregister => json!([66, "$next", reference(chance, "registration")]),
        Said::Call => {
            let realms = &run.model.realms;
            let mut registrations = realms.iter().flat_map(|realm| &realm.registrations);
            call(chance, registrations.any(|known| known.invoke == "random"))
        }
        Said::Answer => answer(chance),
        Said::Cancel => {
            let mut options = json!({});
            if !chance.one_in(4) {
                options["mode"] = chance.pick(&["skip", "kill", "killnowait"]).into();
            }
            json!([49, reference(chance, "call"), options])
        }
        Said::CallMeta => call_meta(chance, run),
        Said::Goodbye => json!([6, {}, "wamp.close.close_realm"]),
        Said::Odd => match chance.below(6) {
            0 => json!([3, {}, "wamp.close.normal"]),
            1 => json!([337, 1]),
            // An id that is not the next.
            2 => json!([32, 1 + chance.below(40), {}, "a.b"]),
            _ => json!([16, "$next", { "unknown": [1, { "x": null }] }, "a.b", ["$tag"]]),
        },
        Said::Wrong if chance.one_in(if chance.is_calm() { 30 } else { 6 }) => {
            serde_json::from_str(chance.pick(&VIOLATIONS)).expect("the violations are JSON")
        }
        Said::Wrong => json!([16, "$next", { "acknowledge": true }, chance.pick(&WRONG_URIS)]),
    }
}

/// YIELD or ERROR.
pub fn answer(chance: &impl Chance) -> Value {
    let mut options = json!({});
    passthru(chance, &mut options);
    let invocation = reference(chance, "invocation");
    if chance.one_in(4) {
        let error =
            chance.pick(&["a.error", "wamp.error.runtime_error", "no error", "wamp.error.unavailable"]);
        return with_payload(chance, json!([8, 68, invocation, options, error]));
    }
    if chance.one_in(5) {
        let values = if chance.one_in(2) { verdict(chance) } else { grant(chance) };
        return json!([70, invocation, options, values]);
    }
    if chance.one_in(2) {
        options["progress"] = (!chance.one_in(4)).into();
    }
    with_payload(chance, json!([70, invocation, options]))
}

/// An id that the client has; seldom one that it has not.
pub fn reference(chance: &impl Chance, kind: &str) -> Value {
    match chance.below(60) {
        0 if chance.one_in(if chance.is_calm() { 40 } else { 4 }) => 777.into(),
        0 | 1 if !chance.is_calm() => (1 + chance.below(4)).into(),
        _ => format!("${kind} {}", chance.below(5)).into(),
    }
}

pub fn uri(chance: &impl Chance) -> &'static str {
    match chance.habits() {
        _ if chance.one_in(if chance.is_calm() { 200 } else { 40 }) => chance.pick(&WRONG_URIS),
        Some(habits) => chance.pick(&habits.uris),
        None => chance.pick(&URIS),
    }
}

pub fn pattern(chance: &impl Chance, options: &mut Value) -> &'static str {
    if chance.one_in(2) {
        if chance.one_in(8) {
            options["match"] = "exact".into();
        }
        return uri(chance);
    }
    let (pattern, policy) = match chance.habits() {
        Some(habits) => chance.pick(&habits.patterns),
        None => chance.pick(&PATTERNS),
    };
    options["match"] = policy.into();
    pattern
}

pub fn subscribe(chance: &impl Chance) -> Value {
    let mut options = json!({});
    if chance.one_in(3) {
        options["get_retained"] = true.into();
    }
    let topic = if chance.one_in(5) { chance.pick(&META_TOPICS) } else { pattern(chance, &mut options) };
    json!([32, "$next", options, topic])
}

pub fn publish(chance: &impl Chance) -> Value {
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
    if chance.one_in(4) {
        options["retain"] = true.into();
        if chance.one_in(3) {
            options["x_retain_ms"] = chance.pick(&[1, 100, 1_000, 60_000]).into();
        }
    }
    passthru(chance, &mut options);
    with_payload(chance, json!([16, "$next", options, uri(chance)]))
}

pub fn register(chance: &impl Chance) -> Value {
    let mut options = json!({});
    if !chance.one_in(3) {
        options["invoke"] =
            chance.pick(&["single", "first", "last", "roundrobin", "random", "roundrobin"]).into();
    }
    for key in ["disclose_caller", "forward_timeout", "force_reregister"] {
        if chance.one_in(6) {
            options[key] = true.into();
        }
    }
    if chance.one_in(3) {
        options["concurrency"] = chance.pick(&[1, 1, 2]).into();
    }
    let procedure = pattern(chance, &mut options);
    json!([64, "$next", options, procedure])
}

pub fn call(chance: &impl Chance, has_random: bool) -> Value {
    let mut options = json!({});
    for key in ["receive_progress", "disclose_me"] {
        if chance.one_in(3) {
            options[key] = true.into();
        }
    }
    if chance.one_in(3) {
        options["timeout"] = chance.pick(&[0, 100, 100, 400]).into();
    }
    if chance.one_in(5) {
        options["progress"] = (!chance.one_in(4)).into();
    }
    passthru(chance, &mut options);
    if has_random && let Some(options) = options.as_object_mut() {
        options.remove("enc_algo");
    }
    let call = json!([48, "$next", options, uri(chance)]);
    // Two calls that are the same cannot be told apart where chance sends both.
    if has_random { with_tag(call) } else { with_payload(chance, call) }
}

pub fn passthru(chance: &impl Chance, options: &mut Value) {
    if chance.one_in(12) {
        options["ppt_scheme"] = "x_custom".into();
        if chance.one_in(2) {
            options["ppt_serializer"] = "cbor".into();
        }
    } else if chance.one_in(30) {
        options["enc_algo"] = "mqtt".into();
    }
}

/// What an authorizer may answer.
pub fn verdict(chance: &impl Chance) -> Value {
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

/// What an authenticator may answer.
pub fn grant(chance: &impl Chance) -> Value {
    chance.pick(&[
        json!(["user"]),
        json!(["user"]),
        json!(["admin"]),
        json!([{ "role": "user", "authid": "joe", "extra": { "x": 1 } }]),
        json!([{ "role": "user", "realm": "realm2" }]),
        json!([{ "authid": "root" }]),
        json!([{ "role": "user", "realm": "realm3" }]),
        json!([{ "role": "trusted" }]),
        json!([{ "role": 7 }]),
        json!([7]),
    ])
}

pub fn with_tag(mut head: Value) -> Value {
    head.as_array_mut().expect("a message").push(json!(["$tag"]));
    head
}

pub fn with_payload(chance: &impl Chance, mut head: Value) -> Value {
    let message = head.as_array_mut().expect("a message");
    if message.iter().any(|element| element["enc_algo"].is_string()) {
        message.push("a secret".into());
        return head;
    }
    match chance.below(6) {
        0 => {}
        1 => message.extend([json!([]), json!({ "tag": "$tag" })]),
        2 => message.extend([json!(["$tag", null, 1.5, "text"]), json!({})]),
        _ => message.push(json!(["$tag"])),
    }
    head
}
