//! Responses: converts a domain value or an error to a status, headers and JSON.
//!
//! The reason for an internal failure is logged and never sent.

use crate::error::Error;
use crate::token::TokenId;
use bytes::Bytes;
use dropshot::{
    ApiEndpointResponse, Body, ErrorStatusCode, HttpError, HttpResponse, HttpResponseError,
    HttpResponseOk,
};
use http::{HeaderValue, Response, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use std::error::Error as _;
use std::marker::PhantomData;

/// The result of a handler. Failures are replies too, because only replies can set headers.
pub type Answer<T> = Result<Reply<T>, ErrorBody>;

/// The result of a handler whose success is 202.
pub type Accepted<T> = Result<Reply<T, 202>, ErrorBody>;

/// The body of every failed request.
#[derive(Debug, thiserror::Error, Serialize, JsonSchema)]
#[error("{error}")]
#[schemars(rename = "Error")]
pub struct ErrorBody {
    /// What was wrong, and what to do next.
    error: String,
}

impl From<HttpError> for ErrorBody {
    fn from(error: HttpError) -> Self {
        Self { error: error.external_message }
    }
}

/// dropshot requires this but never calls it, because handlers return failures as replies.
impl HttpResponseError for ErrorBody {
    fn status_code(&self) -> ErrorStatusCode {
        ErrorStatusCode::INTERNAL_SERVER_ERROR
    }
}

/// A response. The OpenAPI document declares it with this status and a `T`.
pub struct Reply<T, const STATUS: u16 = 200> {
    response: Response<Body>,
    token: Option<TokenId>,
    content: PhantomData<fn() -> T>,
}

/// Data for the access log that is not in the response. An extension of the response.
#[derive(Clone, Default)]
pub struct Note {
    pub token: Option<TokenId>,
    /// The reason why the server failed.
    pub reason: Option<String>,
}

impl<T, const STATUS: u16> Reply<T, STATUS> {
    /// Creates a reply to a request with this token.
    pub fn new(response: Result<Response<Body>, Error>, token: Option<TokenId>) -> Self {
        let response = response.unwrap_or_else(|error| failed(&error));
        Self { response, token, content: PhantomData }
    }

    pub fn into_parts(self) -> (Response<Body>, Option<TokenId>) {
        (self.response, self.token)
    }
}

impl<T, const STATUS: u16> HttpResponse for Reply<T, STATUS>
where
    T: JsonSchema + Serialize + Send + Sync + 'static,
{
    fn to_result(mut self) -> Result<Response<Body>, HttpError> {
        self.response.extensions_mut().get_or_insert_default::<Note>().token = self.token;
        Ok(self.response)
    }

    fn response_metadata() -> ApiEndpointResponse {
        let success = StatusCode::from_u16(STATUS).ok();
        ApiEndpointResponse { success, ..HttpResponseOk::<T>::response_metadata() }
    }

    fn status_code(&self) -> StatusCode {
        self.response.status()
    }
}

pub fn to_json(value: &impl Serialize) -> Result<Bytes, Error> {
    let text = serde_json::to_vec(value).map_err(|error| {
        Error::internal(format!("an answer cannot be written as JSON: {error}"))
    })?;
    // Frees unused capacity, because a slow reader may keep the bytes in memory for long.
    Ok(text.into_boxed_slice().into())
}

/// Returns 200 with a JSON body.
pub fn ok(body: Body) -> Response<Body> {
    json(StatusCode::OK, body)
}

/// Returns 202 with an empty object.
pub fn accepted() -> Response<Body> {
    json(StatusCode::ACCEPTED, "{}".into())
}

/// Returns the response to an error, with the headers that its kind requires.
pub fn failed(error: &Error) -> Response<Body> {
    let challenge = |value| Some((header::WWW_AUTHENTICATE, value));
    let (retry, close) = (Some((header::RETRY_AFTER, "1")), Some((header::CONNECTION, "close")));
    let (status, header) = match error {
        Error::Invalid(_) => (StatusCode::BAD_REQUEST, None),
        Error::NoCredential => (StatusCode::UNAUTHORIZED, challenge("Bearer")),
        Error::DeadCredential => {
            (StatusCode::UNAUTHORIZED, challenge(r#"Bearer error="invalid_token""#))
        }
        Error::Forbidden(_) => (StatusCode::FORBIDDEN, None),
        Error::TokenTooNarrow(_) => {
            (StatusCode::FORBIDDEN, challenge(r#"Bearer error="insufficient_scope""#))
        }
        Error::NotFound(_) => (StatusCode::NOT_FOUND, None),
        Error::Conflict(_) | Error::Taken => (StatusCode::CONFLICT, None),
        // The rest of the body is not read.
        Error::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, close),
        Error::Timeout => (StatusCode::REQUEST_TIMEOUT, close),
        Error::UnsupportedMediaType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
        Error::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, retry),
        Error::TooManyReports => {
            (StatusCode::TOO_MANY_REQUESTS, Some((header::RETRY_AFTER, "3600")))
        }
        Error::Unavailable(_) | Error::Full(_) | Error::Busy => {
            (StatusCode::SERVICE_UNAVAILABLE, retry)
        }
        Error::OutcomeUnknown(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, None),
    };
    let mut response = refuse(status, error.to_string());
    if let Some((name, value)) = header {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let reason = error.source().map(ToString::to_string);
    response.extensions_mut().insert(Note { token: None, reason });
    response
}

pub const NO_PATH: &str = "no such path: see openapi.yaml";

/// Returns 404 for an unknown path, or 405 with `Allow` for a wrong method.
pub fn no_route(error: &HttpError) -> Response<Body> {
    let status = error.status_code.as_status();
    let allowed = error.headers.iter().flat_map(|headers| headers.get_all(header::ALLOW));
    let mut allowed: Vec<_> = allowed.filter_map(|method| method.to_str().ok()).collect();
    if allowed.is_empty() {
        return refuse(status, NO_PATH.to_owned());
    }
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    allowed.sort_unstable();
    let allowed = allowed.join(", ");
    let mut response = refuse(status, format!("no such method here: use {allowed}"));
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// Returns an error with the error body of the contract.
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
