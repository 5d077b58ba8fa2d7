//! Who decides in the place of the configuration: `"com.example.authorize"`, or
//! `{"type": "function", "create": "authorize"}`.
//!
//! Owns this form alone. What is asked, and of which part of the configuration it is a part, is for its readers.

use super::cursor::{Cursor, Key, Report};
use crate::auth::Ask;
use crate::uri::{self, UriCheck};

/// Reads who is asked. `functions`: whether a program may hold this router, and have functions.
pub(super) fn read(
    value: &Cursor<'_>,
    functions: bool,
    uri_length: usize,
    report: &mut Report,
) -> Option<Ask> {
    if functions && value.is_object() {
        let object = value.object(&KEYS, report)?;
        let kind = object.required("type").choice(&TYPES, report);
        let name = object.required("create");
        let function = name.string(FUNCTION, report)?;
        if function.is_empty() {
            return name.problem(FUNCTION, report);
        }
        kind?;
        return Some(Ask::Function(function.to_owned()));
    }
    let expected = if functions { PROCEDURE_OR_FUNCTION } else { PROCEDURE };
    let text = value.string(expected, report)?;
    if text.len() > uri_length || !is_procedure(text) {
        return value.problem(expected, report);
    }
    Some(Ask::Procedure { uri: text.to_owned(), realm: None })
}

/// Whether a session can register a procedure of this name, as far as its realm lets it.
pub(super) fn is_procedure(uri: &str) -> bool {
    uri::is_valid(uri, UriCheck::Loose) && !uri::is_reserved(uri)
}

const KEYS: [(&str, Key); 2] = [("type", Key::Served), ("create", Key::Served)];
const TYPES: [(&str, ()); 1] = [("function", ())];

const PROCEDURE: &str = "the URI of a procedure";
const PROCEDURE_OR_FUNCTION: &str =
    "the URI of a procedure, or an object with \"type\": \"function\" and \"create\"";
const FUNCTION: &str = "the name of a function of the program that holds this router";
