//! `wamplet upgrade`: reads a file, and prints or writes what it becomes.
//!
//! Owns how the file is replaced: as a whole or not at all, with the mode and owner it had. What changes in it is decided by
//! [`wamplet::config::upgrade`].

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use wamplet::config::{self, Format};

use super::{Failure, pretty, print};

pub(super) fn run(file: &Path, write: bool) -> Result<(), Failure> {
    let name = file.display();
    if write && Format::of(file) == Format::Yaml {
        let sentence =
            "--write would make JSON of it, without its comments: leave it out, and copy what is printed";
        return Err(Failure::Usage(format!("{name} is YAML, and {sentence}")));
    }
    let upgraded = Format::read(file).and_then(|value| config::upgrade(&value));
    let upgraded = upgraded.map_err(|error| Failure::of(file, error))?;
    // The changes are for people; if nobody sees them, the upgrade is what it is.
    for change in &upgraded.changes {
        let _ = writeln!(io::stderr(), "{change}");
    }
    if !write {
        return print(&pretty(&upgraded.value));
    }
    if upgraded.changes.is_empty() {
        let _ = writeln!(io::stderr(), "{name} is of version 2 already, and stays as it is");
        return Ok(());
    }
    replace(file, &pretty(&upgraded.value)).map_err(Failure::Output)
}

/// Puts the text in the place of the file, or leaves the old one where that fails. Of a link the file behind it is meant.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = fs::canonicalize(file)?;
    let before = fs::metadata(&file)?;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = file.with_file_name(name);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let replaced = fill(written, text, &before).and_then(|()| fs::rename(&new, &file));
    if replaced.is_err() {
        // It says what went wrong; that something is left would not help.
        let _ = fs::remove_file(&new);
    }
    replaced
}

/// Writes a file that is as accessible as the one before; until then it is for this user alone.
fn fill(mut new: File, text: &str, before: &Metadata) -> io::Result<()> {
    let found = new.metadata()?;
    if (found.uid(), found.gid()) != (before.uid(), before.gid()) {
        fchown(&new, Some(before.uid()), Some(before.gid()))?;
    }
    new.set_permissions(before.permissions())?;
    new.write_all(text.as_bytes())?;
    new.sync_all()
}
