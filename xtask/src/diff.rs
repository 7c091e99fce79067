//! `cargo xtask diff`: does the server keep the contract, or the contract its earlier promises?
//!
//! The crate `openapi-drift` compares and reports. This file knows only this workspace: where the
//! contract is, how the server prints its document, and what proves security.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Args;
use openapi_drift::cli::{Options, Project};
use xshell::cmd;

const NOTE: &str = "security is not compared (dropshot emits none): \
                    the contract tests in client/tests prove it for every secured operation";

/// Compare the contract with the document that the server emits, or with an earlier version
///
/// Without `--generated` the server is built, and `orgtokens-server openapi` prints its document.
/// The contract is `openapi.yaml` at the root of the workspace.
///
/// The security of the server is not compared, because dropshot emits none: the contract tests in
/// client/tests prove it for every secured operation.
#[derive(Args, Debug)]
pub struct Diff {
    #[command(flatten)]
    options: Options,
}

impl Diff {
    /// Runs the command and returns its exit code.
    pub fn run(&self) -> ExitCode {
        let project = Project { root: crate::root(), generate, note: NOTE };
        let is_terminal = io::stdout().is_terminal();
        let (mut out, mut errors) = (io::stdout().lock(), io::stderr());
        ExitCode::from(self.options.run(&project, is_terminal, &mut out, &mut errors))
    }
}

/// Builds the server, and returns the document that it prints.
fn generate() -> Result<String, String> {
    let shell = crate::shell().map_err(|error| error.to_string())?;
    let openapi = cmd!(shell, "cargo run --quiet --package orgtokens-server -- openapi");
    openapi.quiet().read().map_err(|error| format!("{error}: fix the server first"))
}
