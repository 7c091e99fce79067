//! The command line: it reads arguments, calls the library, and prints. No rule of the domain is here.

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
    // A change that is still running was not answered, and is rolled back: no client waits for it.
    runtime.shutdown_background();
    done
}
