//! What a check of traffic found, in each format, and what was seen of the contract.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::json::Part;
use super::{Style, at, github, plural, pointers, sarif};
use crate::traffic::{Coverage, Item, TrafficFinding, TrafficOutcome, TrafficRule};

/// Writes one block for each finding, what was seen, and one line with the result.
pub fn write_traffic_text(
    out: &mut dyn Write,
    outcome: &TrafficOutcome,
    style: Style<'_>,
) -> io::Result<()> {
    for finding in &outcome.findings {
        block(out, finding, outcome, style)?;
    }
    super::warnings(out, &outcome.warnings, style)?;
    for (noun, all) in parts(&outcome.coverage) {
        let seen = all.iter().filter(|item| item.is_seen).count();
        writeln!(out, "{} {seen} of {} {noun} seen", style.mark("coverage:"), all.len())?;
        let missing = missing(all);
        if !missing.is_empty() {
            writeln!(out, "  not seen: {}", missing.join(", "))?;
        }
    }
    let (contract, exchanges) = (&outcome.contract, plural(outcome.exchanges, "exchange"));
    let skipped = format!("{} skipped", outcome.skipped);
    match outcome.findings.len() {
        0 => writeln!(out, "the traffic keeps {contract}: {exchanges} checked, {skipped}"),
        count => {
            let count = plural(count, "place");
            let error = style.error("error:");
            writeln!(
                out,
                "{error} the traffic breaks {contract} in {count}: {exchanges} checked, {skipped}"
            )
        }
    }
}

fn parts(coverage: &Coverage) -> [(&'static str, &[Item]); 3] {
    let Coverage { operations, statuses, members } = coverage;
    [("operations", operations), ("statuses", statuses), ("optional members", members)]
}

fn missing(all: &[Item]) -> Vec<&str> {
    all.iter().filter(|item| !item.is_seen).map(|item| item.name.as_str()).collect()
}

fn block(
    out: &mut dyn Write,
    finding: &TrafficFinding,
    outcome: &TrafficOutcome,
    style: Style<'_>,
) -> io::Result<()> {
    let TrafficFinding { rule, title, contract, sent, places, .. } = finding;
    writeln!(
        out,
        "{}{}",
        style.error(&format!("error[{rule}]")),
        style.bold(&format!(": {title}"))
    )?;
    let (arrow, bar) = (style.mark("-->"), style.mark("|"));
    writeln!(out, "  {arrow} {} {}", at(&outcome.contract, contract), pointers(contract))?;
    writeln!(out, "   {bar} contract: {}", contract.says)?;
    writeln!(out, "   {bar} traffic:  {sent}")?;
    let mut notes = vec![("in", places.join(", "))];
    if finding.count > 0 {
        notes.push(("seen", seen(finding)));
    }
    notes.extend([("why", rule.why().to_owned()), ("help", rule.help().to_owned())]);
    for (word, text) in notes {
        writeln!(out, "   {} {} {text}", style.mark("="), style.bold(&format!("{word}:")))?;
    }
    writeln!(out)
}

/// Says in how many exchanges it shows, and names the first of them.
fn seen(finding: &TrafficFinding) -> String {
    let named = finding.exchanges.iter().map(|(file, number)| format!("{file} #{number}"));
    let named = named.collect::<Vec<_>>().join(", ");
    let first = if finding.count > finding.exchanges.len() { "first in " } else { "" };
    format!("{}: {first}{named}", plural(finding.count, "exchange"))
}

/// Writes the same facts as one JSON object. `openapi-drift check-traffic --help` describes it.
pub fn write_traffic_json(out: &mut dyn Write, outcome: &TrafficOutcome) -> io::Result<()> {
    let part = |all: &[Item]| json!({"documented": all.len(), "missing": missing(all)});
    let Coverage { operations, statuses, members } = &outcome.coverage;
    let coverage = json!({
        "operations": part(operations),
        "statuses": part(statuses),
        "members": part(members),
    });
    let report = BTreeMap::from([
        ("conforms", Part::Value(outcome.findings.is_empty().into())),
        ("contract", Part::Value(outcome.contract.as_str().into())),
        ("exchanges", Part::Value(outcome.exchanges.into())),
        ("skipped", Part::Value(outcome.skipped.into())),
        ("findings", Part::list(&outcome.findings, as_json)),
        ("warnings", Part::list(&outcome.warnings, super::json::warning)),
        ("coverage", Part::Value(coverage)),
    ]);
    super::json::write(out, &report)
}

fn as_json(finding: &TrafficFinding) -> Value {
    let TrafficFinding { rule, title, contract, sent, places, count, exchanges } = finding;
    let exchange = |(file, number): &(String, usize)| json!({"file": file, "number": number});
    json!({
        "code": rule.to_string(),
        "title": title,
        "contract": super::json::side(contract),
        "sent": sent,
        "places": places,
        "count": count,
        "exchanges": exchanges.iter().map(exchange).collect::<Vec<_>>(),
        "why": rule.why(),
        "help": rule.help(),
    })
}

/// Writes an annotation of GitHub Actions for each finding, at the line of the contract.
pub fn write_traffic_github(out: &mut dyn Write, outcome: &TrafficOutcome) -> io::Result<()> {
    for finding in &outcome.findings {
        let (file, rule) = (github::property(&outcome.contract), finding.rule);
        let position = finding.contract.position;
        let position = position.map(|(line, column)| format!(",line={line},col={column}"));
        let position = position.unwrap_or_default();
        let text = github::data(&text(finding, "\n"));
        writeln!(out, "::error file={file}{position},title={rule}::{text}")?;
    }
    github::warnings(out, &outcome.warnings)
}

/// Writes one run of SARIF 2.1.0.
pub fn write_traffic_sarif(out: &mut dyn Write, outcome: &TrafficOutcome) -> io::Result<()> {
    let rule =
        |rule: TrafficRule| sarif::rule(&rule.to_string(), rule.summary(), rule.why(), rule.help());
    let result = |finding: &TrafficFinding| {
        json!({
            "ruleId": finding.rule.to_string(),
            "level": "error",
            "message": {"text": text(finding, ". ")},
            "locations": [sarif::location(&finding.contract, &outcome.contract)],
        })
    };
    let results = outcome.findings.iter().map(result);
    sarif::write(out, TrafficRule::ALL.map(rule).to_vec(), results, &outcome.warnings)
}

fn text(finding: &TrafficFinding, separator: &str) -> String {
    let (title, sent, places) = (&finding.title, &finding.sent, finding.places.join(", "));
    let mut parts = vec![title.clone(), format!("traffic: {sent}"), format!("in: {places}")];
    if finding.count > 0 {
        parts.push(format!("seen: {}", seen(finding)));
    }
    parts.push(format!("help: {}", finding.rule.help()));
    parts.join(separator)
}

/// Writes what a code of traffic means, with an example and the usual fix.
pub fn write_traffic_explanation(out: &mut dyn Write, rule: TrafficRule) -> io::Result<()> {
    let [contract, traffic] = rule.example();
    writeln!(out, "{rule}: {}\n\nwhy: {}", rule.summary(), rule.why())?;
    writeln!(out, "example:\n  contract: {contract}\n  traffic:  {traffic}")?;
    writeln!(out, "help: {}", rule.help())
}
