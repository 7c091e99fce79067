//! `cargo xtask diff`: does the server keep the contract?
//!
//! Loads two documents, compares them and reports. The comparison is pure; only this file reads
//! files, starts the server and decides the exit code.

mod advice;
mod annotation;
mod case;
mod contain;
mod describe;
mod document;
mod expand;
mod finding;
mod number;
mod operation;
mod place;
mod report;
mod yaml;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::{Args, ValueEnum};

pub use document::Document;
pub use finding::{Direction, Finding, Pair, Rule, Side};
pub use operation::{Outcome, compare};
pub use report::{Style, human, machine};

/// Compare the contract with what the server says of itself
///
/// Exits with 0 if the server keeps the contract, with 1 if they drift apart, and with 2 and one
/// sentence if they could not be compared.
///
/// Security is not compared, because dropshot emits none: the contract tests in client/tests prove
/// it for every secured operation.
///
/// With `--format json` one object is printed: `conforms`, `contract`, `generated`, `operations`
/// (how many), and `findings`, the most severe first. Each has `code`, `title`, `documented` and
/// `served` (`pointer`, `definition`, `line`, `column`, `says`), `places`, `why` and `help`.
#[derive(Args, Debug)]
pub struct Diff {
    /// The contract, as YAML or JSON [default: openapi.yaml at the root of the workspace]
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// What the server says, as YAML or JSON [default: what `orgtokens-server openapi` prints]
    #[arg(long, value_name = "FILE")]
    generated: Option<PathBuf>,
    /// For people or for machines
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
}

impl Diff {
    /// Runs the command; its exit code is the verdict.
    pub fn run(&self) -> ExitCode {
        let outcome = self.documents().map(|documents| (compare(&documents), documents));
        let (outcome, documents) = match outcome {
            Ok(compared) => compared,
            Err(why) => {
                eprintln!("error: could not compare: {why}");
                return ExitCode::from(2);
            }
        };
        match self.print(&outcome, documents.as_ref().map(|document| document.name.as_str())) {
            // Whoever stopped reading has seen enough; the verdict stays.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                eprintln!("error: could not write the report: {error}");
                ExitCode::from(2)
            }
            _ => ExitCode::from(u8::from(!outcome.findings.is_empty())),
        }
    }

    fn documents(&self) -> Result<Pair<Document>, String> {
        let contract = self.contract.clone().unwrap_or_else(|| crate::root().join("openapi.yaml"));
        let documented = read(&contract)?;
        let served = match &self.generated {
            Some(file) => read(file)?,
            None => Document::parse("the server", &generate()?)?.without_lines(),
        };
        Ok(Pair { documented, served })
    }

    fn print(&self, outcome: &Outcome, names: Pair<&str>) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self.format {
            Format::Json => machine(&mut out, outcome, names)?,
            Format::Human => {
                let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let style = Style { colour: !plain && out.is_terminal() };
                human(&mut out, outcome, names, style)?;
            }
        }
        out.flush()
    }
}

fn read(file: &Path) -> Result<Document, String> {
    let name = file.strip_prefix(crate::root()).unwrap_or(file).display().to_string();
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("{name} cannot be read: {error}"))?;
    Document::parse(&name, &text)
}

/// What the server prints about itself, built first where it has to be.
fn generate() -> Result<String, String> {
    let arguments = ["run", "--quiet", "--package", "orgtokens-server", "--", "openapi"];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(crate::root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo {}` failed: mend the server first", arguments.join(" ")));
    }
    String::from_utf8(output.stdout).map_err(|_| "the server printed no UTF-8 text".into())
}
