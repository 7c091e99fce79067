//! `serve`: runs a server until a signal, and sets up the log.
//!
//! Settings and limits are in the library's `server` and `front`.

use super::print;
use anyhow::Context;
use orgtokens_server::server::{Server, Settings};
use orgtokens_server::service::Service;
use slog::{Drain, Logger, info, o};
use slog_async::{Async, OverflowStrategy};
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long active requests may take to end, so that the process ends within 10 s.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

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

/// Starts a server, and prints its address on the first line of stdout.
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

/// Waits for a signal, then for active requests.
pub async fn run(server: Server, signals: Signals, log: Logger) -> anyhow::Result<()> {
    let signal = signals.wait().await;
    info!(log, "stopping"; "signal" => signal);
    if let Err(error) = server.close(SHUTDOWN_TIMEOUT).await {
        info!(log, "stopped early"; "reason" => %error);
    }
    flush(log);
    Ok(())
}

/// Waits until the last lines are written, but not for a stalled reader.
fn flush(log: Logger) {
    let (written, last) = mpsc::channel();
    thread::spawn(move || {
        drop(log);
        written.send(())
    });
    let _ = last.recv_timeout(Duration::from_secs(1));
}

/// The signals that end the process. They are handled from `new` on, so it must come before the
/// address is printed.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Handled, so that a write above the file size limit fails instead of ending the process.
    _file_size: Signal,
}

impl Signals {
    pub fn new() -> anyhow::Result<Self> {
        let handle = |kind| signal(kind).context("cannot handle signals");
        Ok(Self {
            terminate: handle(SignalKind::terminate())?,
            interrupt: handle(SignalKind::interrupt())?,
            _file_size: handle(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    async fn wait(mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Returns a logger to stderr: readable lines on a terminal, JSON elsewhere.
pub fn logger() -> Logger {
    if io::stderr().is_terminal() {
        let terminal = slog_term::TermDecorator::new().stderr().build();
        queued(slog_term::FullFormat::new(terminal).build().fuse())
    } else {
        queued(Mutex::new(slog_bunyan::with_name("orgtokens-server", io::stderr()).build()).fuse())
    }
}

fn queued(lines: impl Drain<Ok = (), Err = slog::Never> + Send + 'static) -> Logger {
    // Lines are dropped and counted if the queue is full: a full pipe must not block the service.
    let queue = Async::new(lines).overflow_strategy(OverflowStrategy::DropAndReport);
    Logger::root(queue.build().fuse(), o!())
}
