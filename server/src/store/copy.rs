//! Copies one database to another, on any backend: it moves a service from SQLite to PostgreSQL and
//! back. The source is only read. One transaction fills the target.

use super::statement::{Row, Statement, Value, sql};
use super::{Purpose, Result, Snapshot, Store, Transaction, View, WriteLock, broken};

/// How many rows are copied at once.
const PAGE: i64 = 1_000;
/// How many rows one statement inserts: SQLite is slow with thousands of parameters.
const CHUNK: usize = 50;

/// The progress of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyProgress {
    /// The table that is being copied.
    pub table: &'static str,
    /// How many rows of all tables are copied.
    pub rows: i64,
    /// How many rows all tables of the source have.
    pub of: i64,
}

/// Copies all rows, compares the counts of all tables, and commits. Reports its progress, and
/// returns how many rows each table has. The timeouts of requests do not apply.
///
/// # Errors
/// [`super::Error::Broken`] if the target is not empty or the counts differ. It is unchanged.
pub async fn copy(
    from: &Store,
    to: &Store,
    mut progress: impl FnMut(CopyProgress),
) -> Result<Vec<(&'static str, i64)>> {
    let (mut source, mut target) =
        (from.read(View::Snapshot).await?, to.write(&WriteLock::None, Purpose::Change).await?);
    source.set_timeouts(None);
    target.set_timeouts(None);
    target.lock_database();
    let mut counts = Vec::new();
    for (table, ..) in TABLES {
        if count(&mut target, table).await? != 0 {
            let found = format!("the target is not empty, its table {table} has rows");
            return Err(broken(format!("{found}: name an empty database")));
        }
        counts.push((table, count(&mut source, table).await?));
    }
    let (mut rows, of) = (0, counts.iter().map(|(_, count)| count).sum());
    for (columns, (table, expected)) in TABLES.into_iter().zip(&counts) {
        let mut advance = |count| {
            rows += count;
            progress(CopyProgress { table, rows, of });
        };
        copy_table(&mut source, &mut target, columns, &mut advance).await?;
        let arrived = count(&mut target, table).await?;
        if arrived != *expected {
            let lost = format!("{arrived} of {expected} rows of {table}");
            return Err(broken(format!("{lost} arrived, so the copy was rolled back: copy again")));
        }
    }
    target.commit().await?;
    Ok(counts)
}

/// A table: its name, its primary key, and the other columns.
type Table = (&'static str, &'static str, &'static str);

/// Every table, each after the tables that it refers to.
const TABLES: [Table; 10] = [
    ("users", "id", "username, email, disabled, entries, hash"),
    (
        "organizations",
        "id",
        "slug, entries, hash, default_expiration, maximum_expiration, allow_unrestricted",
    ),
    ("members", "organization_id, username", "user_id, role"),
    ("organization_groups", "uuid", "organization_id, name, location, version"),
    (
        "tokens",
        "position",
        "id, digest, name, user_id, organization_id, group_uuid, scopes, created_at, \
         expires_at, allowed_ips, last_used_at, last_used_ip, rotated_at, previous_digest, \
         previous_expires_at",
    ),
    ("retired_secrets", "digest", "position, is_reused"),
    (
        "audit_log",
        "id",
        "organization_id, user_id, sequence, code, message, origin, author, created_at, data, hash",
    ),
    ("closed_chain", "id", "entries, hash"),
    ("webhooks", "name", "position, announced_at"),
    (
        "webhook_deliveries",
        "position",
        "id, webhook, place, code, body, queued_at, next_at, attempts, failure, set_aside_at",
    ),
];

/// Copies a table page by page, and reports how many rows each page has.
async fn copy_table(
    source: &mut Snapshot,
    target: &mut Transaction,
    (name, key, others): Table,
    advance: &mut impl FnMut(i64),
) -> Result<()> {
    let columns = format!("{key}, {others}");
    let width = columns.split(", ").count();
    let values = |row: &dyn Row| (0..width).map(|index| Ok(row.column(index)?.into())).collect();
    let mut after = Vec::new();
    loop {
        let range = match after.len() {
            0 => String::new(),
            keys => format!("WHERE ({key}) > {}", placeholders(1, keys)),
        };
        let page = format!("SELECT {columns} FROM {name} {range} ORDER BY {key} LIMIT {PAGE}");
        let page: Vec<Vec<Value>> = source.all(Statement::new(page, after), values).await?;
        let Some(last) = page.last() else { break };
        after = last[..key.split(", ").count()].to_vec();
        for rows in page.chunks(CHUNK) {
            let values = placeholders(rows.len(), width);
            let insert = format!("INSERT INTO {name} ({columns}) VALUES {values}");
            target.execute(Statement::new(insert, rows.concat()));
        }
        target.flush().await?;
        advance(page.len().try_into().unwrap_or(PAGE));
    }
    if target.connection.is_postgres() {
        optimize(target, name, key).await?;
    }
    Ok(())
}

/// Updates the statistics of PostgreSQL, and lets new ids start after the copied ones.
async fn optimize(target: &mut Transaction, name: &str, key: &str) -> Result<()> {
    target.execute(sql!(format!("ANALYZE {name}")));
    if let "id" | "position" = key {
        let reset = format!(
            "SELECT setval(pg_get_serial_sequence('{name}', '{key}'), max({key})) FROM {name} \
             HAVING max({key}) > 0"
        );
        target.execute(sql!(reset));
    }
    target.flush().await
}

async fn count(view: &mut Snapshot, table: &str) -> Result<i64> {
    let counted = sql!(format!("SELECT count(*) FROM {table}"));
    let counted = view.first(counted, |row| row.get(0)).await?;
    counted.ok_or_else(|| broken("a count returned no row"))
}

/// Returns the placeholders of rows of this width: `($1, $2), ($3, $4)`.
fn placeholders(rows: usize, width: usize) -> String {
    let row = |row| {
        let numbers = row * width + 1..=(row + 1) * width;
        format!("({})", numbers.map(|number| format!("${number}")).collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
