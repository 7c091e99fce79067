//! The access log: one line per request, and one more if the server failed.
//!
//! It contains no token, query string or body, and of a path only the template.

use super::{Context, Operation};
use crate::http::reply::Note;
use dropshot::RequestContext;
use http::{Method, Response};
use slog::{Logger, error, info};
use std::net::SocketAddr;
use std::time::Duration;

/// The part of a log entry that is known before the request is handled.
pub struct Entry {
    method: Method,
    peer: SocketAddr,
    request_id: String,
}

impl Entry {
    pub fn new(rqctx: &RequestContext<Context>) -> Self {
        Self {
            method: rqctx.request.method().clone(),
            peer: rqctx.request.remote_addr(),
            request_id: rqctx.request_id.clone(),
        }
    }

    pub fn write(
        self,
        log: &Logger,
        operation: Option<&Operation>,
        response: &Response<dropshot::Body>,
        latency: Duration,
    ) {
        let note = response.extensions().get::<Note>().cloned().unwrap_or_default();
        if let Some(reason) = note.reason {
            error!(log, "request failed"; "reason" => reason, "request_id" => &self.request_id);
        }
        info!(log, "request";
            "method" => self.method.as_str(),
            "route" => operation.map_or("-", |operation| &operation.path),
            "operation" => operation.map_or("-", |operation| &operation.id),
            "status" => response.status().as_u16(),
            "latency_us" => latency.as_micros(),
            "token_id" => note.token.map_or("-".to_owned(), |token| token.to_string()),
            "peer" => self.peer,
            "request_id" => &self.request_id,
        );
    }
}
