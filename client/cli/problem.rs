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
    /// Whether the server does not accept the token.
    needs_token: bool,
}

impl Problem {
    fn new(code: u8, sentence: impl Display) -> Self {
        Self { code, sentence: sentence.to_string(), needs_token: false }
    }

    /// Nothing was sent.
    pub fn wrong_use(sentence: impl Display) -> Self {
        Self::new(WRONG_USE, sentence)
    }

    /// The server refused it.
    pub fn refused(sentence: impl Display) -> Self {
        Self::new(REFUSED, sentence)
    }

    /// It was done, or may have been done, but not as asked.
    pub fn unknown(sentence: impl Display) -> Self {
        Self::new(UNKNOWN, sentence)
    }

    /// Ctrl-C ended it.
    pub fn interrupted(sentence: impl Display) -> Self {
        Self::new(INTERRUPTED, format!("interrupted: {sentence}"))
    }

    /// Adds what to do if the server does not accept the token.
    pub fn with_token_step(self, step: impl FnOnce() -> String) -> Self {
        if self.needs_token { self.with_step(&step()) } else { self }
    }

    fn with_step(self, step: &str) -> Self {
        // The message of the server may have a step of its own.
        let joint = if self.sentence.matches(": ").count() > 1 { ", and " } else { ": " };
        Self { sentence: format!("{}{joint}{step}", self.sentence), ..self }
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
        f.write_str(&printable(&self.sentence))
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let id = failure.request_id.as_ref().filter(|_| is_server_error(&failure));
        let id = id.map(|id| format!(" (request {id})")).unwrap_or_default();
        let code = if was_refused(&failure) { REFUSED } else { UNKNOWN };
        let mut problem = Self::new(code, format!("{failure}{id}"));
        problem.needs_token =
            failure.status == Some(StatusCode::UNAUTHORIZED) && !names_url(&failure);
        match next_step(&failure) {
            Some(step) => problem.with_step(&step),
            None => problem,
        }
    }
}

/// Removes what a server must not send to a terminal: what moves its cursor, hides text or turns it
/// around.
pub fn printable(text: &str) -> String {
    let is_unseen = |letter: char| matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.chars().filter(|letter| !letter.is_control() && !is_unseen(*letter)).collect()
}

/// Returns whether the failure says to check the URL, because the response is another API's.
fn names_url(failure: &Failure) -> bool {
    failure.message.contains("check the base URL")
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
    if names_url(failure) || failure.message.contains("try again") {
        return None;
    }
    if let Some(wait) = failure.retry_after.filter(|wait| wait.as_secs() > 0) {
        return Some(format!("try again in {} s", wait.as_secs()));
    }
    let step = match failure.status.map(|status| status.as_u16()) {
        None if failure.message.contains("timed out") => "try again later",
        None if failure.message.contains("certificate") => {
            "trust it with SSL_CERT_FILE=FILE, if it is your own server's"
        }
        None => "check the URL, and that the server runs",
        Some(408 | 429 | 500..) => "try again later",
        Some(400..) => return None,
        Some(_) => "check the URL, and list before you repeat a change",
    };
    Some(step.to_owned())
}
