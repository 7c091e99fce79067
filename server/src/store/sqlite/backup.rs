//! Backup of a database that is in use, and the check of every page. Neither changes the database or
//! overwrites another file.

use super::super::{CheckReport, Error, Result, broken};
use super::{folder, open};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use tempfile::NamedTempFile;

/// How many faults are reported at most.
const FAULTS: u32 = 100;

/// How the names of the files in the folder of an incomplete copy begin.
const PREFIX: &str = "copy-";

/// Copies the database of `source` to a new file at `target`, all of it or nothing. Until it is
/// complete, the copy and its journal are in the folder `target.partial`: if this is killed, the next
/// backup to `target` removes them.
pub fn back_up(source: &Connection, target: &Path) -> Result<()> {
    let name = target.display();
    if target.exists() {
        return Err(broken(format!("{name} exists already: name a new file for the backup")));
    }
    let partial = target.with_added_extension("partial");
    let not_written = |error: io::Error| {
        broken(format!("the backup {name} cannot be written ({}): {error}", partial.display()))
    };
    let _lock = make_folder(&partial).map_err(not_written)?;
    let copied = copy(source, &partial);
    let kept = copied.and_then(|copy| keep(copy, target).map_err(not_written));
    let _ = fs::remove_dir(&partial);
    kept
}

/// Makes a folder that only its owner may enter, in place of one that was left, and locks it.
fn make_folder(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(left) => remove_left(&File::from(left), path)?,
        Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    fs::DirBuilder::new().mode(0o700).create(path)?;
    let folder = File::open(path)?;
    lock(&folder)?;
    Ok(folder)
}

fn remove_left(folder: &File, path: &Path) -> io::Result<()> {
    lock(folder)?;
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        if entry.file_name().to_bytes().starts_with(PREFIX.as_bytes()) {
            rustix::fs::unlinkat(folder, entry.file_name(), AtFlags::empty())?;
        }
    }
    fs::remove_dir(path)
}

fn lock(folder: &File) -> io::Result<()> {
    match folder.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another backup to it is running")),
        // Some network file systems lock no folders. There a second backup makes the first one fail.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Copies every page at once: one consistent view, for which no writer waits.
pub fn copy_pages(source: &Connection, target: &mut Connection) -> Result<()> {
    match Backup::new(source, target)?.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(Error::Unavailable("another process uses it: try again".to_owned())),
    }
}

fn copy(source: &Connection, folder: &Path) -> Result<NamedTempFile> {
    let file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder);
    let file = file.map_err(|error| broken(error.to_string()))?;
    let mut copy = Connection::open(file.path())?;
    copy_pages(source, &mut copy)?;
    if let Some(fault) = open::faults(&copy, open::WHOLE_CHECK, 1)?.first() {
        return Err(broken(format!("the database is damaged ({fault}): no backup was made of it")));
    }
    copy.close().map_err(|(_, error)| error)?;
    Ok(file)
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
