//! Copies one database into another, on either backend: it moves a service from one machine to
//! several, and back. The source is only read. The target is filled in one transaction.

use super::connection::{Row, Statement, Value, sql};
use super::{Result, Snapshot, Store, Transaction, Turn, broken};

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
    let (mut source, mut target) = (from.read().await?, to.write(&Turn::Free).await?);
    target.lock_database();
    for Table { name, .. } in &TABLES {
        let rows = count(&mut target, name).await?;
        if rows != 0 {
            return Err(broken(format!(
                "the target is not empty, its table {name} has {rows} rows: name a new database, \
                 not one that `init` filled"
            )));
        }
    }
    let mut counted = Vec::new();
    for table in &TABLES {
        let copied = table.copy(&mut source, &mut target, &mut progress).await?;
        if copied.rows != copied.of {
            let Copied { table, rows, of } = copied;
            return Err(broken(format!(
                "{rows} of {of} rows of {table} arrived, so nothing was kept: copy again"
            )));
        }
        counted.push(copied);
    }
    target.commit().await?;
    Ok(counted)
}

/// A table: the columns that identify a row, and all columns, of which they are the first.
struct Table {
    name: &'static str,
    key: &'static str,
    columns: &'static str,
}

/// Every table, each after those that it refers to.
const TABLES: [Table; 7] = [
    Table { name: "users", key: "id", columns: "id, username, email, disabled, entries, hash" },
    Table { name: "organizations", key: "id", columns: "id, slug, entries, hash" },
    Table {
        name: "members",
        key: "organization_id, username",
        columns: "organization_id, username, user_id, role",
    },
    Table {
        name: "organization_groups",
        key: "uuid",
        columns: "uuid, organization_id, name, location, version",
    },
    Table {
        name: "tokens",
        key: "position",
        columns: "position, id, digest, name, user_id, organization_id, group_uuid, scopes, \
                  created_at, expires_at",
    },
    Table {
        name: "audit_log",
        key: "id",
        columns: "id, organization_id, user_id, sequence, code, message, origin, author, \
                  created_at, data, hash",
    },
    Table { name: "closed_chain", key: "id", columns: "id, entries, hash" },
];

impl Table {
    async fn copy(
        &self,
        source: &mut Snapshot,
        target: &mut Transaction,
        progress: &mut impl FnMut(Copied),
    ) -> Result<Copied> {
        let mut copied = Copied { table: self.name, rows: 0, of: count(source, self.name).await? };
        let width = self.columns.split(", ").count();
        let values =
            |row: &dyn Row| (0..width).map(|index| Ok(row.column(index)?.into())).collect();
        let mut after = Vec::new();
        loop {
            let page: Vec<Vec<Value>> = source.all(self.page(after), values).await?;
            let Some(last) = page.last() else { break };
            after = last[..self.key.split(", ").count()].to_vec();
            for row in page {
                target.execute(self.insert(row));
                copied.rows += 1;
            }
            target.flush().await?;
            progress(copied);
        }
        if target.connection.is_postgres() {
            self.optimize(target).await?;
        }
        copied.rows = count(target, self.name).await?;
        Ok(copied)
    }

    /// Returns the statement that reads the rows after this key, or the first ones.
    fn page(&self, after: Vec<Value>) -> Statement {
        let Self { name, key, columns } = self;
        let range = match after.len() {
            0 => String::new(),
            count => format!("WHERE ({key}) > ({})", placeholders(count)),
        };
        let page = format!("SELECT {columns} FROM {name} {range} ORDER BY {key} LIMIT {PAGE}");
        sql(page, after)
    }

    fn insert(&self, row: Vec<Value>) -> Statement {
        let values = placeholders(row.len());
        sql(format!("INSERT INTO {} ({}) VALUES ({values})", self.name, self.columns), row)
    }

    /// Tells PostgreSQL how many rows there are, and makes new ids start after theirs.
    async fn optimize(&self, target: &mut Transaction) -> Result<()> {
        let Self { name, key, .. } = self;
        target.execute(sql(format!("ANALYZE {name}"), []));
        if matches!(*key, "id" | "position") {
            let reset = format!(
                "SELECT setval(pg_get_serial_sequence('{name}', '{key}'), max({key})) FROM {name} \
                 HAVING max({key}) > 0"
            );
            target.execute(sql(reset, []));
        }
        target.flush().await
    }
}

async fn count(view: &mut Snapshot, table: &str) -> Result<i64> {
    let counted = sql(format!("SELECT count(*) FROM {table}"), []);
    let counted = view.first(counted, |row| row.integer(0)).await?;
    counted.ok_or_else(|| broken("a count returned no row"))
}

fn placeholders(count: usize) -> String {
    (1..=count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}
