//! The statements about the audit log: they add, read and verify entries, and never change them.
//! `service::audit` writes the texts of entries. [`chain`] has their hashes.

pub(super) mod chain;
mod verifier;

pub use chain::{ChainHead, NamedHead};
pub use verifier::AuditReport;

use super::access::{Access, page_with_access};
use super::access_cache::Invalidation;
use super::statement::{Row, Statement, Value, hex, sql};
use super::{Result, Snapshot, Store, Transaction, View, rows};
use crate::caller::{Credential, Origin};
use crate::name::Slug;
use crate::records::AuditLog;
use chain::{AnyChain, Chain, Hash};
use std::cmp::Reverse;
use verifier::Verifier;

/// How many entries each statement of [`Store::verify_audit`] reads.
const PAGE: i64 = 1_000;

/// The maximum number of entries that one statement adds, well within its timeout.
const BULK: usize = 100_000;

const INSERT: &str = "INSERT INTO audit_log (organization_id, user_id, origin, author, created_at,
     sequence, code, message, data, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// Adds the entries of a JSON array, each an array of its columns from `sequence` on.
const INSERT_MANY_SQLITE: &str = "INSERT INTO audit_log (organization_id, user_id, origin, author,
     created_at, sequence, code, message, data, hash)
     SELECT $1, $2, $3, $4, $5, value ->> 0, value ->> 1, value ->> 2, value ->> 3,
     unhex(value ->> 4) FROM json_each($6) ORDER BY key";

/// Adds the entries of four arrays, numbered from `$6` + 1. PostgreSQL reads JSON three times
/// slower.
const INSERT_MANY_POSTGRES: &str =
    "INSERT INTO audit_log (organization_id, user_id, origin, author,
     created_at, sequence, code, message, data, hash)
     SELECT $1, $2, $3, $4, $5, $6 + key, code, message, data, hash
     FROM unnest($7::text[], $8::text[], $9::text[], $10::bytea[])
     WITH ORDINALITY AS e (code, message, data, hash, key) ORDER BY key";

const PAGE_OF_LOG: &str = page_with_access!(
    "NULL, NULL, NULL, NULL, NULL, NULL, NULL",
    "* FROM (SELECT code, message, origin, author, created_at, data, sequence FROM audit_log
     WHERE organization_id = (SELECT organization_id FROM c)
     AND sequence <= coalesce($3, (SELECT log_entries FROM c)) - $4
     ORDER BY sequence DESC LIMIT $5) AS p"
);

/// The position of a part of an audit page.
#[derive(Clone, Copy, Debug)]
pub struct AuditPosition {
    /// The number of entries in the log when the first part was read; `None` for the first part.
    pub total: Option<i64>,
    /// The number of newer entries before this part.
    pub skipped: i64,
}

/// The author of a change.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// The username, or `operator`.
    pub name: &'a str,
    pub origin: Origin,
}

/// The description of a change in its entry.
#[derive(Clone, Debug)]
pub struct NewEntry {
    pub code: &'static str,
    pub message: String,
    /// Details of the change, as a JSON object.
    pub data: String,
}

impl Store {
    /// Verifies all chains, and compares them with `kept`: heads that they had earlier.
    pub async fn verify_audit(&self, kept: &[NamedHead]) -> Result<AuditReport> {
        let mut view = self.read(View::Snapshot).await?;
        let mut verifier = Verifier::new(view.heads().await?);
        verifier.compare_with(kept);
        let mut last = Some(0);
        while let Some(after) = last {
            let text =
                "SELECT id, organization_id, user_id, sequence, code, message, origin, author,
                 created_at, data, hash FROM audit_log WHERE id > $1 ORDER BY id LIMIT $2";
            let read = view.all(sql!(text, after, PAGE), |row| {
                let (entry, hash) = rows::chain_entry(row)?;
                verifier.check(&entry, &hash);
                row.get(0)
            });
            last = read.await?.last().copied();
        }
        Ok(verifier.finish())
    }

    /// Returns the head of every chain that has entries, with the name of the chain.
    pub async fn audit_heads(&self) -> Result<Vec<NamedHead>> {
        let heads = self.read(View::Statement).await?.heads().await?;
        let heads = heads.into_iter().map(|(_, head)| head);
        Ok(heads.filter(|head| head.entries > 0).collect())
    }
}

