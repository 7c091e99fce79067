//! `serve`: sets up the log, and runs a server until a signal. The settings are in the library's
//! `server`, the limits in `front`.

use super::{Listen, print};
use anyhow::{Context, Result, ensure};
use orgtokens_server::log::{Format, Log};
use orgtokens_server::ops::Ops;
use orgtokens_server::server::{Server, Settings};
use orgtokens_server::service::Service;
use orgtokens_server::{store, webhooks};
use slog::{Logger, error, info, warn};
use std::env;
use std::fs::File;
use std::future;
use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

/// How long active requests may take after a signal, so that the process ends within 10 s.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

/// How long the last lines of the log may take to write.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or Ctrl-C, or until the check of the database finds damage. Prints to stdout the
/// address, then that of the operations listener if there is one, then the result of `describe`.
pub async fn serve(
    service: Service,
    database: &str,
    listen: &Listen,
    settings: &Settings,
    log_format: Option<Format>,
    describe: impl FnOnce(SocketAddr) -> String,
) -> Result<()> {
    // Every answer has a `Date`, and the HTTP library cannot write one before 1970.
    ensure!(SystemTime::now() >= UNIX_EPOCH, "the system's clock is before 1970: set it first");
    // Before the address is printed, because its reader may send a signal at once.
    let mut signals = Signals::handle()?;
    // With a handler, a write above the file size limit fails instead of ending the process.
    let _file_size = handler(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
    let sink = start_log(log_format)?;
    let log = sink.logger();
    let server = Server::start(settings, service.clone(), listen.address, log.clone())?;
    let address = server.address();
    let ops = match listen.ops {
        Some(ops) => Some(Ops::start(ops, service.clone(), server.metrics(), sink.clone()).await?),
        None => None,
    };
    let deliveries = webhooks::start(&service, &settings.webhooks, &server.metrics(), &log).await?;
    info!(log, "started";
        "version" => env!("CARGO_PKG_VERSION"), "database" => %redact_url(database), "address" => address);
    let operations = ops.as_ref().map(|ops| format!("\noperations on http://{}", ops.address()));
    let operations = operations.unwrap_or_default();
    let scheme = server.scheme();
    print(&format!("listening on {scheme}://{address}{operations}{}", describe(address)))?;
    let ended = tokio::select! {
        signal = signals.stop(settings) => Ok(signal),
        damage = find_damage(&service, &log) => Err(damage),
    };
    match &ended {
        Ok(signal) => info!(log, "stopping"; "signal" => signal),
        Err(damage) => error!(log, "stopping"; "reason" => %damage),
    }
    if let Some(ops) = &ops {
        ops.begin_stopping();
    }
    if let Ok("SIGTERM") = ended {
        let drain_time = Duration::from_secs(settings.drain_time.into());
        let _ = timeout(drain_time, signals.stop(settings)).await;
    }
    let stop = timeout(SHUTDOWN_TIMEOUT, deliveries.close());
    let (_, closed) = tokio::join!(stop, server.close(SHUTDOWN_TIMEOUT));
    if let Err(error) = closed {
        info!(log, "stopped early"; "reason" => %error);
    }
    sink.flush(FLUSH_TIMEOUT);
    Ok(ended.map(drop)?)
}

/// The signals that stop the server.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Handles the signals from now on.
    fn handle() -> Result<Self> {
        Ok(Self {
            interrupt: handler(SignalKind::interrupt())?,
            terminate: handler(SignalKind::terminate())?,
            hangup: handler(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal that stops the server. Returns its name.
    async fn stop(&mut self, settings: &Settings) -> &'static str {
        // For a service SIGHUP means to reload the certificate, which another task does. Otherwise it
        // means that the terminal was closed.
        let is_reload = settings.tls.tls_cert.is_some() || !io::stderr().is_terminal();
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hangup.recv(), if !is_reload => "SIGHUP",
        }
    }
}

/// Returns the damage that the check in the background finds. Without damage it never returns.
async fn find_damage(service: &Service, log: &Logger) -> store::Error {
    match service.store().find_damage().await {
        Err(damage @ store::Error::Broken(_)) => return damage,
        Err(error) => warn!(log, "the check for damage failed"; "reason" => %error),
        Ok(()) => {}
    }
    future::pending().await
}

fn handler(kind: SignalKind) -> Result<Signal> {
    signal(kind).context("cannot handle signals")
}

/// Starts the log on stderr. The default format is text on a terminal, and JSON elsewhere.
fn start_log(format: Option<Format>) -> Result<Log> {
    let stderr = io::stderr();
    // A separate file: a write that waits for a slow reader must not hold the lock of stderr.
    let sink = stderr.as_fd().try_clone_to_owned().context("stderr cannot be used for the log")?;
    let is_terminal = stderr.is_terminal();
    let colored = is_terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let default = if is_terminal { Format::Text } else { Format::Json };
    let format = match format.unwrap_or(default) {
        Format::Text if colored => Format::ColoredText,
        format => format,
    };
    Ok(Log::start(format, File::from(sink)))
}

/// Removes the password and the parameters from the URL of a database, so that it may be shown.
pub fn redact_url(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("sqlite", url));
    let base = rest.split('?').next().unwrap_or_default();
    match base.rsplit_once('@') {
        _ if scheme == "sqlite" => rest.to_owned(),
        Some((credentials, place)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{place}")
        }
        // The password contains a question mark, so its end is unknown.
        None if rest.contains('@') => scheme.to_owned(),
        None => format!("{scheme}://{base}"),
    }
}

/// Parses an address to listen on: an address or a host name with a port, or a port alone.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let accepted = "write 127.0.0.1:8080, [::1]:8080, localhost:8080, or a port alone";
    let found = text.to_socket_addrs().map_err(|error| format!("{error}: {accepted}"))?;
    // `localhost` has two addresses, and some clients only try IPv4.
    let address = found.min_by_key(SocketAddr::is_ipv6);
    address.ok_or_else(|| format!("this host has no address: {accepted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redacted_url_has_no_password() {
        for (url, shown) in [
            ("sqlite://a/b@c.db", "a/b@c.db"),
            ("plain.db", "plain.db"),
            ("postgres://u:secret@one:1,two/name?sslmode=require", "postgres://u@one:1,two/name"),
            ("postgresql://u@h/name", "postgresql://u@h/name"),
            ("postgres://h/name?user=u&password=secret", "postgres://h/name"),
            ("postgres://u:sec/ret@h/name", "postgres://u@h/name"),
            ("postgres://u:sec?ret@h/name", "postgres"),
        ] {
            assert_eq!(redact_url(url), shown);
        }
    }
}
