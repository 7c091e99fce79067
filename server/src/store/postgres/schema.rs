//! The schema and its migrations, which run on one server at a time. A newer database is refused,
//! never changed.

use super::super::connection::{Row, sql};
use super::super::{Error, Result};
use super::link::Link;
use super::url::Target;

/// Each upgrades the schema by one version; `orgtokens_schema` counts those that ran.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/postgres/0001_initial.sql"),
    include_str!("../../../migrations/postgres/0002_chains_and_order.sql"),
];

/// Makes every server that starts wait for the one that migrates; the key is "orgtoken" in ASCII.
/// Some engines have no such locks: there a second server fails because a table exists, and starts
/// the next time.
const LOCK: &str = "SELECT pg_advisory_lock(8030594835338192238)";

const SCHEMA_TABLE: &str = "CREATE TABLE IF NOT EXISTS orgtokens_schema (version BIGINT NOT NULL);
    INSERT INTO orgtokens_schema (version)
    SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM orgtokens_schema)";

/// After rows were inserted with their ids: makes new ids start after them, and tells the planner
/// how many rows there are.
pub const RESET_SEQUENCES: &str =
    "SELECT setval(pg_get_serial_sequence('users', 'id'), max(id)) FROM users HAVING max(id) > 0;
    SELECT setval(pg_get_serial_sequence('organizations', 'id'), max(id)) FROM organizations
    HAVING max(id) > 0;
    SELECT setval(pg_get_serial_sequence('tokens', 'position'), max(position)) FROM tokens
    HAVING max(position) > 0;
    SELECT setval(pg_get_serial_sequence('audit_log', 'id'), max(id)) FROM audit_log
    HAVING max(id) > 0;
    ANALYZE users, organizations, members, organization_groups, tokens, audit_log";

/// Upgrades a database that was initialised.
///
/// # Errors
/// If it was never initialised, or is newer than this program.
pub async fn require(target: &Target) -> Result<()> {
    let mut link = Link::open(target).await?;
    match version(&mut link).await? {
        None => Err(Error::Broken(
            "the database was never initialised: `orgtokens-server init --database URL \
             --organization SLUG --username NAME --email ADDR` makes its tables"
                .to_owned(),
        )),
        Some(version) if version == MIGRATIONS.len() => Ok(()),
        Some(_) => upgrade(&mut link).await,
    }
}

/// Upgrades an empty or older database.
///
/// # Errors
/// If it is newer than this program.
pub async fn migrate(target: &Target) -> Result<()> {
    let mut link = Link::open(target).await?;
    match version(&mut link).await? {
        Some(version) if version == MIGRATIONS.len() => Ok(()),
        _ => upgrade(&mut link).await,
    }
}

async fn upgrade(link: &mut Link) -> Result<()> {
    // Migrations, and waiting for another server's, may take long.
    link.run("SET statement_timeout = 0; SET lock_timeout = 0").await?;
    match link.run(LOCK).await {
        Ok(()) | Err(Error::Broken(_)) => {}
        // Some engines answer this for a lock that they do not support.
        Err(Error::Unavailable(_)) if !link.is_closed() => {}
        Err(error) => return Err(error),
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
pub async fn version(link: &mut Link) -> Result<Option<usize>> {
    let table = "SELECT 1::bigint WHERE to_regclass('orgtokens_schema') IS NOT NULL";
    if integer(link, table).await?.is_none() {
        return Ok(None);
    }
    let version = integer(link, "SELECT version FROM orgtokens_schema").await?;
    known(version.unwrap_or(0)).map(Some)
}

async fn integer(link: &mut Link, statement: &'static str) -> Result<Option<i64>> {
    let mut found = None;
    let mut each = |row: &dyn Row| {
        found = Some(row.integer(0)?);
        Ok(())
    };
    link.query(None, &[], Some((&sql(statement, []), &mut each))).await?;
    Ok(found)
}

fn known(version: i64) -> Result<usize> {
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(Error::Broken(format!(
            "the database has version {version}, newer than this program's {}: run the newer program",
            MIGRATIONS.len()
        ))),
    }
}
