//! What a configuration names and this machine does not have.
//!
//! Owns looking for it before the router starts: `wamplet check` warns of it, since a file may well be there on another
//! machine. What the router itself makes of it is in [`tls`](super::tls) and `web::files`.

use std::path::Path;

use super::listener::ListenError;
use super::tls;
use crate::config::Warning;
use crate::config::node::{Address, Node, Paths, Service};

/// Warnings of TLS files that cannot be used and of directories for sockets that are not there, so that the router would not
/// start, and of directories of static files that are not there. Each has the place of its listener.
pub fn missing(node: &Node) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for listener in &node.listeners {
        if let Err(ListenError { path, reason }) = tls::read(listener) {
            warnings.push(Warning { path, message: format!("the router would not start here: {reason}") });
        }
        if let Address::Unix { path } = &listener.endpoint.address
            && let Some(folder) = path.parent()
            && !folder.is_dir()
        {
            let message =
                format!("the router would not start here: there is no directory {}", folder.display());
            warnings.push(Warning { path: listener.path.clone(), message });
        }
        if let Some(web) = &listener.web {
            each_directory(&web.paths, &mut |directory| {
                if !directory.is_dir() {
                    let message = format!("{}: {NO_DIRECTORY}", directory.display());
                    warnings.push(Warning { path: listener.path.clone(), message });
                }
            });
        }
    }
    warnings
}

/// Of one that static files should be in.
pub(super) const NO_DIRECTORY: &str = "there is no such directory; nothing is served from it";

fn each_directory(paths: &Paths, take: &mut impl FnMut(&Path)) {
    for (_, service) in paths.services() {
        match service {
            Service::Static(files) => take(&files.directory),
            Service::Path(below) => each_directory(below, take),
            _ => {}
        }
    }
}
