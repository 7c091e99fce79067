//! Findings in the Static Analysis Results Interchange Format, version 2.1.0, which code scanners
//! and editors read.

use std::collections::BTreeMap;
use std::io::{self, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};

use super::json::{self, List, Part};
use crate::code::Code;
use crate::finding::{Effect, Finding, Side, Unlisted};
use crate::operation::Outcome;
use crate::pair::{Pair, Question};
use crate::warning::{Warning, WarningRule};

/// What a path may hold in a URI without an escape.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_');

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// A report with one run. The order of the members is that of their names.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    runs: [BTreeMap<&'static str, Part<'a>>; 1],
    version: &'static str,
}

/// Writes one run with every code as a rule, and every finding as a result.
pub fn write_sarif(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let errors = outcome.findings.iter().map(|finding| result("error", finding, outcome));
    let notes = outcome.additions.iter().map(|addition| result("note", addition, outcome));
    let unlisted = outcome.unlisted.iter().map(|unlisted| self::unlisted(unlisted, outcome));
    let notes = notes.chain(unlisted);
    let rules = Code::all()
        .map(|code| rule(&code.to_string(), code.summary(), code.why(), code.help()))
        .collect();
    write(out, rules, errors.chain(notes), &outcome.warnings)
}

/// Writes one run of this program.
pub(super) fn write(
    out: &mut dyn Write,
    mut rules: Vec<Value>,
    results: impl Iterator<Item = Value>,
    warnings: &[Warning],
) -> io::Result<()> {
    rules.extend(WarningRule::ALL.map(|it| rule(it.code, it.summary, it.why, it.help)));
    let driver = json!({
        "name": env!("CARGO_PKG_NAME"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "informationUri": "https://docs.rs/openapi-drift",
        "rules": rules,
    });
    let run = BTreeMap::from([
        ("columnKind", Part::Value("unicodeCodePoints".into())),
        ("results", Part::List(List::new(results.chain(warnings.iter().map(warning))))),
        ("tool", Part::Value(json!({"driver": driver}))),
    ]);
    json::write(out, &Report { schema: SCHEMA, runs: [run], version: "2.1.0" })
}

pub(super) fn rule(code: &str, summary: &str, why: &str, help: &str) -> Value {
    json!({
        "id": code,
        "shortDescription": {"text": summary},
        "fullDescription": {"text": why},
        "help": {"text": help},
    })
}

fn warning(warning: &Warning) -> Value {
    let mut physical = json!({"artifactLocation": {"uri": uri(&warning.document)}});
    if let Some((line, column)) = warning.position {
        physical["region"] = json!({"startLine": line, "startColumn": column});
    }
    let pointer = format!("#{}", warning.pointer);
    json!({
        "ruleId": warning.rule.code,
        "level": "warning",
        "message": {"text": format!("{}. Help: {}", warning.title, warning.help)},
        "locations": [{
            "physicalLocation": physical,
            "logicalLocations": [{"fullyQualifiedName": pointer}],
        }],
    })
}

fn result(level: &str, finding: &Finding, outcome: &Outcome) -> Value {
    let labels = outcome.question.labels();
    let text = format!(
        "{} ({}: {}; {}: {}). In {}. Help: {}.",
        finding.title,
        labels.documented,
        finding.documented.says,
        labels.served,
        finding.served.says,
        finding.places.join(", "),
        finding.help(),
    );
    let [(side, name), (other, other_name)] = outcome.sides(finding);
    let mut result = json!({
        "ruleId": finding.code().to_string(),
        "level": level,
        "message": {"text": text},
        "locations": [location(side, name)],
    });
    // A document that was not read from a file has no place that a reader could open.
    if other.position.is_some() {
        result["relatedLocations"] = json!([related(other, other_name, outcome.question)]);
    }
    result
}

/// Returns a result about a whole document.
fn unlisted(unlisted: &Unlisted, outcome: &Outcome) -> Value {
    let Pair { documented, served } = &outcome.names;
    let name = outcome.question.words(documented, served);
    json!({
        "ruleId": unlisted.code.to_string(),
        "level": if unlisted.effect == Effect::Breaks { "error" } else { "note" },
        "message": {"text": unlisted.to_string()},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(name)}}}],
    })
}

/// Returns the place of the other side. In a revision of git, `REV:path`, it is that of the path, which
/// may have other lines now.
fn related(side: &Side, name: &str, question: Question) -> Value {
    let mut place = location(side, name);
    place["message"] = json!({"text": side.says});
    let file = side.file.as_deref().unwrap_or(name);
    let is_change = question == Question::Change;
    if let (Some((revision, path)), Some((line, _))) = (file.split_once(':'), side.position)
        && is_change
    {
        place["physicalLocation"] = json!({"artifactLocation": {"uri": uri(path)}});
        let text = format!("{} (line {line} in revision {revision})", side.says);
        place["message"] = json!({"text": text});
    }
    place
}

/// Returns a place in a file, and the pointer of the use.
pub(super) fn location(side: &Side, name: &str) -> Value {
    let file = side.file.as_deref().unwrap_or(name);
    let mut physical = json!({"artifactLocation": {"uri": uri(file)}});
    if let Some((line, column)) = side.position {
        physical["region"] = json!({"startLine": line, "startColumn": column});
    }
    let pointer = format!("#{}", side.used_at);
    json!({"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": pointer}]})
}

fn uri(name: &str) -> String {
    let scheme = if name.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", utf8_percent_encode(name, PATH))
}
