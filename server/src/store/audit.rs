//! The statements about the audit log: entries are added, read and verified, never changed. What an
//! entry says is decided in `service::audit`; what its hash covers is in [`chain`].

pub(super) mod chain;

pub use chain::{AuditFault, AuditHead, AuditReport, Chain, ChainHead};

use super::connection::{Statement, Value, sql};
use super::{Error, Result, Snapshot, Transaction, rows};
use crate::caller::{OrganizationId, UserId};
use crate::name::{Name, Slug};
use crate::records::AuditLog;
use chain::{Hash, Walk};
use serde_json::json;

/// How many entries [`Snapshot::verify_audit`] reads at once.
const PAGE: usize = 1_000;

/// How many entries one statement adds at most: as much as arrives well within its time-out.
const BULK: usize = 50_000;

const INSERT: &str = "INSERT INTO audit_log (organization_id, user_id, sequence, code, message,
     origin, author, created_at, data, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// Adds the entries of a JSON array, each an array of the columns from `sequence` on.
const INSERT_MANY_SQLITE: &str = "INSERT INTO audit_log (organization_id, user_id, sequence, code,
     message, origin, author, created_at, data, hash)
     SELECT $1, $2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
     value ->> 6, unhex(value ->> 7) FROM json_each($3) ORDER BY key";

const INSERT_MANY_POSTGRES: &str =
    "INSERT INTO audit_log (organization_id, user_id, sequence, code,
     message, origin, author, created_at, data, hash)
     SELECT $1, $2, (value ->> 0)::bigint, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
     (value ->> 5)::bigint, value ->> 6, decode(value ->> 7, 'hex')
     FROM json_array_elements($3::text::json) WITH ORDINALITY AS e (value, key) ORDER BY key";

impl Snapshot {
    /// Returns at most `limit` entries of an organization's log, newest first, from the one with
    /// number `last` on.
    pub async fn audit_page(
        &mut self,
        organization: OrganizationId,
        last: i64,
        limit: u32,
    ) -> Result<Vec<AuditLog>> {
        let statement = sql(
            "SELECT code, message, origin, author, created_at, data FROM audit_log
             WHERE organization_id = $1 AND sequence <= $2 ORDER BY sequence DESC LIMIT $3",
            [organization.0.into(), last.into(), i64::from(limit).into()],
        );
        self.all(statement, rows::audit_log).await
    }

    /// Compares every entry with the chain that it belongs to.
    pub async fn verify_audit(&mut self) -> Result<AuditReport> {
        let mut walk = Walk::new(self.heads().await?);
        let mut after = 0;
        loop {
            let statement = sql(
                "SELECT id, organization_id, user_id, sequence, code, message, origin, author,
                 created_at, data, hash FROM audit_log WHERE id > $1 ORDER BY id LIMIT $2",
                [after.into(), i64::try_from(PAGE).unwrap_or(i64::MAX).into()],
            );
            let read = self.all(statement, |row| {
                rows::link(row).map(|(link, hash)| walk.step(&link, &hash)).and(row.integer(0))
            });
            match read.await?.last() {
                None => break,
                Some(last) => after = *last,
            }
        }
        Ok(walk.end())
    }

    /// Returns the end of every chain with its name: the closed one, then users, then
    /// organizations.
    async fn heads(&mut self) -> Result<Vec<(String, ChainHead)>> {
        let closed = sql("SELECT entries, hash FROM closed_chain", []);
        let mut heads = self
            .all(closed, |row| Ok((Chain::Closed.to_string(), rows::head(row, 0, Chain::Closed)?)))
            .await?;
        let users = sql("SELECT entries, hash, id, username FROM users ORDER BY id", []);
        let users = self.all(users, |row| {
            let chain = Chain::User(UserId(row.integer(2)?));
            let name: Name = rows::parse_text(row, 3)?;
            Ok((format!("user {name}"), rows::head(row, 0, chain)?))
        });
        heads.extend(users.await?);
        let organizations =
            sql("SELECT entries, hash, id, slug FROM organizations ORDER BY id", []);
        let organizations = self.all(organizations, |row| {
            let chain = Chain::Organization(OrganizationId(row.integer(2)?));
            let slug: Slug = rows::parse_text(row, 3)?;
            Ok((format!("organization {slug}"), rows::head(row, 0, chain)?))
        });
        heads.extend(organizations.await?);
        Ok(heads)
    }
}

impl Transaction {
    /// Adds entries to a chain, in this order. `head` must be what this transaction read under its
    /// lock; it is moved to the new end.
    ///
    /// # Errors
    /// [`Error::Broken`] if an entry has no JSON form.
    pub fn record(&mut self, head: &mut ChainHead, entries: &[AuditLog]) -> Result<()> {
        let mut links = Vec::with_capacity(entries.len());
        for entry in entries {
            let data = serde_json::to_string(&entry.data);
            let data = data.map_err(|error| Error::Broken(format!("no JSON form: {error}")))?;
            let hash = head.append(entry, &data);
            links.push((head.entries, entry, data, hash));
        }
        let (organization, user) = head.chain.keys();
        let owner = [Value::from(organization), Value::from(user)];
        if let [(sequence, entry, data, hash)] = links.as_slice() {
            self.execute(insert(owner, *sequence, entry, data, hash));
        } else {
            for links in links.chunks(BULK) {
                self.execute(self.insert_many(owner.clone(), links));
            }
        }
        let (update, key) = match head.chain {
            Chain::Organization(id) => {
                ("UPDATE organizations SET entries = $1, hash = $2 WHERE id = $3", id.0)
            }
            Chain::User(id) => ("UPDATE users SET entries = $1, hash = $2 WHERE id = $3", id.0),
            Chain::Closed => return Err(Error::Broken("the chain is closed".to_owned())),
        };
        let parameters = [head.entries.into(), head.hash.as_slice().into(), key.into()];
        self.execute(sql(update, parameters));
        Ok(())
    }

    fn insert_many(
        &self,
        [organization, user]: [Value; 2],
        links: &[(i64, &AuditLog, String, Hash)],
    ) -> Statement {
        let row = |(sequence, entry, data, hash): &(i64, &AuditLog, String, Hash)| {
            let time = entry.created_at.timestamp_millis();
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            let (code, message, author) = (&entry.code, &entry.message, &entry.author);
            json!([sequence, code, message, entry.origin, author, time, data, hash])
        };
        let rows: serde_json::Value = links.iter().map(row).collect();
        let is_postgres = self.connection.is_postgres();
        let statement = if is_postgres { INSERT_MANY_POSTGRES } else { INSERT_MANY_SQLITE };
        sql(statement, [organization, user, Value::Text(rows.to_string())])
    }
}

fn insert(
    [organization, user]: [Value; 2],
    sequence: i64,
    entry: &AuditLog,
    data: &str,
    hash: &Hash,
) -> Statement {
    sql(
        INSERT,
        [
            organization,
            user,
            sequence.into(),
            entry.code.as_str().into(),
            entry.message.as_str().into(),
            entry.origin.as_str().into(),
            entry.author.as_str().into(),
            entry.created_at.timestamp_millis().into(),
            data.into(),
            hash.as_slice().into(),
        ],
    )
}
