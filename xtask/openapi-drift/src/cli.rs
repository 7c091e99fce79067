//! The command line, for the program `openapi-drift` and for programs that contain it.
//!
//! It reads files and chooses the exit code. It prints only to the writers that it is given, and
//! the caller ends the process.

mod earlier;
mod names;
mod traffic;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::warning::nearest;
use crate::{
    Code, Document, Outcome, Pair, Question, Style, TrafficRule, WarningRule, compare,
    write_explanation, write_github, write_json, write_sarif, write_text,
    write_traffic_explanation, write_warning_explanation,
};
pub use earlier::earlier;
pub use names::Names;
pub use traffic::TrafficOptions;

/// The options of a comparison.
///
/// The exit code is 0 if the two agree, 1 if they differ, and 2 if they could not be compared.
/// With `--against` it is 1 only if a promise of the earlier contract is broken.
#[derive(Args, Debug)]
#[command(after_long_help = HELP)]
pub struct Options {
    /// The contract, as YAML or JSON [default: openapi.yaml]
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// The server's document, as YAML or JSON
    #[arg(long, value_name = "FILE")]
    generated: Option<PathBuf>,
    /// Compare with an earlier version of the contract, and not with the server
    ///
    /// A file, a revision of git that has the contract at the same path, or a revision and a path.
    /// What breaks callers or clients of the earlier version is an error. What is only added is
    /// listed. Security is compared.
    #[arg(long, value_name = "REV[:PATH]|FILE", conflicts_with = "generated")]
    against: Option<String>,
    /// Output for people or for machines
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Say what a code means, with an example and the usual fix, and compare nothing
    #[arg(long, value_name = "CODE", value_parser = code, exclusive = true)]
    explain: Option<Explained>,
}

/// A code of a comparison, one of traffic, or one of warnings.
#[derive(Clone, Copy, Debug)]
enum Explained {
    Comparison(Code),
    Traffic(TrafficRule),
    Warning(&'static WarningRule),
}

fn code(name: &str) -> Result<Explained, String> {
    let of_warnings = || WarningRule::ALL.into_iter().find(|rule| rule.code == name);
    let found = Code::find(name).map(Explained::Comparison);
    let found = found.or_else(|| TrafficRule::find(name).map(Explained::Traffic));
    if let Some(found) = found.or_else(|| of_warnings().map(Explained::Warning)) {
        return Ok(found);
    }
    let of_traffic = TrafficRule::ALL.iter().map(ToString::to_string);
    let of_warnings = WarningRule::ALL.iter().map(|rule| rule.code.to_owned());
    let codes = Code::all().map(|code| code.to_string()).chain(of_traffic).chain(of_warnings);
    let codes: Vec<_> = codes.collect();
    Err(match nearest(name, codes.iter().map(String::as_str)) {
        Some(code) => format!("no finding has this code: did you mean `{code}`?"),
        None => format!("no finding has this code: the codes are {}", codes.join(", ")),
    })
}

const HELP: &str = "\
Exits with 0 if the two agree, with 1 if they differ, and with 2 and one sentence if they could not \
be compared. With `--against`, exits with 1 only if a promise of the earlier contract is broken.

`--format json` prints one object: `conforms`, `contract`, `generated`, `operations` (how many), and \
`findings`, the most severe first. Each has `code`, `title`, `documented` and `served` (`pointer`, \
`definition`, `line`, `column`, `says`), `places`, `why` and `help`. `notes` are of the same form, and \
fail nothing. `unlisted` says how many more than 10000 there are of a code (`code`, `list`, `count`). \
`warnings` are what is not OpenAPI in either document (`code`, `title`, `document`, `pointer`, \
`line`, `column`, `why`, `help`), and fail nothing too. With `--against`, `before` and \
`now` replace `contract`, `generated`, `documented` and `served`, and there are `additions` and no `notes`.";

/// The formats of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text like that of a compiler
    #[default]
    Human,
    /// One object
    Json,
    /// Annotations of GitHub Actions
    Github,
    /// SARIF 2.1.0, for code scanners and editors
    Sarif,
}

/// What a program that contains the command line knows better than this crate.
#[derive(Clone, Copy, Debug)]
pub struct Project<'a> {
    /// The folder that file names are relative to.
    pub root: &'a Path,
    /// Returns the server's document if no file is given.
    pub generate: fn() -> Result<String, String>,
    /// What the report says if there is no difference.
    pub note: &'a str,
}

impl Default for Project<'_> {
    fn default() -> Self {
        Self {
            root: Path::new(""),
            generate: || Err("there is no document of the server: give --generated".into()),
            note: "security is not compared: few servers state it in the document they emit",
        }
    }
}

