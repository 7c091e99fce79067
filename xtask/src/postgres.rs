//! `cargo xtask postgres`: runs a command beside a PostgreSQL server of its own, which
//! is made for it and gone after it. What is tested is the command's business.

mod cluster;
mod tool;

pub use cluster::Cluster;
pub use tool::{Failure, is_at_hand};

use clap::Parser;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Where tests look for the URL of a server on which they may make databases.
pub const VARIABLE: &str = "ORGTOKENS_TEST_POSTGRES";

/// Run a command beside a temporary PostgreSQL, which `ORGTOKENS_TEST_POSTGRES` names
///
/// The server listens on a free port of the loopback, runs as an unprivileged user, and ends
/// with the command.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  cargo xtask postgres -- cargo test -p orgtokens-server")]
pub struct Postgres {
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
}

impl Postgres {
    /// Runs the command; its exit code is the answer.
    pub fn run(&self) -> ExitCode {
        let Some((program, arguments)) = self.command.split_first() else {
            return ExitCode::FAILURE;
        };
        let ran = with_postgres(|url| {
            let status = Command::new(program).args(arguments).env(VARIABLE, url).status();
            status
                .map_err(|error| Failure::new(format!("{} cannot run: {error}", program.display())))
        });
        match ran.and_then(|status| status) {
            Ok(status) if status.success() => ExitCode::SUCCESS,
            Ok(_) => ExitCode::FAILURE,
            Err(failure) => {
                eprintln!("error: {failure}");
                ExitCode::FAILURE
            }
        }
    }
}

/// Calls `work` with the URL of a temporary server, and stops the server after it.
///
/// # Errors
/// Where there is no PostgreSQL on this machine, or it does not start.
pub fn with_postgres<T>(work: impl FnOnce(&str) -> T) -> Result<T, Failure> {
    let cluster = Cluster::start()?;
    Ok(work(&cluster.url()))
}
