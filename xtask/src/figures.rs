//! `cargo xtask figures`: promises about several servers that hold only under load and
//! failure, counted over real processes.
//!
//! It takes minutes and measures time, so it is no part of the tests. It reads nothing but
//! what the servers answer.

mod http;
mod instance;
mod rounds;
mod standby;
mod stress;

use crate::postgres::Failure;
use clap::Parser;
use std::fmt::Display;
use std::process::{Command, ExitCode};

type Result<T> = std::result::Result<T, Failure>;

/// Count what several servers over one PostgreSQL promise, with failures on purpose
///
/// Starts its own PostgreSQL servers and its own API servers, all on the loopback, and takes some
/// minutes. It fails where a figure is not what was promised.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  cargo xtask figures")]
pub struct Figures {}

type Measure = fn() -> Result<Figure>;

/// What one measurement counted, and whether it is what was promised.
struct Figure {
    counted: String,
    holds: bool,
}

impl Figures {
    /// Runs every measurement, and prints each figure as it is known.
    pub fn run(&self) -> ExitCode {
        match measure() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(failure) => {
                eprintln!("error: {failure}");
                ExitCode::FAILURE
            }
        }
    }
}

fn measure() -> Result<bool> {
    build()?;
    let measurements: [(&str, Measure); 6] = [
        ("two servers, mint here, use there, revoke there, use here", rounds::alternate),
        ("12 mints of one name at once on two servers", rounds::race),
        ("a pool of 4 under 64 clients", stress::crowd),
        ("the database goes away and comes back", stress::restart),
        ("a synchronous standby is frozen", standby::freeze),
        ("the primary is killed under 8 writers, its standby promoted", standby::fail_over),
    ];
    let mut holds = true;
    for (name, measure) in measurements {
        let figure = measure()?;
        println!("{} {name}: {}", if figure.holds { "ok    " } else { "BROKEN" }, figure.counted);
        holds &= figure.holds;
    }
    Ok(holds)
}

/// The server has to be of this source.
fn build() -> Result<()> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "orgtokens-server"])
        .current_dir(crate::root())
        .status();
    match built {
        Ok(status) if status.success() => Ok(()),
        _ => Err(failed("the server does not build", "run `cargo build -p orgtokens-server`")),
    }
}

fn failed(what: impl Display, why: impl Display) -> Failure {
    Failure::new(format!("{what}: {why}"))
}
