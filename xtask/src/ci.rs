//! `cargo xtask ci`: everything that must pass before a change lands.
//!
//! Every check runs, even after a failure. The list is in `ci/checks.rs`. How one check runs and
//! what a person sees of it is in `ci/check.rs`.

mod check;
mod checks;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use check::{Check, CheckResult, Output};
use clap::Args;

/// Run every check that must pass before a change lands
///
/// Formatting, lints, documentation, the contract against the server and against its last release, and
/// all tests, including those over PostgreSQL. The traffic of the contract tests must keep the contract,
/// and show all of its operations and statuses. Every check runs, even after a failure. The summary names
/// each that failed or was skipped.
///
/// On a terminal, the output of a check is shown if it fails.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  cargo xtask ci --only format --only lints")]
pub struct Ci {
    /// Skip nothing: fail if PostgreSQL is not installed, and follow the steps of the README too
    #[arg(long)]
    complete: bool,
    /// Run only this check, and never skip it; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// List the checks with their commands, and run nothing
    #[arg(long)]
    list: bool,
    /// Show the output of every check on a terminal too
    #[arg(long, short)]
    verbose: bool,
}

impl Ci {
    /// Runs the command. It fails if any check fails.
    pub fn run(&self) -> ExitCode {
        let shell = match crate::shell() {
            Ok(shell) => shell,
            Err(error) => return crate::fail(&error),
        };
        match self.select(checks::checks(&shell)) {
            Ok(checks) if self.list => {
                for Check { name, command, .. } in checks {
                    println!("{name:<10} {command}");
                }
                ExitCode::SUCCESS
            }
            Ok(checks) => self.run_all(checks),
            Err(error) => crate::fail(&error),
        }
    }

    /// Returns the checks that the options name.
    fn select<'a>(&self, mut checks: Vec<Check<'a>>) -> Result<Vec<Check<'a>>, String> {
        let is_known = |name: &&String| checks.iter().any(|check| check.name == **name);
        if let Some(unknown) = self.only.iter().find(|name| !is_known(name)) {
            return Err(format!("no check is named `{unknown}`: run `cargo xtask ci --list`"));
        }
        if !self.only.is_empty() {
            checks.retain(|check| self.only.iter().any(|name| name == check.name));
        }
        if self.complete || !self.only.is_empty() {
            for check in &mut checks {
                check.skip = None;
            }
        }
        Ok(checks)
    }

    fn run_all(&self, checks: Vec<Check<'_>>) -> ExitCode {
        let traffic = crate::root().join(checks::TRAFFIC);
        if lacks_traffic(&checks, &traffic) {
            return crate::fail(&NO_TRAFFIC);
        }
        if is_one_of(&checks, "tests") {
            // What an earlier run recorded says nothing about this one. It may not be there.
            let _ = std::fs::remove_dir_all(traffic);
        }
        let is_quiet = io::stdout().is_terminal() && !self.verbose;
        let output = if is_quiet { Output::OfFailures } else { Output::OfAll };
        let results: Vec<_> = checks.into_iter().map(|check| check.run_or_skip(output)).collect();
        println!();
        for result in &results {
            println!("{result}");
        }
        ExitCode::from(u8::from(results.iter().any(CheckResult::is_failed)))
    }
}

const NO_TRAFFIC: &str = "no traffic is recorded: the check `tests` records what `traffic` reads, so run \
                          `cargo xtask ci --only tests --only traffic`";

fn is_one_of(checks: &[Check<'_>], name: &str) -> bool {
    checks.iter().any(|check| check.name == name)
}

/// Whether the traffic in this folder is to be checked, there is none, and no check records it.
fn lacks_traffic(checks: &[Check<'_>], folder: &Path) -> bool {
    let is_empty = || std::fs::read_dir(folder).map_or(true, |mut files| files.next().is_none());
    is_one_of(checks, "traffic") && !is_one_of(checks, "tests") && is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(only: &[&str], complete: bool) -> Result<Vec<String>, String> {
        let shell = crate::shell().expect("a shell");
        let only = only.iter().map(|&name| name.to_owned()).collect();
        let checks = Ci { complete, only, list: false, verbose: false }.select(vec![
            Check::new("one", xshell::cmd!(shell, "true")),
            Check { skip: Some("reason"), ..Check::new("two", xshell::cmd!(shell, "true")) },
        ])?;
        let name = |check: &Check<'_>| format!("{} {}", check.name, check.skip.is_some());
        Ok(checks.iter().map(name).collect())
    }

    #[test]
    fn a_check_is_skipped_unless_it_is_named_or_nothing_may_be() {
        let checks = |names: &[&str]| Ok(names.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(select(&[], false), checks(&["one false", "two true"]));
        assert_eq!(select(&[], true), checks(&["one false", "two false"]));
        assert_eq!(select(&["two"], false), checks(&["two false"]));
    }

    #[test]
    fn a_name_that_no_check_has_is_an_error() {
        let error = "no check is named `three`: run `cargo xtask ci --list`";
        assert_eq!(select(&["one", "three"], false), Err(error.to_owned()));
    }

    #[test]
    fn traffic_is_not_checked_before_the_tests_have_recorded_it() {
        let shell = crate::shell().expect("a shell");
        let folder = tempfile::tempdir().expect("a folder");
        let lacks = |names: &[&'static str], folder: &Path| {
            let check = |name: &&'static str| Check::new(name, xshell::cmd!(shell, "true"));
            lacks_traffic(&names.iter().map(check).collect::<Vec<_>>(), folder)
        };
        for folder in [folder.path(), &folder.path().join("none")] {
            assert!(lacks(&["format", "traffic"], folder));
            assert!(!lacks(&["tests", "traffic"], folder) && !lacks(&["format"], folder));
        }
        std::fs::write(folder.path().join("a.jsonl"), "").expect("a file");
        assert!(!lacks(&["traffic"], folder.path()));
    }
}
