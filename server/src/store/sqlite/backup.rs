//! Backup of a database that is in use, and the check of every page. Neither changes the database or
//! overwrites another file.

use super::super::{CheckReport, Error, Result};
use super::{map_error, open};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::fs::File;
use std::path::Path;

/// Copies every page at once: one consistent view, for which no writer waits.
const ALL_PAGES: i32 = -1;

/// How many faults are reported at most.
const FAULTS: u32 = 100;

/// Copies the database of `source` to a new file at `target`, all of it or nothing.
///
/// # Errors
/// If the file exists, or there is no room for it.
pub fn back_up(source: &Connection, target: &Path) -> Result<()> {
    if target.exists() {
        return Err(Error::Broken(format!(
            "{} exists already: name a new file for the backup",
            target.display()
        )));
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // Only its owner may read such a file, and it is removed if this fails.
    let partial = tempfile::Builder::new().prefix(".backup-").tempfile_in(folder);
    let partial = partial.map_err(|error| not_written(target, &error))?;
    copy(source, partial.path())?;
    let kept = partial.as_file().sync_all().and_then(|()| {
        partial.persist_noclobber(target)?;
        File::open(folder)?.sync_all()
    });
    kept.map_err(|error| not_written(target, &error))
}

fn copy(source: &Connection, target: &Path) -> Result<()> {
    let mut copy = Connection::open(target).map_err(map_error)?;
    let step = Backup::new(source, &mut copy).and_then(|backup| backup.step(ALL_PAGES));
    if !matches!(step.map_err(map_error)?, StepResult::Done) {
        return Err(Error::Unavailable("another process uses it: try again".to_owned()));
    }
    match open::faults(&copy, open::WHOLE_CHECK, 1).map_err(map_error)?.first() {
        Some(fault) => Err(Error::Broken(format!(
            "the database is damaged ({fault}): no backup was made of it"
        ))),
        None => copy.close().map_err(|(_, error)| map_error(error)),
    }
}

fn not_written(target: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Broken(format!("the backup {} cannot be written: {error}", target.display()))
}

/// Checks every page, index, row and reference.
pub fn check(connection: &Connection) -> Result<CheckReport> {
    let mut faults = open::faults(connection, open::WHOLE_CHECK, FAULTS).map_err(map_error)?;
    let dangling = open::dangling_references(connection, FAULTS as usize);
    faults.extend(dangling.map_err(map_error)?);
    let mut sound = vec![format!("the schema has version {}", open::version(connection)?)];
    if faults.is_empty() {
        sound.push("every page, index, row and reference is whole".to_owned());
    }
    Ok(CheckReport { sound, faults })
}
