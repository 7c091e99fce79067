//! The program `openapi-drift`: it has the options of `cli`, and needs both documents as files.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use openapi_drift::cli::{Options, Project, TrafficOptions};

/// Compare an OpenAPI contract with the document that a server emits, or with an earlier version
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct OpenapiDrift {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Check recorded traffic against the contract, and count what of it was seen
    CheckTraffic(TrafficOptions),
}

fn main() -> ExitCode {
    let is_terminal = io::stdout().is_terminal();
    let (mut out, mut errors) = (io::stdout().lock(), io::stderr());
    let OpenapiDrift { command, options } = OpenapiDrift::parse();
    ExitCode::from(match command {
        Some(Command::CheckTraffic(traffic)) => {
            traffic.run(Path::new(""), is_terminal, &mut out, &mut errors)
        }
        None => options.run(&Project::default(), is_terminal, &mut out, &mut errors),
    })
}
