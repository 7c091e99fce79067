//! A copy of a database that is in use, whole and only its owner's; and a long
//! look at a database's every page. Neither changes it, nor writes over another
//! file.

use super::super::{CheckReport, Error, Result};
use super::{open, refused};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::fs::File;
use std::path::Path;

/// Every page at once: one consistent view, which no writer waits for.
const ALL: i32 = -1;

/// How many faults are told at most.
const FAULTS: u32 = 100;

/// Copies the database of `source` to a new file at `target`, which is there whole or not at all.
///
/// # Errors
/// Where there is such a file already, or no room for it.
pub fn back_up(source: &Connection, target: &Path) -> Result<()> {
    if target.exists() {
        return Err(Error::Broken(format!(
            "{} exists already: name a new file for the backup",
            target.display()
        )));
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // Such a file is its owner's alone, and gone where this fails.
    let partial = tempfile::Builder::new().prefix(".backup-").tempfile_in(folder);
    let partial = partial.map_err(|error| unwritten(target, &error))?;
    copy(source, partial.path())?;
    let kept = partial.as_file().sync_all().and_then(|()| {
        partial.persist_noclobber(target)?;
        File::open(folder)?.sync_all()
    });
    kept.map_err(|error| unwritten(target, &error))
}

fn copy(source: &Connection, target: &Path) -> Result<()> {
    let mut copy = Connection::open(target).map_err(refused)?;
    let step = Backup::new(source, &mut copy).and_then(|backup| backup.step(ALL));
    if !matches!(step.map_err(refused)?, StepResult::Done) {
        return Err(Error::Unavailable("another process holds it: try again".to_owned()));
    }
    match open::faults(&copy, open::WHOLE_CHECK, 1).map_err(refused)?.first() {
        Some(fault) => Err(Error::Broken(format!(
            "the database is damaged ({fault}): no backup was made of it"
        ))),
        None => copy.close().map_err(|(_, error)| refused(error)),
    }
}

fn unwritten(target: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Broken(format!("the backup {} cannot be written: {error}", target.display()))
}

/// Looks at every page, index, row and reference.
pub fn check(connection: &Connection) -> Result<CheckReport> {
    let mut faults = open::faults(connection, open::WHOLE_CHECK, FAULTS).map_err(refused)?;
    let mut look = connection.prepare("PRAGMA foreign_key_check").map_err(refused)?;
    let dangling = look.query_map([], |row| {
        let (table, missing): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of {table} refers to one of {missing} that is not there"))
    });
    let dangling = dangling.map_err(refused)?.take(FAULTS as usize);
    faults.extend(dangling.collect::<rusqlite::Result<Vec<_>>>().map_err(refused)?);
    let mut sound = vec![format!("the schema has version {}", open::version(connection)?)];
    if faults.is_empty() {
        sound.push("every page, index, row and reference is whole".to_owned());
    }
    Ok(CheckReport { sound, faults })
}
