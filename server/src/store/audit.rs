//! The statements about the audit log: entries are added, read and verified, never changed. What an
//! entry says is decided in `service::audit`; what its hash covers is in [`chain`].

pub(super) mod chain;

pub use chain::{AuditFault, AuditHead, AuditReport, Chain, ChainHead};

use super::connection::{Statement, Value, sql};
use super::{Result, Snapshot, Transaction, rows};
use crate::caller::{OrganizationId, Origin, UserId};
use crate::name::{Name, Slug};
use crate::records::AuditLog;
use chain::{Hash, Walk};
use chrono::{DateTime, Utc};

/// How many entries [`Snapshot::verify_audit`] reads at once.
const PAGE: usize = 1_000;

/// How many entries one statement adds at most: as many as are added well within its time-out.
const BULK: usize = 100_000;

const INSERT: &str = "INSERT INTO audit_log (organization_id, user_id, origin, author, created_at,
     sequence, code, message, data, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// Adds the entries of a JSON array, each an array of its columns from `sequence` on.
const INSERT_MANY_SQLITE: &str = "INSERT INTO audit_log (organization_id, user_id, origin, author,
     created_at, sequence, code, message, data, hash)
     SELECT $1, $2, $3, $4, $5, value ->> 0, value ->> 1, value ->> 2, value ->> 3,
     unhex(value ->> 4) FROM json_each($6) ORDER BY key";

/// Adds the entries of four arrays, whose sequence starts after `$6`.
const INSERT_MANY_POSTGRES: &str =
    "INSERT INTO audit_log (organization_id, user_id, origin, author,
     created_at, sequence, code, message, data, hash)
     SELECT $1, $2, $3, $4, $5, $6 + key, code, message, data, hash
     FROM unnest($7::text[], $8::text[], $9::text[], $10::bytea[])
     WITH ORDINALITY AS e (code, message, data, hash, key) ORDER BY key";

/// Who makes a change, and when.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// The username, or `operator`.
    pub name: &'a str,
    /// Where the change came from.
    pub origin: Origin,
    /// When it is made.
    pub time: DateTime<Utc>,
}

/// What an entry says of a change.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// What happened, as a word.
    pub code: &'static str,
    /// What happened, as a sentence.
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
    /// Adds entries to the chain that ends with `head`, in this order. This transaction must have
    /// read `head` under its lock.
    pub fn record(&mut self, mut head: ChainHead, author: &Author<'_>, entries: Vec<NewEntry>) {
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            let start = head.entries;
            let links: Vec<_> = entries
                .by_ref()
                .take(BULK)
                .map(|entry| (head.append(author, &entry), entry))
                .collect();
            let statement = insert(head.chain, author, start, links, self.connection.is_postgres());
            self.execute(statement);
        }
        let (update, key) = match head.chain {
            Chain::Organization(id) => {
                ("UPDATE organizations SET entries = $1, hash = $2 WHERE id = $3", id.0)
            }
            Chain::User(id) => ("UPDATE users SET entries = $1, hash = $2 WHERE id = $3", id.0),
            Chain::Closed => ("UPDATE closed_chain SET entries = $1, hash = $2 WHERE id = $3", 0),
        };
        let parameters = [head.entries.into(), head.hash.as_slice().into(), key.into()];
        self.execute(sql(update, parameters));
    }
}

/// Returns the statement that adds entries with their hashes, whose sequence starts after `start`.
fn insert(
    chain: Chain,
    author: &Author<'_>,
    start: i64,
    links: Vec<(Hash, NewEntry)>,
    is_postgres: bool,
) -> Statement {
    let (organization, user) = chain.keys();
    let time = author.time.timestamp_millis();
    let mut parameters: Vec<Value> =
        vec![organization.into(), user.into(), author.origin.as_str().into()];
    parameters.extend([author.name.into(), time.into()]);
    if let [(hash, NewEntry { code, message, data })] = links.as_slice() {
        parameters.extend([(start + 1).into(), (*code).into()]);
        parameters.extend([message.as_str().into(), data.as_str().into(), hash.as_slice().into()]);
        return sql(INSERT, parameters);
    }
    if is_postgres {
        let (mut codes, mut messages, mut data, mut hashes) = (vec![], vec![], vec![], vec![]);
        for (hash, entry) in links {
            codes.push(entry.code.to_owned());
            messages.push(entry.message);
            data.push(entry.data);
            hashes.push(hash.to_vec());
        }
        parameters.extend([start.into(), Value::Texts(codes), Value::Texts(messages)]);
        parameters.extend([Value::Texts(data), Value::Blobs(hashes)]);
        return sql(INSERT_MANY_POSTGRES, parameters);
    }
    let rows: Vec<_> = (start + 1..)
        .zip(links)
        .map(|(sequence, (hash, NewEntry { code, message, data }))| {
            let hash = hash.iter().fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"));
            (sequence, code, message, data, hash)
        })
        .collect();
    let rows = serde_json::to_string(&rows).expect("numbers and text have a JSON form");
    parameters.push(Value::Text(rows));
    sql(INSERT_MANY_SQLITE, parameters)
}
