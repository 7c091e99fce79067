//! `serve`: a server until a signal ends it, its settings and where its log
//! goes. What the limits do and how requests are answered is the library's
//! business.

use super::print;
use anyhow::Context;
use clap::{Args, value_parser};
use ipnet::IpNet;
use orgtokens_server::server::{Server, Settings};
use orgtokens_server::service::Service;
use slog::{Drain, Logger, info, o};
use slog_async::{Async, OverflowStrategy};
use std::io::{self, IsTerminal};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long requests under way may take to end, so that the process is gone in 10 s.
const PATIENCE: Duration = Duration::from_secs(8);

/// What the server is set to.
#[derive(Debug, Args)]
pub struct Limits {
    /// How many connections there may be; above that the oldest idle ones are closed
    #[arg(long, value_name = "N", env = "ORGTOKENS_MAX_CONNECTIONS", default_value = "1024")]
    max_connections: NonZeroUsize,
    /// How many seconds a connection may be quiet before it is closed
    #[arg(
        long,
        value_name = "SECONDS",
        env = "ORGTOKENS_IDLE_TIMEOUT",
        default_value = "30",
        value_parser = value_parser!(u64).range(1..=86_400)
    )]
    idle_timeout: u64,
    /// How many bad credentials a client may send in a second; above that they hear 429
    #[arg(
        long,
        value_name = "N",
        env = "ORGTOKENS_BAD_CREDENTIALS_PER_SECOND",
        default_value = "1000"
    )]
    bad_credentials_per_second: NonZeroU32,
    /// An address or a network (10.0.0.0/8) of proxies whose X-Forwarded-For or Forwarded names
    /// the client; may be repeated
    #[arg(
        long = "trusted-proxy",
        value_name = "NET",
        env = "ORGTOKENS_TRUSTED_PROXY",
        value_delimiter = ',',
        value_parser = network
    )]
    trusted_proxies: Vec<IpNet>,
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).map_err(|_| "write it as 10.0.0.0/8 or 10.0.0.1".to_owned())
}

impl From<Limits> for Settings {
    fn from(limits: Limits) -> Self {
        Self {
            max_connections: limits.max_connections.get(),
            idle_timeout: Duration::from_secs(limits.idle_timeout),
            bad_credentials_per_second: limits.bad_credentials_per_second,
            trusted_proxies: limits.trusted_proxies,
        }
    }
}

/// Serves until SIGTERM or Ctrl-C.
pub async fn serve(
    service: Service,
    listen: SocketAddr,
    settings: &Settings,
) -> anyhow::Result<()> {
    let (log, signals) = (logger(), Signals::new()?);
    let server = start(service, listen, settings, &log)?;
    run(server, signals, log).await
}

/// Starts, and says where on the first line of stdout.
pub fn start(
    service: Service,
    listen: SocketAddr,
    settings: &Settings,
    log: &Logger,
) -> anyhow::Result<Server> {
    let server = Server::start_with(settings, service, listen, log.clone())?;
    print(&format!("listening on http://{}", server.address()))?;
    Ok(server)
}

/// Waits for a signal, then for the requests under way.
pub async fn run(server: Server, signals: Signals, log: Logger) -> anyhow::Result<()> {
    let signal = signals.ended_by().await;
    info!(log, "stopping"; "signal" => signal);
    if let Err(error) = server.close(PATIENCE).await {
        info!(log, "stopped early"; "reason" => %error);
    }
    write_out(log);
    Ok(())
}

/// Waits until the last lines are written, unless nobody reads them.
fn write_out(log: Logger) {
    let (written, last) = mpsc::channel();
    thread::spawn(move || {
        drop(log);
        written.send(())
    });
    // Whoever waits longer waits for somebody who does not read.
    let _ = last.recv_timeout(Duration::from_secs(1));
}

/// The signals that end the process. They are handled from the making of this value on, which
/// is to be before anybody is told that there is a server.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// A file that may grow no more fails its write instead of ending the process.
    _file_size: Signal,
}

impl Signals {
    pub fn new() -> anyhow::Result<Self> {
        let handle = |kind| signal(kind).context("signals cannot be handled");
        Ok(Self {
            terminate: handle(SignalKind::terminate())?,
            interrupt: handle(SignalKind::interrupt())?,
            _file_size: handle(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    async fn ended_by(mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Logs on stderr: lines for people on a terminal, JSON for machines elsewhere.
pub fn logger() -> Logger {
    if io::stderr().is_terminal() {
        let terminal = slog_term::TermDecorator::new().stderr().build();
        queued(slog_term::FullFormat::new(terminal).build().fuse())
    } else {
        queued(Mutex::new(slog_bunyan::with_name("orgtokens-server", io::stderr()).build()).fuse())
    }
}

fn queued(lines: impl Drain<Ok = (), Err = slog::Never> + Send + 'static) -> Logger {
    // Where nobody reads, lines are dropped and counted: a full pipe must not stop the service.
    let queue = Async::new(lines).overflow_strategy(OverflowStrategy::DropAndReport);
    Logger::root(queue.build().fuse(), o!())
}
