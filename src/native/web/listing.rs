//! The page that lists a directory.

use std::fs;
use std::io;
use std::path::Path;

use hyper::StatusCode;

use super::answer::{self, Answer};
use super::page::{escape, page};

/// One line of the list.
pub(super) struct Entry {
    name: String,
    is_folder: bool,
}

/// The entries of a directory, folders first. Names that are no UTF-8 have no address, and are left out.
pub(super) fn read(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)?.take(MAX_ENTRIES) {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // A link counts as what it leads to.
        let is_folder = fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir());
        entries.push(Entry { name, is_folder });
    }
    entries.sort_unstable_by(|one, other| (!one.is_folder, &one.name).cmp(&(!other.is_folder, &other.name)));
    Ok(entries)
}

/// The page for a directory; `name` is `None` at the service's own path.
pub(super) fn answer(entries: &[Entry], name: Option<&String>) -> Answer {
    let title = name.map_or("Files", |name| name.as_str());
    let mut content = format!("<h1>{}</h1>\n<ul>\n", escape(title));
    if name.is_some() {
        content.push_str("<li><a href=\"../\">../</a></li>\n");
    }
    for Entry { name, is_folder } in entries {
        let slash = if *is_folder { "/" } else { "" };
        let line = format!("<li><a href=\"./{}{slash}\">{}{slash}</a></li>\n", encode(name), escape(name));
        content.push_str(&line);
    }
    content.push_str("</ul>\n");
    answer::html(StatusCode::OK, page(title, &content))
}

/// A name as one segment of a path.
fn encode(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Names that a list shows at most.
const MAX_ENTRIES: usize = 10_000;
