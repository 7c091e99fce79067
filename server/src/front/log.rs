//! The access log: one line per request, and one more if the server failed.
//!
//! It contains no token, query string or body, and of a path only the template.

use super::Response;
use crate::http::reply::Note;
use http::Method;
use slog::{Logger, error, info};
use std::net::SocketAddr;
use std::time::Duration;

/// The operation that made a response.
#[derive(Clone)]
pub struct Operation {
    pub id: String,
    /// The path template. The log must not contain the variables' values.
    pub path: String,
}

/// Writes the lines of a request. `log` must carry its id.
pub fn write(
    log: &Logger,
    method: &Method,
    peer: SocketAddr,
    response: &Response,
    latency: Duration,
) {
    let note = response.extensions().get::<Note>().cloned().unwrap_or_default();
    let operation = response.extensions().get::<Operation>();
    if let Some(reason) = note.reason {
        error!(log, "request failed"; "reason" => reason);
    }
    info!(log, "request";
        "method" => method.as_str(),
        "route" => operation.map_or("-", |operation| &operation.path),
        "operation" => operation.map_or("-", |operation| &operation.id),
        "status" => response.status().as_u16(),
        "latency_us" => latency.as_micros(),
        "token_id" => note.token.map_or("-".to_owned(), |token| token.to_string()),
        "peer" => peer,
    );
}
