//! Findings as one JSON object.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::finding::{Finding, Side};
use crate::operation::Outcome;

/// Writes the same facts as one JSON object. `openapi-drift --help` describes its fields.
pub fn write_json(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let findings: Vec<_> = outcome.findings.iter().map(as_json).collect();
    let report = json!({
        "conforms": findings.is_empty(),
        "contract": outcome.names.documented,
        "generated": outcome.names.served,
        "operations": outcome.operations,
        "findings": findings,
    });
    writeln!(out, "{report:#}")
}

fn as_json(finding: &Finding) -> Value {
    let side = |side: &Side| {
        json!({
            "pointer": side.used_at,
            "definition": side.defined_at,
            "line": side.position.map(|(line, _)| line),
            "column": side.position.map(|(_, column)| column),
            "says": side.says,
        })
    };
    json!({
        "code": finding.code().to_string(),
        "title": finding.title,
        "documented": side(&finding.documented),
        "served": side(&finding.served),
        "places": finding.places,
        "why": finding.why(),
        "help": finding.help(),
    })
}
