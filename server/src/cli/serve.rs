//! `serve`: runs a server until a signal, and sets up the log. Settings and limits are in the
//! library's `server` and `front`.

use super::print;
use anyhow::{Context, Result};
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

/// Serves until SIGTERM or Ctrl-C. It prints the address on the first line of stdout, then what
/// `describe` returns.
pub async fn serve(
    service: Service,
    listen: SocketAddr,
    settings: &Settings,
    describe: impl FnOnce(SocketAddr) -> String,
) -> Result<()> {
    // Signals are handled before the address is printed: a reader may send one at once.
    let (mut interrupt, mut terminate) =
        (handle(SignalKind::interrupt())?, handle(SignalKind::terminate())?);
    // With a handler, a write above the file size limit fails instead of ending the process.
    let _file_size = handle(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
    let log = logger();
    let server = Server::start_with(settings, service, listen, log.clone())?;
    let address = server.address();
    print(&format!("listening on http://{address}{}", describe(address)))?;
    let signal = tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    };
    info!(log, "stopping"; "signal" => signal);
    if let Err(error) = server.close(SHUTDOWN_TIMEOUT).await {
        info!(log, "stopped early"; "reason" => %error);
    }
    flush(log);
    Ok(())
}

fn handle(kind: SignalKind) -> Result<Signal> {
    signal(kind).context("cannot handle signals")
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

/// Returns a logger to stderr: readable lines on a terminal, JSON elsewhere.
fn logger() -> Logger {
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
