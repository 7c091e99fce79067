//! `check` and `audit verify`: print what the store found, and fail if something is wrong. Nothing
//! is repaired here, and the store decides what a fault is.

use super::output::count;
use super::print;
use anyhow::{Context, Error, Result, ensure};
use orgtokens_server::service::Operator;
use orgtokens_server::store::{AuditReport, NamedHead};
use std::fs;
use std::path::Path;

/// Prints the state of the database and of its audit log.
pub async fn check(operator: Operator<'_>) -> Result<()> {
    let (found, log) = (operator.check().await?, operator.0.store().verify_audit(&[]).await?);
    for sentence in found.sound.iter().chain(&found.faults) {
        print(sentence)?;
    }
    print(&describe(&log))?;
    let faults = found.faults.len() + log.faults.len();
    ensure!(
        faults == 0,
        "found {}: restore a backup, unless the fault says what to do",
        count(faults, "fault", "faults")
    );
    Ok(())
}

/// Prints the state of the audit log, compared with the ends of its chains in a file, if there is
/// one.
pub async fn verify(operator: Operator<'_>, heads: Option<&Path>) -> Result<()> {
    let kept = heads.map(read_heads).transpose()?.unwrap_or_default();
    let log = operator.0.store().verify_audit(&kept).await?;
    print(&describe(&log))?;
    let places = count(log.faults.len(), "place", "places");
    ensure!(log.faults.is_empty(), "the audit log is broken in {places}: compare it with a backup");
    Ok(())
}

fn read_heads(file: &Path) -> Result<Vec<NamedHead>> {
    let name = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    // Editors add a mark at the start, and empty lines.
    let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.is_empty());
    let heads = lines.map(|line| line.parse().map_err(Error::msg));
    let heads: Vec<_> = heads.collect::<Result<_>>().with_context(|| name.to_string())?;
    ensure!(!heads.is_empty(), "{name} is empty: use what `audit head` printed");
    Ok(heads)
}

fn describe(AuditReport { entries, chains, faults }: &AuditReport) -> String {
    if faults.is_empty() {
        let entries = count(entries, "entry", "entries");
        return format!(
            "the audit log is whole: {entries} in {}",
            count(chains, "chain", "chains")
        );
    }
    faults.join("\n")
}
