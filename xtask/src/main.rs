//! The project's own commands, run as `cargo xtask <command>`.
//!
//! This file only parses the command line. The library does the work.

use std::process::ExitCode;

use clap::Parser;
use xtask::bench::Bench;
use xtask::breaking::Breaking;
use xtask::ci::Ci;
use xtask::compat::Compat;
use xtask::diff::Diff;
use xtask::postgres::Postgres;
use xtask::traffic::CheckTraffic;

/// The project's own commands
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Xtask {
    Diff(Diff),
    Breaking(Breaking),
    CheckTraffic(CheckTraffic),
    Ci(Ci),
    Bench(Bench),
    Compat(Compat),
    Postgres(Postgres),
}

fn main() -> ExitCode {
    match Xtask::parse() {
        Xtask::Diff(diff) => diff.run(),
        Xtask::Breaking(breaking) => breaking.run(),
        Xtask::CheckTraffic(check) => check.run(),
        Xtask::Ci(ci) => ci.run(),
        Xtask::Bench(bench) => bench.run(),
        Xtask::Compat(compat) => compat.run(),
        Xtask::Postgres(postgres) => postgres.run(),
    }
}
