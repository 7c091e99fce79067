//! A running server. It connects the parts: listener, front door, service and background tasks.
//!
//! Requests are handled in `front`, signals in the command line.

use crate::context::Context;
use crate::context::throttle::{Allowance, Proxies, Throttle};
use crate::front::{self, tls};
use crate::handlers;
use crate::limits::parse_network;
use crate::metrics::Metrics;
use crate::name::parse_positive;
use crate::service::{Flush, MintPolicy, Service};
use crate::webhooks::Webhook;
use anyhow::{Context as _, Error};
use clap::ArgAction::Set;
use clap::Args;
use clap::builder::BoolishValueParser;
use dropshot::{ConfigDropshot, HandlerTaskMode, HttpServer, ServerBuilder};
use http::HeaderName;
use ipnet::IpNet;
use slog::{Drain, Level, Logger, Never, OwnedKVList, Record, o};
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long a server that shuts down may take to write when tokens were last used.
const LAST_WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// The settings of a server.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// How many connections clients may have; above that, the one that was idle longest is closed
    #[arg(long, value_name = "N", env = "ORGTOKENS_MAX_CONNECTIONS")]
    #[arg(default_value_t = Self::default().max_connections, value_parser = parse_positive::<NonZeroUsize>)]
    pub max_connections: NonZeroUsize,
    /// How many seconds a connection may be idle before it is closed
    #[arg(long, value_name = "SECONDS", env = "ORGTOKENS_IDLE_TIMEOUT")]
    #[arg(default_value_t = Self::default().idle_timeout, value_parser = parse_positive::<NonZeroU32>)]
    pub idle_timeout: NonZeroU32,
    /// How many seconds to keep serving after SIGTERM, while /readyz tells load balancers to leave
    #[arg(long, value_name = "SECONDS", env = "ORGTOKENS_DRAIN_TIME", default_value_t = 0)]
    pub drain_time: u32,
    /// How many bad credentials a client may send per second; above that it receives 429
    #[arg(long, value_name = "N", env = "ORGTOKENS_BAD_CREDENTIALS_PER_SECOND")]
    #[arg(default_value_t = Self::default().bad_credentials_per_second)]
    #[arg(value_parser = parse_positive::<NonZeroU32>)]
    pub bad_credentials_per_second: NonZeroU32,
    /// How many leak reports a client may send per hour; above that it receives 429
    #[arg(long, value_name = "N", env = "ORGTOKENS_LEAK_REPORTS_PER_HOUR")]
    #[arg(default_value_t = Self::default().leak_reports_per_hour)]
    #[arg(value_parser = parse_positive::<NonZeroU32>)]
    pub leak_reports_per_hour: NonZeroU32,
    /// Addresses or networks of trusted proxies, such as `10.0.0.0/8,::1`; may be repeated
    #[arg(long = "trusted-proxy", value_name = "NET", env = "ORGTOKENS_TRUSTED_PROXY")]
    #[arg(value_delimiter = ',', value_parser = parse_network)]
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which trusted proxies send the client's address; others are ignored
    #[arg(long, value_name = "NAME", env = "ORGTOKENS_CLIENT_ADDRESS_HEADER")]
    #[arg(default_value = "X-Forwarded-For", value_parser = parse_header)]
    pub client_address_header: HeaderName,
    /// Refuse requests of the vendor's clients that are not in the contract
    #[arg(long, env = "ORGTOKENS_NO_COMPAT")]
    #[arg(action = Set, default_value = "false", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub no_compat: bool,
    /// Serve the contract at /openapi.yaml and a page to try it at /docs
    #[arg(long, env = "ORGTOKENS_DOCS")]
    #[arg(action = Set, default_value = "false", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub docs: bool,
    /// Do not record when and from where tokens are used
    #[arg(long, env = "ORGTOKENS_NO_LAST_USE")]
    #[arg(action = Set, default_value = "false", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub no_last_use: bool,
    /// The certificate and its key.
    #[command(flatten)]
    pub tls: tls::Files,
    /// The limits on mints.
    #[command(flatten)]
    pub mint_policy: MintPolicy,
    /// The receivers of events. Only a settings file can name them.
    #[arg(skip)]
    pub webhooks: Vec<Webhook>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: NonZeroUsize::new(1024).expect("it is not zero"),
            idle_timeout: NonZeroU32::new(30).expect("it is not zero"),
            drain_time: 0,
            bad_credentials_per_second: NonZeroU32::new(1000).expect("it is not zero"),
            leak_reports_per_hour: NonZeroU32::new(60).expect("it is not zero"),
            trusted_proxies: Vec::new(),
            client_address_header: HeaderName::from_static("x-forwarded-for"),
            no_compat: false,
            docs: false,
            no_last_use: false,
            tls: tls::Files::default(),
            mint_policy: MintPolicy::default(),
            webhooks: Vec::new(),
        }
    }
}

impl Settings {
    /// Fails if the certificate or its key cannot be used.
    pub fn check(&self) -> anyhow::Result<()> {
        tls::Identity::load(&self.tls).map(drop)
    }
}

