//! Findings as one JSON object.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::finding::{Effect, Finding, Side, Unlisted};
use crate::operation::Outcome;
use crate::pair::Pair;
use crate::warning::Warning;

/// Values that are made when they are written: a long report takes no memory.
pub(super) struct List<'a>(RefCell<Box<dyn Iterator<Item = Value> + 'a>>);

/// What a member of a report is.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Part<'a> {
    Value(Value),
    List(List<'a>),
}

impl<'a> List<'a> {
    pub fn new(values: impl Iterator<Item = Value> + 'a) -> Self {
        Self(RefCell::new(Box::new(values)))
    }
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&mut *self.0.borrow_mut())
    }
}

impl<'a> Part<'a> {
    /// The list of what `as_value` returns for each.
    pub fn list<T>(all: &'a [T], as_value: impl Fn(&T) -> Value + 'a) -> Self {
        Self::List(List::new(all.iter().map(as_value)))
    }
}

/// Writes a report, and the end of its line.
pub(super) fn write(out: &mut dyn Write, report: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

/// Writes the same facts as one JSON object. `openapi-drift --help` describes its fields.
pub fn write_json(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let Outcome { findings, additions, notes, unlisted, operations, .. } = outcome;
    let Pair { documented, served } = &outcome.names;
    let (one, two, (others, more)) = outcome.question.words(
        ("contract", "generated", ("notes", notes)),
        ("before", "now", ("additions", additions)),
    );
    let report = BTreeMap::from([
        ("conforms", Part::Value(findings.is_empty().into())),
        (one, Part::Value(documented.as_str().into())),
        (two, Part::Value(served.as_str().into())),
        ("operations", Part::Value((*operations).into())),
        ("findings", Part::list(findings, as_json)),
        ("unlisted", Part::list(unlisted, self::unlisted)),
        ("warnings", Part::list(&outcome.warnings, warning)),
        (others, Part::list(more, as_json)),
    ]);
    write(out, &report)
}

fn unlisted(unlisted: &Unlisted) -> Value {
    let list = match unlisted.effect {
        Effect::Breaks => "findings",
        Effect::Adds => "additions",
        Effect::Notes => "notes",
    };
    json!({"code": unlisted.code.to_string(), "list": list, "count": unlisted.count})
}

pub(super) fn warning(warning: &Warning) -> Value {
    json!({
        "code": warning.rule.code,
        "title": warning.title,
        "document": warning.document,
        "pointer": warning.pointer,
        "line": warning.position.map(|(line, _)| line),
        "column": warning.position.map(|(_, column)| column),
        "why": warning.rule.why,
        "help": warning.help,
    })
}

fn as_json(finding: &Finding) -> Value {
    let keys = finding.question.words(["documented", "served"], ["before", "now"]);
    json!({
        "code": finding.code().to_string(),
        "title": finding.title,
        keys[0]: side(&finding.documented),
        keys[1]: side(&finding.served),
        "places": finding.places,
        "why": finding.why(),
        "help": finding.help(),
    })
}

/// Returns one side of a finding.
pub(super) fn side(side: &Side) -> Value {
    json!({
        "file": side.file,
        "pointer": side.used_at,
        "definition": side.defined_at,
        "line": side.position.map(|(line, _)| line),
        "column": side.position.map(|(_, column)| column),
        "says": side.says,
    })
}
