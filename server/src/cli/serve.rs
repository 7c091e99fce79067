//! `serve`: a server until a signal ends it.

use super::print;
use anyhow::Context;
use orgtokens_server::server::Server;
use orgtokens_server::service::Service;
use slog::{Drain, Logger, info, o};
use slog_async::{Async, OverflowStrategy};
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long requests under way may take to end, so that the process is gone in 10 s.
const PATIENCE: Duration = Duration::from_secs(8);

/// Serves until SIGTERM or Ctrl-C.
pub async fn serve(service: Service, listen: SocketAddr) -> anyhow::Result<()> {
    run(service, listen, |_| String::new()).await
}

/// The same, after saying more than where it listens.
pub async fn run(
    service: Service,
    listen: SocketAddr,
    more: impl FnOnce(SocketAddr) -> String,
) -> anyhow::Result<()> {
    let log = logger();
    // Whoever reads the first line may send a signal at once.
    let mut signals = Signals::new()?;
    let server = Server::start(service, listen, log.clone())?;
    let address = server.address();
    print(format!("listening on http://{address}\n{}", more(address)).trim_end())?;
    info!(log, "stopping"; "signal" => signals.next().await);
    if let Err(error) = server.close(PATIENCE).await {
        info!(log, "stopped early"; "reason" => %error);
    }
    Ok(())
}

/// What ends a server.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let handle = |kind| signal(kind).context("signals cannot be handled");
        let interrupt = handle(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: handle(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Logs on stderr: lines for people on a terminal, JSON for machines elsewhere.
fn logger() -> Logger {
    if io::stderr().is_terminal() {
        let terminal = slog_term::TermDecorator::new().stderr().build();
        queued(slog_term::FullFormat::new(terminal).build().fuse())
    } else {
        queued(Mutex::new(slog_bunyan::with_name("orgtokens-server", io::stderr()).build()).fuse())
    }
}

fn queued(lines: impl Drain<Ok = (), Err = slog::Never> + Send + 'static) -> Logger {
    // Where the reader is slow, requests wait rather than that their lines are lost.
    let queue = Async::new(lines).overflow_strategy(OverflowStrategy::Block);
    Logger::root(queue.build().fuse(), o!())
}
