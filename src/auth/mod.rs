//! Authentication and authorization: decisions, never messages.
//!
//! Owns who may join as whom and who may do what. Never calls the router: it answers, and the router acts.

pub mod authorizer;
pub mod decider;

pub use decider::{Ask, Decider, Deciding, Failure};
