//! `cargo xtask check-traffic`: does recorded traffic keep the contract?
//!
//! The crate `openapi-drift` checks and reports. This file knows only where the contract is.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Args;
use openapi_drift::cli::TrafficOptions;

/// Check recorded traffic against the contract, and count what of it was seen
///
/// The contract is `openapi.yaml` at the root of the workspace. The contract tests record their
/// traffic in the folder that the environment variable `ORGTOKENS_TEST_TRAFFIC` names.
#[derive(Args, Debug)]
pub struct CheckTraffic {
    #[command(flatten)]
    options: TrafficOptions,
}

impl CheckTraffic {
    /// Runs the command and returns its exit code.
    pub fn run(&self) -> ExitCode {
        let is_terminal = io::stdout().is_terminal();
        let (mut out, mut errors) = (io::stdout().lock(), io::stderr());
        ExitCode::from(self.options.run(crate::root(), is_terminal, &mut out, &mut errors))
    }
}
