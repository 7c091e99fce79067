//! Connections and the schema: what every connection is set to, which files are
//! refused, and the migrations that bring a database up to this program's
//! version. A file that is refused is never changed.

use super::super::{Error, INIT, Result};
use super::refused;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::path::Path;
use std::time::{Duration, Instant};

/// "orgt" in ASCII: tells this program's files from other SQLite databases.
const APPLICATION_ID: i64 = 0x6f72_6774;

/// Each brings the schema one version further; `user_version` counts those that ran.
const MIGRATIONS: &[&str] = &[include_str!("../../../migrations/sqlite/0001_initial.sql")];

/// How long a writer waits for one of another process.
const BUSY: Duration = Duration::from_secs(5);

/// How long the file is looked through at start; the rest of a large one is left to `check`.
const LOOK: Duration = Duration::from_millis(1_500);

/// How many steps of SQLite's machine go between two looks at the clock.
const STEPS: i32 = 10_000;

/// The connection that writes, to a file that is whole, and this program's or empty. Whatever
/// else it is, it is left as it was.
///
/// # Errors
/// With what it is instead.
pub fn accept(path: &Path) -> Result<Connection> {
    let mut writer = connect(path)?;
    let keep_as_is = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    writer.set_db_config(keep_as_is, true).map_err(refused)?;
    version(&writer)?;
    look_through(&mut writer)?;
    writer.set_db_config(keep_as_is, false).map_err(refused)?;
    Ok(writer)
}

/// Looks for damage, for as long as a start may take.
fn look_through(connection: &mut Connection) -> Result<()> {
    let deadline = Instant::now() + LOOK;
    let is_late = move || Instant::now() >= deadline;
    connection.progress_handler(STEPS, Some(is_late)).map_err(refused)?;
    // The quick look reads every page, the other one holds indexes against their tables too.
    let found = faults(connection, "quick_check", 1).and_then(|found| {
        if found.is_empty() { faults(connection, WHOLE_CHECK, 1) } else { Ok(found) }
    });
    connection.progress_handler(0, None::<fn() -> bool>).map_err(refused)?;
    match found {
        Ok(faults) => faults.first().map_or(Ok(()), |fault| Err(damaged(fault))),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(()),
        Err(error) => Err(damaged(&error)),
    }
}

/// The look that misses nothing.
pub const WHOLE_CHECK: &str = "integrity_check";

/// What is wrong with the pages, the indexes and the rows of a database, at most so many things.
pub fn faults(connection: &Connection, look: &str, limit: u32) -> rusqlite::Result<Vec<String>> {
    let mut look = connection.prepare(&format!("PRAGMA {look}({limit})"))?;
    let said = look.query_map([], |row| row.get::<_, String>(0))?;
    let said: Vec<_> = said.collect::<rusqlite::Result<_>>()?;
    Ok(said.into_iter().filter(|line| line != "ok").collect())
}

fn damaged(fault: &dyn std::fmt::Display) -> Error {
    Error::Broken(format!("the database is damaged ({fault}): restore a backup"))
}

/// A connection to a file that exists.
pub fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(refused)?;
    configure(&connection).map_err(|error| {
        Error::Broken(format!("{} is no database of this program: {error}", path.display()))
    })?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    // With statistics built in, join statements would be prepared anew at every run.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -8192)?;
    // Sorting goes on where the disk is full.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // The first statement that reads the file: whatever is no database is refused here.
    connection.pragma_query_value(None, "application_id", |row| row.get::<_, i64>(0))?;
    Ok(())
}

/// Refuses a database without a table in it.
pub fn require_initialised(connection: &Connection) -> Result<()> {
    match version(connection)? {
        0 => Err(Error::Broken(format!("the database was never initialised: {INIT}"))),
        _ => Ok(()),
    }
}

/// Brings an empty or older database up to date, and refuses every other one untouched.
pub fn migrate(connection: &mut Connection) -> Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL").map_err(refused)?;
    if version(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    let change =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(refused)?;
    // Another process may have been faster.
    for migration in &MIGRATIONS[version(&change)?..] {
        change.execute_batch(migration).map_err(refused)?;
    }
    change.pragma_update(None, "application_id", APPLICATION_ID).map_err(refused)?;
    let latest = i64::try_from(MIGRATIONS.len()).expect("migrations are few");
    change.pragma_update(None, "user_version", latest).map_err(refused)?;
    change.commit().map_err(refused)
}

/// How many migrations ran on this database.
pub fn version(connection: &Connection) -> Result<usize> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0)).map_err(refused)?;
    let (application, version) =
        (pragma("application_id").map_err(refused)?, pragma("user_version").map_err(refused)?);
    match usize::try_from(version) {
        Ok(0) if application == 0 && tables == 0 => Ok(0),
        Ok(version) if application == APPLICATION_ID && version <= MIGRATIONS.len() => Ok(version),
        Ok(version) if application == APPLICATION_ID => Err(Error::Broken(format!(
            "the database has version {version}, newer than this program's {}: run the newer program",
            MIGRATIONS.len()
        ))),
        _ => Err(Error::Broken(
            "the file is a database of another program: name another one".to_owned(),
        )),
    }
}
