//! `cargo xtask bench`: builds the server and the benchmark, and runs the benchmark. What it
//! measures is in the package `orgtokens-bench`, whose dependencies stay out of this one.

use clap::Args;
use std::process::{Command, ExitCode};

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
        let mut run = Command::new(self.program());
        run.args(self.quick.then_some("--quick"));
        for name in &self.only {
            run.args(["--only", name]);
        }
        ExitCode::from(u8::from(!(is_success(&mut self.build()) && is_success(&mut run))))
    }

    fn build(&self) -> Command {
        let mut build = Command::new(crate::cargo());
        build.args(["build", "--package", "orgtokens-server", "--package", "orgtokens-bench"]);
        build.args(["--profile", &self.profile]).current_dir(crate::root());
        build
    }

    fn program(&self) -> std::path::PathBuf {
        let folder = if self.profile == "dev" { "debug" } else { &self.profile };
        crate::target().join(folder).join("orgtokens-bench")
    }
}

fn is_success(command: &mut Command) -> bool {
    let status = command.status();
    if let Err(error) = &status {
        eprintln!("error: {} cannot run: {error}", command.get_program().display());
    }
    status.is_ok_and(|status| status.success())
}
