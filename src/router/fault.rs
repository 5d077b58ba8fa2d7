//! What a request can meet, sorted by what the router does next, and the predefined error URIs.
//! [wamp: uri_reference, advanced/uris]

/// A request that was not carried out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The peer broke the protocol: ABORT `wamp.error.protocol_violation`, and its transport is closed.
    Violation(String),
    /// ERROR for this request; the session lives on.
    Refusal(Refusal),
}

/// An ERROR: its URI and the sentence that stands in its first argument.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub error: &'static str,
    pub text: String,
}

impl Refusal {
    pub(crate) fn new(error: &'static str, text: impl Into<String>) -> Self {
        Self { error, text: text.into() }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

/// A refusal as a fault.
pub(crate) fn refuse(error: &'static str, text: impl Into<String>) -> Fault {
    Fault::Refusal(Refusal::new(error, text))
}

/// One more than a limit of the configuration.
pub(crate) fn limit_exceeded(what: &str, most: usize) -> Fault {
    refuse(LIMIT_EXCEEDED, format!("a session may have {most} {what}, and no more"))
}

/// A message that is longer than its receiver can take.
pub(crate) fn too_long(receiver: &str, message: &str) -> Refusal {
    Refusal::new(PAYLOAD_SIZE_EXCEEDED, format!("{receiver} cannot take an {message} of this length"))
}

/// A payload in a form that its receiver did not announce.
pub(crate) fn passthru_not_supported(receiver: &str) -> Refusal {
    let text = format!("{receiver} did not announce that it takes payloads in this form");
    Refusal::new(FEATURE_NOT_SUPPORTED, text)
}

/// What a caller hears that has canceled its call.
pub(crate) fn canceled() -> Refusal {
    Refusal::new(CANCELED, "the caller canceled the call")
}

pub(crate) const CLOSE_GOODBYE_AND_OUT: &str = "wamp.close.goodbye_and_out";
pub(crate) const CLOSE_KILLED: &str = "wamp.close.killed";
/// Crossbar.io's: the client does not want to be known again by its cookie.
#[cfg(feature = "native")]
pub(crate) const CLOSE_LOGOUT: &str = "wamp.close.logout";
pub(crate) const CLOSE_REALM: &str = "wamp.close.close_realm";
pub(crate) const CLOSE_SYSTEM_SHUTDOWN: &str = "wamp.close.system_shutdown";
pub(crate) const AUTHORIZATION_FAILED: &str = "wamp.error.authorization_failed";
pub(crate) const CANCELED: &str = "wamp.error.canceled";
/// Crossbar.io's name; the specification has none for it.
pub(crate) const HISTORY_UNAVAILABLE: &str = "wamp.error.history_unavailable";
pub(crate) const DISCLOSE_ME: &str = "wamp.error.option_disallowed.disclose_me";
pub(crate) const FEATURE_NOT_SUPPORTED: &str = "wamp.error.feature_not_supported";
pub(crate) const INVALID_ARGUMENT: &str = "wamp.error.invalid_argument";
pub(crate) const INVALID_URI: &str = "wamp.error.invalid_uri";
pub(crate) const NO_AVAILABLE_CALLEE: &str = "wamp.error.no_available_callee";
pub(crate) const NO_MATCHING_AUTH_METHOD: &str = "wamp.error.no_matching_auth_method";
pub(crate) const NO_SUCH_PROCEDURE: &str = "wamp.error.no_such_procedure";
pub(crate) const NO_SUCH_REALM: &str = "wamp.error.no_such_realm";
pub(crate) const NO_SUCH_REGISTRATION: &str = "wamp.error.no_such_registration";
pub(crate) const NO_SUCH_ROLE: &str = "wamp.error.no_such_role";
pub(crate) const NO_SUCH_SESSION: &str = "wamp.error.no_such_session";
pub(crate) const NO_SUCH_SUBSCRIPTION: &str = "wamp.error.no_such_subscription";
pub(crate) const NOT_AUTHORIZED: &str = "wamp.error.not_authorized";
pub(crate) const PAYLOAD_SIZE_EXCEEDED: &str = "wamp.error.payload_size_exceeded";
pub(crate) const PROCEDURE_ALREADY_EXISTS: &str = "wamp.error.procedure_already_exists";
/// Crossbar.io's name; the specification has none for it.
pub(crate) const DIFFERENT_INVOCATION_POLICY: &str =
    "wamp.error.procedure_exists_with_different_invocation_policy";
pub(crate) const PROTOCOL_VIOLATION: &str = "wamp.error.protocol_violation";
/// Autobahn's name for an exception of a procedure.
pub(crate) const RUNTIME_ERROR: &str = "wamp.error.runtime_error";
/// Crossbar.io's name; the specification has none for it.
pub(crate) const TESTAMENT_ERROR: &str = "wamp.error.testament_error";
pub(crate) const TIMEOUT: &str = "wamp.error.timeout";
pub(crate) const UNAVAILABLE: &str = "wamp.error.unavailable";
/// Crossbar.io's names; the specification has none for these.
pub(crate) const MAX_CONCURRENCY_REACHED: &str = "crossbar.error.max_concurrency_reached";
pub(crate) const UNREGISTERED: &str = "wamp.error.unregistered";
/// Ours: a limit of the configuration was reached. The specification has no URI for it.
pub(crate) const LIMIT_EXCEEDED: &str = "wamplet.error.limit_exceeded";
