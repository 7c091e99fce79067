//! The schema: the migrations that bring a database up to this program's
//! version, one server at a time. A newer database is refused, never changed.

use super::super::{Error, Result};
use super::link::Link;
use super::url::Target;

/// Each brings the schema one version further; `orgtokens_schema` counts those that ran.
const MIGRATIONS: &[&str] = &[include_str!("../../../migrations/postgres/0001_initial.sql")];

/// Has every server that starts wait for the one that migrates; the key is "orgtoken" in
/// ASCII. Some engines have no such locks: there a second server fails at a table that
/// exists, and starts the next time.
const LOCK: &str = "SELECT pg_advisory_lock(8030594835338192238)";

const BOOK: &str = "CREATE TABLE IF NOT EXISTS orgtokens_schema (version BIGINT NOT NULL);
    INSERT INTO orgtokens_schema (version)
    SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM orgtokens_schema)";

/// After rows came with their ids: the database's own start behind them, and the planner learns
/// how many there are.
pub const SETTLE: &str =
    "SELECT setval(pg_get_serial_sequence('users', 'id'), max(id)) FROM users HAVING max(id) > 0;
    SELECT setval(pg_get_serial_sequence('organizations', 'id'), max(id)) FROM organizations
    HAVING max(id) > 0;
    SELECT setval(pg_get_serial_sequence('audit_log', 'id'), max(id)) FROM audit_log
    HAVING max(id) > 0;
    ANALYZE users, organizations, members, organization_groups, tokens, audit_log,
    chain_heads";

/// Brings a database up to date that was initialised.
///
/// # Errors
/// Where it never was, or is newer than this program.
pub async fn require(target: &Target) -> Result<()> {
    let mut link = Link::open(target).await?;
    match version(&mut link).await? {
        None => Err(Error::Broken(
            "the database was never initialised: `orgtokens-server init --database URL \
             --organization SLUG --username NAME --email ADDR` makes its tables"
                .to_owned(),
        )),
        Some(version) if version == MIGRATIONS.len() => Ok(()),
        Some(_) => bring_up(&mut link).await,
    }
}

/// Brings an empty or older database up to date.
///
/// # Errors
/// Where it is newer than this program.
pub async fn migrate(target: &Target) -> Result<()> {
    let mut link = Link::open(target).await?;
    match version(&mut link).await? {
        Some(version) if version == MIGRATIONS.len() => Ok(()),
        _ => bring_up(&mut link).await,
    }
}

async fn bring_up(link: &mut Link) -> Result<()> {
    // Migrations, and waiting for another server's, may take long.
    link.run("SET statement_timeout = 0; SET lock_timeout = 0").await?;
    match link.run(LOCK).await {
        Ok(()) | Err(Error::Broken(_)) => {}
        // Not supported, in the words of some engines.
        Err(Error::Unavailable(_)) if !link.is_closed() => {}
        Err(error) => return Err(error),
    }
    // Closing the connection gives the lock back.
    link.run("BEGIN").await?;
    link.run(BOOK).await?;
    let version = version(link).await?.unwrap_or(0);
    for migration in &MIGRATIONS[version..] {
        link.run(migration).await?;
    }
    let latest = MIGRATIONS.len();
    link.run(&format!("UPDATE orgtokens_schema SET version = {latest}; COMMIT")).await
}

/// How many migrations ran on this database; `None` where it has no such count.
async fn version(link: &mut Link) -> Result<Option<usize>> {
    let mut has_book = false;
    let statement = "SELECT 1 WHERE to_regclass('orgtokens_schema') IS NOT NULL";
    link.query(None, statement, &[], &mut |_| {
        has_book = true;
        Ok(())
    })
    .await?;
    if !has_book {
        return Ok(None);
    }
    let mut version = 0;
    let statement = "SELECT version FROM orgtokens_schema";
    link.query(None, statement, &[], &mut |row| {
        version = row.integer(0)?;
        Ok(())
    })
    .await?;
    known(version).map(Some)
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
