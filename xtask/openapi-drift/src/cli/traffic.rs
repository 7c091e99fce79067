//! `check-traffic`: reads recorded exchanges, and reports what of them breaks the contract.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Format, Names, read, style, written};
use crate::{
    Document, Exchange, Routes, TrafficOutcome, check_traffic, read_traffic, write_traffic_github,
    write_traffic_json, write_traffic_sarif, write_traffic_text,
};

/// The options of a check of traffic.
#[derive(Args, Debug)]
#[command(after_long_help = HELP)]
pub struct TrafficOptions {
    /// Recorded exchanges, as HAR or JSON lines; a folder stands for the files in it
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The contract, as YAML or JSON [default: openapi.yaml]
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// What paths are relative to: a path, or the beginning of a URL
    ///
    /// Other exchanges are skipped. Without it, paths are relative to the addresses in `servers` of
    /// the contract, on any host.
    #[arg(long, value_name = "PATH|URL")]
    prefix: Option<String>,
    /// Fail if an operation or a status was not seen, unless this file has a reason
    ///
    /// A line is `operation status: reason`, such as `getBook 404: books are never removed`. The
    /// operation `*` is every operation. A reason that is not needed is an error too. Lines that begin
    /// with `#` are comments.
    #[arg(long, value_name = "FILE")]
    reasons: Option<PathBuf>,
    /// Output for people or for machines
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

const HELP: &str = "\
Exits with 0 if the traffic keeps the contract, with 1 if it does not, and with 2 and one sentence if \
it could not be checked.

An invalid request is an error only if it was accepted: answered with a status below 400. Security and \
cookies are not checked.

The content of a file decides what it is: an HTTP Archive (HAR 1.2), as browsers export it, or JSON \
lines. A line is one entry of such an archive with these members (it is wrapped here):

  {\"request\": {\"method\": \"POST\", \"url\": \"/books?draft=true\",
    \"headers\": [{\"name\": \"Content-Type\", \"value\": \"application/json\"}],
    \"postData\": {\"text\": \"{\\\"title\\\": \\\"Emma\\\"}\"}},
   \"response\": {\"status\": 201,
    \"headers\": [{\"name\": \"Content-Type\", \"value\": \"application/json\"}],
    \"content\": {\"text\": \"{\\\"id\\\": 7}\"}}}

An absent `postData` or `content` is an empty body. With `\"encoding\": \"base64\"` the text is base64. \
A body with a size and without a text was not recorded, and is not checked. The text `[redacted]` is \
accepted in place of a value that the contract documents with `format: password`, and of a header or a \
parameter of the query whose name is that of a credential.

`--format json` prints one object: `conforms`, `contract`, `exchanges` and `skipped` (how many), \
`findings`, `warnings`, and `coverage`. A finding has `code`, `title`, `contract` (`pointer`, `definition`, `line`, \
`column`, `says`), `sent`, `places`, `count`, `exchanges` (the first, each with `file` and `number`), \
`why` and `help`. `warnings` are what is not OpenAPI in the contract, as without `check-traffic`, and fail \
nothing. The coverage of `operations`, `statuses` and optional `members` has `documented` (how \
many) and `missing` (their names).";

impl TrafficOptions {
    /// Checks, reports to `out` or says in `errors` why not, and returns the exit code. File names
    /// are shown relative to `root`.
    pub fn run(
        &self,
        root: &Path,
        is_terminal: bool,
        out: &mut dyn Write,
        errors: &mut dyn Write,
    ) -> u8 {
        let result = self.check(root).and_then(|outcome| {
            written(self.print(&outcome, is_terminal, out))?;
            Ok(u8::from(!outcome.findings.is_empty()))
        });
        result.unwrap_or_else(|why| {
            // If stderr is closed too, the exit code is all that is left.
            let _ = writeln!(errors, "error: could not check: {why}");
            2
        })
    }

    fn check(&self, root: &Path) -> Result<TrafficOutcome, String> {
        let contract = self.contract.clone().unwrap_or_else(|| root.join("openapi.yaml"));
        let contract = read(&contract, Names { root, format: self.format })?;
        let routes = Routes::new(&contract, self.prefix.as_deref());
        let mut exchanges = Vec::new();
        for file in files(&self.files)? {
            exchanges.extend(read_exchanges(&file, root)?);
        }
        let mut outcome = check_traffic(&routes, &exchanges);
        if outcome.exchanges == 0 {
            let skipped = outcome.skipped;
            return Err(format!(
                "none of {skipped} exchanges is one of the contract: record some traffic, or correct \
                 `--prefix`"
            ));
        }
        if let Some(file) = &self.reasons {
            outcome.findings.extend(gaps(&outcome, &contract, file, root)?);
        }
        Ok(outcome)
    }

    fn print(
        &self,
        outcome: &TrafficOutcome,
        is_terminal: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self.format {
            Format::Json => write_traffic_json(out, outcome)?,
            Format::Github => write_traffic_github(out, outcome)?,
            Format::Sarif => write_traffic_sarif(out, outcome)?,
            Format::Human => write_traffic_text(out, outcome, style(is_terminal, ""))?,
        }
        out.flush()
    }
}

fn gaps(
    outcome: &TrafficOutcome,
    contract: &Document,
    file: &Path,
    root: &Path,
) -> Result<Vec<crate::TrafficFinding>, String> {
    let (name, reasons) = text(file, root)?;
    outcome.coverage.gaps(contract, (&name, &reasons)).map_err(|error| error.to_string())
}

/// Returns the files, with those of every folder by name.
fn files(given: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in given {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let fail = |error: io::Error| format!("{} cannot be read: {error}", path.display());
        let entries = std::fs::read_dir(path).map_err(fail)?.map(|entry| Ok(entry?.path()));
        let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(fail)?;
        entries.retain(|entry| entry.is_file());
        if entries.is_empty() {
            return Err(format!("{} has no files: record some traffic first", path.display()));
        }
        entries.sort();
        files.extend(entries);
    }
    Ok(files)
}

fn read_exchanges(file: &Path, root: &Path) -> Result<Vec<Exchange>, String> {
    let (name, text) = text(file, root)?;
    read_traffic(&name, &text).map_err(|error| error.to_string())
}

/// Returns the name and the content of a file.
fn text(file: &Path, root: &Path) -> Result<(String, String), String> {
    let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
    let text = super::text(file);
    text.map(|text| (name.clone(), text)).map_err(|error| format!("{name} cannot be read: {error}"))
}
