//! `check` and `audit verify`: print what the store found, and fail if something is wrong. Nothing
//! is repaired here, and the store decides what a fault is.

use super::print;
use anyhow::{Result, ensure};
use orgtokens_server::service::Operator;
use orgtokens_server::store::AuditReport;

/// Prints the state of the database and of its audit log.
pub async fn check(operator: Operator<'_>) -> Result<()> {
    let (found, log) = (operator.check().await?, operator.verify_audit().await?);
    for sentence in found.sound.iter().chain(&found.faults) {
        print(sentence)?;
    }
    print(&format!("audit log: {}", describe(&log)))?;
    let count = found.faults.len() + log.faults.len();
    ensure!(count == 0, "{count} faults were found: restore a backup");
    Ok(())
}

/// Prints the state of the audit log.
pub async fn verify(operator: Operator<'_>) -> Result<()> {
    let log = operator.verify_audit().await?;
    print(&describe(&log))?;
    let count = log.faults.len();
    ensure!(count == 0, "the audit log is broken in {count} places: compare it with a backup");
    Ok(())
}

/// Returns the faults, or else the end of every chain, one a line.
fn describe(AuditReport { entries, organizations, heads, faults }: &AuditReport) -> String {
    let mut lines: Vec<String> = Vec::new();
    for fault in faults {
        lines.push(format!("{}: entry {} {}", fault.chain, fault.entry, fault.what));
    }
    if faults.is_empty() {
        lines.push(format!("{entries} entries of {organizations} organizations are whole"));
        for head in heads {
            lines.push(format!(
                "{}: {} entries end in {}",
                head.chain,
                head.entries,
                head.hash_text()
            ));
        }
    }
    lines.join("\n")
}
