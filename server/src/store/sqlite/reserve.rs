//! Reserves disk space for revocations on a full disk: a file next to the database. It is removed
//! if a revocation, or opening the database, needs the space. Other changes are refused until it
//! exists again, so they cannot use the space.

use super::super::{Error, Result};
use super::{companion, folder};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Enough for the pages of some hundred changes.
const SIZE: usize = 1024 * 1024;

/// The file. Dropping this creates it again, if it was released and the space is still free.
pub struct Reserve {
    path: PathBuf,
    is_released: AtomicBool,
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if self.is_released.load(Ordering::Relaxed) {
            let _ = self.ensure(SIZE);
        }
    }
}

impl Reserve {
    pub fn for_database(database: &Path) -> Self {
        Self { path: companion(database, "-reserve"), is_released: false.into() }
    }

    /// Creates the file unless it exists.
    ///
    /// # Errors
    /// [`Error::Full`] if it cannot be created.
    pub fn hold(&self) -> Result<()> {
        // Some space must stay free for the change itself.
        self.ensure(2 * SIZE)
    }

    fn ensure(&self, free: usize) -> Result<()> {
        if fs::metadata(&self.path).is_ok_and(|file| file.len() == SIZE as u64) {
            return Ok(());
        }
        self.create(free).map_err(|error| {
            // An incomplete file would use space without reserving enough.
            let _ = fs::remove_file(&self.path);
            Error::Full(format!("{} cannot be written: {error}", self.path.display()))
        })
    }

    fn create(&self, free: usize) -> io::Result<()> {
        let disk = rustix::fs::statvfs(folder(&self.path))?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < free as u64 {
            return Err(ErrorKind::StorageFull.into());
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&self.path)?;
        // Every file system allocates space for written zeros.
        file.write_all(&vec![0; SIZE])?;
        file.sync_all()
    }

    pub fn release(&self) {
        if fs::remove_file(&self.path).is_ok() {
            self.is_released.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_exists_until_it_is_released_and_can_be_created_again() {
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
    fn a_released_file_is_created_again_on_drop() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::for_database(&folder.path().join("a.db"));
        reserve.hold().unwrap();
        reserve.release();
        drop(reserve);
        assert_eq!(fs::metadata(folder.path().join("a.db-reserve")).unwrap().len(), 1 << 20);
    }

    #[test]
    fn a_file_that_cannot_be_created_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::for_database(&folder.path().join("none").join("a.db"));
        assert!(matches!(reserve.hold(), Err(Error::Full(_))));
    }
}
