//! Copies one database into another, on either backend: it moves a service from one machine to
//! several, and back. The source is only read. The target is filled in one transaction.

use super::connection::{Connection, Row, Value, sql};
use super::{Error, Purpose, Result, Snapshot, Store, Transaction, Turn, View};

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
/// [`Error::Broken`] if the target is not empty or the counts differ; the target is unchanged.
pub async fn copy(
    from: &Store,
    to: &Store,
    mut progress: impl FnMut(Copied),
) -> Result<Vec<Copied>> {
    let (mut source, mut target) =
        (from.read(View::Snapshot).await?, to.write(&Turn::Free, Purpose::Change).await?);
    target.lock_database();
    for table in &TABLES {
        require_empty(&mut target, table).await?;
    }
    let mut copied = Vec::new();
    for table in &TABLES {
        copy_table(&mut source, &mut target, table, &mut progress).await?;
        copied.push(verified(&mut source, &mut target, table).await?);
    }
    if let Connection::Session(session) = &mut target.connection {
        session.reset_sequences().await?;
    }
    target.commit().await?;
    Ok(copied)
}

async fn require_empty(target: &mut Transaction, table: &Table) -> Result<()> {
    match count(target, table).await? {
        0 => Ok(()),
        rows => Err(Error::Broken(format!(
            "the target is not empty, its table {} has {rows} rows: name a new database, not one \
             that `init` filled",
            table.name
        ))),
    }
}

async fn copy_table(
    source: &mut Snapshot,
    target: &mut Transaction,
    table: &Table,
    progress: &mut impl FnMut(Copied),
) -> Result<()> {
    let of = count(source, table).await?;
    let (mut rows, mut after) = (0, table.start());
    loop {
        let page = table.page(source, &after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last[..table.key].to_vec();
        rows += i64::try_from(page.len()).unwrap_or(PAGE);
        for row in page {
            target.execute(sql(table.insert, row));
        }
        target.flush().await?;
        progress(Copied { table: table.name, rows, of });
    }
}

async fn verified(
    source: &mut Snapshot,
    target: &mut Transaction,
    table: &Table,
) -> Result<Copied> {
    let (of, rows) = (count(source, table).await?, count(target, table).await?);
    if rows == of {
        return Ok(Copied { table: table.name, rows, of });
    }
    Err(Error::Broken(format!(
        "{} of {of} rows of {} arrived, so nothing was kept: copy again",
        rows, table.name
    )))
}

async fn count(view: &mut Snapshot, table: &Table) -> Result<i64> {
    let counted = view.first(sql(table.count, []), |row| row.integer(0)).await?;
    counted.ok_or_else(|| Error::Broken("a count returned no row".to_owned()))
}

/// A table: its columns, of which the first `key` identify a row, and its statements.
struct Table {
    name: &'static str,
    key: usize,
    columns: &'static [Kind],
    count: &'static str,
    page: &'static str,
    insert: &'static str,
}

#[derive(Clone, Copy)]
enum Kind {
    Integer,
    Text,
    Bytes,
}

fn read(row: &dyn Row, column: usize, kind: Kind) -> Result<Value> {
    Ok(match kind {
        _ if row.is_null(column) => Value::Null,
        Kind::Integer => Value::Integer(row.integer(column)?),
        Kind::Text => row.text(column)?.into(),
        Kind::Bytes => row.bytes(column)?.into(),
    })
}

impl Table {
    /// Returns values before the key of every row.
    fn start(&self) -> Vec<Value> {
        let smallest = |kind: &Kind| match kind {
            Kind::Integer => Value::Integer(i64::MIN),
            Kind::Text => Value::Text(String::new()),
            Kind::Bytes => Value::Bytes(Vec::new()),
        };
        self.columns.iter().take(self.key).map(smallest).collect()
    }

    async fn page(&self, source: &mut Snapshot, after: &[Value]) -> Result<Vec<Vec<Value>>> {
        let mut parameters = after.to_vec();
        parameters.push(PAGE.into());
        let read_row = |row: &dyn Row| {
            let columns = self.columns.iter().enumerate();
            columns.map(|(column, kind)| read(row, column, *kind)).collect()
        };
        source.all(sql(self.page, parameters), read_row).await
    }
}

macro_rules! table {
    ($name:literal, $key:literal, $columns:literal, [$($kind:ident)*], $after:literal, $values:literal) => {
        Table {
            name: $name,
            key: $key,
            columns: &[$(Kind::$kind),*],
            count: concat!("SELECT count(*) FROM ", $name),
            page: concat!("SELECT ", $columns, " FROM ", $name, " WHERE ", $after),
            insert: concat!("INSERT INTO ", $name, " (", $columns, ") VALUES (", $values, ")"),
        }
    };
}

/// Every table, each after those that it refers to.
const TABLES: [Table; 7] = [
    table!(
        "users",
        1,
        "id, username, email, disabled, entries, hash",
        [Integer Text Text Integer Integer Bytes],
        "id > $1 ORDER BY id LIMIT $2",
        "$1, $2, $3, $4, $5, $6"
    ),
    table!(
        "organizations",
        1,
        "id, slug, entries, hash",
        [Integer Text Integer Bytes],
        "id > $1 ORDER BY id LIMIT $2",
        "$1, $2, $3, $4"
    ),
    table!(
        "members",
        2,
        "organization_id, username, user_id, role",
        [Integer Text Integer Text],
        "(organization_id, username) > ($1, $2) ORDER BY organization_id, username LIMIT $3",
        "$1, $2, $3, $4"
    ),
    table!(
        "organization_groups",
        1,
        "uuid, organization_id, name, location, version",
        [Bytes Integer Text Text Text],
        "uuid > $1 ORDER BY uuid LIMIT $2",
        "$1, $2, $3, $4, $5"
    ),
    table!(
        "tokens",
        1,
        "position, id, digest, name, user_id, organization_id, group_uuid, scopes, created_at, expires_at",
        [Integer Bytes Bytes Text Integer Integer Bytes Integer Integer Integer],
        "position > $1 ORDER BY position LIMIT $2",
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10"
    ),
    table!(
        "audit_log",
        1,
        "id, organization_id, user_id, sequence, code, message, origin, author, created_at, data, hash",
        [Integer Integer Integer Integer Text Text Text Text Integer Text Bytes],
        "id > $1 ORDER BY id LIMIT $2",
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11"
    ),
    table!(
        "closed_chain",
        1,
        "id, entries, hash",
        [Integer Integer Bytes],
        "id > $1 ORDER BY id LIMIT $2",
        "$1, $2, $3"
    ),
];
