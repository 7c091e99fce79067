//! `cargo xtask ci`: everything that must pass before a change lands.
//!
//! Every check runs, even after a failure. The summary names each that failed, with the command
//! that reproduces it. What a check looks at is its command's business.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Args;

use crate::postgres::NOT_INSTALLED;

/// Run every check that must pass before a change lands
///
/// Formatting, lints, documentation, the contract against the server and against its last release, and
/// all tests, including those over PostgreSQL. The traffic of the contract tests must keep the contract,
/// and show all of its operations and statuses. Every check runs, even after a failure. The summary names
/// each that failed or was skipped.
#[derive(Args, Debug)]
pub struct Ci {
    /// Skip nothing: fail if PostgreSQL is not installed, and follow the steps of the README too
    #[arg(long)]
    complete: bool,
}

/// A command that succeeds or fails.
#[derive(Clone, Debug)]
struct Check {
    name: &'static str,
    program: OsString,
    arguments: &'static str,
    environment: Option<(&'static str, OsString)>,
    /// The command to run after a failure.
    fix: &'static str,
}

#[derive(Clone, Debug)]
struct CheckResult {
    name: &'static str,
    outcome: Outcome,
    elapsed: Duration,
    fix: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// The command failed, or did not start.
    Failed,
    /// The command needs something that is not installed.
    Skipped,
}

impl Check {
    fn cargo(name: &'static str, arguments: &'static str, fix: &'static str) -> Self {
        Self { name, program: crate::cargo(), arguments, environment: None, fix }
    }

    /// Runs the command in a folder. Its output goes to ours.
    fn run(&self, folder: &Path) -> CheckResult {
        println!("\n=== {}: {} {}", self.name, self.program.display(), self.arguments);
        let started = Instant::now();
        let status = Command::new(&self.program)
            .args(self.arguments.split_whitespace())
            .envs(self.environment.clone())
            .current_dir(folder)
            .status();
        if let Err(error) = &status {
            println!("{} cannot be started: {error}", self.program.display());
        }
        let is_passed = status.is_ok_and(|status| status.success());
        let outcome = if is_passed { Outcome::Passed } else { Outcome::Failed };
        self.result(outcome, started.elapsed())
    }

    fn result(&self, outcome: Outcome, elapsed: Duration) -> CheckResult {
        CheckResult { name: self.name, outcome, elapsed, fix: self.fix }
    }
}

/// The check that needs more than Rust.
const POSTGRES: &str = "postgres";

/// Where the contract tests record their traffic, which the check after them reads.
const TRAFFIC: &str = "target/contract-traffic";
const CHECK_TRAFFIC: &str = "xtask check-traffic target/contract-traffic \
                             --reasons client/tests/contract/not-seen.txt";

/// The check that takes minutes even if nothing has changed.
const README: &str = "readme";

/// Returns the checks: the quickest to fail come first, the tests last.
fn checks() -> Vec<Check> {
    // One set of features, so that nothing is built twice: with them the command line is checked.
    let (tests, postgres) = test_arguments();
    vec![
        Check::cargo("format", "fmt --all --check", "cargo fmt --all"),
        Check::cargo(
            "lints",
            "clippy --workspace --all-features --all-targets -- --deny warnings",
            "cargo clippy --workspace --all-features --all-targets",
        ),
        Check {
            environment: Some(("RUSTDOCFLAGS", "--deny warnings".into())),
            ..Check::cargo(
                "docs",
                "doc --workspace --all-features --no-deps",
                "cargo doc --workspace --all-features --no-deps",
            )
        },
        Check::cargo("contract", "xtask diff", "cargo xtask diff"),
        Check::cargo("breaking", "xtask breaking", "cargo xtask breaking"),
        Check::cargo(POSTGRES, postgres, "cargo xtask postgres -- cargo test"),
        Check::cargo(
            "doc tests",
            "test --workspace --all-features --doc",
            "cargo test --workspace --all-features --doc",
        ),
        Check {
            environment: Some(("ORGTOKENS_TEST_TRAFFIC", crate::root().join(TRAFFIC).into())),
            ..Check::cargo("tests", tests.0, tests.1)
        },
        Check::cargo("traffic", CHECK_TRAFFIC, "cargo xtask ci"),
        Check::cargo(
            README,
            "test --package orgtokens-server --test server -- --ignored readme",
            "cargo test --package orgtokens-server --test server -- --ignored readme",
        ),
    ]
}

/// Returns the arguments of the tests with the command that repeats them, and of those over PostgreSQL.
fn test_arguments() -> ((&'static str, &'static str), &'static str) {
    // Many tests wait: three at once keep two cores busy.
    // The tests over PostgreSQL are those of its backend, the contract tests, and those of the
    // program that have a part over PostgreSQL.
    if has_nextest() {
        (
            (
                "nextest run --workspace --all-features --no-fail-fast --test-threads 3",
                "cargo nextest run --workspace --all-features",
            ),
            "xtask postgres -- cargo nextest run --workspace --all-features --no-fail-fast \
             --test-threads 3 -E \
             test(/^postgres::/)|binary(contract)|\
             test(/^(audit|crash|operator|ops|revocation|upgrade)::/)",
        )
    } else {
        (
            (
                "test --workspace --all-features --all-targets --no-fail-fast",
                "cargo test --workspace --all-features",
            ),
            "xtask postgres -- cargo test --all-features --package orgtokens-server --test store \
             --test server --package orgtokens-client --test contract",
        )
    }
}

fn has_nextest() -> bool {
    let version = Command::new("cargo").args(["nextest", "--version"]).output();
    version.is_ok_and(|version| version.status.success())
}

impl Ci {
    /// Runs the command. It fails if any check fails.
    pub fn run(&self) -> ExitCode {
        // What an earlier run recorded says nothing about this one. It may not be there.
        let _ = std::fs::remove_dir_all(crate::root().join(TRAFFIC));
        let results: Vec<_> = checks().iter().map(|check| self.run_or_skip(check)).collect();
        println!("\n{}", summary(&results));
        let has_failed = results.iter().any(|result| result.outcome == Outcome::Failed);
        ExitCode::from(u8::from(has_failed))
    }

