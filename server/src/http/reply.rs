//! Responses: a domain value or error as status, headers and JSON.
//!
//! The reason for an internal failure goes to the log only, never into a response.

use super::pieces::{self, Held};
use super::{ErrorBody, Progress};
use crate::error::Error;
use crate::token::TokenId;
use bytes::Bytes;
use dropshot::{Body, HttpError, HttpResponse, HttpResponseOk};
use futures::Stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use slog::Logger;
use std::marker::PhantomData;

/// The result of a handler. Failures are replies too, because only replies can set headers.
pub type Answer<T> = Result<Reply<T>, ErrorBody>;

/// A response that is declared to carry a `T`.
#[derive(Debug)]
pub struct Reply<T> {
    response: Response<Body>,
    content: PhantomData<fn() -> T>,
}

/// What the access log needs and the response does not show.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// The token of the request.
    pub token: Option<TokenId>,
    /// The reason why the server failed.
    pub reason: Option<String>,
}

impl<T> Reply<T> {
    /// A reply to a request with this token.
    pub fn new(response: Response<Body>, token: Option<TokenId>) -> Self {
        let mut reply = Self { response, content: PhantomData };
        reply.response.extensions_mut().get_or_insert_default::<Note>().token = token;
        reply
    }
}

/// Writes a value as JSON.
///
/// # Errors
/// [`Error::Internal`] if the value has no JSON form, which is a bug.
pub fn to_json(value: &impl Serialize) -> Result<Bytes, Error> {
    let text = serde_json::to_vec(value).map_err(|error| {
        Error::internal(format!("an answer cannot be written as JSON: {error}"))
    })?;
    // Gives unused capacity back: a slow reader may keep the text for long.
    Ok(text.into_boxed_slice().into())
}

/// Answers 200 with a whole JSON text. `reservation` is held until it is written.
pub fn whole(text: Bytes, reservation: Option<impl Send + 'static>) -> Response<Body> {
    let text = match reservation {
        Some(reservation) => Bytes::from_owner(Held(text, reservation)),
        None => text,
    };
    json(StatusCode::OK, text.into())
}

/// Answers 200 with a JSON text in pieces. If a piece fails the connection breaks, so that no
/// reader takes a part for the whole. `log` must carry the request's id.
pub fn pieces(
    stream: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
    reservation: impl Progress,
    log: Logger,
) -> Response<Body> {
    json(StatusCode::OK, pieces::body(stream, reservation, log))
}

/// Answers an error, with the headers that its kind requires.
pub fn failed(error: &Error) -> Response<Body> {
    let mut response = refuse(status(error), error.to_string());
    let headers = response.headers_mut();
    match error {
        Error::NoCredential => challenge(headers, "Bearer"),
        Error::DeadCredential => challenge(headers, r#"Bearer error="invalid_token""#),
        Error::TokenTooNarrow(_) => challenge(headers, r#"Bearer error="insufficient_scope""#),
        Error::Unavailable(_) | Error::TooManyRequests | Error::Busy => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // The rest of the body is not read.
        Error::TooLarge(_) | Error::Timeout => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    if let Some(source) = source(error) {
        response.extensions_mut().insert(Note { token: None, reason: Some(source.to_string()) });
    }
    response
}

/// Returns the reason for an error, for the log only.
pub fn reason(error: &Error) -> String {
    source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn source(error: &Error) -> Option<&(dyn std::error::Error + 'static)> {
    std::error::Error::source(error)
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::Invalid(_) => StatusCode::BAD_REQUEST,
        Error::NoCredential | Error::DeadCredential => StatusCode::UNAUTHORIZED,
        Error::RoleTooLow(_) | Error::TokenTooNarrow(_) => StatusCode::FORBIDDEN,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Conflict(_) | Error::Taken => StatusCode::CONFLICT,
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::Timeout => StatusCode::REQUEST_TIMEOUT,
        Error::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        Error::Unavailable(_) | Error::OutcomeUnknown(_) | Error::Busy => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn challenge(headers: &mut HeaderMap, value: &'static str) {
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(value));
}

/// Answers 500 for a bug in the server.
pub fn broken(reason: &str) -> Response<Body> {
    failed(&Error::internal(reason))
}

/// The message for a path without an operation.
pub const NO_PATH: &str = "no such path: see openapi.yaml";

/// Answers 404 for a path without an operation, or 405 with `Allow` for a wrong method.
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

/// Answers an error in the contract's form.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    #[test]
    fn only_a_change_that_certainly_failed_may_be_tried_again() {
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
