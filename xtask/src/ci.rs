//! `cargo xtask ci`: everything that has to pass before a change lands.
//!
//! Every gate runs, whatever failed before it, and the end names each that failed with the
//! command that shows it again. What a gate checks is that command's business, not this file's.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Args;

/// Run every check that has to pass before a change lands
///
/// Formatting, lints, documentation, the contract, and all tests, those over PostgreSQL too. All
/// of them run even after a failure, and the end names each that failed or was skipped.
#[derive(Args, Debug)]
pub struct Ci {
    /// Fail where this machine has no PostgreSQL, instead of skipping the tests over it
    #[arg(long)]
    complete: bool,
}

/// One check: a command that succeeds or does not.
#[derive(Clone, Debug)]
pub struct Gate {
    name: &'static str,
    program: OsString,
    arguments: Vec<&'static str>,
    environment: Vec<(&'static str, &'static str)>,
    repair: &'static str,
}

/// How a gate went.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The gate's name.
    pub name: &'static str,
    /// What became of its command.
    pub end: End,
    took: Duration,
    repair: &'static str,
}

/// What became of a gate's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It succeeded.
    Passed,
    /// It failed, or did not start.
    Failed,
    /// It was not run, because this machine lacks what it needs.
    Skipped,
}

impl Gate {
    /// A gate whose command is `program` with `arguments`; `repair` is what to run where it fails.
    pub fn new(
        name: &'static str,
        program: impl Into<OsString>,
        arguments: &[&'static str],
        repair: &'static str,
    ) -> Self {
        let (program, arguments) = (program.into(), arguments.to_vec());
        Self { name, program, arguments, environment: Vec::new(), repair }
    }

    fn cargo(name: &'static str, arguments: &[&'static str], repair: &'static str) -> Self {
        Self::new(
            name,
            std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            arguments,
            repair,
        )
    }

    fn with_environment(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Runs the command in `folder`, its output going where ours goes.
    pub fn run(&self, folder: &Path) -> Verdict {
        println!("\n=== {}: {} {}", self.name, self.program.display(), self.arguments.join(" "));
        let started = Instant::now();
        let status = Command::new(&self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().copied())
            .current_dir(folder)
            .status();
        if let Err(error) = &status {
            println!("{} cannot be started: {error}", self.program.display());
        }
        let passed = status.is_ok_and(|status| status.success());
        self.verdict(if passed { End::Passed } else { End::Failed }, started.elapsed())
    }

    fn verdict(&self, end: End, took: Duration) -> Verdict {
        Verdict { name: self.name, end, took, repair: self.repair }
    }
}

/// The gate that needs more than Rust.
const POSTGRES: &str = "postgres";

/// The gates, in the order in which they are quick to fail; the tests come last.
fn gates() -> Vec<Gate> {
    let tests = if has_nextest() {
        Gate::cargo(
            "tests",
            &["nextest", "run", "--workspace", "--no-fail-fast"],
            "cargo nextest run --workspace",
        )
    } else {
        Gate::cargo(
            "tests",
            &["test", "--workspace", "--all-targets", "--no-fail-fast"],
            "cargo test --workspace",
        )
    };
    vec![
        Gate::cargo("format", &["fmt", "--all", "--check"], "cargo fmt --all"),
        Gate::cargo(
            "lints",
            &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"],
            "cargo clippy --workspace --all-targets",
        ),
        Gate::cargo(
            "docs",
            &["doc", "--workspace", "--no-deps"],
            "cargo doc --workspace --no-deps",
        )
        .with_environment("RUSTDOCFLAGS", "--deny warnings"),
        Gate::cargo("contract", &["xtask", "diff"], "cargo xtask diff"),
        Gate::cargo(
            POSTGRES,
            &[
                "xtask",
                "postgres",
                "--",
                "cargo",
                "test",
                "--quiet",
                "--package",
                "orgtokens-server",
                "--test",
                "store",
                "--package",
                "orgtokens-client",
                "--test",
                "contract",
            ],
            "cargo xtask postgres -- cargo test",
        ),
        Gate::cargo("doc tests", &["test", "--workspace", "--doc"], "cargo test --workspace --doc"),
        tests,
    ]
}

fn has_nextest() -> bool {
    let version = Command::new("cargo").args(["nextest", "--version"]).output();
    version.is_ok_and(|version| version.status.success())
}

impl Ci {
    /// Runs the command; it fails where any gate does.
    pub fn run(&self) -> ExitCode {
        let verdicts: Vec<_> = gates().iter().map(|gate| self.pass(gate)).collect();
        println!("\n{}", summary(&verdicts));
        if verdicts.iter().any(|verdict| verdict.end == End::Failed) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }

    fn pass(&self, gate: &Gate) -> Verdict {
        if gate.name == POSTGRES && !self.complete && !crate::postgres::is_at_hand() {
            return gate.verdict(End::Skipped, Duration::ZERO);
        }
        gate.run(crate::root())
    }
}

/// A line for each gate, and for each that failed the command to run.
pub fn summary(verdicts: &[Verdict]) -> String {
    let line = |verdict: &Verdict| {
        let seconds = verdict.took.as_secs_f32();
        let (name, repair) = (verdict.name, verdict.repair);
        match verdict.end {
            End::Passed => format!("ok      {name:<10} {seconds:>6.1} s"),
            End::Failed => format!("FAILED  {name:<10} {seconds:>6.1} s  run `{repair}`"),
            End::Skipped => {
                format!(
                    "SKIPPED {name:<10}    -     no PostgreSQL is at hand: install it (Debian: `apt-get install postgresql`)"
                )
            }
        }
    };
    verdicts.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(gates: &[(&'static str, &'static str)]) -> Vec<Verdict> {
        let gate = |(name, program): &(&'static str, &'static str)| {
            Gate::new(name, *program, &[], "repair it").run(Path::new("."))
        };
        gates.iter().map(gate).collect()
    }

    #[test]
    fn a_gate_that_fails_or_cannot_start_is_named_and_the_others_still_run() {
        let verdicts = run(&[("one", "false"), ("two", "true"), ("three", "no-such-program")]);
        let ends: Vec<_> = verdicts.iter().map(|verdict| verdict.end).collect();
        assert_eq!(ends, [End::Failed, End::Passed, End::Failed]);
        let told = summary(&verdicts);
        let failed: Vec<_> = told.lines().filter(|line| line.starts_with("FAILED")).collect();
        assert_eq!(failed.len(), 2, "{told}");
        assert!(failed[0].contains("one") && failed[0].ends_with("run `repair it`"));
    }

    #[test]
    fn every_kind_of_check_has_its_gate() {
        let names: Vec<_> = gates().iter().map(|gate| gate.name).collect();
        assert_eq!(
            names,
            ["format", "lints", "docs", "contract", "postgres", "doc tests", "tests"]
        );
    }
}
