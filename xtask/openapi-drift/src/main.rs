//! The program `openapi-drift`: it has the options of `cli`, and needs both documents as files.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use openapi_drift::cli::{Options, Project};

/// Compare an OpenAPI contract with the document that a server emits, or with an earlier version
#[derive(Parser)]
#[command(version)]
struct OpenapiDrift {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let is_terminal = io::stdout().is_terminal();
    let (mut out, mut errors) = (io::stdout().lock(), io::stderr());
    let options = OpenapiDrift::parse().options;
    ExitCode::from(options.run(&Project::default(), is_terminal, &mut out, &mut errors))
}
