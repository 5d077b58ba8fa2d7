//! `wamplet schema`: a JSON Schema that says what the loader does.
//!
//! That every key of the loader's tables is described, and no other, is checked where the schema is made: it panics.

#![cfg(feature = "native")]

mod configs;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use configs::{files, read};
use wamplet::config::node::Node;
use wamplet::config::{Format, schema};

/// What is wrong with these files is not a matter of their shape, or depends on more than one value.
const OUT_OF_REACH: [&str; 22] = [
    "auth-of-ports",
    "no-router-worker",
    "node-without-workers",
    "permission-uri-invalid",
    "permission-uri-too-long",
    "realm-name-too-long",
    "realm-name-twice",
    "role-name-twice",
    "auth-anonymous-role-of-any-realm",
    "auth-beside-realms",
    "auth-of-cookies-alone",
    "auth-of-proxies",
    "bridge-of-another-worker",
    "component-without-a-role-for-it",
    "container-realm-of-another-worker",
    "container-realm-of-this-node",
    "endpoint-port-of-a-variable",
    "endpoint-twice",
    "realm-in-two-workers",
    "realm-of-another-worker",
    "web-path-without-end",
    "workers-that-do-nothing",
];

fn parsed(files: Vec<PathBuf>) -> Vec<(String, Value)> {
    let values = files.into_iter().filter_map(|file| {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        Some((name, Format::of(&file).parse(&read(&file)).ok()?))
    });
    values.collect()
}

#[test]
fn every_good_file_is_valid() {
    let validator = jsonschema::draft202012::new(&schema()).expect("a valid schema");
    for (name, value) in parsed([files("good"), files("node/good")].concat()) {
        let errors: Vec<_> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

#[test]
fn every_configuration_in_the_documents_is_valid_and_served_whole() {
    let validator = jsonschema::draft202012::new(&schema()).expect("a valid schema");
    let environment = |_: &str| Some("of the environment".to_owned());
    for (document, text) in [
        ("README.md", include_str!("../README.md")),
        ("docs/http-bridge.md", include_str!("../docs/http-bridge.md")),
    ] {
        let blocks: Vec<_> =
            text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty(), "{document}");
        for block in blocks {
            let loaded = Node::from_text(block, Format::Json, Path::new("/node"), &environment)
                .unwrap_or_else(|error| panic!("{document}: {error}"));
            assert!(loaded.warnings.is_empty(), "{document}: {:?}", loaded.warnings);
            let value = Format::Json.parse(block).expect("it was just loaded");
            assert!(validator.is_valid(&value), "{document}: {block}");
        }
    }
}

#[test]
fn every_broken_file_is_invalid_but_for_what_a_schema_cannot_say() {
    let validator = jsonschema::draft202012::new(&schema()).expect("a valid schema");
    let files = parsed([files("broken"), files("node/broken")].concat());
    let valid: Vec<_> =
        files.iter().filter(|(_, value)| validator.is_valid(value)).map(|(name, _)| name.as_str()).collect();
    assert_eq!(valid, OUT_OF_REACH);
    assert!(valid.len() * 4 < files.len(), "{} of {} broken files are valid", valid.len(), files.len());
}

#[test]
fn the_schema_is_a_schema_and_every_property_has_its_words() {
    let schema = schema();
    jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
    assert_words("", &schema);
}

#[test]
fn the_declarations_for_typescript_state_every_limit_and_its_default() {
    let root = env!("CARGO_MANIFEST_DIR");
    let text = fs::read_to_string(format!("{root}/www/lib/index.d.ts")).expect("the declarations");
    let (_, limits) = text.split_once("export interface RouterLimits {").expect("the limits");
    let (limits, _) = limits.split_once("\n}").expect("the end of the limits");
    let schema = schema();
    let schema = schema["$defs"]["limits"]["properties"].as_object().expect("the limits of the schema");
    for (name, limit) in schema {
        let (before, _) = limits.split_once(&format!("\n  {name}?: ")).unwrap_or_else(|| panic!("{name}"));
        let comment = before.rsplit("/**").next().expect("a comment");
        let Some(default) = limit["default"].as_u64() else { continue };
        let (_, stated) = comment.split_once("Default ").unwrap_or_else(|| panic!("{name}: {comment}"));
        let stated: String = stated.chars().take_while(|c| *c != '.').filter(char::is_ascii_digit).collect();
        assert_eq!(stated, default.to_string(), "{name}");
    }
}

/// Each property says what it is, itself or by what it refers to.
fn assert_words(path: &str, schema: &Value) {
    let words = |property: &Value| {
        let shape = ["description", "const", "enum", "not", "$ref", "anyOf", "oneOf", "properties"];
        property.is_boolean()
            || property["description"] != json!("") && shape.iter().any(|key| property.get(key).is_some())
    };
    match schema {
        Value::Object(map) => {
            for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
                assert!(words(property), "{path}.{name}: {property}");
            }
            map.iter().for_each(|(key, value)| assert_words(&format!("{path}.{key}"), value));
        }
        Value::Array(values) => values.iter().for_each(|value| assert_words(path, value)),
        _ => {}
    }
}
