//! The command line: it reads arguments, calls the library, and prints. No rules of
//! the domain are written here.

mod cli;

use clap::Parser;
use rustix::fs::Mode;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // Every file that is made from here on is its owner's alone.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    match cli::run(cli::Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
