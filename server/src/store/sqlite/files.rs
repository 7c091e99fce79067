//! Checks whether this process may use the files of a database, explains why not, and makes a
//! temporary copy of a read-only database. It opens no file that it may write: closing such a file
//! would release the locks that SQLite holds on it in this process.

use super::super::{Error, Result, broken, init_command};
use super::{backup, companion, folder};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::Access;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The suffixes of SQLite's files: the database, its write-ahead log, and the index of the log.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// Fails unless SQLite may write the database and its other files.
pub fn require_writable(path: &Path) -> Result<()> {
    require_access(path, Access::READ_OK | Access::WRITE_OK)?;
    let folder = folder(path);
    let access = rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK);
    access.map_err(|error| refusal(folder, &error.into()))
}

/// Identifies a file: its device, and its inode number there.
pub type FileId = (u64, u64);

/// Returns the id of the file at this path, without opening it.
pub fn file_id(path: &Path) -> Result<FileId> {
    let file = fs::metadata(path).map_err(|error| refusal(path, &error))?;
    Ok((file.dev(), file.ino()))
}

fn require_access(path: &Path, access: Access) -> Result<()> {
    let kind = fs::metadata(path).map_err(|error| refusal(path, &error))?;
    if !kind.is_file() {
        let kind = if kind.is_dir() { "a folder" } else { "no file" };
        return Err(broken(format!("{} is {kind}: name a file", path.display())));
    }
    for file in SUFFIXES.map(|suffix| companion(path, suffix)) {
        match rustix::fs::access(&file, access).map_err(io::Error::from) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(refusal(&file, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns the error for a file or folder that this process may not use.
pub fn refusal(path: &Path, error: &io::Error) -> Error {
    let name = path.display();
    // If a folder denies access to the path, this is that folder.
    let mut seen = path.ancestors().filter_map(|path| Some((path, fs::metadata(path).ok()?)));
    broken(match (error.kind(), seen.next()) {
        (ErrorKind::NotFound, _) if path.is_symlink() => {
            format!("{name} is a link to a missing file: name another file, or remove the link")
        }
        (ErrorKind::NotFound, _) if !folder(path).exists() => {
            format!("the folder {} does not exist: make it first", folder(path).display())
        }
        (ErrorKind::NotFound, _) => {
            format!("{name} does not exist: {}", init_command(path.to_str()))
        }
        (ErrorKind::ReadOnlyFilesystem, _) => {
            format!("{name} is on a read-only file system: mount it writable, or name another file")
        }
        (ErrorKind::PermissionDenied, Some((seen_path, seen))) => {
            let is_hidden = seen_path != path;
            let (path, owner, mode) = (seen_path.display(), seen.uid(), seen.mode() & 0o7777);
            let user = rustix::process::geteuid().as_raw();
            let must = match seen.is_dir() {
                true if is_hidden => "enter the folder",
                true => "write to the folder",
                false => "read and write it",
            };
            format!(
                "permission denied: {path} belongs to user {owner} and has mode {mode:03o}, and this \
                 process runs as user {user}: run as a user who may {must}, or use chown or chmod"
            )
        }
        _ => format!("{name}: {error}"),
    })
}

/// Fails unless a disk with small blocks has space for the index of the WAL. SQLite maps that file
/// into memory, and allocates one block of each 4 KiB. If the disk has no space for another block,
/// a signal (SIGBUS) kills the process.
pub fn require_room(path: &Path) -> Result<()> {
    let no_room = |error| Error::Full(format!("no room for the index of its log: {error}"));
    let disk = rustix::fs::statvfs(folder(path)).map_err(|error| no_room(error.into()))?;
    if disk.f_frsize >= 4096 {
        return Ok(());
    }
    // The index has 32 KiB for about 16 MiB of the log, and the file system needs some space too.
    let log = fs::metadata(companion(path, "-wal")).map_or(0, |log| log.len());
    let size = usize::try_from(log / 512).unwrap_or(usize::MAX).saturating_add(64 * 1024);
    let probe = tempfile::tempfile_in(folder(path));
    probe.and_then(|mut file| file.write_all(&vec![0; size])).map_err(no_room)
}

/// Returns a function that adds the name of this file to an error.
pub fn with_name(file: &Path) -> impl Fn(Error) -> Error {
    let named = |reason| format!("{}: {reason}", file.display());
    move |error| match error {
        Error::Broken(reason) => broken(named(reason)),
        Error::Full(reason) => Error::Full(named(reason)),
        Error::Unavailable(reason) => Error::Unavailable(named(reason) + ": try again"),
        error => error,
    }
}

/// Returns the path of a writable database: this one, or else its copy in a temporary folder.
pub fn copy_unless_writable(path: &Path) -> Result<(PathBuf, Option<TempDir>)> {
    if require_writable(path).is_ok() {
        return Ok((path.to_owned(), None));
    }
    require_access(path, Access::READ_OK)?;
    let no_copy = |error: io::Error| {
        let name = path.display();
        broken(format!("{name} may only be read, and a temporary copy of it failed: {error}"))
    };
    let folder = tempfile::tempdir().map_err(no_copy)?;
    let copy = folder.path().join("copy.db");
    if companion(path, "-shm").exists() {
        copy_live(path, &copy).map_err(with_name(path))?;
        return Ok((copy, Some(folder)));
    }
    for suffix in ["", "-wal"] {
        let (from, to) = (companion(path, suffix), companion(&copy, suffix));
        if from.exists() {
            copy_file(&from, &to).map_err(no_copy)?;
        }
    }
    if companion(path, "-shm").exists() {
        return Err(with_name(path)(Error::Unavailable("a server has just started".to_owned())));
    }
    Ok((copy, Some(folder)))
}

/// Copies a database that another process may write: one consistent state, including the WAL.
fn copy_live(path: &Path, copy: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(path, flags)?;
    backup::copy_pages(&source, &mut Connection::open(copy)?, copy)
}

/// Copies the content without the permissions, so that the copy is writable.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut File::open(from)?, &mut File::create_new(to)?).map(drop)
}
