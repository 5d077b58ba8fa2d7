//! Authentication and authorization: decisions, never messages.
//!
//! Owns who may join as whom and who may do what. Never calls the router: it answers, and the router acts. Start with
//! [`Methods::begin`], which answers a HELLO with a [`Step`].

mod anonymous;
mod authenticator;
pub mod authorizer;
mod certificate;
mod cookie;
mod cryptosign;
pub mod decider;
mod exchange;
pub mod hex;
mod identity;
mod methods;
#[cfg(feature = "native")]
mod peer_cert;
mod principals;
pub(crate) mod proof;
mod scram;
mod ticket;
#[cfg(feature = "native")]
mod tls;
mod wampcra;

pub use self::anonymous::Anonymous;
pub use self::authenticator::Authenticator;
pub use self::certificate::{Certificate, Fingerprint, Fingerprints};
pub use self::cookie::{Logins, MemoryLogins};
pub use self::cryptosign::AuthorizedKeys;
pub use self::decider::{Ask, Decider, Deciding, Failure, Functions};
pub use self::exchange::Exchange;
pub use self::identity::{ANONYMOUS, Grant, Identity, TRUSTED};
pub use self::methods::{Channel, Denial, Hello, Methods, Step};
pub use self::principals::{Principal, Principals, Provider};
pub use self::scram::{Kdf, ScramKeys};
pub use self::ticket::Ticket;
pub use self::wampcra::{CraSecret, Salting};

pub(crate) const AUTHENTICATION_DENIED: &str = "wamp.error.authentication_denied";
pub(crate) const AUTHENTICATION_FAILED: &str = "wamp.error.authentication_failed";
pub(crate) const NO_MATCHING_AUTH_METHOD: &str = "wamp.error.no_matching_auth_method";
