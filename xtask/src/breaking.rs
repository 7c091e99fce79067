//! `cargo xtask breaking`: no release breaks a client by accident.
//!
//! Compares `openapi.yaml` with its version in the last release, and looks in `CHANGELOG.md` for an
//! entry about each promise that is broken. `openapi-drift` decides what breaks, `base` which version is
//! the last release, and `changelog` what an entry announces.

mod base;
mod changelog;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use openapi_drift::cli::{self, Format, Names};
use openapi_drift::{Finding, Outcome, Pair, Question, Style, compare};

/// The contract, at the root of the workspace.
const CONTRACT: &str = "openapi.yaml";
const CHANGELOG: &str = "CHANGELOG.md";
const STYLE: Style<'_> = Style { colour: false, note: "" };
const UNSHALLOW: &str = "git fetch --unshallow --tags";

/// Compare the contract with the last release: every broken promise needs a line in CHANGELOG.md
///
/// The earlier version is that of the last release tag (`v` and a number). Without one it is that of
/// the merge base with origin/main, and on main itself that of the last commit but one.
///
/// Exits with 0 if no promise is broken, or if all that are have a line. The line begins with `-
/// Breaking: `, and names the code and the places of the finding. The command prints it.
///
/// In the formats for machines, a promise that CHANGELOG.md announces to be broken is an addition.
#[derive(Args, Debug)]
pub struct Breaking {
    /// Output for people or for machines
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Breaking {
    /// Runs the command and returns its exit code.
    pub fn run(&self) -> ExitCode {
        match check(crate::root(), self.format, &mut io::stdout().lock()) {
            Ok(is_announced) => ExitCode::from(u8::from(!is_announced)),
            Err(why) => {
                eprintln!("error: could not compare: {why}");
                ExitCode::from(2)
            }
        }
    }
}

/// Reports what breaks in this folder, and returns whether its changelog announces all of it.
///
/// # Errors
/// A sentence, if a document or the changelog cannot be read.
pub fn check(folder: &Path, format: Format, out: &mut dyn Write) -> Result<bool, String> {
    let contract = folder.join(CONTRACT);
    let (base, names) = (base::of(folder, CONTRACT)?, Names { root: folder, format });
    let documented = match &base {
        Some(base) => cli::earlier(base, &contract, names)?,
        None if format == Format::Human => {
            return cli::written(nothing(folder, out)).map(|()| true);
        }
        // For a machine, nothing differs.
        None => cli::read(&contract, names)?,
    };
    let documents = Pair { documented, served: cli::read(&contract, names)? };
    let mut outcome = compare(Question::Change, &documents);
    let new = new_entries(folder, &base.unwrap_or_default())?;
    let is_announced =
        |finding: &Finding| new.iter().any(|entry| changelog::announces(entry, finding));
    if format != Format::Human {
        let (announced, missing) = outcome.findings.into_iter().partition(is_announced);
        outcome.findings = missing;
        outcome.additions.extend(announced);
        cli::written(format.write(out, &outcome, STYLE))?;
        return Ok(outcome.count() == 0);
    }
    let missing: Vec<_> = outcome.findings.iter().filter(|it| !is_announced(it)).collect();
    cli::written(report(out, &outcome, &missing))?;
    Ok(missing.is_empty() && outcome.count() == outcome.findings.len())
}

fn nothing(folder: &Path, out: &mut dyn Write) -> io::Result<()> {
    if base::is_cut_off(folder) {
        writeln!(out, "the history is cut off, nothing was compared: run `{UNSHALLOW}`")
    } else {
        writeln!(out, "no earlier version has {CONTRACT}: nothing is promised yet")
    }
}

fn report(out: &mut dyn Write, outcome: &Outcome, missing: &[&Finding]) -> io::Result<()> {
    Format::Human.write(out, outcome, STYLE)?;
    let announced = outcome.findings.len() - missing.len();
    if announced > 0 {
        writeln!(out, "{CHANGELOG} announces {announced} of them")?;
    }
    if !missing.is_empty() {
        writeln!(out, "\nUndo each of these, or announce it with a line in {CHANGELOG}:\n")?;
    }
    missing.iter().try_for_each(|finding| writeln!(out, "- {}", changelog::entry(finding)))
}

fn new_entries(folder: &Path, base: &str) -> Result<Vec<String>, String> {
    let now = std::fs::read_to_string(folder.join(CHANGELOG));
    let now = now.map_err(|error| format!("{CHANGELOG} cannot be read: {error}"))?;
    Ok(changelog::new_entries(&now, &base::text(folder, base, CHANGELOG).unwrap_or_default()))
}
