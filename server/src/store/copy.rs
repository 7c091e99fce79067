//! Copies one database into another, on either backend: it moves a service from one machine to
//! several, and back. The source is only read. The target is filled in one transaction.

use super::connection::{Row, Value, sql};
use super::{Purpose, Result, Snapshot, Store, Transaction, Turn, View, broken};

/// How many rows are copied at once.
const PAGE: i64 = 1_000;

/// The progress of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// How many rows the target has.
    pub rows: i64,
    /// How many rows the source has.
    pub of: i64,
}

/// Copies everything, compares the counts of all tables, and commits. It reports its progress, and
/// returns the counts.
///
/// # Errors
/// [`super::Error::Broken`] if the target is not empty or the counts differ; the target is unchanged.
pub async fn copy(
    from: &Store,
    to: &Store,
    mut progress: impl FnMut(Copied),
) -> Result<Vec<Copied>> {
    let (mut source, mut target) =
        (from.read(View::Snapshot).await?, to.write(&Turn::Free, Purpose::Change).await?);
    target.lock_database();
    for (name, ..) in TABLES {
        let rows = count(&mut target, name).await?;
        if rows != 0 {
            let found = format!("the target is not empty, its table {name} has {rows} rows");
            return Err(broken(format!("{found}: name a database that `init` has not filled")));
        }
    }
    let mut copied = Vec::new();
    for table in TABLES {
        copied.push(copy_table(&mut source, &mut target, table, &mut progress).await?);
    }
    if let Some(Copied { table, rows, of }) = copied.iter().find(|table| table.rows != table.of) {
        let lost = format!("{rows} of {of} rows of {table} arrived");
        return Err(broken(format!("{lost}, so nothing was kept: copy again")));
    }
    target.commit().await?;
    Ok(copied)
}

/// A table: its name, the columns that identify a row, and the others.
type Table = (&'static str, &'static str, &'static str);

/// Every table, each after those that it refers to.
const TABLES: [Table; 7] = [
    ("users", "id", "username, email, disabled, entries, hash"),
    ("organizations", "id", "slug, entries, hash"),
    ("members", "organization_id, username", "user_id, role"),
    ("organization_groups", "uuid", "organization_id, name, location, version"),
    (
        "tokens",
        "position",
        "id, digest, name, user_id, organization_id, group_uuid, scopes, created_at, expires_at",
    ),
    (
        "audit_log",
        "id",
        "organization_id, user_id, sequence, code, message, origin, author, created_at, data, hash",
    ),
    ("closed_chain", "id", "entries, hash"),
];

/// Copies a table page by page, and counts what has arrived.
async fn copy_table(
    source: &mut Snapshot,
    target: &mut Transaction,
    (name, key, others): Table,
    progress: &mut impl FnMut(Copied),
) -> Result<Copied> {
    let columns = format!("{key}, {others}");
    let width = columns.split(", ").count();
    let insert = format!("INSERT INTO {name} ({columns}) VALUES ({})", placeholders(width));
    let values = |row: &dyn Row| (0..width).map(|index| Ok(row.column(index)?.into())).collect();
    let mut copied = Copied { table: name, rows: 0, of: count(source, name).await? };
    let mut after = Vec::new();
    loop {
        let range = match after.len() {
            0 => String::new(),
            keys => format!("WHERE ({key}) > ({})", placeholders(keys)),
        };
        let page = format!("SELECT {columns} FROM {name} {range} ORDER BY {key} LIMIT {PAGE}");
        let page: Vec<Vec<Value>> = source.all(sql(page, after), values).await?;
        let Some(last) = page.last() else { break };
        after = last[..key.split(", ").count()].to_vec();
        for row in page {
            target.execute(sql(insert.clone(), row));
            copied.rows += 1;
        }
        target.flush().await?;
        progress(copied);
    }
    if target.connection.is_postgres() {
        optimize(target, name, key).await?;
    }
    copied.rows = count(target, name).await?;
    Ok(copied)
}

/// Tells PostgreSQL how many rows there are, and makes new ids start after theirs.
async fn optimize(target: &mut Transaction, name: &str, key: &str) -> Result<()> {
    target.execute(sql(format!("ANALYZE {name}"), []));
    if let "id" | "position" = key {
        let reset = format!(
            "SELECT setval(pg_get_serial_sequence('{name}', '{key}'), max({key})) FROM {name} \
             HAVING max({key}) > 0"
        );
        target.execute(sql(reset, []));
    }
    target.flush().await
}

async fn count(view: &mut Snapshot, table: &str) -> Result<i64> {
    let counted = sql(format!("SELECT count(*) FROM {table}"), []);
    let counted = view.first(counted, |row| row.integer(0)).await?;
    counted.ok_or_else(|| broken("a count returned no row"))
}

fn placeholders(count: usize) -> String {
    (1..=count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}