    fn run_or_skip(&self, check: &Check) -> CheckResult {
        let is_missing = check.name == POSTGRES && !crate::postgres::is_installed();
        if !self.complete && (is_missing || check.name == README) {
            return check.result(Outcome::Skipped, Duration::ZERO);
        }
        check.run(crate::root())
    }
}

/// Returns a line for each check, with the command to run after a failure.
fn summary(results: &[CheckResult]) -> String {
    let line = |result: &CheckResult| {
        let CheckResult { name, outcome, elapsed, fix } = result;
        let seconds = elapsed.as_secs_f32();
        match outcome {
            Outcome::Passed => format!("ok      {name:<10} {seconds:>6.1} s"),
            Outcome::Failed => format!("FAILED  {name:<10} {seconds:>6.1} s  run `{fix}`"),
            Outcome::Skipped if *name == README => {
                format!("SKIPPED {name:<10}    -     it builds another workspace: use --complete")
            }
            Outcome::Skipped => format!("SKIPPED {name:<10}    -     {NOT_INSTALLED}"),
        }
    };
    results.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &'static str, program: &str) -> CheckResult {
        let check = Check::cargo(name, "", "the command");
        Check { program: program.into(), ..check }.run(Path::new("."))
    }

    #[test]
    fn a_check_that_fails_or_cannot_start_is_named_with_the_command_to_run() {
        let results = [run("one", "false"), run("two", "true"), run("three", "no-such-program")];
        let outcomes: Vec<_> = results.iter().map(|result| result.outcome).collect();
        assert_eq!(outcomes, [Outcome::Failed, Outcome::Passed, Outcome::Failed]);
        let summary = summary(&results);
        let failed: Vec<_> = summary.lines().filter(|line| line.starts_with("FAILED")).collect();
        assert_eq!(failed.len(), 2, "{summary}");
        assert!(failed[0].contains("one") && failed[0].ends_with("run `the command`"));
    }

    #[test]
    fn every_kind_of_check_is_run() {
        let names: Vec<_> = checks().iter().map(|check| check.name).collect();
        assert_eq!(
            names,
            [
                "format",
                "lints",
                "docs",
                "contract",
                "breaking",
                "postgres",
                "doc tests",
                "tests",
                "traffic",
                "readme"
            ]
        );
    }
}
