//! The schema and its migrations, which run on one server at a time. A newer database is refused,
//! never changed.

use super::super::connection::sql;
use super::super::{Result, broken, known_version, never_initialised};
use super::link::Link;
use super::url::Target;

/// Each upgrades the schema by one version; `orgtokens_schema` counts those that ran.
const MIGRATIONS: [&str; 4] = [
    include_str!("../../../migrations/postgres/0001_initial.sql"),
    include_str!("../../../migrations/postgres/0002_chains_and_order.sql"),
    include_str!("../../../migrations/postgres/0003_token_life.sql"),
    include_str!("../../../migrations/postgres/0004_overlap_ends.sql"),
];

/// Makes every server that starts wait for the one that migrates; the key is "orgtoken" in ASCII.
/// Some engines have no such locks: there a second server fails because a table exists, and starts
/// the next time.
const LOCK: &str = "SELECT pg_advisory_lock(8030594835338192238)";

const SCHEMA_TABLE: &str = "CREATE TABLE IF NOT EXISTS orgtokens_schema (version BIGINT NOT NULL);
    INSERT INTO orgtokens_schema (version)
    SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM orgtokens_schema)";

/// Finds a table of another program that has the name of one of ours. Another server may make ours
/// meanwhile.
const FOREIGN_TABLE: &str = "SELECT 1::bigint FROM information_schema.tables
    WHERE to_regclass('orgtokens_schema') IS NULL AND table_schema = current_schema()
    AND table_name IN ('users', 'organizations', 'members',
        'organization_groups', 'tokens', 'audit_log', 'chain_heads') LIMIT 1";

/// Upgrades an older database and returns its version, and refuses a newer one. Only `creates` makes
/// the tables of an empty one.
pub async fn upgrade(target: &Target, creates: bool) -> Result<Option<usize>> {
    let link = Link::open(target).await?;
    match version(&link).await? {
        None if integer(&link, FOREIGN_TABLE).await?.is_some() => {
            Err(broken("the database is another program's: name another database"))
        }
        None if !creates => Err(never_initialised(None)),
        Some(version) if version == MIGRATIONS.len() => Ok(None),
        version => migrate(&link).await.map(|()| version),
    }
}

async fn migrate(link: &Link) -> Result<()> {
    // Migrations, and waiting for another server's, may take long.
    link.run("SET statement_timeout = 0; SET lock_timeout = 0").await?;
    if let Err(error) = link.run(LOCK).await
        && link.is_closed()
    {
        return Err(error);
    }
    // Closing the connection releases the lock.
    link.run("BEGIN").await?;
    link.run(SCHEMA_TABLE).await?;
    let version = version(link).await?.unwrap_or(0);
    for migration in &MIGRATIONS[version..] {
        link.run(migration).await?;
    }
    let latest = MIGRATIONS.len();
    link.run(&format!("UPDATE orgtokens_schema SET version = {latest}; COMMIT")).await
}

/// Returns how many migrations ran on this database; `None` if it has no such count.
pub async fn version(link: &Link) -> Result<Option<usize>> {
    let table = "SELECT 1::bigint WHERE to_regclass('orgtokens_schema') IS NOT NULL";
    if integer(link, table).await?.is_none() {
        return Ok(None);
    }
    let version = integer(link, "SELECT version FROM orgtokens_schema").await?;
    known_version(version.unwrap_or(0), MIGRATIONS.len()).map(Some)
}

async fn integer(link: &Link, statement: &'static str) -> Result<Option<i64>> {
    Ok(link.query(&[sql!(statement)], |row| row.get(0)).await?.pop())
}
