//! Connections and the schema: the settings of every connection, the files that are refused, and the
//! migrations. A file that is refused is never changed.

use super::super::{Error, INIT, Result};
use super::map_error;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::path::Path;
use std::time::{Duration, Instant};

/// "orgt" in ASCII: tells this program's files from other SQLite databases.
const APPLICATION_ID: i64 = 0x6f72_6774;

/// Each upgrades the schema by one version; `user_version` counts those that ran.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../../migrations/sqlite/0002_chains_and_order.sql"),
];

/// How long a statement waits for another process.
const BUSY: Duration = Duration::from_secs(5);

/// How long the check for damage at start may take; `check` does the rest of a large file.
const CHECK_TIMEOUT: Duration = Duration::from_millis(1_500);

/// How many steps of SQLite's virtual machine run between two looks at the clock.
const STEPS: i32 = 10_000;

/// Connects the writer to a sound file that is this program's, or empty.
///
/// # Errors
/// For every other file, which is left as it was.
pub fn accept(path: &Path) -> Result<Connection> {
    let mut writer = connect(path)?;
    let keep_as_is = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    writer.set_db_config(keep_as_is, true).map_err(map_error)?;
    version(&writer)?;
    check_quickly(&mut writer)?;
    writer.set_db_config(keep_as_is, false).map_err(map_error)?;
    Ok(writer)
}

/// Checks for damage, for as long as a start may take.
fn check_quickly(connection: &mut Connection) -> Result<()> {
    let deadline = Instant::now() + CHECK_TIMEOUT;
    let is_late = move || Instant::now() >= deadline;
    connection.progress_handler(STEPS, Some(is_late)).map_err(map_error)?;
    // The quick check reads every page, the whole one compares indexes with their tables too.
    let found = faults(connection, "quick_check", 1).and_then(|found| {
        if found.is_empty() { faults(connection, WHOLE_CHECK, 1) } else { Ok(found) }
    });
    connection.progress_handler(0, None::<fn() -> bool>).map_err(map_error)?;
    match found {
        Ok(faults) => faults.first().map_or(Ok(()), |fault| Err(damaged(fault))),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(()),
        Err(error) => Err(damaged(&error)),
    }
}

/// The pragma that checks everything.
pub const WHOLE_CHECK: &str = "integrity_check";

/// Runs a checking pragma and returns at most `limit` faults.
pub fn faults(connection: &Connection, check: &str, limit: u32) -> rusqlite::Result<Vec<String>> {
    let mut check = connection.prepare(&format!("PRAGMA {check}({limit})"))?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    let lines: Vec<_> = lines.collect::<rusqlite::Result<_>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn damaged(fault: &dyn std::fmt::Display) -> Error {
    Error::Broken(format!("the database is damaged ({fault}): restore a backup"))
}

/// Connects to a file that exists.
pub fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(map_error)?;
    configure(&connection).map_err(|error| {
        Error::Broken(format!("{} is no database of this program: {error}", path.display()))
    })?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    // Without this, SQLite prepares join statements again at every run to use its statistics.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -8192)?;
    // Sorting must work on a full disk.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // The first statement that reads the file: it refuses what is no database.
    connection.pragma_query_value(None, "application_id", |row| row.get::<_, i64>(0))?;
    Ok(())
}

/// Refuses a database without tables.
pub fn require_initialised(connection: &Connection) -> Result<()> {
    match version(connection)? {
        0 => Err(Error::Broken(format!("the database was never initialised: {INIT}"))),
        _ => Ok(()),
    }
}

/// Upgrades an empty or older database, and refuses every other one untouched.
pub fn migrate(connection: &mut Connection) -> Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL").map_err(map_error)?;
    let before = version(connection)?;
    if before == MIGRATIONS.len() {
        return Ok(());
    }
    // Tables that others refer to are replaced, which SQLite allows with foreign keys off alone; that
    // setting cannot change inside a transaction.
    connection.pragma_update(None, "foreign_keys", false).map_err(map_error)?;
    upgrade(connection)?;
    if before == 0 {
        // A new file starts without the pages of tables that later migrations replaced.
        connection.execute_batch("VACUUM").map_err(map_error)?;
    }
    connection.pragma_update(None, "foreign_keys", true).map_err(map_error)
}

fn upgrade(connection: &mut Connection) -> Result<()> {
    let change =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(map_error)?;
    // Another process may have been faster.
    for migration in &MIGRATIONS[version(&change)?..] {
        change.execute_batch(migration).map_err(map_error)?;
    }
    if let Some(fault) = dangling_references(&change, 1).map_err(map_error)?.first() {
        return Err(damaged(fault));
    }
    change.pragma_update(None, "application_id", APPLICATION_ID).map_err(map_error)?;
    let latest = i64::try_from(MIGRATIONS.len()).expect("migrations are few");
    change.pragma_update(None, "user_version", latest).map_err(map_error)?;
    change.commit().map_err(map_error)
}

/// Returns at most `limit` rows that refer to a row that does not exist, a sentence each.
pub fn dangling_references(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<String>> {
    let mut check = connection.prepare("PRAGMA foreign_key_check")?;
    let found = check.query_map([], |row| {
        let (table, missing): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of {table} refers to one of {missing} that is not there"))
    })?;
    found.take(limit).collect()
}

/// Returns how many migrations ran on this database.
pub fn version(connection: &Connection) -> Result<usize> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0)).map_err(map_error)?;
    let (application, version) =
        (pragma("application_id").map_err(map_error)?, pragma("user_version").map_err(map_error)?);
    match usize::try_from(version) {
        Ok(0) if application == 0 && tables == 0 => Ok(0),
        Ok(version) if application == APPLICATION_ID && version <= MIGRATIONS.len() => Ok(version),
        Ok(version) if application == APPLICATION_ID => Err(Error::Broken(format!(
            "the database has version {version}, newer than this program's {}: run the newer program",
            MIGRATIONS.len()
        ))),
        _ => Err(Error::Broken(
            "the file is a database of another program: name another file".to_owned(),
        )),
    }
}
