//! Who decides where the configuration does not: a WAMP procedure, or a function of the embedding program.
//!
//! Owns how they are named, and what a program implements to be asked. When they are asked, and how long their answer
//! may take, is the business of [`router`](crate::router).

use std::future::Future;
use std::pin::Pin;

use crate::payload::Values;

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The callee of this procedure.
    Procedure {
        uri: String,
        /// Where it is registered. Default the realm of the session that the question is about.
        realm: Option<String>,
    },
    /// A function of the program that holds the router, by its name.
    Function(String),
}

/// Why there is no answer: the ERROR that somebody gets in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A URI.
    pub error: String,
    /// A sentence; may be empty.
    pub text: String,
}

impl Failure {
    /// A failure with this error URI and sentence.
    pub fn new(error: impl Into<String>, text: impl Into<String>) -> Self {
        Self { error: error.into(), text: text.into() }
    }
}

/// An answer that is still thought about.
pub type Deciding = Pin<Box<dyn Future<Output = Result<Values, Failure>> + Send>>;

/// The functions of a program that authenticate and authorize.
pub trait Decider: Send + Sync {
    /// Whether there is a function of this name: a configuration that names another one is refused.
    fn has(&self, function: &str) -> bool;

    /// Asks a function, which answers in its own time. What has not come after
    /// [`Limits::answer_timeout_ms`](crate::config::Limits::answer_timeout_ms) is not waited for.
    fn decide(&self, function: &str, values: Values) -> Deciding;
}
