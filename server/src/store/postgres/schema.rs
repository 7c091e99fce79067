//! The schema and its migrations, which one server at a time runs. A newer schema is refused.

use super::super::statement::sql;
use super::super::{Result, broken, known_version, never_initialised};
use super::connection::Connection;
use super::url::Target;

/// Each upgrades the schema by one version; `orgtokens_schema` counts the migrations that ran.
const MIGRATIONS: [&str; 4] = [
    include_str!("../../../migrations/postgres/0001_initial.sql"),
    include_str!("../../../migrations/postgres/0002_chains_and_order.sql"),
    include_str!("../../../migrations/postgres/0003_token_life.sql"),
    include_str!("../../../migrations/postgres/0004_overlap_ends.sql"),
];

/// Makes other servers wait until this one has migrated; the key is "orgtoken" in ASCII. Some
/// engines have no such locks: a second server then fails because a table exists, and can be
/// restarted.
const LOCK: &str = "SELECT pg_advisory_lock(8030594835338192238)";

const SCHEMA_TABLE: &str = "CREATE TABLE IF NOT EXISTS orgtokens_schema (version BIGINT NOT NULL);
    INSERT INTO orgtokens_schema (version)
    SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM orgtokens_schema)";

/// Finds a table of another program that has the name of one of our tables. It checks for our
/// schema in the same statement, because another server may create it at this moment.
const FOREIGN_TABLE: &str = "SELECT 1::bigint FROM information_schema.tables
    WHERE to_regclass('orgtokens_schema') IS NULL AND table_schema = current_schema()
    AND table_name IN ('users', 'organizations', 'members',
        'organization_groups', 'tokens', 'audit_log', 'chain_heads') LIMIT 1";

/// Upgrades an older database and returns its old version, and refuses a newer one. It creates the
/// tables of an empty database only if `creates` is true.
pub async fn upgrade(target: &Target, creates: bool) -> Result<Option<usize>> {
    let connection = Connection::open(target).await?;
    match version(&connection).await? {
        None if integer(&connection, FOREIGN_TABLE).await?.is_some() => {
            Err(broken("the database is another program's: name another database"))
        }
        None if !creates => Err(never_initialised(None)),
        Some(version) if version == MIGRATIONS.len() => Ok(None),
        version => migrate(&connection).await.map(|()| version),
    }
}

async fn migrate(connection: &Connection) -> Result<()> {
    // Migrations may take long, of this server or of another one.
    connection.run("SET statement_timeout = 0; SET lock_timeout = 0").await?;
    if let Err(error) = connection.run(LOCK).await
        && connection.is_closed()
    {
        return Err(error);
    }
    // Closing the connection releases the lock.
    connection.run("BEGIN").await?;
    connection.run(SCHEMA_TABLE).await?;
    let version = version(connection).await?.unwrap_or(0);
    for migration in &MIGRATIONS[version..] {
        connection.run(migration).await?;
    }
    let latest = MIGRATIONS.len();
    connection.run(&format!("UPDATE orgtokens_schema SET version = {latest}; COMMIT")).await
}

/// Returns how many migrations ran on this database; `None` if it has no schema of this program.
pub async fn version(connection: &Connection) -> Result<Option<usize>> {
    let table = "SELECT 1::bigint WHERE to_regclass('orgtokens_schema') IS NOT NULL";
    if integer(connection, table).await?.is_none() {
        return Ok(None);
    }
    let version = integer(connection, "SELECT version FROM orgtokens_schema").await?;
    known_version(version.unwrap_or(0), MIGRATIONS.len()).map(Some)
}

async fn integer(connection: &Connection, statement: &'static str) -> Result<Option<i64>> {
    Ok(connection.query(&[sql!(statement)], |row| row.get(0)).await?.pop())
}
