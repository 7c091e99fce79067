//! One error type for every way in which a call can fail. It must not contain a credential.
//!
//! What progenitor's errors do not tell, `transport` adds to the response before they are made.

use crate::{Error, transport, types};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// Identifies a request in the server's log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How much of a refused argument an error repeats: too little of a secret to use it.
const LONGEST: usize = 20;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", status.map(|status| format!("{status}: ")).unwrap_or_default())]
#[non_exhaustive]
pub struct Failure {
    /// The HTTP status, or `None` if there was no response.
    pub status: Option<StatusCode>,
    /// The server's own message if it sent one, else what failed on the client's side.
    pub message: String,
    /// How long to wait before the request is sent again, if the server said so.
    pub retry_after: Option<Duration>,
    /// What the server calls this request in its log.
    pub request_id: Option<String>,
    outcome_unknown: bool,
}

impl Failure {
    /// Returns whether the request may have changed something: check before you send it again.
    ///
    /// It is so if the server failed without a `Retry-After`, did not respond, or sent a success or a
    /// redirect that is not this API's. It is never so for a request that only reads. Else a status of
    /// 200 says that the change was made.
    pub fn outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self {
            status: None,
            message: message.into(),
            retry_after: None,
            request_id: None,
            outcome_unknown: false,
        }
    }

    fn answered(status: StatusCode, headers: &HeaderMap, message: String) -> Self {
        let request_id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        Self {
            status: Some(status),
            message,
            retry_after: retry_after(headers),
            request_id: request_id.map(str::to_owned),
            outcome_unknown: transport::is_outcome_unknown(headers),
        }
    }

    fn unanswered(error: reqwest::Error) -> Self {
        let outcome_unknown = error.url().is_some_and(transport::is_lost_change);
        Self { outcome_unknown, ..Self::local(with_causes(&error.without_url())) }
    }
}

impl From<Error<types::Error>> for Failure {
    fn from(error: Error<types::Error>) -> Self {
        match error {
            Error::ErrorResponse(response) => {
                Self::answered(response.status(), response.headers(), response.error.clone())
            }
            Error::UnexpectedResponse(response) => {
                let message = response.extensions().get::<types::Error>().map_or_else(
                    || format!("the contract has no response {} here", response.status()),
                    |body| body.error.clone(),
                );
                Self::answered(response.status(), response.headers(), message)
            }
            // `transport` makes every error response a valid one, so this is the one success.
            Error::InvalidResponsePayload(body, error) => {
                // What follows the error only keeps it from being taken for a success.
                let mut own = serde_json::Deserializer::from_slice(&body).into_iter();
                let message = own.next().and_then(Result::ok).map_or_else(
                    || format!("the response does not match the contract: {error}"),
                    |body: types::Error| body.error,
                );
                let outcome_unknown = transport::is_perhaps_changed(&body);
                Self { status: Some(StatusCode::OK), outcome_unknown, ..Self::local(message) }
            }
            Error::CommunicationError(error)
            | Error::InvalidUpgrade(error)
            | Error::ResponseBodyError(error) => Self::unanswered(error),
            Error::InvalidRequest(message) | Error::Custom(message) => Self::local(message),
        }
    }
}

impl From<types::error::ConversionError> for Failure {
    fn from(error: types::error::ConversionError) -> Self {
        Self::local(error.to_string())
    }
}

/// Reads `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.parse().map(Duration::from_secs).ok().or_else(|| {
        let date = httpdate::parse_http_date(text).ok()?;
        Some(date.duration_since(SystemTime::now()).unwrap_or_default())
    })
}

/// Says that an argument is refused, and what the document allows.
pub fn refusal(argument: &str, rule: &str) -> String {
    let start: String = argument.chars().take(LONGEST).collect();
    let more = if start.len() < argument.len() { "..." } else { "" };
    format!("`{}{more}` is not allowed: {rule}", start.escape_debug())
}

/// Returns an error with its causes, which reqwest's own text leaves out.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