fn parse_header(text: &str) -> Result<HeaderName, &'static str> {
    text.parse().map_err(|_| "write the name of a header, such as X-Forwarded-For or Forwarded")
}

/// A running server. Dropping it stops it without waiting.
pub struct Server {
    http: HttpServer<Context>,
    #[expect(dead_code, reason = "dropping it stops the tasks")]
    tasks: JoinSet<()>,
}

impl Server {
    /// Serves `service` on `listen`. Port 0 is any free port.
    ///
    /// # Errors
    /// If the address is not available, or the TLS certificate cannot be used.
    pub fn start(
        settings: &Settings,
        service: Service,
        listen: SocketAddr,
        log: Logger,
    ) -> anyhow::Result<Self> {
        let identity = tls::Identity::load(&settings.tls)?;
        let operations = handlers::operations()?;
        let extras = handlers::extras(!settings.no_compat, settings.docs)?;
        let (trusted, header) =
            (settings.trusted_proxies.clone(), settings.client_address_header.clone());
        let proxies = Proxies { trusted, header };
        let second = Duration::from_secs(1);
        let throttle = Throttle {
            proxies,
            bad_credentials: Allowance::new(settings.bad_credentials_per_second, second),
            leak_reports: Allowance::new(settings.leak_reports_per_hour, Duration::from_hours(1)),
        };
        let warnings = Logger::root(Warnings(log.new(o!("source" => "dropshot"))), o!());
        let mut service = service.with_mint_policy(settings.mint_policy);
        if !settings.no_last_use {
            service = service.with_last_use();
        }
        let (sweep, write_uses) =
            (service.clone().sweep_regularly(), service.clone().write_uses_regularly());
        let (refused, note_reuse) = service.clone().note_reuses();
        let (metrics, dispatch) = front::dispatcher(operations, extras);
        let context = Context::new(service, metrics, throttle, refused, log.clone());
        let (connections, metrics) =
            (Arc::clone(&context.connections), Arc::clone(&context.metrics));
        let config = ConfigDropshot {
            bind_address: listen,
            // The front door runs requests in tasks of its own, which a disconnect does not cancel.
            default_handler_task_mode: HandlerTaskMode::CancelOnDisconnect,
            ..ConfigDropshot::default()
        };
        let tls = identity.clone().map(tls::Identity::config).transpose()?;
        let builder = ServerBuilder::new(front::catch_all_routes(&dispatch)?, context, warnings);
        let http = builder.config(config).tls(tls).start().with_context(|| {
            format!("cannot listen on {listen}: choose another address with --listen")
        })?;
        let idle_timeout = Duration::from_secs(settings.idle_timeout.get().into());
        let address = http.local_addr();
        let mut tasks = connections.start_reaper(address, settings.max_connections, idle_timeout);
        tasks.spawn(sweep);
        tasks.spawn(note_reuse);
        tasks.spawn(write_uses);
        identity.map(|identity| identity.watch(&mut tasks, metrics, log)).transpose()?;
        Ok(Self { http, tasks })
    }

    /// Returns the scheme of its URLs: `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.http.using_tls() { "https" } else { "http" }
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.http.local_addr()
    }

    /// Returns its metrics.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.http.app_private().metrics)
    }

    /// Shuts down gracefully: stops accepting, waits at most `timeout` for active requests, and then
    /// writes when tokens were last used, which takes at most `LAST_WRITE_TIMEOUT`.
    ///
    /// # Errors
    /// If some requests did not end in time.
    pub async fn close(self, timeout: Duration) -> anyhow::Result<()> {
        let service = self.http.app_private().service.clone();
        let closed = tokio::time::timeout(timeout, self.http.close()).await;
        // If the database does not answer, the last uses are lost, as in a crash.
        let last = service.write_uses(Flush::All);
        let _ = tokio::time::timeout(LAST_WRITE_TIMEOUT, last).await;
        closed
            .with_context(|| format!("some requests did not end within {timeout:?}"))?
            .map_err(Error::msg)
    }
}

/// Forwards the warnings and errors of dropshot to the log. It drops the values that dropshot's loggers
/// add to every record, because they contain whole URIs with their queries. It also drops failed TLS
/// handshakes: their records do not name the peer, and anyone who connects can cause them.
struct Warnings(Logger);

impl Drain for Warnings {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        let is_handshake = || record.msg().to_string().starts_with("tls accept err");
        if record.level().is_at_least(Level::Warning) && !is_handshake() {
            self.0.log(record);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Format, Log};
    use slog::{info, warn};
    use std::io::{BufRead, BufReader};

    #[test]
    fn warnings_of_dropshot_are_logged_without_the_uri() {
        let (reader, writer) = std::io::pipe().unwrap();
        let log = Log::start(Format::Json, writer);
        let dropshot = Logger::root(Warnings(log.logger()), o!("uri" => "/v1/user?hidden"));
        info!(dropshot, "request completed");
        warn!(dropshot, "tls accept err: {}", "eof");
        warn!(dropshot, "accept error"; "error" => "too many files");
        let line = BufReader::new(reader).lines().next().unwrap().unwrap();
        assert!(line.contains("accept error") && line.contains("too many files"), "{line}");
        assert!(!line.contains("hidden"), "{line}");
    }
}
