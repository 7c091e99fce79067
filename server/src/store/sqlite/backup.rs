//! Backup of a database that is in use, and the check of every page. Neither changes the database or
//! overwrites another file.

use super::super::{CheckReport, Error, Result, broken};
use super::{folder, open};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::fs::File;
use std::io;
use std::path::Path;
use tempfile::NamedTempFile;

/// How many faults are reported at most.
const FAULTS: u32 = 100;

/// Copies the database of `source` to a new file at `target`, all of it or nothing.
pub fn back_up(source: &Connection, target: &Path) -> Result<()> {
    let name = target.display();
    if target.exists() {
        return Err(broken(format!("{name} exists already: name a new file for the backup")));
    }
    let not_written =
        |error: io::Error| broken(format!("the backup {name} cannot be written: {error}"));
    // Only its owner may read such a file, and it is removed if this fails.
    let partial = tempfile::Builder::new().prefix(".backup-").tempfile_in(folder(target));
    let partial = partial.map_err(not_written)?;
    copy(source, partial.path())?;
    keep(partial, target).map_err(not_written)
}

fn copy(source: &Connection, target: &Path) -> Result<()> {
    let mut copy = Connection::open(target)?;
    // -1 copies every page at once: one consistent view, for which no writer waits.
    if !matches!(Backup::new(source, &mut copy)?.step(-1)?, StepResult::Done) {
        return Err(Error::Unavailable("another process uses it: try again".to_owned()));
    }
    if let Some(fault) = open::faults(&copy, open::WHOLE_CHECK, 1)?.first() {
        return Err(broken(format!("the database is damaged ({fault}): no backup was made of it")));
    }
    copy.close().map_err(|(_, error)| error.into())
}

fn keep(partial: NamedTempFile, target: &Path) -> io::Result<()> {
    partial.as_file().sync_all()?;
    partial.persist_noclobber(target)?;
    File::open(folder(target))?.sync_all()
}

/// Checks every page, index, row and reference.
pub fn check(connection: &Connection) -> Result<CheckReport> {
    let mut faults = open::faults(connection, open::WHOLE_CHECK, FAULTS)?;
    faults.extend(open::dangling_references(connection, FAULTS as usize)?);
    let mut sound = vec![format!("the schema has version {}", open::version(connection)?)];
    if faults.is_empty() {
        sound.push("every page, index, row and reference is whole".to_owned());
    }
    Ok(CheckReport { sound, faults })
}
