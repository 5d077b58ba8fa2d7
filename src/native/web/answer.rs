//! Whole answers and refusals, and the bodies of all answers.

use std::fmt::Display;
use std::io;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::page::{self, escape};
use super::preference;

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;
pub(super) type Answer = Response<Body>;

/// A body that is there already.
pub(super) fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// An answer with a body of this type.
pub(super) fn whole(status: StatusCode, content_type: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(body(bytes));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// A page that was made by [`page::page`]: it holds no script and needs nothing from anywhere.
pub(super) fn html(status: StatusCode, page: String) -> Answer {
    let mut answer = whole(status, "text/html; charset=utf-8", page);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    answer
}

/// A request that is not served.
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: StatusCode,
    /// For whoever sent the request, and for the log: a sentence.
    pub reason: String,
    /// Beside the usual ones.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), headers: Vec::new() }
    }

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Nothing is served at this path.")
    }

    /// For who would have had a name that nobody can guess.
    pub fn no_random_numbers() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The system gives no random numbers.")
    }

    /// For who may come again later.
    pub fn not_now(reason: &impl Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, format!("Not now: {reason}."))
    }

    /// `allowed`: the methods that are served.
    pub fn method(allowed: &'static str) -> Self {
        let reason = format!("The methods of this path: {allowed}.");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, reason).with(header::ALLOW, allowed)
    }

    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// A page for those who ask for one, and otherwise text.
    pub fn into_answer(self, request: &HeaderMap) -> Answer {
        let Self { status, reason, headers } = self;
        let mut answer = if preference::prefers_html(request) {
            let code = status.as_u16();
            let name = status.canonical_reason().unwrap_or("Error");
            let content = format!("<h1>{code} {name}</h1>\n<p>{}</p>\n", escape(&reason));
            html(status, page::page(name, &content))
        } else {
            whole(status, "text/plain; charset=utf-8", format!("{status}: {reason}\n"))
        };
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in headers {
            answer.headers_mut().insert(name, value);
        }
        answer
    }
}

/// Puts a header into what becomes an answer either way.
pub(super) fn put(answer: &mut Result<Answer, Refusal>, name: HeaderName, value: HeaderValue) {
    match answer {
        Ok(answer) => {
            answer.headers_mut().insert(name, value);
        }
        Err(refusal) => refusal.headers.push((name, value)),
    }
}
