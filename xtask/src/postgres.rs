//! `cargo xtask postgres`: runs a command with a temporary PostgreSQL server, which ends with it.
//! What the command tests is its own business.

use clap::Parser;
use postgres_cluster::Cluster;
use std::ffi::OsString;
use std::io;
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
            Err(error) => crate::fail(&error),
        }
    }

    fn try_run(&self) -> io::Result<bool> {
        let (program, arguments) = self.command.split_first().expect("clap requires one");
        let cluster = Cluster::start()?;
        let status = Command::new(program).args(arguments).env(VARIABLE, cluster.url()).status();
        let status = status.map_err(|error| {
            io::Error::other(format!("{} cannot run: {error}", program.display()))
        })?;
        Ok(status.success())
    }
}
