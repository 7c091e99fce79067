//! Tests of the store, on both backends or on one of them. Without a PostgreSQL server its tests
//! are listed as ignored, never as passed.

mod access_batching;
mod batching;
mod caching;
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
mod revoking;
mod rotation;
mod schema;
mod stage;
mod storing;
mod tls;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = [
        schema::trials(),
        storing::trials(),
        racing::trials(),
        caching::trials(),
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
        access_batching::trials(),
        tls::trials(),
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
