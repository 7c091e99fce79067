//! Opens connections and migrates the schema. It refuses files that are damaged, newer or another
//! program's, and never changes a file that it refuses.

use super::super::{Error, Result, broken, known_version, never_initialised};
use super::{files, folder};
use crate::clock::Clock;
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior};
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// "orgt" in ASCII: marks the files of this program.
const APPLICATION_ID: i64 = 0x6f72_6774;
/// Each upgrades the schema by one version; `user_version` counts the migrations that ran.
const MIGRATIONS: [&str; 4] = [
    include_str!("../../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../../migrations/sqlite/0002_chains_and_order.sql"),
    include_str!("../../../migrations/sqlite/0003_token_life.sql"),
    include_str!("../../../migrations/sqlite/0004_overlap_ends.sql"),
];
/// How long the check for damage may delay the start. A server finishes it in the background.
const CHECK_TIMEOUT: Duration = Duration::from_millis(150);
/// The pragma that checks everything.
pub const FULL_CHECK: &str = "integrity_check";

/// An open database file.
pub struct Opened {
    pub writer: Connection,
    /// Whether the check for damage was finished.
    pub is_checked: bool,
    /// The version of the schema before it was upgraded.
    pub upgraded_from: Option<usize>,
}

/// Connects the writer and upgrades the schema. It creates the file or its tables only if `creates`
/// is true. Errors name `name`.
pub fn open(path: &Path, name: &Path, creates: bool) -> Result<Opened> {
    if creates {
        create(path)?;
    }
    files::require_writable(path)?;
    open_writable(path, name, creates).map_err(files::with_name(name))
}

fn open_writable(path: &Path, name: &Path, creates: bool) -> Result<Opened> {
    files::require_room(path)?;
    let mut writer = connect(path)?;
    let keep_as_is = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    writer.set_db_config(keep_as_is, true)?;
    if version(&writer)? == 0 && !creates {
        return Err(never_initialised(name.to_str()));
    }
    let is_checked = check_quickly(&mut writer)?;
    writer.set_db_config(keep_as_is, false)?;
    let upgraded_from = migrate(&mut writer)?;
    // The writer waits for other processes asynchronously.
    writer.busy_timeout(Duration::ZERO)?;
    Ok(Opened { writer, is_checked, upgraded_from })
}

/// Creates an empty file that only its owner may read, unless the file exists.
fn create(path: &Path) -> Result<()> {
    // SQLite gives its other files the same permissions. An existing file is not opened here:
    // closing it would release the locks that this process has on it.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(files::refusal(path, &error)),
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(files::refusal(folder(path), &error))
        }
        _ => Ok(()),
    }
}

/// Checks for damage until the timeout. Returns whether the check was finished.
fn check_quickly(connection: &mut Connection) -> Result<bool> {
    let deadline = Instant::now() + CHECK_TIMEOUT;
    // SQLite calls this after every 1,000 steps of its virtual machine.
    connection.progress_handler(1_000, Some(move || Instant::now() >= deadline))?;
    // The quick check reads every page. The full check also compares indexes with their tables.
    let found = match faults(connection, "quick_check", 1) {
        Ok(none) if none.is_empty() => faults(connection, FULL_CHECK, 1),
        found => found,
    };
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            Ok(false)
        }
        found => require_none(found).map(|()| true),
    }
}

/// Checks everything for damage, without a timeout.
pub fn find_damage(connection: &Connection) -> Result<()> {
    require_none(faults(connection, FULL_CHECK, 1))
}

fn require_none(found: rusqlite::Result<Vec<String>>) -> Result<()> {
    match found {
        Ok(faults) => faults.first().map_or(Ok(()), |fault| Err(corrupt(fault))),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(corrupt(&error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Runs a checking pragma and returns at most `limit` faults.
pub fn faults(connection: &Connection, check: &str, limit: u32) -> rusqlite::Result<Vec<String>> {
    let mut check = connection.prepare(&format!("PRAGMA {check}({limit})"))?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    lines.filter(|line| !matches!(line.as_deref(), Ok("ok"))).collect()
}

pub fn corrupt(fault: &dyn Display) -> Error {
    broken(format!("the database is damaged ({fault}): restore a backup"))
}

/// Connects to a file that exists.
pub fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // How long statements wait for another process.
    connection.busy_timeout(Duration::from_secs(5))?;
    // Without this, SQLite prepares join statements again at every run to use its statistics.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -8192)?;
    // A checkpoint copies a page once for several changes. Measured: 10 % more mints than with
    // 1,000.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    // Sorting must work on a full disk.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // The first statement that reads the file: it fails if the file is no database.
    connection.pragma_query_value(None, "application_id", |row| row.get::<_, i64>(0))?;
    Ok(connection)
}

/// Defines the SQL function `now_ms()`, which reads this clock.
pub fn set_clock(connection: &Connection, clock: &Arc<Clock>) -> Result<()> {
    let (clock, flags) = (Arc::clone(clock), FunctionFlags::SQLITE_DIRECTONLY);
    Ok(connection.create_scalar_function("now_ms", 0, flags, move |_| Ok(clock.now_ms()))?)
}

/// Raises the clock to the time of the newest audit entry.
pub fn raise_clock(connection: &Connection, clock: &Clock) -> Result<()> {
    let newest = "SELECT created_at FROM audit_log ORDER BY id DESC LIMIT 1";
    let newest = connection.query_row(newest, [], |row| row.get(0)).optional()?;
    clock.raise(newest.unwrap_or(0));
    Ok(())
}

/// Upgrades an empty or older database. Returns the version that an older one had.
fn migrate(connection: &mut Connection) -> Result<Option<usize>> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let before = version(connection)?;
    if before == MIGRATIONS.len() {
        return Ok(None);
    }
    // Migrations replace tables that foreign keys refer to. SQLite allows that only with foreign
    // keys off, and that setting cannot change in a transaction.
    connection.pragma_update(None, "foreign_keys", false)?;
    upgrade(connection)?;
    if before == 0 {
        // Frees the pages of tables that later migrations replaced.
        connection.execute_batch("VACUUM")?;
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(Some(before).filter(|before| *before > 0))
}

fn upgrade(connection: &mut Connection) -> Result<()> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have upgraded it meanwhile.
    for migration in &MIGRATIONS[version(&change)?..] {
        change.execute_batch(migration)?;
    }
    if let Some(fault) = dangling_references(&change, 1)?.first() {
        return Err(corrupt(fault));
    }
    write_application_id(&change)?;
    change.execute_batch(&format!("PRAGMA user_version = {}", MIGRATIONS.len()))?;
    Ok(change.commit()?)
}

/// Writes the application id. It is a write even if the id stays the same.
pub fn write_application_id(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)
}

/// Returns at most `limit` references to missing rows, a sentence each.
pub fn dangling_references(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<String>> {
    let mut check = connection.prepare("PRAGMA foreign_key_check")?;
    let found = check.query_map([], |row| {
        let (table, missing): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of {table} refers to a missing row of {missing}"))
    })?;
    found.take(limit).collect()
}

/// Returns how many migrations ran on this database.
pub fn version(connection: &Connection) -> Result<usize> {
    let integer = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let version = integer("PRAGMA user_version")?;
    match integer("PRAGMA application_id")? {
        APPLICATION_ID => known_version(version, MIGRATIONS.len()),
        0 if version == 0 && integer("SELECT count(*) FROM sqlite_schema")? == 0 => Ok(0),
        _ => Err(broken("it is a database of another program: name another file")),
    }
}