impl Snapshot {
    /// Returns the caller and at most `limit` entries of an organization's log, newest first.
    pub async fn audit_page(
        &mut self,
        credential: &Credential,
        slug: &Slug,
        AuditPosition { total, skipped }: AuditPosition,
        limit: i64,
    ) -> Result<(Access, Vec<AuditLog>)> {
        let statement = sql!(PAGE_OF_LOG, &credential.digest, slug, total, skipped, limit);
        let read = |row: &dyn Row, from| Ok((row.get(from + 6)?, rows::audit_log(row, from)?));
        let listed = self.access_with_page(credential, Some(slug), statement, read);
        let (access, mut entries): (_, Vec<(i64, _)>) = listed.await?;
        entries.sort_unstable_by_key(|(sequence, _)| Reverse(*sequence));
        Ok((access, entries.into_iter().map(|(_, entry)| entry).collect()))
    }

    async fn heads(&mut self) -> Result<Vec<(AnyChain, NamedHead)>> {
        let text = "SELECT 'closed', 0, '', entries, hash FROM closed_chain
             UNION ALL SELECT 'user', id, username, entries, hash FROM users
             UNION ALL SELECT 'organization', id, slug, entries, hash FROM organizations";
        self.all(sql!(text), rows::named_head).await
    }
}

impl Transaction {
    /// Adds entries to the chain of `head`. The transaction must have read `head` under its lock.
    pub fn record(&mut self, mut head: ChainHead, author: &Author<'_>, entries: Vec<NewEntry>) {
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            let before = head.clone();
            let links = entries.by_ref().take(BULK);
            let links: Vec<_> = links.map(|entry| (head.append(author, &entry), entry)).collect();
            let statement = self.insert_entries(&before, author, links);
            self.execute(statement.invalidating(Invalidation::Nothing));
        }
        let (update, key) = match head.chain {
            Chain::Organization(id) => {
                ("UPDATE organizations SET entries = $1, hash = $2 WHERE id = $3", id.0)
            }
            Chain::User(id) => ("UPDATE users SET entries = $1, hash = $2 WHERE id = $3", id.0),
        };
        let update = sql!(update, head.entries, head.hash.as_slice(), key);
        self.execute(update.invalidating(head.invalidation()));
    }

    /// Returns the statement that adds entries after `head`.
    fn insert_entries(
        &self,
        head: &ChainHead,
        author: &Author<'_>,
        links: Vec<(Hash, NewEntry)>,
    ) -> Statement {
        let ChainHead { chain, time, entries: start, .. } = *head;
        let (organization, user) = match chain {
            Chain::Organization(id) => (id.into(), Value::Null),
            Chain::User(id) => (Value::Null, id.into()),
        };
        let mut parameters = vec![organization, user, author.origin.into_str().into()];
        parameters.extend([author.name.into(), time.into()]);
        if let [(hash, NewEntry { code, message, data })] = &links[..] {
            parameters.extend([(start + 1).into(), (*code).into(), message.into(), data.into()]);
            parameters.push(hash.as_slice().into());
            return Statement::new(INSERT, parameters);
        }
        if self.connection.is_postgres() {
            let columns = links.into_iter().map(|(hash, NewEntry { code, message, data })| {
                ((code.to_owned(), message), (data, hash))
            });
            let ((codes, messages), (data, hashes)) = columns.unzip();
            parameters.extend([start.into(), Value::Texts(codes), Value::Texts(messages)]);
            parameters.extend([Value::Texts(data), Value::Hashes(hashes)]);
            return Statement::new(INSERT_MANY_POSTGRES, parameters);
        }
        let rows = (start + 1..).zip(&links).map(|(sequence, (hash, entry))| {
            (sequence, entry.code, &entry.message, &entry.data, hex(hash))
        });
        let rows = serde_json::to_string(&rows.collect::<Vec<_>>());
        parameters.push(Value::Text(rows.expect("numbers and text have a JSON form")));
        Statement::new(INSERT_MANY_SQLITE, parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sqlite::plan;
    use super::*;

    #[test]
    fn a_page_of_the_log_is_a_range_of_an_index() {
        let plan = plan(&sql!(PAGE_OF_LOG, Value::Null, Value::Null, Value::Null, 0_i64, 1_i64));
        let range = "audit_log_by_organization (organization_id=? AND sequence<?)";
        assert!(plan.contains(range), "{plan}");
    }
}
