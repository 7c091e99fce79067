//! What `front`, `auth` and `handlers` share: the open connections, the memory for responses, and the
//! limits on clients. It uses none of them.

pub mod budget;
pub mod connections;
pub mod throttle;

use crate::caller::{Credential, Origin};
use crate::metrics::Metrics;
use crate::service::Service;
use crate::token::TokenDigest;
use budget::Budget;
use connections::Connections;
use dropshot::RequestInfo;
use slog::{Logger, o};
use std::net::IpAddr;
use std::sync::Arc;
use throttle::Throttle;
use tokio::sync::mpsc::Sender;

/// The state that all handlers share.
pub struct Context {
    pub service: Service,
    pub metrics: Arc<Metrics>,
    pub connections: Arc<Connections>,
    pub budget: Budget,
    pub throttle: Throttle,
    /// The digests and origins of credentials that were refused.
    refused: Sender<(TokenDigest, Origin)>,
    pub log: Logger,
}

impl Context {
    /// Writes the access log to `log`.
    pub fn new(
        service: Service,
        metrics: Metrics,
        throttle: Throttle,
        refused: Sender<(TokenDigest, Origin)>,
        log: Logger,
    ) -> Self {
        let connections = Arc::<Connections>::default();
        let budget = Budget::new(Arc::clone(&connections));
        Self { service, metrics: Arc::new(metrics), connections, budget, throttle, refused, log }
    }

    /// Makes the refusal of a credential final, and has it looked up, after the answer, whether it was
    /// good before. In a flood of refused ones some are passed over.
    pub async fn note_refused(&self, credential: &Credential) {
        self.service.sweep_refused(&credential.digest).await;
        // A malformed credential was never good.
        if credential.digest != TokenDigest::NONE {
            let _ = self.refused.try_send((credential.digest, credential.origin));
        }
    }

    /// Returns the address of the client of a request.
    pub fn client(&self, request: &RequestInfo) -> IpAddr {
        self.throttle.proxies.client(request.remote_addr().ip(), request.headers())
    }

    /// Returns a logger that adds the request's id to each line.
    pub fn request_log(&self, request_id: &str) -> Logger {
        self.log.new(o!("request_id" => request_id.to_owned()))
    }
}
