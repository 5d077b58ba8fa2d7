//! `wamplet schema`: a JSON Schema of the whole configuration, for editors and checkers.
//!
//! Owns its words. The keys, and what becomes of those that are not served, come from the tables by which configurations
//! are read; [`object`] refuses to describe others, or to leave one out. A schema cannot say everything: that names are
//! unique, and that roles and realms exist, is only known to the reader.

mod auth;
mod listeners;
mod processes;
mod realms;
mod services;

use serde_json::{Map, Value, json};

use super::cursor::Key;
use super::load;
use super::node_reader::SERIALIZERS;
use super::transports::MAX_PORT;

/// A JSON Schema (2020-12) of what [`Node::from_json`](super::node::Node::from_json) reads.
pub fn schema() -> Value {
    let mut schema = described(
        object(
            &load::NODE.config,
            &[],
            vec![
                ("$schema", any("The address of this schema, for editors.")),
                (
                    "version",
                    integer(1, 2, 1, "Version of the format. Permissions of both may stand in one file."),
                ),
                (
                    "workers",
                    list(
                        reference("worker"),
                        "A Crossbar.io node: its router workers, containers and guests.",
                    ),
                ),
                ("realms", list(reference("realm"), "wamplet's own form, without workers.")),
                ("limits", reference("limits")),
                ("transports", list(reference("transport"), "Where clients connect, beside \"realms\".")),
                ("components", list(reference("component"), "What is started, beside \"realms\".")),
            ],
        ),
        "A configuration of wamplet: a Crossbar.io node, or realms, transports and components without workers.",
    );
    // `null` is not the same as none here: who writes it wants no realm, and there must be one.
    for (key, element) in [("workers", "worker"), ("realms", "realm")] {
        let words = schema["properties"][key]["description"].clone();
        schema["properties"][key] =
            json!({ "type": "array", "items": reference(element), "minItems": 1, "description": words });
    }
    // The native router refuses it; that of a browser, whose configuration this describes too, does not.
    schema["properties"]["auth"] = json!({
        "anyOf": [reference("auth"), { "type": "null" }],
        "description": "How clients authenticate at the ports of a router in a browser.",
    });
    let inside = json!({ "realms": false, "transports": false, "components": false, "auth": false });
    schema["dependentSchemas"] = json!({ "workers": { "properties": inside } });
    schema["$defs"] = definitions();
    let mut whole = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "wamplet" });
    if let (Some(whole), Some(schema)) = (whole.as_object_mut(), schema.as_object_mut()) {
        whole.append(schema);
    }
    whole
}

fn definitions() -> Value {
    let mut definitions = Map::new();
    let parts = [
        realms::definitions(),
        listeners::definitions(),
        auth::definitions(),
        services::definitions(),
        processes::definitions(),
    ]
    .into_iter()
    .flatten();
    definitions.extend(parts.map(|(name, schema)| (name.to_owned(), schema)));
    definitions.into()
}

/// An object with these keys and no others. `fields` describes all keys that are served.
fn object(keys: &[(&str, Key)], required: &[&str], fields: Vec<(&str, Value)>) -> Value {
    let mut fields: Map<String, Value> =
        fields.into_iter().map(|(key, field)| (key.to_owned(), field)).collect();
    let mut properties = Map::new();
    for (key, served) in keys {
        let property = match served {
            Key::Served => {
                let field = fields.shift_remove(*key).expect("a key that is served has a description");
                if required.contains(key) { field } else { or_null(field) }
            }
            Key::NotServed(message) => {
                json!({ "description": format!("Not served: {message}."), "deprecated": true })
            }
            Key::Refused(expected) => {
                json!({ "type": "null", "description": format!("Must not be there: expected {expected}.") })
            }
        };
        properties.insert((*key).to_owned(), property);
    }
    assert!(fields.is_empty(), "no such keys are served: {fields:?}");
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

/// `null` leaves a key out.
fn or_null(mut field: Value) -> Value {
    if let Some(Value::String(kind)) = field.get("type") {
        field["type"] = json!([kind, "null"]);
    } else if let Some(Value::Array(words)) = field.get_mut("enum") {
        words.push(Value::Null);
    } else if field.get("const").is_some() || field.get("$ref").is_some() || field.get("oneOf").is_some() {
        return json!({ "anyOf": [field, { "type": "null" }] });
    }
    field
}

/// The types of a table that are only warned of.
fn not_served(types: &[(&str, Key)]) -> Value {
    let words = types.iter().filter(|(_, key)| matches!(key, Key::NotServed(_))).map(|(word, _)| *word);
    let words: Vec<_> = words.collect();
    json!({
        "type": "object",
        "description": "Not served.",
        "properties": { "type": { "enum": words } },
        "required": ["type"],
    })
}

fn described(mut schema: Value, words: &str) -> Value {
    schema["description"] = words.into();
    schema
}

fn any(words: &str) -> Value {
    json!({ "description": words })
}

fn text(words: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "description": words })
}

/// A text that may be empty.
fn label(words: &str) -> Value {
    json!({ "type": "string", "description": words })
}

fn flag(default: bool, words: &str) -> Value {
    json!({ "type": "boolean", "default": default, "description": words })
}

fn integer(least: u64, most: u64, default: u64, words: &str) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most, "default": default, "description": words })
}

fn power_of_two(least: u64, most: u64, default: u64, words: &str) -> Value {
    let powers: Vec<_> = (0..u64::BITS).map(|n| 1_u64 << n).filter(|n| (least..=most).contains(n)).collect();
    json!({ "enum": powers, "default": default, "description": words })
}

/// The name of an environment variable, as a pattern.
const VARIABLE: &str = r"(\$[A-Za-z_][A-Za-z0-9_]*|\$\{.+\})";

/// A number, or the variable that holds it.
fn port(least: u64, words: &str) -> Value {
    json!({
        "oneOf": [
            { "type": "integer", "minimum": least, "maximum": MAX_PORT },
            { "type": "string", "pattern": format!("^{VARIABLE}$") },
        ],
        "description": format!("A port, or \"$NAME\" or \"${{NAME}}\" of an environment variable. {words}"),
    })
}

fn choice(words: &[&str], default: Option<&str>, description: &str) -> Value {
    let mut choice = json!({ "enum": words, "description": description });
    if let Some(default) = default {
        choice["default"] = default.into();
    }
    choice
}

fn list(items: Value, words: &str) -> Value {
    json!({ "type": "array", "items": items, "description": words })
}

fn one_of(schemas: Vec<Value>) -> Value {
    json!({ "oneOf": schemas })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn serializers() -> Value {
    let words = SERIALIZERS.map(|(word, _)| word);
    described(
        json!({ "type": "array", "items": { "enum": words }, "minItems": 1 }),
        "What is spoken. Default json, msgpack and cbor.",
    )
}

fn path_names() -> Value {
    json!({ "pattern": r"^(/|[A-Za-z0-9_.-]+)$" })
}
