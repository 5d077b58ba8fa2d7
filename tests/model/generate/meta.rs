//! Random calls of the router's own procedures.

use serde_json::{Value, json};

use super::super::router::Kept;
use super::super::run::{CLIENTS, Run};
use super::Chance;
use super::messages::{pattern, publish, reference, uri};

/// Those of registrations and subscriptions are both.
pub const META_PROCEDURES: [&str; 36] = [
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
    "subscription.get_events",
    "subscription.get_events",
    "subscription.get_events",
    "subscription.get_events",
    "subscription.get_events",
    "retention.clear",
    "retention.clear",
    "authorization.purge",
    "nothing",
    "nothing.list",
];

pub fn call_meta(chance: &impl Chance, run: &Run) -> Value {
    let name = match chance.habits() {
        Some(habits) => chance.pick(&habits.meta_procedures),
        None => chance.pick(&META_PROCEDURES),
    };
    // Most of them leave the others where they are.
    let name = if name.contains("kill_") && chance.one_in(2) { "session.get" } else { name };
    let name = if chance.one_in(2) {
        name.replace("registration", "subscription").replace("callee", "subscriber")
    } else {
        name.to_owned()
    };
    match name.as_str() {
        "retention.clear" => return call_clear(chance),
        "authorization.purge" => {
            let authid = chance.pick(&[Value::Null, Value::Null, json!("joe"), json!("root"), json!(7)]);
            return json!([48, "$next", {}, "wamplet.authorization.purge", [authid]]);
        }
        "subscription.get_events" => return call_history(chance, run),
        _ => {}
    }
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
            let (held, member) = some_member(chance, run, held).unwrap_or((some_id(), session));
            vec![
                held,
                member,
                chance.pick(&[Value::Null, json!("a.reason"), json!("a.reason"), json!("not valid")]),
            ]
        }
        Some("add_testament") => return call_add_testament(chance),
        Some("flush_testaments") => Vec::new(),
        _ => vec![some_id()],
    };
    if chance.one_in(20) && !args.is_empty() {
        let at = chance.below(args.len());
        args[at] = chance.pick(&[json!(777), json!("x"), json!({}), json!([7]), Value::Null]);
    }
    if chance.one_in(6) && ["session.kill", "session.kill_by_authid"].contains(&&*name) {
        args.extend([json!("a.reason"), json!("by position")]);
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

/// What somebody holds, and who.
pub fn some_member(chance: &impl Chance, run: &Run, kind: &str) -> Option<(Value, Value)> {
    let mut members: Vec<(u64, usize)> = Vec::new();
    for realm in &run.model.realms {
        for known in realm.registrations.iter().filter(|_| kind == "registration") {
            members.extend(known.callees.iter().map(|callee| (known.id, callee.transport)));
        }
        for known in realm.subscriptions.iter().filter(|_| kind == "subscription") {
            members.extend(known.subscribers.iter().map(|subscriber| (known.id, *subscriber)));
        }
    }
    if members.is_empty() || chance.one_in(4) {
        return None;
    }
    let (id, at) = chance.pick(&members);
    let client = run.clients.iter().position(|client| *client == Some(at))?;
    Some((id.into(), format!("$session {client}").into()))
}

pub fn call_clear(chance: &impl Chance) -> Value {
    let mut options = json!({});
    let topic = pattern(chance, &mut options);
    json!([48, "$next", {}, "wamplet.retention.clear", [topic, options]])
}

pub fn call_history(chance: &impl Chance, run: &Run) -> Value {
    let known = run.model.realms.iter().flat_map(|realm| &realm.subscriptions);
    let kept: Vec<u64> = known.filter(|known| known.history.is_some()).map(|known| known.id).collect();
    let some_id = match chance.below(6) {
        0 => reference(chance, "subscription"),
        1..5 if !kept.is_empty() => chance.pick(&kept).into(),
        _ => json!(1 + chance.below(4)),
    };
    let mut args = vec![some_id];
    if chance.one_in(4) {
        args.push(chance.pick(&[json!(1), json!(2), json!(9), Value::Null, json!("x")]));
    }
    let mut kwargs = json!({});
    if chance.one_in(4) {
        kwargs["reverse"] = chance.pick(&[json!(true), json!(true), json!(false), json!(7)]);
    }
    if chance.one_in(4) {
        kwargs["limit"] = chance.pick(&[json!(1), json!(2), json!(0), json!(100)]);
    }
    if chance.one_in(5) {
        kwargs["topic"] = uri(chance).into();
    }
    for bound in ["from", "after", "before", "until"] {
        if chance.one_in(5) {
            let kept: Vec<&Kept> = run.model.realms.iter().flat_map(|realm| &realm.kept).collect();
            let time = match kept.is_empty() || chance.one_in(10) {
                true => chance.pick(&["2023-11-14T22:13:21.000Z", "2023-11-14T22:13:29.500Z", "yesterday"]),
                false => &chance.pick(&kept).time,
            };
            kwargs[format!("{bound}_time")] = time.into();
        }
        if chance.one_in(5) {
            let position = run.model.known_ids.len().saturating_sub(1 + chance.below(12));
            let id = if chance.one_in(20) { json!(777) } else { format!("$publication {position}").into() };
            kwargs[format!("{bound}_publication")] = id;
        }
    }
    json!([48, "$next", {}, "wamp.subscription.get_events", args, kwargs])
}

/// A PUBLISH, by its parts.
pub fn call_add_testament(chance: &impl Chance) -> Value {
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
