//! A running server: the service behind the front door, on a socket.
//!
//! It connects the parts. Requests are handled in `front`, signals in the command line.

use crate::front::throttle::Throttle;
use crate::front::{self, Context};
use crate::handlers;
use crate::service::{Quotas, Service};
use anyhow::{Context as _, Error};
use clap::{Args, value_parser};
use dropshot::{ConfigDropshot, HttpServer, ServerBuilder};
use ipnet::IpNet;
use slog::{Discard, Logger, o};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(1024).expect("it is not zero");
const IDLE_TIMEOUT: u64 = 30;
const BAD_CREDENTIALS_PER_SECOND: NonZeroU32 = NonZeroU32::new(1000).expect("it is not zero");

/// The limits of a server.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// How many connections there may be; above that the oldest idle ones are closed
    #[arg(long, value_name = "N", env = "ORGTOKENS_MAX_CONNECTIONS", default_value_t = MAX_CONNECTIONS)]
    pub max_connections: NonZeroUsize,
    /// How many seconds a connection may be idle before it is closed
    #[arg(
        long,
        value_name = "SECONDS",
        env = "ORGTOKENS_IDLE_TIMEOUT",
        default_value_t = IDLE_TIMEOUT,
        value_parser = value_parser!(u64).range(1..=86_400)
    )]
    pub idle_timeout: u64,
    /// How many bad credentials a client may send in a second; above that it receives 429
    #[arg(
        long,
        value_name = "N",
        env = "ORGTOKENS_BAD_CREDENTIALS_PER_SECOND",
        default_value_t = BAD_CREDENTIALS_PER_SECOND
    )]
    pub bad_credentials_per_second: NonZeroU32,
    /// An address or a network (10.0.0.0/8) of proxies whose X-Forwarded-For or Forwarded names
    /// the client; may be repeated
    #[arg(
        long = "trusted-proxy",
        value_name = "NET",
        env = "ORGTOKENS_TRUSTED_PROXY",
        value_delimiter = ',',
        value_parser = parse_network
    )]
    pub trusted_proxies: Vec<IpNet>,
    /// How many live tokens there may be.
    #[command(flatten)]
    pub quotas: Quotas,
}

fn parse_network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).map_err(|_| "write it as 10.0.0.0/8 or 10.0.0.1".to_owned())
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: MAX_CONNECTIONS,
            idle_timeout: IDLE_TIMEOUT,
            bad_credentials_per_second: BAD_CREDENTIALS_PER_SECOND,
            trusted_proxies: Vec::new(),
            quotas: Quotas::default(),
        }
    }
}

/// A running server. Dropping it stops it without waiting.
pub struct Server {
    http: HttpServer<Context>,
    #[expect(dead_code, reason = "dropping it stops the task")]
    reaper: JoinSet<()>,
}

impl Server {
    /// Serves `service` on `listen` with the default settings. Port 0 is any free port.
    ///
    /// # Errors
    /// If the address is not available.
    pub fn start(service: Service, listen: SocketAddr, log: Logger) -> anyhow::Result<Self> {
        Self::start_with(&Settings::default(), service, listen, log)
    }

    /// Like [`Server::start`], with other settings.
    pub fn start_with(
        settings: &Settings,
        service: Service,
        listen: SocketAddr,
        log: Logger,
    ) -> anyhow::Result<Self> {
        let operations = handlers::operations()?;
        let trusted_proxies = settings.trusted_proxies.clone();
        let throttle = Throttle::new(settings.bad_credentials_per_second, trusted_proxies);
        let service = service.with_quotas(settings.quotas);
        let context = Context::new(service, operations, throttle, log);
        let connections = Arc::clone(&context.connections);
        let config = ConfigDropshot { bind_address: listen, ..ConfigDropshot::default() };
        // dropshot logs whole URIs with their queries, so its log is dropped.
        let silent = Logger::root(Discard, o!());
        let server = ServerBuilder::new(front::catch_all_routes()?, context, silent).config(config);
        let http = server.start().with_context(|| {
            format!("cannot listen on {listen}: choose another address with --listen")
        })?;
        let idle_timeout = Duration::from_secs(settings.idle_timeout);
        let address = http.local_addr();
        let reaper = connections.start_reaper(address, settings.max_connections, idle_timeout);
        Ok(Self { http, reaper })
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.http.local_addr()
    }

    /// Stops accepting, and waits at most `timeout` for active requests.
    ///
    /// # Errors
    /// If some of them did not end in time.
    pub async fn close(self, timeout: Duration) -> anyhow::Result<()> {
        let closed = tokio::time::timeout(timeout, self.http.close()).await;
        closed
            .with_context(|| format!("some requests did not end within {timeout:?}"))?
            .map_err(Error::msg)
    }
}
