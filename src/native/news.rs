//! What the log says of sessions: that they come, go and are refused.

use tracing::{info, warn};

use super::outgoing::Peer;
use crate::router::News;

/// Logs what happened at a transport, that of `peer` where it is still open.
pub(super) fn log(news: &News, peer: Option<&Peer>) {
    let peer = peer.map_or("", |peer| &peer.address);
    match news {
        News::Joined { session, realm, authid, authrole, authmethod, .. } => {
            info!(session = session.0, realm, authid, authrole, authmethod, peer, "session attached");
        }
        News::Left { session, realm, .. } => {
            info!(session = session.0, realm, peer, "session detached");
        }
        News::AuthenticatorFailed { fault, .. } => warn!(peer, "{fault}"),
        News::Denied { realm, authid, reason, message, .. } => {
            warn!(realm, authid, peer, reason, "rejected input: {message}");
        }
        News::Aborted { reason, message, .. } => warn!(peer, reason, "rejected input: {message}"),
    }
}
