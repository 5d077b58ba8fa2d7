//! Which file the name of an executable stands for, and in which environment it runs.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::native::systemd::NOTIFY_SOCKET;

/// The path that is searched where the environment has none.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The executable file called `name`: one with a `/` as seen from `directory`, any other in the directories of `path`
/// (the variable PATH). What is wrong, as part of a sentence.
pub(super) fn find(name: &Path, directory: &Path, path: Option<&OsStr>) -> Result<PathBuf, String> {
    if name.components().nth(1).is_some() || name.has_root() {
        let file = directory.join(name);
        return match file.metadata() {
            Err(error) => Err(format!("{}: {}", file.display(), reason(&error))),
            Ok(metadata) if !metadata.is_file() => Err(format!("{} is not a file", file.display())),
            Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => {
                Err(format!("{} is not executable (run: chmod +x {0})", file.display()))
            }
            Ok(_) => Ok(file),
        };
    }
    let path = path.unwrap_or(DEFAULT_PATH.as_ref());
    std::env::split_paths(path)
        .map(|searched| directory.join(searched).join(name))
        .find(|file| is_executable(file))
        .ok_or_else(|| format!("\"{}\" is in no directory of PATH", name.display()))
}

/// As [`find`], but what stands in `directory` goes before what is found elsewhere, as in Crossbar.io.
pub(super) fn find_beside(name: &Path, directory: &Path, path: Option<&OsStr>) -> Result<PathBuf, String> {
    let file = directory.join(name);
    if is_executable(&file) { Ok(file) } else { find(name, directory, path) }
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A variable that says how a process is found: its own environment goes before the router's, which it need not inherit.
pub(super) fn variable(name: &str, own: &[(String, String)]) -> Option<OsString> {
    let own = own.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.into());
    own.or_else(|| std::env::var_os(name))
}

/// Runs a file in its own environment, and in the router's where it inherits that.
pub(super) fn command(file: &Path, own: &[(String, String)], inherits: bool) -> Command {
    let mut command = Command::new(file);
    if !inherits {
        command.env_clear();
    }
    // Only the router speaks for the service.
    command.env_remove(NOTIFY_SOCKET);
    command.envs(own.iter().map(|(name, value)| (name, value)));
    command
}

/// Why a file cannot be used, without the number that the system has for it.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}
