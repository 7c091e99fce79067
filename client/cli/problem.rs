//! Why a command failed: one sentence with the next step, and the exit code. It must not contain a
//! token.

use orgtokens_client::{Error, Failure, types};
use reqwest::StatusCode;
use std::fmt::{self, Display};

/// The exit codes.
const REFUSED: u8 = 1;
const WRONG_USE: u8 = 2;
const UNKNOWN: u8 = 3;
/// As shells say it: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

#[derive(Debug)]
pub struct Problem {
    pub code: u8,
    sentence: String,
}

impl Problem {
    /// Nothing was sent.
    pub fn wrong_use(sentence: impl Display) -> Self {
        Self { code: WRONG_USE, sentence: sentence.to_string() }
    }

    /// The server refused it.
    pub fn refused(sentence: impl Display) -> Self {
        Self { code: REFUSED, sentence: sentence.to_string() }
    }

    /// It was done, or may have been done, but not as asked.
    pub fn unknown(sentence: impl Display) -> Self {
        Self { code: UNKNOWN, sentence: sentence.to_string() }
    }

    /// Ctrl-C ended it.
    pub fn interrupted(sentence: impl Display) -> Self {
        Self { code: INTERRUPTED, sentence: format!("interrupted: {sentence}") }
    }

    /// Explains why the generated code failed.
    pub fn from_call(error: anyhow::Error) -> Self {
        match error.downcast::<Error<types::Error>>() {
            Ok(Error::InvalidRequest(message)) => Self::wrong_use(message),
            Ok(error) => Failure::from(error).into(),
            Err(error) => Self::wrong_use(format!("{error:#}")),
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A server must not move the cursor of a terminal.
        let is_plain = |letter: &char| !letter.is_control();
        f.write_str(&self.sentence.chars().filter(is_plain).collect::<String>())
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let joint = if failure.message.contains(": ") { ", and " } else { ": " };
        let step = next_step(&failure).map(|step| format!("{joint}{step}")).unwrap_or_default();
        let id = failure.request_id.as_ref().filter(|_| is_server_error(&failure));
        let id = id.map(|id| format!(" (request {id})")).unwrap_or_default();
        let code = if was_refused(&failure) { REFUSED } else { UNKNOWN };
        Self { code, sentence: format!("{failure}{id}{step}") }
    }
}

/// Returns whether the server answered, and nothing was done.
fn was_refused(failure: &Failure) -> bool {
    let is_refusal = |status: StatusCode| {
        let is_gateway = [StatusCode::BAD_GATEWAY, StatusCode::GATEWAY_TIMEOUT].contains(&status);
        (status.is_client_error() || status.is_server_error()) && !is_gateway
    };
    !failure.outcome_unknown() && failure.status.is_some_and(is_refusal)
}

fn is_server_error(failure: &Failure) -> bool {
    failure.status.is_some_and(|status| status.is_server_error())
}

/// Returns what to do next, if the answer does not say it. `orgtokens_client` says it for an answer
/// that is not this API's.
fn next_step(failure: &Failure) -> Option<String> {
    if failure.outcome_unknown() {
        return Some("list first, and repeat only if nothing has changed".to_owned());
    }
    let is_error = failure.status.is_some_and(|status| status.as_u16() >= 400);
    let steps = ["try again", "check the base URL"];
    if is_error && steps.iter().any(|step| failure.message.contains(step)) {
        return None;
    }
    if let Some(wait) = failure.retry_after {
        return Some(format!("try again in {} s", wait.as_secs()));
    }
    let step = match failure.status.map(|status| status.as_u16()) {
        None if failure.message.contains("certificate") => {
            "trust it with SSL_CERT_FILE=FILE, if it is your own server's"
        }
        None => "check the URL, and that the server runs",
        Some(401) => "run `orgtokens login`, or set ORGTOKENS_TOKEN to a valid token",
        Some(408 | 429) => "try again later",
        Some(400..) => return None,
        Some(_) => "check the URL, and list before you repeat a change",
    };
    Some(step.to_owned())
}
