//! The audit log: entries are added, read and held against their chains, never
//! changed. What an entry says is the service's business, and what a link
//! covers is in `chain`.

pub(super) mod chain;

pub use chain::{AuditFault, AuditHead, AuditReport};

use super::{AuditEntry, AuditPage, Error, Result, Snapshot, Transaction, rows};
use crate::access::OrganizationId;
use chain::{Hash, Link, NO_ORGANIZATION, START, Walk};

/// How many entries are read at once when all are.
const PAGE: usize = 1_000;

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
                 WHERE organization_id = $1 ORDER BY sequence DESC LIMIT $2 OFFSET $3",
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

    /// Holds every entry against the chain that it belongs to.
    pub async fn verify_audit(&mut self) -> Result<AuditReport> {
        let organizations = self
            .all("SELECT id, slug FROM organizations ORDER BY id", &[], |row| {
                rows::organization(row, 0)
            })
            .await?;
        let mut walk = Walk::new(organizations);
        let mut after = 0;
        loop {
            let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let ids = self
                .all(
                    "SELECT id, organization_id, sequence, code, message, origin, author, created_at, data, hash
                     FROM audit_log WHERE id > $1 ORDER BY id LIMIT $2",
                    &[after.into(), limit.into()],
                    |row| rows::link(row).map(|(link, hash)| walk.step(&link, &hash)).and(row.integer(0)),
                )
                .await?;
            match ids.last() {
                Some(last) if ids.len() == PAGE => after = *last,
                _ => break,
            }
        }
        let heads = self
            .all(
                "SELECT organization_id, entries, hash FROM chain_heads ORDER BY organization_id",
                &[],
                |row| Ok((row.integer(0)?, row.integer(1)?, rows::hash(row, 2)?)),
            )
            .await?;
        Ok(walk.end(&heads))
    }
}

impl Transaction {
    /// Adds an entry to an organization's log, or to the log of what belongs to none, and to its
    /// chain.
    pub async fn record(
        &mut self,
        organization: Option<OrganizationId>,
        entry: &AuditEntry,
    ) -> Result<()> {
        let data = serde_json::to_string(&entry.data)
            .map_err(|error| Error::Broken(format!("an audit entry has no JSON form: {error}")))?;
        let chain = organization.map_or(NO_ORGANIZATION, |organization| organization.0);
        // From here on whoever else adds to the chain waits for this transaction.
        let (sequence, before) = self
            .insert(
                "INSERT INTO chain_heads (organization_id, entries, hash) VALUES ($1, 1, $2)
                 ON CONFLICT (organization_id) DO UPDATE SET entries = chain_heads.entries + 1
                 RETURNING entries, hash",
                &[chain.into(), START.as_slice().into()],
                |row| Ok((row.integer(0)?, rows::hash(row, 1)?)),
            )
            .await?;
        let link = Link {
            organization: chain,
            sequence,
            code: &entry.code,
            message: &entry.message,
            origin: entry.origin.as_str(),
            author: &entry.author,
            created_at: entry.created_at.timestamp_millis(),
            data: &data,
        };
        let hash = link.hash(&before);
        self.insert_entry(organization, &link, &hash).await?;
        self.change(
            "UPDATE chain_heads SET hash = $1 WHERE organization_id = $2",
            &[hash.as_slice().into(), chain.into()],
        )
        .await
    }

    async fn insert_entry(
        &mut self,
        organization: Option<OrganizationId>,
        link: &Link<'_>,
        hash: &Hash,
    ) -> Result<()> {
        self.change(
            "INSERT INTO audit_log
             (organization_id, sequence, code, message, origin, author, created_at, data, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &[
                organization.map(|organization| organization.0).into(),
                link.sequence.into(),
                link.code.into(),
                link.message.into(),
                link.origin.into(),
                link.author.into(),
                link.created_at.into(),
                link.data.into(),
                hash.as_slice().into(),
            ],
        )
        .await
    }
}
