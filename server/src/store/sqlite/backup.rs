//! Backs up and checks a database that is in use. Neither changes it or overwrites a file.

use super::super::{CheckReport, Error, Result, broken};
use super::{folder, open};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::ffi::SQLITE_IOERR_WRITE;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tempfile::NamedTempFile;

/// How many faults are reported at most.
const FAULTS: u32 = 100;

/// The prefix of the name of an incomplete copy. It is in the folder of the target.
const PREFIX: &str = ".orgtokens-backup-";

/// Copies the database of `source` to a new file at `target`, completely or not at all. If the
/// process is killed, the next backup to the same folder removes the incomplete copy.
pub fn back_up(source: &Connection, target: &Path) -> Result<()> {
    let name = target.display();
    if target.exists() {
        return Err(broken(format!("{name} exists already: name a new file for the backup")));
    }
    let not_written = |error: io::Error| broken(format!("{name} cannot be written: {error}"));
    let partial = create_partial(folder(target)).map_err(not_written)?;
    copy(source, partial.path(), target)?;
    persist(partial, target).map_err(not_written)
}

/// Creates a locked file that only its owner may read, and removes incomplete copies.
fn create_partial(folder: &Path) -> io::Result<NamedTempFile> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.file_name().is_some_and(|name| name.as_bytes().starts_with(PREFIX.as_bytes())) {
            // A file that cannot be removed does no harm.
            let _ = remove_abandoned(&path);
        }
    }
    loop {
        let file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?;
        // Some network file systems have no locks. There, incomplete copies stay.
        let _ = file.as_file().lock();
        // Another backup may have removed the file before it was locked.
        if file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

/// Removes an incomplete copy, unless its backup still runs: then the file is locked.
fn remove_abandoned(path: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let abandoned = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    abandoned.try_lock()?;
    fs::remove_file(path)
}

/// Copies all pages in one step: consistent, and no writer waits. Errors call the target `name`.
pub fn copy_pages(source: &Connection, target: &mut Connection, name: &Path) -> Result<()> {
    let copied = Backup::new(source, target)?.step(-1);
    match copied {
        Ok(StepResult::Done) => Ok(()),
        Ok(_) => Err(Error::Unavailable("another process uses it".to_owned())),
        Err(error) => match error.sqlite_error().map(|error| (error.code, error.extended_code)) {
            Some((ErrorCode::DiskFull, _) | (_, SQLITE_IOERR_WRITE)) => {
                let (name, reason) = (name.display(), "its disk is full or fails");
                Err(broken(format!("{name} cannot be written, {reason}: free space on it")))
            }
            _ => Err(error.into()),
        },
    }
}

/// Copies the database to an empty file and checks the copy. SQLite creates no other file, and
/// takes no locks: on some network file systems its locks and the lock on this file are the same.
fn copy(source: &Connection, path: &Path, target: &Path) -> Result<()> {
    let mut copy = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), c"unix-none")?;
    copy.pragma_update(None, "journal_mode", "OFF")?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    copy_pages(source, &mut copy, target)?;
    copy.close().map_err(|(_, error)| error)?;
    let path = percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let copy = Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)?;
    match open::faults(&copy, open::FULL_CHECK, 1)?.first() {
        Some(fault) => {
            Err(broken(format!("the database is damaged ({fault}): no backup was made of it")))
        }
        None => Ok(()),
    }
}

fn persist(partial: NamedTempFile, target: &Path) -> io::Result<()> {
    partial.as_file().sync_all()?;
    partial.persist_noclobber(target)?;
    File::open(folder(target))?.sync_all()
}

/// Checks every page, index, row and reference.
pub fn check(connection: &Connection) -> Result<CheckReport> {
    let mut faults = open::faults(connection, open::FULL_CHECK, FAULTS)?;
    faults.extend(open::dangling_references(connection, FAULTS as usize)?);
    let mut sound = vec![format!("the schema has version {}", open::version(connection)?)];
    if faults.is_empty() {
        sound.push("every page, index, row and reference is intact".to_owned());
    }
    Ok(CheckReport { sound, faults })
}
