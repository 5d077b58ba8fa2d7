//! The files beside this one: good configurations and broken ones, with the texts that belong to them.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A folder beside this file.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs").join(name)
}

/// The configurations of a folder, sorted.
pub fn files(name: &str) -> Vec<PathBuf> {
    let mut files = entries(name);
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json" || ending == "yaml"));
    files
}

fn entries(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(name)).expect("the folder is there");
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    entries.sort();
    entries
}

pub fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Compares with the file; a missing file is an empty text.
pub fn assert_text(file: &Path, text: &str) {
    if std::env::var_os("WAMPLET_BLESS").is_some() && !text.is_empty() {
        fs::write(file, format!("{text}\n")).expect("a writable folder");
    }
    let expected = if file.exists() { read(file) } else { String::new() };
    assert_eq!(text, expected.trim_end_matches('\n'), "{}", file.display());
}

/// Every text belongs to a configuration of its name.
pub fn assert_no_text_is_left(name: &str) {
    for file in entries(name).iter().filter(|file| file.extension().is_some_and(|ending| ending == "txt")) {
        let name = file.with_extension("").with_extension("");
        let exists = ["json", "yaml"].iter().any(|ending| name.with_extension(ending).exists());
        assert!(exists, "{} belongs to no configuration", file.display());
    }
}

/// The value and all values in it.
pub fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// Puts `damage` at the place that is `left` steps of a walk away.
pub fn replace(value: &mut Value, left: &mut usize, damage: Value) -> bool {
    if *left == 0 {
        *value = damage;
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(values) => values.iter_mut().any(|value| replace(value, left, damage.clone())),
        Value::Object(map) => map.values_mut().any(|value| replace(value, left, damage.clone())),
        _ => false,
    }
}
