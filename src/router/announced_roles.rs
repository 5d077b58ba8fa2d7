//! The roles and features of the router, as WELCOME announces them.
//!
//! Owns the list and what is left out of it: exactly what works is said. Who is welcomed is for
//! [`handshake`](super::handshake). [wamp: basic/sessions, advanced/feature_announcement]

use serde_json::Value;

use crate::message::{Dict, dict};

/// `WELCOME.Details.roles`, for a realm that has a meta API or a history or not. `is_unordered`: the transport may change the
/// order of messages, which the pieces of a progressive invocation must keep.
pub(super) fn router_roles(has_meta_api: bool, has_history: bool, is_unordered: bool) -> Value {
    let is_served = |feature: &str| match feature {
        "event_history" => has_history && has_meta_api,
        PROGRESSIVE_CALL_INVOCATIONS => !is_unordered,
        feature => has_meta_api || !feature.ends_with("_meta_api"),
    };
    let role = |features: &[&str]| {
        let mut announced = Dict::new();
        for feature in features.iter().filter(|feature| is_served(feature)) {
            announced.insert((*feature).to_owned(), true.into());
        }
        Value::Object(dict([("features", announced.into())]))
    };
    Value::Object(dict([("broker", role(BROKER_FEATURES)), ("dealer", role(DEALER_FEATURES))]))
}

const PROGRESSIVE_CALL_INVOCATIONS: &str = "progressive_call_invocations";

const BROKER_FEATURES: &[&str] = &[
    "event_history",
    "event_retention",
    "pattern_based_subscription",
    "payload_passthru_mode",
    "payload_transparency",
    "publication_trustlevels",
    "publisher_exclusion",
    "publisher_identification",
    "session_meta_api",
    "subscriber_blackwhite_listing",
    "subscription_meta_api",
    "subscription_revocation",
];

const DEALER_FEATURES: &[&str] = &[
    "call_canceling",
    "call_reroute",
    "call_timeout",
    "call_trustlevels",
    "caller_identification",
    "pattern_based_registration",
    "payload_passthru_mode",
    "payload_transparency",
    PROGRESSIVE_CALL_INVOCATIONS,
    "progressive_call_results",
    "registration_meta_api",
    "registration_revocation",
    "session_meta_api",
    "shared_registration",
    "testament_meta_api",
];
