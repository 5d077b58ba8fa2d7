//! Requests that become nothing, and those that become an ERROR: answers in the one shape that clients of Crossbar.io's
//! bridge know, `{"error": .., "args": [..], "kwargs": {..}}`.

use std::fmt;

use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use serde_json::Value;

use super::request::parts;
use super::{METHODS, whole};
use crate::native::bridge::Failure;
use crate::native::web::answer::{Answer, Refusal};

/// What is answered in the place of a publication or a result.
#[derive(Debug)]
pub(super) struct Denial {
    status: StatusCode,
    /// A URI.
    error: String,
    /// JSON.
    args: String,
    kwargs: String,
}

impl Denial {
    fn new(status: StatusCode, error: &str, sentence: impl Into<String>) -> Self {
        let args = Value::from([sentence.into()]).to_string();
        Self { status, error: error.to_owned(), args, kwargs: "{}".into() }
    }

    /// Of a request that is not as it should be.
    pub fn bad(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID_ARGUMENT, sentence)
    }

    /// Of a request that somebody else has signed, or nobody.
    pub fn unauthorized(sentence: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "wamp.error.authentication_denied", sentence)
    }

    pub fn method() -> Self {
        let sentence = "expected POST or PUT";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, INVALID_ARGUMENT, sentence)
    }

    pub fn too_long(length: usize, limit: usize) -> Self {
        let sentence = format!("the body has {length} bytes or more, and may have {limit}");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG, sentence)
    }

    pub fn from_refusal(refusal: Refusal) -> Self {
        Self::new(refusal.status, INVALID_ARGUMENT, refusal.reason)
    }

    pub fn into_answer(self) -> Answer {
        let Self { status, error, args, kwargs } = self;
        let error = Value::from(error);
        let body = format!("{{\"error\":{error},\"args\":{args},\"kwargs\":{kwargs}}}");
        let mut answer = whole(status, body);
        if status == StatusCode::METHOD_NOT_ALLOWED {
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(METHODS));
        }
        answer
    }
}

impl From<Failure> for Denial {
    fn from(failure: Failure) -> Self {
        match failure {
            // The bridge has done its part.
            Failure::Refused { error, payload } => {
                let (args, kwargs) = parts(&payload);
                Self { status: StatusCode::OK, error, args, kwargs }
            }
            Failure::Unfit(sentence) => Self::bad(sentence),
            Failure::TooLong(limit) => {
                let sentence = format!("a message may have {limit} bytes, and this would be one of more");
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG, sentence)
            }
            Failure::NoSession { error, text } => Self::new(StatusCode::INTERNAL_SERVER_ERROR, &error, text),
        }
    }
}

/// For the log.
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.error, self.args)
    }
}

const INVALID_ARGUMENT: &str = "wamp.error.invalid_argument";
const TOO_LONG: &str = "wamp.error.payload_size_exceeded";
