//! The statements about the audit log: entries are added, read and verified, never changed. What an
//! entry says is decided in `service::audit`; what its hash covers is in [`chain`].

pub(super) mod chain;

pub use chain::{AuditFault, AuditReport, ChainHead};

use super::connection::{Statement, Value, sql};
use super::{Result, Snapshot, Transaction, rows};
use crate::caller::{OrganizationId, Origin};
use crate::records::AuditLog;
use chain::{AnyChain, Chain, Hash, Walk};
use chrono::{DateTime, Utc};

/// How many entries [`Snapshot::verify_audit`] reads at once.
const PAGE: i64 = 1_000;

/// How many entries one statement adds at most: as many as are added well within its time-out.
const BULK: usize = 100_000;

const INSERT: &str = "INSERT INTO audit_log (organization_id, user_id, origin, author, created_at,
     sequence, code, message, data, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// Adds the entries of the JSON array `$6`, each an array of its columns from `sequence` on.
macro_rules! insert_many {
    ($entries:literal, $hash:literal) => {
        concat!(
            "INSERT INTO audit_log (organization_id, user_id, origin, author, created_at,
             sequence, code, message, data, hash)
             SELECT $1, $2, $3, $4, $5, CAST(value ->> 0 AS bigint), value ->> 1, value ->> 2,
             value ->> 3, ",
            $hash,
            " FROM ",
            $entries,
            " ORDER BY 6"
        )
    };
}

const INSERT_MANY_SQLITE: &str = insert_many!("json_each($6)", "unhex(value ->> 4)");

const INSERT_MANY_POSTGRES: &str =
    insert_many!("json_array_elements($6::text::json)", "decode(value ->> 4, 'hex')");

/// Who makes a change, and when.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// The username, or `operator`.
    pub name: &'a str,
    pub origin: Origin,
    pub time: DateTime<Utc>,
}

/// What an entry says of a change.
#[derive(Clone, Debug)]
pub struct NewEntry {
    pub code: &'static str,
    pub message: String,
    /// What was changed, as a JSON object.
    pub data: String,
}

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
        let mut last = Some(0);
        while let Some(after) = last {
            let statement = sql(
                "SELECT id, organization_id, user_id, sequence, code, message, origin, author,
                 created_at, data, hash FROM audit_log WHERE id > $1 ORDER BY id LIMIT $2",
                [after.into(), PAGE.into()],
            );
            let read = self.all(statement, |row| {
                rows::link(row).map(|(link, hash)| walk.step(&link, &hash)).and(row.integer(0))
            });
            last = read.await?.last().copied();
        }
        Ok(walk.end())
    }

    /// Returns the end of every chain, with its name.
    async fn heads(&mut self) -> Result<Vec<(AnyChain, ChainHead<String>)>> {
        let statement = sql(
            "SELECT 'closed', 0, '', entries, hash FROM closed_chain
             UNION ALL SELECT 'user', id, username, entries, hash FROM users
             UNION ALL SELECT 'organization', id, slug, entries, hash FROM organizations",
            [],
        );
        self.all(statement, rows::named_head).await
    }
}

impl Transaction {
    /// Adds entries to the chain that ends with `head`, in this order. This transaction must have
    /// read `head` under its lock.
    pub fn record(&mut self, mut head: ChainHead, author: &Author<'_>, entries: Vec<NewEntry>) {
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            let start = head.entries;
            let links = entries.by_ref().take(BULK);
            let links: Vec<_> = links.map(|entry| (head.append(author, &entry), entry)).collect();
            let statement = self.insert_entries(head.chain, author, start, &links);
            self.execute(statement);
        }
        let (update, key) = match head.chain {
            Chain::Organization(id) => {
                ("UPDATE organizations SET entries = $1, hash = $2 WHERE id = $3", id.0)
            }
            Chain::User(id) => ("UPDATE users SET entries = $1, hash = $2 WHERE id = $3", id.0),
        };
        let parameters = [head.entries.into(), head.hash.as_slice().into(), key.into()];
        self.execute(sql(update, parameters));
    }

    /// Returns the statement that adds entries with their hashes, whose sequence starts after
    /// `start`.
    fn insert_entries(
        &self,
        chain: Chain,
        author: &Author<'_>,
        start: i64,
        links: &[(Hash, NewEntry)],
    ) -> Statement {
        let (organization, user) = match chain {
            Chain::Organization(id) => (id.0.into(), Value::Null),
            Chain::User(id) => (Value::Null, id.0.into()),
        };
        let time = author.time.timestamp_millis();
        let mut parameters = vec![organization, user, author.origin.as_str().into()];
        parameters.extend([author.name.into(), time.into()]);
        if let [(hash, NewEntry { code, message, data })] = links {
            parameters.extend([(start + 1).into(), (*code).into()]);
            parameters.extend([message.as_str().into(), data.as_str().into()]);
            parameters.push(hash.as_slice().into());
            return sql(INSERT, parameters);
        }
        let rows = (start + 1..).zip(links).map(|(sequence, (hash, entry))| {
            let hash = hash.map(|byte| format!("{byte:02x}")).concat();
            (sequence, entry.code, &entry.message, &entry.data, hash)
        });
        let rows = serde_json::to_string(&rows.collect::<Vec<_>>());
        parameters.push(Value::Text(rows.expect("numbers and text have a JSON form")));
        let is_postgres = self.connection.is_postgres();
        sql(if is_postgres { INSERT_MANY_POSTGRES } else { INSERT_MANY_SQLITE }, parameters)
    }
}
