//! One error type for every way in which a call can fail. It must not contain a credential.

use crate::{Error, types};
use reqwest::StatusCode;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", status.map(|status| format!("{status}: ")).unwrap_or_default())]
pub struct Failure {
    /// The HTTP status, or `None` if there was no response.
    pub status: Option<StatusCode>,
    /// The server's own message if it sent one, else what failed on the client's side.
    pub message: String,
}

impl Failure {
    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self { status: None, message: message.into() }
    }
}

impl From<Error<types::Error>> for Failure {
    fn from(error: Error<types::Error>) -> Self {
        let status = error.status();
        let message = match error {
            Error::ErrorResponse(response) => response.into_inner().error,
            Error::UnexpectedResponse(response) => {
                format!("the contract has no response {} here", response.status())
            }
            Error::InvalidResponsePayload(_, error) => {
                format!("the response does not match the contract: {error}")
            }
            Error::CommunicationError(error)
            | Error::InvalidUpgrade(error)
            | Error::ResponseBodyError(error) => with_causes(&error.without_url()),
            Error::InvalidRequest(message) | Error::Custom(message) => message,
        };
        Self { status, message }
    }
}

/// Returns an error with its causes, which reqwest's own text leaves out.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
