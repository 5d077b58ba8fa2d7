//! The corpus of the fuzz targets, replayed: what the fuzzer has found interesting stays tested without a fuzzer.

#[path = "fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

/// Runs a target on every file of its folder.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let entries = fs::read_dir(&folder).expect("the corpus is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    assert!(files.len() > 3, "{} is all but empty", folder.display());
    for file in files {
        let data = fs::read(&file).expect("a readable file");
        // So that a failure says which file it was.
        let run = std::panic::catch_unwind(|| target(&data));
        assert!(run.is_ok(), "{}", file.display());
    }
}

#[test]
fn json_of_the_corpus_is_read_or_refused() {
    replay("json", targets::json);
}

#[test]
fn msgpack_of_the_corpus_is_read_or_refused() {
    replay("msgpack", targets::msgpack);
}

#[test]
fn cbor_of_the_corpus_is_read_or_refused() {
    replay("cbor", targets::cbor);
}

#[test]
fn rawsocket_octets_of_the_corpus_are_read_or_refused() {
    replay("rawsocket", targets::rawsocket);
}

#[test]
fn configurations_of_the_corpus_are_read_or_refused() {
    replay("config", targets::config);
}

#[test]
fn the_router_does_what_the_model_does_in_the_corpus() {
    replay("operations", targets::operations);
}
