//! Writes findings for people and for machines: the only module that lays anything out.
//!
//! This file writes text for people. The submodules write JSON, annotations of GitHub Actions, and
//! SARIF. The caller decides about colour.

mod github;
mod json;
mod sarif;
mod traffic;

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::code::Code;
use crate::finding::{Finding, Side};
use crate::operation::Outcome;
use crate::pair::{Pair, Question};
use crate::warning::{Warning, WarningRule};
pub use github::write_github;
pub use json::write_json;
pub use sarif::write_sarif;
pub use traffic::{
    write_traffic_explanation, write_traffic_github, write_traffic_json, write_traffic_sarif,
    write_traffic_text,
};

/// How text is decorated.
#[derive(Clone, Copy, Debug)]
pub struct Style<'a> {
    /// Whether to use colour.
    pub colour: bool,
    /// What follows if there is no difference: what is not compared, and what proves it.
    pub note: &'a str,
}

impl Style<'_> {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn error(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn mark(self, text: &str) -> String {
        self.paint("1;34", text)
    }
}

/// Writes one block for each finding, then one line with their number.
pub fn write_text(out: &mut dyn Write, outcome: &Outcome, style: Style<'_>) -> io::Result<()> {
    for finding in &outcome.findings {
        block(out, finding, outcome, style)?;
    }
    warnings(out, &outcome.warnings, style)?;
    for addition in &outcome.additions {
        let (head, places) = (style.mark("added:"), addition.places.join(", "));
        writeln!(out, "{head} {} (in {places})", addition.title)?;
    }
    for unlisted in &outcome.unlisted {
        writeln!(out, "{} {unlisted}", style.mark("note:"))?;
    }
    let Pair { documented, served } = &outcome.names;
    let count = outcome.count();
    if count > 0 {
        let sentence = outcome.question.words(
            format!("{documented} and {served} differ in {}", plural(count, "place")),
            format!("{served} breaks {} of {documented}", plural(count, "promise")),
        );
        return writeln!(out, "{} {sentence}", style.error("error:"));
    }
    let operations = plural(outcome.operations, "operation");
    if outcome.question == Question::Change {
        return writeln!(
            out,
            "{served} keeps every promise of {documented}: {operations} compared"
        );
    }
    writeln!(out, "{documented} and {served} agree: {operations} compared")?;
    if !outcome.notes.is_empty() {
        let statuses: BTreeSet<_> = outcome.notes.iter().map(|it| &*it.documented.says).collect();
        let statuses = Vec::from_iter(statuses).join(", ");
        let head = style.mark("note[error-range]:");
        writeln!(
            out,
            "{head} documented, and declared by the server only as 4XX or 5XX: {statuses}"
        )?;
    }
    writeln!(out, "{} {}", style.mark("note:"), style.note)
}

fn block(
    out: &mut dyn Write,
    finding: &Finding,
    outcome: &Outcome,
    style: Style<'_>,
) -> io::Result<()> {
    let head = style.error(&format!("error[{}]", finding.code()));
    writeln!(out, "{head}{}", style.bold(&format!(": {}", finding.title)))?;
    let line = |mark: &str, name: &str, side: &Side| {
        format!("  {} {} {}", style.mark(mark), at(name, side), pointers(side))
    };
    let [(edited, name), (other, other_name)] = outcome.sides(finding);
    writeln!(out, "{}", line("-->", name, edited))?;
    writeln!(out, "{}", line(":::", other_name, other))?;
    let bar = style.mark("|");
    let (one, two) =
        finding.question.words(("documented: ", "server:     "), ("before: ", "now:    "));
    writeln!(out, "   {bar} {one}{}", finding.documented.says)?;
    writeln!(out, "   {bar} {two}{}", finding.served.says)?;
    let note = |word: &str, text: &str| {
        format!("   {} {} {text}", style.mark("="), style.bold(&format!("{word}:")))
    };
    writeln!(out, "{}", note("in", &finding.places.join(", ")))?;
    writeln!(out, "{}", note("why", finding.why()))?;
    writeln!(out, "{}\n", note("help", finding.help()))
}

fn warnings(out: &mut dyn Write, warnings: &[Warning], style: Style<'_>) -> io::Result<()> {
    for warning in warnings {
        let head = style.paint("1;33", &format!("warning[{}]:", warning.rule.code));
        let place = warning.position.map(|(line, column)| format!(":{line}:{column}"));
        let (name, place) = (&warning.document, place.unwrap_or_default());
        writeln!(out, "{head} {}", warning.title)?;
        writeln!(out, "  {} {name}{place} #{}", style.mark("-->"), warning.pointer)?;
        writeln!(out, "   {} {} {}\n", style.mark("="), style.bold("help:"), warning.help)?;
    }
    Ok(())
}

fn at(name: &str, side: &Side) -> String {
    let name = side.file.as_deref().unwrap_or(name);
    side.position.map_or(name.to_owned(), |(line, column)| format!("{name}:{line}:{column}"))
}

/// Returns the pointer of the use and, behind a reference, of the definition.
fn pointers(side: &Side) -> String {
    if side.used_at == side.defined_at {
        return format!("#{}", side.used_at);
    }
    // A place in another file has a `#` behind its path.
    let is_pointer = side.defined_at.is_empty() || side.defined_at.starts_with('/');
    let hash = if is_pointer { "#" } else { "" };
    format!("#{} -> {hash}{}", side.used_at, side.defined_at)
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Writes what the code of a warning means, with an example and the usual fix.
pub fn write_warning_explanation(out: &mut dyn Write, rule: &WarningRule) -> io::Result<()> {
    let WarningRule { code, summary, why, help, example } = rule;
    writeln!(out, "{code}: {summary}\n\nwhy: {why}\nexample:\n  schema: {example}\nhelp: {help}")
}

/// Writes what a code means, with an example and the usual fix.
pub fn write_explanation(out: &mut dyn Write, code: Code) -> io::Result<()> {
    let Pair { documented, served } = code.example();
    writeln!(out, "{code}: {}\n", code.summary())?;
    writeln!(out, "why: {}", code.why())?;
    let labels = code.question.labels().map(|label| format!("{label}:"));
    let width = labels.documented.len();
    writeln!(
        out,
        "example:\n  {} {documented}\n  {:<width$} {served}",
        labels.documented, labels.served
    )?;
    writeln!(out, "help: {}", code.help())
}
