//! The command line: it reads arguments, calls the library, and prints. No rules of
//! the domain are written here.

mod cli;

use anyhow::Context;
use clap::Parser;
use rustix::fs::Mode;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Every file that is made from here on is its owner's alone.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    match run(cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: cli::Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("no threads can be started")?;
    let done = runtime.block_on(cli::run(arguments));
    // A change that is still under way was not answered, and is undone: nobody waits for it.
    runtime.shutdown_background();
    done
}
