//! `wamplet upgrade`: permissions of version 1 to those of version 2.
//!
//! Owns what changes and what does not: a permission without `allow` gets one, and everything else stays as it is and
//! where it is. Either form is served all the same.

use serde_json::{Map, Value, json};

use super::ConfigError;
use super::cursor::quote;
use super::node::Node;
use super::roles::starred;

/// A configuration of version 2, and how it came to be that.
#[derive(Clone, Debug, PartialEq)]
pub struct Upgraded {
    /// The configuration, its keys in the order they had.
    pub value: Value,
    /// A sentence for each thing that changed. Empty: it was of version 2 before.
    pub changes: Vec<String>,
}

/// Turns flat permissions into `uri`, `match`, `allow`, `disclose` and `cache`, and `version` into 2. Doing it again
/// changes nothing. What is no configuration of the native router is refused with its problems; its variables need not
/// be set.
pub fn upgrade(value: &Value) -> Result<Upgraded, ConfigError> {
    Node::check_value(value)?;
    let mut value = value.clone();
    let mut changes = Vec::new();
    for_each(&mut value, "realms", "", &mut |realm, path| upgrade_realm(realm, path, &mut changes));
    for_each(&mut value, "workers", "", &mut |worker, path| {
        if worker["type"] == "router" {
            for_each(worker, "realms", path, &mut |realm, path| upgrade_realm(realm, path, &mut changes));
        }
    });
    if let Value::Object(config) = &mut value
        && ["workers", "realms"].iter().any(|key| config.contains_key(*key))
    {
        upgrade_version(config, &mut changes);
    }
    Ok(Upgraded { value, changes })
}

fn upgrade_realm(realm: &mut Value, path: &str, changes: &mut Vec<String>) {
    for_each(realm, "roles", path, &mut |role, path| {
        for_each(role, "permissions", path, &mut |permission, path| {
            if let Some((upgraded, change)) = permission.as_object().and_then(upgraded) {
                *permission = upgraded.into();
                changes.push(format!("{path}: {change}"));
            }
        });
    });
}

/// What a permission without `allow` becomes, and a sentence about it.
fn upgraded(permission: &Map<String, Value>) -> Option<(Map<String, Value>, String)> {
    let given = |key: &str| permission.get(key).filter(|value| !value.is_null());
    if given("allow").is_some() {
        return None;
    }
    let text = given("uri")?.as_str()?;
    let (uri, policy) = match given("match") {
        Some(policy) => (text.to_owned(), policy.as_str()?.to_owned()),
        None => {
            let (uri, policy) = starred(text);
            (uri, policy.as_str().to_owned())
        }
    };
    let flag = |key: &str| given(key).cloned().unwrap_or(false.into());
    let allow = FLAGS.map(|key| (key.to_owned(), flag(key)));
    let change = format!("{} is {policy} {}, and its flags are in \"allow\"", quote(text), quote(&uri));

    let mut upgraded = Map::new();
    for (key, value) in permission {
        match key.as_str() {
            "uri" => {
                upgraded.insert(key.clone(), uri.clone().into());
                upgraded.insert("match".into(), policy.clone().into());
            }
            "match" | "allow" => {}
            flag if FLAGS.contains(&flag) => {
                upgraded.entry("allow").or_insert_with(|| Value::Object(allow.iter().cloned().collect()));
            }
            "disclose" | "cache" if value.is_null() => {}
            _ => {
                upgraded.insert(key.clone(), value.clone());
            }
        }
    }
    upgraded.entry("allow").or_insert_with(|| Value::Object(allow.into_iter().collect()));
    upgraded.entry("disclose").or_insert_with(|| json!({ "caller": false, "publisher": false }));
    upgraded.entry("cache").or_insert(true.into());
    Some((upgraded, change))
}

/// `version` where it is, or else at the top, after a `$schema` that begins the file.
fn upgrade_version(config: &mut Map<String, Value>, changes: &mut Vec<String>) {
    let found = config.get("version").and_then(Value::as_f64);
    if found == Some(2.0) {
        return;
    }
    let before = found.map_or_else(|| "there was none".to_owned(), |version| format!("it was {version}"));
    changes.insert(0, format!("version: 2 ({before})"));
    if let Some(version) = config.get_mut("version") {
        *version = 2.into();
        return;
    }
    let is_first = config.keys().next().is_some_and(|key| key == "$schema");
    config.shift_insert(usize::from(is_first), "version".into(), 2.into());
}

/// Calls `visit` with each element of the array at `key`, and its path.
fn for_each(value: &mut Value, key: &str, path: &str, visit: &mut dyn FnMut(&mut Value, &str)) {
    let Some(Value::Array(elements)) = value.get_mut(key) else { return };
    let separator = if path.is_empty() { "" } else { "." };
    for (position, element) in elements.iter_mut().enumerate() {
        visit(element, &format!("{path}{separator}{key}[{position}]"));
    }
}

const FLAGS: [&str; 4] = ["call", "register", "publish", "subscribe"];
