//! `cargo xtask bench`: measures every figure of `figure`, in rounds, and reports ratios with their
//! spread. A missed goal is marked, but it is no failure. Start reading at `run`.

#![expect(clippy::cast_precision_loss, reason = "no measurement is that exact")]

mod contender;
mod database;
mod figure;
mod load;
mod measure;
mod peers;
mod plot;
mod postgres;
mod process;
mod reference;
mod report;
mod run;
mod server;
mod world;

use clap::{Args, Parser};
use reference::Reference;
use std::path::Path;
use std::process::ExitCode;

/// Measure the server against references and peers, all in one run
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    reference: Option<Reference>,
    #[command(flatten)]
    options: Options,
}

/// What to measure.
#[derive(Debug, Args)]
pub struct Options {
    /// Measure in short rounds, and leave out what takes long to prepare
    #[arg(long)]
    quick: bool,
    /// Measure only this figure; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

fn main() -> ExitCode {
    let Arguments { reference, options } = Arguments::parse();
    let done = match reference {
        Some(reference) => reference.run().map(|()| true),
        None => run::run(&options),
    };
    match done {
        Ok(is_complete) => ExitCode::from(u8::from(!is_complete)),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the root of the workspace.
fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}
