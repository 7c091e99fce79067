//! Disk space reserved for revocations on a full disk: a file next to the database, removed when a
//! revocation needs the space. Other changes are refused until it exists again, so they cannot use
//! it up.

use super::super::{Error, Result};
use super::{companion, folder};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Enough for the pages of some hundred changes.
const SIZE: usize = 1024 * 1024;

/// The path of the file.
pub struct Reserve(PathBuf);

impl Reserve {
    pub fn for_database(database: &Path) -> Self {
        Self(companion(database, "-reserve"))
    }

    /// Makes the file unless it exists. If it cannot be made this is [`Error::Unavailable`].
    pub fn hold(&self) -> Result<()> {
        if fs::metadata(&self.0).is_ok_and(|file| file.len() == SIZE as u64) {
            return Ok(());
        }
        self.make().map_err(|error| {
            // A part of the file would take the space that it must keep.
            self.release();
            Error::Unavailable(format!("{} cannot be written: {error}", self.0.display()))
        })
    }

    fn make(&self) -> io::Result<()> {
        let disk = rustix::fs::statvfs(folder(&self.0))?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < 2 * SIZE as u64 {
            return Err(ErrorKind::StorageFull.into());
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&self.0)?;
        // Written zeros are allocated on every file system.
        file.write_all(&vec![0; SIZE])?;
        file.sync_all()
    }

    pub fn release(&self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_exists_until_it_is_released_and_again_after_that() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::for_database(&folder.path().join("a.db"));
        for _ in 0..2 {
            reserve.hold().unwrap();
            assert_eq!(fs::metadata(folder.path().join("a.db-reserve")).unwrap().len(), 1 << 20);
            reserve.release();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn if_it_cannot_be_made_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::for_database(&folder.path().join("none").join("a.db"));
        assert!(matches!(reserve.hold(), Err(Error::Unavailable(_))));
    }
}
