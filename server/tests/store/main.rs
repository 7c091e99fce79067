//! Tests of the store: one suite over both backends, and tests that only PostgreSQL
//! needs. Without a PostgreSQL server its tests are listed as ignored, never as passed.

mod batching;
mod copying;
mod counting;
#[path = "../support/database.rs"]
mod database;
mod expiry;
mod failing;
mod faults;
mod last_use;
mod operating;
mod policies;
mod quotas;
mod racing;
mod remembering;
mod revoking;
mod rotation;
mod schema;
mod sharing;
mod stage;
mod storing;
mod trusting;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = [
        schema::trials(),
        storing::trials(),
        racing::trials(),
        remembering::trials(),
        batching::trials(),
        operating::trials(),
        copying::trials(),
        counting::trials(),
        expiry::trials(),
        failing::trials(),
        faults::trials(),
        last_use::trials(),
        policies::trials(),
        quotas::trials(),
        revoking::trials(),
        rotation::trials(),
        sharing::trials(),
        trusting::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    if database::server().is_none() && !arguments.list {
        eprintln!(
            "no PostgreSQL server is available, so its tests are ignored: \
             run `cargo xtask postgres -- cargo test -p orgtokens-server`"
        );
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
