//! The command line: it reads arguments, calls the library and prints. It contains no domain rules.

mod cli;

use anyhow::Context;
use mimalloc::MiMalloc;
use rustix::fs::Mode;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // Only the owner may read or write the files that this process creates.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    match run(cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: cli::Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start threads")?;
    let done = runtime.block_on(cli::run(arguments));
    // Does not wait for transactions that are still open: no client has an answer, so they roll back.
    runtime.shutdown_background();
    done
}
