//! `cargo xtask bench`: builds the server and the benchmark, and runs the benchmark. What it
//! measures is in the package `orgtokens-bench`, whose dependencies stay out of this one.

use std::process::ExitCode;

use clap::Args;
use xshell::cmd;

/// Measure the server against references and peers, all in one run
///
/// Prints ratios with their spread. Every round, and a plot, are written to `target/bench`. A figure
/// that misses its goal is marked; the command fails only if something cannot be measured.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  cargo xtask bench --quick\n  cargo xtask bench --only list --only validate"
)]
pub struct Bench {
    /// Measure in short rounds, and leave out what takes long to prepare: two minutes, not fifteen
    #[arg(long)]
    quick: bool,
    /// Measure only this figure; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Build with this profile of cargo
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,
}

impl Bench {
    /// Builds and runs. It fails if one of them does.
    pub fn run(&self) -> ExitCode {
        match self.try_run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => crate::fail(&error),
        }
    }

    fn try_run(&self) -> xshell::Result<()> {
        let shell = crate::shell()?;
        let profile = &self.profile;
        let build = cmd!(shell, "cargo build --package orgtokens-server --package orgtokens-bench");
        build.args(["--profile", profile]).quiet().run()?;
        let folder = if profile == "dev" { "debug" } else { profile };
        let program = crate::target().join(folder).join("orgtokens-bench");
        let quick = self.quick.then_some("--quick");
        let only = self.only.iter().flat_map(|name| ["--only", name]);
        cmd!(shell, "{program} {quick...} {only...}").quiet().run()
    }
}
