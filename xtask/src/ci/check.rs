//! Runs one check, and shows that it runs: never half a minute of silence.

use std::fmt;
use std::io::{self, Read, Seek, Write};
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use xshell::Cmd;

/// A command that succeeds or fails.
#[derive(Debug)]
pub struct Check<'a> {
    pub name: &'static str,
    pub command: Cmd<'a>,
    /// Why the check does not run.
    pub skip: Option<&'static str>,
}

/// Which output of the checks a person sees.
#[derive(Clone, Copy, Debug)]
pub enum Output {
    /// One line while a check runs, then its output if it failed: for terminals.
    OfFailures,
    /// Everything while it is printed, and a line now and then: for logs.
    OfAll,
}

#[derive(Debug)]
pub struct CheckResult {
    name: &'static str,
    outcome: Outcome,
    elapsed: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// The command failed, or did not start.
    Failed,
    Skipped(&'static str),
}

impl<'a> Check<'a> {
    pub fn new(name: &'static str, command: Cmd<'a>) -> Self {
        Self { name, command, skip: None }
    }

    /// Runs the check, and prints what a person should see of it.
    pub fn run_or_skip(self, output: Output) -> CheckResult {
        let Self { name, command, skip } = self;
        if let Some(reason) = skip {
            return CheckResult {
                name,
                outcome: Outcome::Skipped(reason),
                elapsed: Duration::ZERO,
            };
        }
        let heading = format!("\n=== {name}: {command}");
        let started = Instant::now();
        let ran = match output {
            Output::OfAll => run_aloud(name, &heading, &mut command.into()),
            Output::OfFailures => run_quietly(name, &heading, &mut command.into()),
        };
        let (is_passed, shown) = ran.unwrap_or_else(|error| {
            (false, format!("{heading}\nthe command cannot be started: {error}\n"))
        });
        let outcome = if is_passed { Outcome::Passed } else { Outcome::Failed };
        let result = CheckResult { name, outcome, elapsed: started.elapsed() };
        println!("{shown}{result}");
        result
    }
}

/// Runs a command whose output goes to ours.
fn run_aloud(name: &str, heading: &str, command: &mut Command) -> io::Result<(bool, String)> {
    println!("{heading}");
    let tick = |elapsed: Duration| println!("=== {name} runs for {} s", elapsed.as_secs());
    let status = with_ticks(Duration::from_secs(25), tick, || command.status())?;
    Ok((status.success(), String::new()))
}

/// Runs a command, and returns its output with the outcome if it fails.
fn run_quietly(name: &str, heading: &str, command: &mut Command) -> io::Result<(bool, String)> {
    let mut file = tempfile::tempfile()?;
    // Its colours are for the terminal that the output may be copied to.
    command.env("CARGO_TERM_COLOR", "always").stdout(file.try_clone()?).stderr(file.try_clone()?);
    let tick =
        |elapsed: Duration| show(&format!("        {name:<10} {:>4}   s", elapsed.as_secs()));
    tick(Duration::ZERO);
    let status = with_ticks(Duration::from_secs(1), tick, || command.status());
    show("");
    if status?.success() {
        return Ok((true, String::new()));
    }
    file.rewind()?;
    let mut output = Vec::new();
    file.read_to_end(&mut output)?;
    Ok((false, format!("{heading}\n{}", String::from_utf8_lossy(&output))))
}

impl CheckResult {
    pub fn is_failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, outcome, elapsed } = self;
        let seconds = elapsed.as_secs_f32();
        match outcome {
            Outcome::Passed => write!(f, "ok      {name:<10} {seconds:>6.1} s"),
            Outcome::Failed => {
                write!(f, "FAILED  {name:<10} {seconds:>6.1} s  run `cargo xtask ci --only {name}`")
            }
            Outcome::Skipped(reason) => write!(f, "SKIPPED {name:<10}      -    {reason}"),
        }
    }
}

/// Replaces the line of the terminal. The line must be shorter than any terminal is wide.
fn show(line: &str) {
    print!("\r\x1b[K{line}");
    // If the terminal is gone, the outcome is still the exit code.
    let _ = io::stdout().flush();
}

/// Does the work, and calls `tick` with the time it has taken in every interval until it is done.
fn with_ticks<T>(
    interval: Duration,
    tick: impl Fn(Duration) + Send,
    work: impl FnOnce() -> T,
) -> T {
    let started = Instant::now();
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while is_done.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                tick(started.elapsed());
            }
        });
        let result = work();
        drop(done);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use xshell::cmd;

    #[test]
    fn a_check_that_fails_or_cannot_start_is_named_with_the_command_that_repeats_it() {
        let shell = crate::shell().expect("a shell");
        for (program, expected) in [
            ("true", Outcome::Passed),
            ("false", Outcome::Failed),
            ("no-such-program", Outcome::Failed),
        ] {
            for output in [Output::OfAll, Output::OfFailures] {
                let result = Check::new("one", cmd!(shell, "{program}")).run_or_skip(output);
                assert_eq!(result.outcome, expected, "{program}");
                let is_named = result.to_string().ends_with("run `cargo xtask ci --only one`");
                assert_eq!(is_named, result.is_failed(), "{result}");
            }
        }
    }

    #[test]
    fn a_quiet_check_shows_both_streams_if_it_fails() {
        let shell = crate::shell().expect("a shell");
        let run = |script: &str| run_quietly("one", "", &mut cmd!(shell, "sh -c {script}").into());
        assert_eq!(run("echo hidden").expect("it runs"), (true, String::new()));
        let (is_passed, output) = run("echo first; echo second >&2; exit 1").expect("it runs");
        assert!(!is_passed && output.ends_with("\nfirst\nsecond\n"), "{output}");
    }

    #[test]
    fn work_that_prints_nothing_is_reported_while_it_runs() {
        let (ticked, is_ticked) = mpsc::channel();
        let tick = move |_| ticked.send(()).unwrap_or_default();
        let work = || is_ticked.recv_timeout(Duration::from_mins(1));
        assert_eq!(with_ticks(Duration::from_millis(1), tick, work), Ok(()));
    }

    #[test]
    fn a_check_that_is_skipped_says_why() {
        let shell = crate::shell().expect("a shell");
        let check = Check { skip: Some("the reason"), ..Check::new("one", cmd!(shell, "false")) };
        let result = check.run_or_skip(Output::OfAll);
        assert!(!result.is_failed() && result.to_string().ends_with("the reason"), "{result}");
    }
}
