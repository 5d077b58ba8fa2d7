//! Who decides where the configuration does not: a WAMP procedure, or a function of the embedding program.
//!
//! Owns how they are named, and what a program implements to be asked. When they are asked, and how long their answer
//! may take, is the business of [`router`](crate::router).

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::payload::Values;
#[cfg(feature = "native")]
use crate::uri::{self, UriCheck};

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

impl Ask {
    /// The URI of the procedure, or the name of the function.
    #[cfg(feature = "native")]
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Procedure { uri, .. } => uri,
            Self::Function(name) => name,
        }
    }

    /// The name of the function, if it is one.
    pub(crate) fn function(&self) -> Option<&str> {
        match self {
            Self::Function(name) => Some(name),
            Self::Procedure { .. } => None,
        }
    }
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

    /// The same; where its error is no URI, a failure of the function that says so. Nobody is sent what is none.
    #[cfg(feature = "native")]
    pub(crate) fn checked(self) -> Self {
        if uri::is_valid(&self.error, UriCheck::Loose) {
            return self;
        }
        Self::new(NO_ERROR, ["it failed with '", &*self.error, "', which is no URI: ", &*self.text].concat())
    }
}

/// An answer that is still thought about.
pub type Deciding = Pin<Box<dyn Future<Output = Result<Values, Failure>> + Send>>;

/// The functions of a program that authenticate and authorize. [`Functions`] is one made of closures.
pub trait Decider: fmt::Debug + Send + Sync {
    /// Whether there is a function of this name: a configuration that names another one is refused.
    fn has(&self, function: &str) -> bool;

    /// Asks a function, which answers in its own time. What has not come after
    /// [`Limits::answer_timeout_ms`](crate::config::Limits::answer_timeout_ms) is not waited for.
    fn decide(&self, function: &str, values: Values) -> Deciding;
}

/// Functions by name.
///
/// ```
/// use serde_json::json;
/// use wamplet::auth::Functions;
/// use wamplet::payload::Values;
///
/// let functions = Functions::default().with("only_events", |asked: Values| async move {
///     // The session, the URI, the action, the options of the request.
///     let action = asked.args[2].as_str();
///     Ok(Values::args([json!(matches!(action, Some("publish" | "subscribe")))]))
/// });
/// ```
#[derive(Default)]
pub struct Functions(Vec<(String, Function)>);

type Function = Box<dyn Fn(Values) -> Deciding + Send + Sync>;

impl Functions {
    /// These functions and one more. Of two with the same name the first one is asked.
    #[must_use]
    pub fn with<F, D>(mut self, name: impl Into<String>, function: F) -> Self
    where
        F: Fn(Values) -> D + Send + Sync + 'static,
        D: Future<Output = Result<Values, Failure>> + Send + 'static,
    {
        self.0.push((name.into(), Box::new(move |values| Box::pin(function(values)))));
        self
    }

    fn get(&self, name: &str) -> Option<&Function> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, function)| function)
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Decider for Functions {
    fn has(&self, function: &str) -> bool {
        self.get(function).is_some()
    }

    fn decide(&self, function: &str, values: Values) -> Deciding {
        match self.get(function) {
            Some(function) => function(values),
            None => {
                let text = format!("there is no function '{function}'");
                Box::pin(std::future::ready(Err(Failure::new(NO_SUCH_PROCEDURE, text))))
            }
        }
    }
}

/// What is said of a function that does not say itself what is wrong.
#[cfg(feature = "native")]
const NO_ERROR: &str = "wamp.error.runtime_error";

/// What a procedure that nobody has registered would have given.
const NO_SUCH_PROCEDURE: &str = "wamp.error.no_such_procedure";
