//! Everything of one database into another, whatever backend each has: what moves a
//! service from one machine to several, and back.
//!
//! The source is only read. The target is filled in one transaction, or not at all.

use super::connection::{Row, Value};
use super::{Error, Result, Snapshot, Store, Transaction};

/// How many rows are under way at once.
const PAGE: i64 = 1_000;

/// How far a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// How many of its rows the target has.
    pub rows: i64,
    /// How many the source has.
    pub of: i64,
}

/// Copies everything, and counts every table on both sides before it commits. It says how far it
/// is as it goes, and in the end of all tables.
///
/// # Errors
/// [`Error::Broken`] where the target is not empty, or the counts differ; it is unchanged.
pub async fn copy(
    from: &Store,
    to: &Store,
    mut progress: impl FnMut(Copied),
) -> Result<Vec<Copied>> {
    let (mut source, mut target) = (from.read().await?, to.write().await?);
    target.lock_database().await?;
    for table in &TABLES {
        require_empty(&mut target, table).await?;
    }
    let mut copied = Vec::new();
    for table in &TABLES {
        copy_table(&mut source, &mut target, table, &mut progress).await?;
        copied.push(verified(&mut source, &mut target, table).await?);
    }
    target.connection.settle().await?;
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
        let bound: Vec<Vec<Value<'_>>> =
            page.iter().map(|row| row.iter().map(Kept::bound).collect()).collect();
        target.connection.repeat(table.insert, &bound).await?;
        rows += i64::try_from(page.len()).unwrap_or(PAGE);
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
    let counted = view.first(table.count, &[], |row| row.integer(0)).await?;
    counted.ok_or_else(|| Error::Broken("a count answered no row".to_owned()))
}

/// A table: its columns, of which the first `key` tell its rows apart, and its statements.
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

/// A value that outlives its row.
#[derive(Clone)]
enum Kept {
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
    Null,
}

impl Kept {
    fn read(row: &dyn Row, column: usize, kind: Kind) -> Result<Self> {
        Ok(match kind {
            _ if row.is_null(column) => Self::Null,
            Kind::Integer => Self::Integer(row.integer(column)?),
            Kind::Text => Self::Text(row.text(column)?.to_owned()),
            Kind::Bytes => Self::Bytes(row.bytes(column)?.to_owned()),
        })
    }

    fn bound(&self) -> Value<'_> {
        match self {
            Self::Integer(value) => Value::Integer(*value),
            Self::Text(value) => Value::Text(value),
            Self::Bytes(value) => Value::Bytes(value),
            Self::Null => Value::Null,
        }
    }
}

impl Table {
    /// What is smaller than the key of every row.
    fn start(&self) -> Vec<Kept> {
        let smallest = |kind: &Kind| match kind {
            Kind::Integer => Kept::Integer(i64::MIN),
            Kind::Text => Kept::Text(String::new()),
            Kind::Bytes => Kept::Bytes(Vec::new()),
        };
        self.columns.iter().take(self.key).map(smallest).collect()
    }

    async fn page(&self, source: &mut Snapshot, after: &[Kept]) -> Result<Vec<Vec<Kept>>> {
        let mut parameters: Vec<Value<'_>> = after.iter().map(Kept::bound).collect();
        parameters.push(PAGE.into());
        let read = |row: &dyn Row| {
            let columns = self.columns.iter().enumerate();
            columns.map(|(column, kind)| Kept::read(row, column, *kind)).collect()
        };
        source.all(self.page, &parameters, read).await
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
        "id, username, email",
        [Integer Text Text],
        "id > $1 ORDER BY id LIMIT $2",
        "$1, $2, $3"
    ),
    table!(
        "organizations",
        1,
        "id, slug, version",
        [Integer Text Integer],
        "id > $1 ORDER BY id LIMIT $2",
        "$1, $2, $3"
    ),
    table!(
        "members",
        2,
        "organization_id, user_id, role",
        [Integer Integer Text],
        "(organization_id, user_id) > ($1, $2) ORDER BY organization_id, user_id LIMIT $3",
        "$1, $2, $3"
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
        "id, digest, name, user_id, organization_id, group_uuid, scopes, created_at",
        [Bytes Bytes Text Integer Integer Bytes Integer Integer],
        "id > $1 ORDER BY id LIMIT $2",
        "$1, $2, $3, $4, $5, $6, $7, $8"
    ),
    table!(
        "audit_log",
        1,
        "id, organization_id, sequence, code, message, origin, author, created_at, data, hash",
        [Integer Integer Integer Text Text Text Text Integer Text Bytes],
        "id > $1 ORDER BY id LIMIT $2",
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10"
    ),
    table!(
        "chain_heads",
        1,
        "organization_id, entries, hash",
        [Integer Integer Bytes],
        "organization_id > $1 ORDER BY organization_id LIMIT $2",
        "$1, $2, $3"
    ),
];
