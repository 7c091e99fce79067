//! The body of every failed request: the contract's `Error` schema.

use dropshot::{ErrorStatusCode, HttpError, HttpResponseError};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;

/// The body of every failed request.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub struct ErrorBody {
    /// What was wrong, and what to do next.
    pub error: String,
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

/// dropshot requires this, but never calls it: handlers answer failures as replies.
impl HttpResponseError for ErrorBody {
    fn status_code(&self) -> ErrorStatusCode {
        ErrorStatusCode::INTERNAL_SERVER_ERROR
    }
}
