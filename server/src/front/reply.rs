//! Answers: what the domain said, as a status, headers and JSON. Nothing is
//! decided here but that, and why the server itself failed never shows in an
//! answer.

use super::{HttpError, Response, StatusCode};
use crate::api::types::ErrorBody;
use crate::error::Error;
use crate::token::TokenId;
use bytes::Bytes;
use dropshot::{Body, ErrorStatusCode, HttpResponse, HttpResponseError, HttpResponseOk};
use futures::{Stream, StreamExt};
use http::{HeaderValue, header};
use http_body_util::channel::Channel;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;
use std::marker::PhantomData;

/// What a handler answers: failures are replies too, so that they can have headers.
pub type Answer<T> = Result<Reply<T>, ErrorBody>;

/// An answer that is declared to carry a `T`.
#[derive(Debug)]
pub struct Reply<T> {
    response: Response<Body>,
    carries: PhantomData<fn() -> T>,
}

/// What the access log says beyond the answer itself.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// The token that asked.
    pub token: Option<TokenId>,
    /// Why the server failed.
    pub reason: Option<String>,
}

impl<T> Reply<T> {
    /// An answer about `token`'s request.
    pub fn new(response: Response<Body>, token: Option<TokenId>) -> Self {
        let mut reply = Self { response, carries: PhantomData };
        reply.response.extensions_mut().get_or_insert_default::<Note>().token = token;
        reply
    }
}

/// A success.
pub fn ok(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(text) => ok_text(text.into()),
        Err(error) => failed(&Error::internal(format!("an answer has no JSON form: {error}"))),
    }
}

/// A success whose JSON text is written already.
pub fn ok_text(text: Bytes) -> Response<Body> {
    json(StatusCode::OK, text.into())
}

/// A success that is too long to be held in memory: `pieces` of one JSON text. Where one fails
/// the connection breaks, so that nobody takes the part for the whole.
pub fn pieces(
    mut pieces: impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + 'static,
) -> Response<Body> {
    let (mut sender, body) = Channel::<Bytes, Error>::new(1);
    tokio::spawn(async move {
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return sender.abort(error),
            };
            // Nobody reads any more where this fails.
            if sender.send_data(piece).await.is_err() {
                return;
            }
        }
    });
    json(StatusCode::OK, Body::wrap(body))
}

/// A failure, with the headers that its kind calls for.
pub fn failed(error: &Error) -> Response<Body> {
    let mut response = refuse(status(error), error.to_string());
    let headers = response.headers_mut();
    match error {
        Error::NoCredential => challenge(headers, "Bearer"),
        Error::DeadCredential => challenge(headers, r#"Bearer error="invalid_token""#),
        Error::TokenTooNarrow(_) => challenge(headers, r#"Bearer error="insufficient_scope""#),
        Error::Unavailable(_) | Error::TooManyRequests => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // The rest of the body is not wanted any more.
        Error::TooLarge(_) | Error::Timeout => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    let reason = match error {
        Error::Internal(source) | Error::Unavailable(source) | Error::OutcomeUnknown(source) => {
            Some(source.to_string())
        }
        _ => None,
    };
    response.extensions_mut().insert(Note { token: None, reason });
    response
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::Invalid(_) => StatusCode::BAD_REQUEST,
        Error::NoCredential | Error::DeadCredential => StatusCode::UNAUTHORIZED,
        Error::RoleTooLow(_) | Error::TokenTooNarrow(_) => StatusCode::FORBIDDEN,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::Timeout => StatusCode::REQUEST_TIMEOUT,
        Error::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        Error::Unavailable(_) | Error::OutcomeUnknown(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn challenge(headers: &mut http::HeaderMap, value: &'static str) {
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(value));
}

/// What is answered where something is wrong with the program itself.
pub fn broken(reason: &str) -> Response<Body> {
    failed(&Error::internal(reason))
}

/// What a path hears that no operation has.
pub const NO_PATH: &str = "no such path: see openapi.yaml";

/// What is answered where no operation has this path, or none this method on it (405, with the
/// methods that it has in `Allow`).
pub fn no_route(error: &HttpError) -> Response<Body> {
    let mut allowed: Vec<&str> = error
        .headers
        .iter()
        .flat_map(|headers| headers.get_all(header::ALLOW))
        .filter_map(|method| method.to_str().ok())
        .collect();
    if allowed.is_empty() {
        return refuse(error.status_code.as_status(), NO_PATH.to_owned());
    }
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    allowed.sort_unstable();
    let allowed = allowed.join(", ");
    let mut response =
        refuse(error.status_code.as_status(), format!("no such method here: use {allowed}"));
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// An error in the contract's form.
pub fn refuse(status: StatusCode, error: String) -> Response<Body> {
    let body = serde_json::to_vec(&ErrorBody { error }).unwrap_or_default();
    json(status, body.into())
}

fn json(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(dropshot::CONTENT_TYPE_JSON);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

impl<T> HttpResponse for Reply<T>
where
    T: JsonSchema + Serialize + Send + Sync + 'static,
{
    fn to_result(self) -> Result<Response<Body>, HttpError> {
        Ok(self.response)
    }

    fn response_metadata() -> dropshot::ApiEndpointResponse {
        HttpResponseOk::<T>::response_metadata()
    }

    fn status_code(&self) -> StatusCode {
        self.response.status()
    }
}

impl fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

impl From<HttpError> for ErrorBody {
    fn from(error: HttpError) -> Self {
        Self { error: error.external_message }
    }
}

impl HttpResponseError for ErrorBody {
    fn status_code(&self) -> ErrorStatusCode {
        ErrorStatusCode::INTERNAL_SERVER_ERROR
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    #[test]
    fn only_what_certainly_was_not_done_asks_to_be_tried_again() {
        let retry_after = |error: store::Error| {
            let response = failed(&error.into());
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            response.headers().get(header::RETRY_AFTER).cloned()
        };
        let second = Some(HeaderValue::from_static("1"));
        assert_eq!(retry_after(store::Error::Unavailable(String::new())), second);
        assert_eq!(retry_after(store::Error::Contended(String::new())), second);
        assert_eq!(retry_after(store::Error::Unknown(String::new())), None);
    }
}
