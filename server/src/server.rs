//! A running server: the service behind the front door, on a socket. It only
//! puts the parts together: it looks at no request, and handles no signal.

use crate::api::api_mod;
use crate::front::connections::{self, Limits};
use crate::front::throttle::Throttle;
use crate::front::{self, Context};
use crate::handlers::Handlers;
use crate::http::MAX_BODY_BYTES;
use crate::service::Service;
use anyhow::{Context as _, anyhow};
use dropshot::{ConfigDropshot, HttpServer, ServerBuilder};
use ipnet::IpNet;
use slog::{Discard, Logger, o};
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// What a server may be set to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many connections there may be: above it the oldest idle ones are closed.
    pub max_connections: usize,
    /// How long a connection may be quiet before it is closed.
    pub idle_timeout: Duration,
    /// How many bad credentials a client may send in a second.
    pub bad_credentials_per_second: NonZeroU32,
    /// The proxies that are believed about who the client is.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            idle_timeout: Duration::from_secs(30),
            bad_credentials_per_second: const { NonZeroU32::new(1000).expect("it is not zero") },
            trusted_proxies: Vec::new(),
        }
    }
}

/// A running server. Dropping it stops it without waiting.
pub struct Server {
    http: HttpServer<Context>,
    #[expect(dead_code, reason = "it works until it is dropped")]
    reaper: connections::Reaper,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Server {
    /// Serves `service` on `listen`, where port 0 means any free one; access log to `log`.
    ///
    /// # Errors
    /// Where the address is not to be had.
    pub fn start(service: Service, listen: SocketAddr, log: Logger) -> anyhow::Result<Self> {
        Self::start_with(&Settings::default(), service, listen, log)
    }

    /// The same, set otherwise.
    ///
    /// # Errors
    /// Where the address is not to be had.
    pub fn start_with(
        settings: &Settings,
        service: Service,
        listen: SocketAddr,
        log: Logger,
    ) -> anyhow::Result<Self> {
        let operations = api_mod::api_description::<Handlers>()?;
        let (rate, trusted) =
            (settings.bad_credentials_per_second, settings.trusted_proxies.clone());
        let context = Context::new(service, operations, Throttle::new(rate, trusted), log);
        let seen = Arc::clone(&context.connections);
        let config = ConfigDropshot {
            bind_address: listen,
            default_request_body_max_bytes: MAX_BODY_BYTES,
            ..ConfigDropshot::default()
        };
        // dropshot logs whole URIs, with their queries: the access log is the front door's.
        let silent = Logger::root(Discard, o!());
        let http = ServerBuilder::new(front::catch_all_routes()?, context, silent)
            .config(config)
            .start()
            .with_context(|| {
                format!("cannot listen on {listen}: choose another address with --listen")
            })?;
        let limits = Limits { max: settings.max_connections, idle: settings.idle_timeout };
        let reaper = connections::start_reaper(http.local_addr(), limits, seen);
        Ok(Self { http, reaper })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.http.local_addr()
    }

    /// Stops accepting, and waits at most `patience` for the requests under way.
    ///
    /// # Errors
    /// Where some of them did not end in time.
    pub async fn close(self, patience: Duration) -> anyhow::Result<()> {
        match tokio::time::timeout(patience, self.http.close()).await {
            Ok(closed) => closed.map_err(|error| anyhow!(error)),
            Err(_) => Err(anyhow!("some requests did not end within {patience:?}")),
        }
    }
}
