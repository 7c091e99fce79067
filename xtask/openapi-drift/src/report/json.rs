//! Findings as one JSON object.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::finding::{Effect, Finding, Side, Unlisted};
use crate::operation::Outcome;
use crate::pair::{Pair, Question};
use crate::warning::Warning;

/// Writes the same facts as one JSON object. `openapi-drift --help` describes its fields.
pub fn write_json(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let [findings, additions, notes] = [&outcome.findings, &outcome.additions, &outcome.notes]
        .map(|findings| findings.iter().map(as_json).collect::<Vec<_>>());
    let warnings = warnings(&outcome.warnings);
    let more: Vec<_> = outcome.unlisted.iter().map(unlisted).collect();
    let conforms = findings.is_empty();
    let Pair { documented, served } = &outcome.names;
    let operations = outcome.operations;
    let report = match outcome.question {
        Question::Server => json!({
            "conforms": conforms,
            "contract": documented,
            "generated": served,
            "operations": operations,
            "findings": findings,
            "unlisted": more,
            "warnings": warnings,
            "notes": notes,
        }),
        Question::Change => json!({
            "conforms": conforms,
            "before": documented,
            "now": served,
            "operations": operations,
            "findings": findings,
            "unlisted": more,
            "warnings": warnings,
            "additions": additions,
        }),
    };
    writeln!(out, "{report:#}")
}

pub(super) fn warnings(warnings: &[Warning]) -> Value {
    warnings.iter().map(warning).collect()
}

fn unlisted(unlisted: &Unlisted) -> Value {
    let list = match unlisted.effect {
        Effect::Breaks => "findings",
        Effect::Adds => "additions",
        Effect::Notes => "notes",
    };
    json!({"code": unlisted.code.to_string(), "list": list, "count": unlisted.count})
}

fn warning(warning: &Warning) -> Value {
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