impl Options {
    /// Compares, reports to `out` or says in `errors` why not, and returns the exit code.
    pub fn run(
        &self,
        project: &Project<'_>,
        is_terminal: bool,
        out: &mut dyn Write,
        errors: &mut dyn Write,
    ) -> u8 {
        let result = match self.explain {
            Some(Explained::Comparison(code)) => written(write_explanation(out, code)).map(|()| 0),
            Some(Explained::Traffic(rule)) => {
                written(write_traffic_explanation(out, rule)).map(|()| 0)
            }
            Some(Explained::Warning(rule)) => {
                written(write_warning_explanation(out, rule)).map(|()| 0)
            }
            None => self.compare(project, is_terminal, out),
        };
        result.unwrap_or_else(|why| {
            // If stderr is closed too, the exit code is all that is left.
            let _ = writeln!(errors, "error: {why}");
            2
        })
    }

    fn compare(
        &self,
        project: &Project<'_>,
        is_terminal: bool,
        out: &mut dyn Write,
    ) -> Result<u8, String> {
        let documents = self.documents(project);
        let documents = documents.map_err(|why| format!("could not compare: {why}"))?;
        let question = if self.against.is_some() { Question::Change } else { Question::Server };
        let outcome = compare(question, &documents);
        written(self.print(&outcome, project, is_terminal, out))?;
        Ok(u8::from(!outcome.findings.is_empty()))
    }

    fn documents(&self, project: &Project<'_>) -> Result<Pair<Document>, String> {
        let contract = self.contract.clone();
        let contract = contract.unwrap_or_else(|| project.root.join("openapi.yaml"));
        let names = Names { root: project.root, format: self.format };
        let read_contract = || read(&contract, names);
        if let Some(against) = &self.against {
            let documented = earlier(against, &contract, names)?;
            return Ok(Pair { documented, served: read_contract()? });
        }
        let documented = read_contract()?;
        let served = match &self.generated {
            Some(file) => read(file, names)?,
            None => parse("the server", &(project.generate)()?)?.without_lines(),
        };
        Ok(Pair { documented, served })
    }

    fn print(
        &self,
        outcome: &Outcome,
        project: &Project<'_>,
        is_terminal: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        self.format.write(out, outcome, style(is_terminal, project.note))
    }
}

impl Format {
    /// Writes a report. Only text for people has a style.
    pub fn write(self, out: &mut dyn Write, outcome: &Outcome, style: Style<'_>) -> io::Result<()> {
        match self {
            Self::Json => write_json(out, outcome)?,
            Self::Github => write_github(out, outcome)?,
            Self::Sarif => write_sarif(out, outcome)?,
            Self::Human => write_text(out, outcome, style)?,
        }
        out.flush()
    }
}

fn style(is_terminal: bool, note: &str) -> Style<'_> {
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Style { colour: !is_plain && is_terminal, note }
}

/// A reader that closes the pipe early does not change the result.
///
/// # Errors
/// A sentence, if the report cannot be written for another reason.
pub fn written(result: io::Result<()>) -> Result<(), String> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("could not write the report: {error}"))
        }
        _ => Ok(()),
    }
}

/// The longest file, in bytes.
const LONGEST: u64 = 1 << 28;

/// Returns the text of a file, unless it is too long.
fn text(file: &Path) -> io::Result<String> {
    let text = io::read_to_string(File::open(file)?.take(LONGEST + 1))?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other(format!("it has more than {LONGEST} bytes")));
    }
    Ok(text)
}

/// Reads a contract, and the files below its folder that it refers to.
///
/// # Errors
/// A sentence, if it cannot be read, or is no document.
pub fn read(file: &Path, names: Names<'_>) -> Result<Document, String> {
    let name = names.of(file);
    let text = text(file).map_err(|error| format!("{name} cannot be read: {error}"))?;
    parse_with_files(&name, &text, &mut |path| read_below(folder(file), path))
}

/// Returns the folder that a file is in.
fn folder(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Reads a file below a folder. A link that leads out of the folder is refused.
fn read_below(folder: &Path, path: &str) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("which cannot be read: {error}");
    let file = folder.join(path).canonicalize().map_err(unreadable)?;
    if !file.starts_with(folder.canonicalize().map_err(unreadable)?) {
        return Err("a link that leads out of the folder of the document".into());
    }
    if !file.is_file() {
        return Err("which is no file".into());
    }
    text(&file).map_err(unreadable)
}

fn parse_with_files(
    name: &str,
    text: &str,
    read: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<Document, String> {
    Document::parse_with_files(name, text, read).map_err(|error| error.to_string())
}

fn parse(name: &str, text: &str) -> Result<Document, String> {
    Document::parse(name, text).map_err(|error| error.to_string())
}
