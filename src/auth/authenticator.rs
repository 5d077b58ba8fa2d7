//! Authenticators: procedures and functions that are asked who somebody is.
//!
//! Owns what they are asked, `authenticator(realm, authid, details)` as in Crossbar.io, and how their answers are read. Who
//! carries question and answer is the router's business.

use super::Ask;

impl Ask {
    /// What `authprovider` says of it.
    pub(super) fn provider(&self) -> &'static str {
        match self {
            Self::Procedure { .. } => "dynamic",
            Self::Function(_) => "function",
        }
    }
}

/// The authenticator of one method. `type: dynamic` and `type: function` of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticator {
    pub ask: Ask,
    /// `default-role`: the role of those for whom the answer names none. Default none: such an answer lets nobody in.
    pub default_role: Option<String>,
}
