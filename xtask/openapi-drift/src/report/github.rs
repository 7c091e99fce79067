//! Findings as annotations of GitHub Actions: a workflow command for each, on its line.

use std::io::{self, Write};

use crate::finding::Finding;
use crate::operation::Outcome;
use crate::warning::Warning;

/// Writes a workflow command for each finding. GitHub shows it at the line of the contract.
pub fn write_github(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let errors = outcome.findings.iter().map(|finding| ("error", finding));
    let notices = outcome.additions.iter().map(|addition| ("notice", addition));
    for (level, finding) in errors.chain(notices) {
        let [(side, name), _] = outcome.sides(finding);
        let file = property(side.file.as_deref().unwrap_or(name));
        let position = side.position.map(|(line, column)| format!(",line={line},col={column}"));
        let (position, code) = (position.unwrap_or_default(), finding.code());
        writeln!(out, "::{level} file={file}{position},title={code}::{}", data(&text(finding)))?;
    }
    for unlisted in &outcome.unlisted {
        writeln!(out, "::warning title={}::{unlisted}", unlisted.code)?;
    }
    warnings(out, &outcome.warnings)
}

pub(super) fn warnings(out: &mut dyn Write, warnings: &[Warning]) -> io::Result<()> {
    for warning in warnings {
        let position = warning.position.map(|(line, column)| format!(",line={line},col={column}"));
        let (file, position) = (property(&warning.document), position.unwrap_or_default());
        let text = data(&format!("{}\nhelp: {}", warning.title, warning.help));
        writeln!(out, "::warning file={file}{position},title={}::{text}", warning.rule.code)?;
    }
    Ok(())
}

/// The title of an annotation is its code: the text must say the rest.
fn text(finding: &Finding) -> String {
    let (title, places) = (&finding.title, finding.places.join(", "));
    format!("{title}\nin: {places}\nwhy: {}\nhelp: {}", finding.why(), finding.help())
}

/// Escapes the text of a workflow command.
pub(super) fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a workflow command.
pub(super) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
