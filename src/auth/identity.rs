//! Who a peer is, once that is known.

use crate::message::Dict;

/// Who the peer of a transport is: fixed by the driver, whatever the peer says of itself (a component that the router
/// started, a port that a page handed out), or found by authentication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The one realm that the peer may join, which a HELLO may leave out. Default the one that the HELLO names.
    pub realm: Option<String>,
    /// Default generated, as for an anonymous session.
    pub authid: Option<String>,
    /// A role of the realm; or [`TRUSTED`], which may do everything where the realm does not say otherwise.
    pub authrole: String,
    /// What the session details say about how the peer was authenticated.
    pub authmethod: String,
    /// What the session details say about who authenticated it.
    pub authprovider: String,
    /// What WELCOME and the session details say as `authextra`. Default what the client said of itself in HELLO.
    pub authextra: Option<Dict>,
}

impl Identity {
    /// Nobody in particular, in the realm that it asks for.
    pub fn anonymous() -> Self {
        Self {
            authrole: ANONYMOUS.into(),
            authmethod: ANONYMOUS.into(),
            authprovider: "static".into(),
            ..Self::default()
        }
    }
}

/// The role that no configuration names and every realm has, for those whom the driver trusts as itself.
pub const TRUSTED: &str = "trusted";

/// The role of a session that did not authenticate.
pub const ANONYMOUS: &str = "anonymous";

/// What somebody gets who has proved who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Where it joins, whatever realm HELLO names, as in Crossbar.io. Default the one that HELLO names.
    pub realm: Option<String>,
    /// Default the one that was authenticated.
    pub authid: Option<String>,
    /// A role of the realm.
    pub role: String,
    /// `authextra` of the session. Default nothing; for `anonymous` and static tickets what the client said in HELLO.
    pub extra: Option<Dict>,
}
