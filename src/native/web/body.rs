//! The bodies of requests.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::{Request, StatusCode};
use tokio::time::timeout;

use super::answer::Refusal;

/// The body of a request, which may have `limit` bytes and must be there in time; the inner error is how long it is, at
/// least.
pub(super) async fn read(
    request: &mut Request<Incoming>,
    limit: usize,
    patience: Duration,
) -> Result<Result<Bytes, usize>, Refusal> {
    let announced = usize::try_from(request.body().size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Ok(Err(announced));
    }
    let body = Limited::new(request.body_mut(), limit).collect();
    match timeout(patience, body).await {
        Ok(Ok(body)) => Ok(Ok(body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Ok(Err(limit + 1)),
        Ok(Err(error)) => {
            Err(Refusal::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}")))
        }
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "The body did not come in time.")),
    }
}
