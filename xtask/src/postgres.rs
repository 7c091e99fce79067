//! `cargo xtask postgres`: runs a command with a temporary PostgreSQL server, which ends with it.
//! What the command tests is its own business. Servers are made in `cluster`.

mod cluster;
mod tool;

pub use cluster::Cluster;
pub use tool::{Failure, NOT_INSTALLED, is_installed};

use clap::Parser;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Names the URL of a server on which tests may create databases.
const VARIABLE: &str = "ORGTOKENS_TEST_POSTGRES";

/// Run a command with a temporary PostgreSQL, whose URL is in `ORGTOKENS_TEST_POSTGRES`
///
/// The server listens on a free port of the loopback interface, runs as an unprivileged user, and
/// ends with the command.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  cargo xtask postgres -- cargo test -p orgtokens-server")]
pub struct Postgres {
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
}

impl Postgres {
    /// Runs the command. It fails if the command fails, or if there is no server.
    pub fn run(&self) -> ExitCode {
        match self.try_run() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(failure) => {
                eprintln!("error: {failure}");
                ExitCode::FAILURE
            }
        }
    }

    fn try_run(&self) -> Result<bool, Failure> {
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| Failure::new("there is no command: write one after `--`".to_owned()))?;
        let cluster = Cluster::start()?;
        let status = Command::new(program).args(arguments).env(VARIABLE, cluster.url()).status();
        let status = status
            .map_err(|error| Failure::new(format!("{} cannot run: {error}", program.display())))?;
        Ok(status.success())
    }
}
