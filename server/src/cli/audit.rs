//! `audit verify`: whether the audit log is as it was written, told to a
//! person. It only words what the store found: it computes no hash, and mends
//! nothing.

use super::print;
use anyhow::bail;
use orgtokens_server::service::{Operator, Service};
use orgtokens_server::store::{AuditFault, AuditHead, AuditReport};

/// Prints what was found, and fails where a chain is broken.
pub async fn verify(service: &Service) -> anyhow::Result<()> {
    let report = Operator(service).verify_audit().await?;
    print(&describe(&report))?;
    match report.faults.len() {
        0 => Ok(()),
        count => bail!("the audit log is broken in {count} places: compare it with a backup"),
    }
}

/// The report as sentences, one a line.
pub fn describe(report: &AuditReport) -> String {
    let AuditReport { entries, organizations, heads, faults } = report;
    if faults.is_empty() {
        let whole = format!("{entries} entries of {organizations} organizations are whole");
        let head = |head: &AuditHead| {
            format!("{}: {} entries end in {}", head.chain, head.entries, head.hash)
        };
        return [whole].into_iter().chain(heads.iter().map(head)).collect::<Vec<_>>().join("\n");
    }
    let line =
        |fault: &AuditFault| format!("{}: entry {} {}", fault.chain, fault.entry, fault.what);
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}
