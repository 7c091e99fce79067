//! `audit verify`: whether the audit log is as it was written, told to a person.

use super::print;
use anyhow::bail;
use orgtokens_server::service::{Operator, Service};
use orgtokens_server::store::AuditReport;

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
    let AuditReport { entries, organizations, faults } = report;
    if faults.is_empty() {
        return format!("{entries} entries of {organizations} organizations are whole");
    }
    let line = |fault: &orgtokens_server::store::AuditFault| {
        format!("{}: entry {} {}", fault.organization, fault.entry, fault.what)
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}
