//! `cargo xtask diff`: does the server keep the contract?
//!
//! Loads two documents, compares them and reports. The comparison is pure: only this file reads
//! files, runs the server and chooses the exit code.

mod advice;
mod annotation;
mod case;
mod contain;
mod describe;
mod document;
mod expand;
mod finding;
mod location;
mod number;
mod operation;
mod pair;
mod report;
mod yaml;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::{Args, ValueEnum};

pub use document::Document;
pub use finding::{Finding, Rule, Side};
pub use operation::{Outcome, compare};
pub use pair::{Direction, Pair};
pub use report::{Style, write_json, write_text};

/// Compare the contract with the document that the server emits
///
/// Exits with 0 if the two agree, with 1 if they differ, and with 2 and one sentence if they could
/// not be compared.
///
/// Security is not compared, because dropshot emits none: the contract tests in client/tests prove
/// it for every secured operation.
///
/// `--format json` prints one object: `conforms`, `contract`, `generated`, `operations` (how many),
/// and `findings`, the most severe first. Each has `code`, `title`, `documented` and `served`
/// (`pointer`, `definition`, `line`, `column`, `says`), `places`, `why` and `help`.
#[derive(Args, Debug)]
pub struct Diff {
    /// The contract, as YAML or JSON [default: openapi.yaml at the root of the workspace]
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// The server's document, as YAML or JSON [default: what `orgtokens-server openapi` prints]
    #[arg(long, value_name = "FILE")]
    generated: Option<PathBuf>,
    /// Output for people or for machines
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
}

impl Diff {
    /// Runs the command and returns its exit code.
    pub fn run(&self) -> ExitCode {
        let documents = match self.documents() {
            Ok(documents) => documents,
            Err(why) => {
                eprintln!("error: could not compare: {why}");
                return ExitCode::from(2);
            }
        };
        let outcome = compare(&documents);
        match self.print(&outcome, documents.as_ref().map(|document| document.name.as_str())) {
            // A reader that closes the pipe early does not change the result.
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
            Format::Json => write_json(&mut out, outcome, names)?,
            Format::Human => {
                let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let style = Style { colour: !is_plain && out.is_terminal() };
                write_text(&mut out, outcome, names, style)?;
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

/// Builds the server, and returns the document that it prints.
fn generate() -> Result<String, String> {
    let arguments = ["run", "--quiet", "--package", "orgtokens-server", "--", "openapi"];
    let output = Command::new(crate::cargo())
        .args(arguments)
        .current_dir(crate::root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo {}` failed: fix the server first", arguments.join(" ")));
    }
    String::from_utf8(output.stdout).map_err(|_| "the server printed no UTF-8 text".into())
}
