//! The audit log: entries are added and read, never changed.

use super::{AuditEntry, AuditPage, Error, Result, Snapshot, Transaction, rows};
use crate::access::OrganizationId;

impl Snapshot {
    /// `limit` entries of an organization's log after the newest `skip`, newest first.
    pub async fn audit_page(
        &mut self,
        organization: OrganizationId,
        skip: u64,
        limit: u32,
    ) -> Result<AuditPage> {
        let total = self
            .first(
                "SELECT count(*) FROM audit_log WHERE organization_id = $1",
                &[organization.0.into()],
                |row| row.integer(0),
            )
            .await?;
        let entries = self
            .all(
                "SELECT code, message, origin, author, created_at, data FROM audit_log
                 WHERE organization_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3",
                &[
                    organization.0.into(),
                    i64::from(limit).into(),
                    i64::try_from(skip).unwrap_or(i64::MAX).into(),
                ],
                rows::audit_entry,
            )
            .await?;
        Ok(AuditPage { entries, total: total.and_then(|total| total.try_into().ok()).unwrap_or(0) })
    }
}

impl Transaction {
    /// Adds an entry to an organization's log, or to the log of what belongs to none.
    pub async fn record(
        &mut self,
        organization: Option<OrganizationId>,
        entry: &AuditEntry,
    ) -> Result<()> {
        let data =
            serde_json::to_string(&entry.data).map_err(|error| Error::Broken(error.to_string()))?;
        self.change(
            "INSERT INTO audit_log (organization_id, code, message, origin, author, created_at, data)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                organization.map(|organization| organization.0).into(),
                entry.code.as_str().into(),
                entry.message.as_str().into(),
                entry.origin.as_str().into(),
                entry.author.as_str().into(),
                entry.created_at.timestamp_millis().into(),
                data.as_str().into(),
            ],
        )
        .await
    }
}
