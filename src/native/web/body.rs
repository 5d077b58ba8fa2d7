//! The bodies of requests.

use std::error::Error;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
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
    let mut body = Limited::new(request.body_mut(), limit);
    let whole = async {
        // Of chunks of a few bytes each takes many times as much where it is kept by itself.
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            // Trailers say nothing here.
            if let Ok(data) = frame?.into_data() {
                whole.extend_from_slice(&data);
            }
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(whole.freeze())
    };
    match timeout(patience, whole).await {
        Ok(Ok(body)) => Ok(Ok(body)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Ok(Err(limit + 1)),
        Ok(Err(error)) => {
            Err(Refusal::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}")))
        }
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "The body did not come in time.")),
    }
}
