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
use tokio::signal::unix::{SignalKind, signal};

/// How long requests under way may take to end, so that the process is gone in 10 s.
const PATIENCE: Duration = Duration::from_secs(8);

/// Serves until SIGTERM or Ctrl-C.
pub async fn serve(service: Service, listen: SocketAddr) -> anyhow::Result<()> {
    let log = logger();
    let server = start(service, listen, &log)?;
    run(server, &log).await
}

/// Starts, and says where on the first line of stdout.
pub fn start(service: Service, listen: SocketAddr, log: &Logger) -> anyhow::Result<Server> {
    let server = Server::start(service, listen, log.clone())?;
    print(&format!("listening on http://{}", server.address()))?;
    Ok(server)
}

/// Waits for a signal, then for the requests under way.
pub async fn run(server: Server, log: &Logger) -> anyhow::Result<()> {
    let signal = ended_by().await?;
    info!(log, "stopping"; "signal" => signal);
    if let Err(error) = server.close(PATIENCE).await {
        info!(log, "stopped early"; "reason" => %error);
    }
    Ok(())
}

async fn ended_by() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => {
            interrupt.context("Ctrl-C cannot be handled")?;
            Ok("SIGINT")
        }
        _ = terminate.recv() => Ok("SIGTERM"),
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
    // Where the reader is slow, requests wait rather than that their lines are lost.
    let queue = Async::new(lines).overflow_strategy(OverflowStrategy::Block);
    Logger::root(queue.build().fuse(), o!())
}
