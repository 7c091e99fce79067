//! One error for every way in which a call can fail.
//!
//! It is for reading and reporting; it never carries a credential.

use crate::{Error, types};
use reqwest::StatusCode;

/// What went wrong, as a status (where the server answered) and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", status.map(|status| format!("{status}: ")).unwrap_or_default())]
pub struct Failure {
    /// The HTTP status, or `None` where no answer came.
    pub status: Option<StatusCode>,
    /// The server's own sentence where it sent one, else what failed on the way.
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
            Error::ErrorResponse(answer) => answer.into_inner().error,
            Error::UnexpectedResponse(answer) => {
                format!("the contract knows no answer {} here", answer.status())
            }
            Error::InvalidResponsePayload(_, error) => {
                format!("the answer is not what the contract says: {error}")
            }
            Error::CommunicationError(error)
            | Error::InvalidUpgrade(error)
            | Error::ResponseBodyError(error) => chain(&error.without_url()),
            Error::InvalidRequest(message) | Error::Custom(message) => message,
        };
        Self { status, message }
    }
}

/// An error with its causes: reqwest's own text leaves out why.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
