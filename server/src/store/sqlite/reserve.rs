//! Room on the disk that is kept for what has to work when there is none left: a file
//! beside the database, given back when a credential is to be taken away. Ordinary
//! changes wait until it stands again, so that they never eat it up.

use super::super::{Error, Result};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Room for the pages of some hundred changes.
const SIZE: usize = 1024 * 1024;

/// The file, and whether it stands.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    stands: AtomicBool,
}

impl Reserve {
    /// The reserve of a database. It is made by the first change, where there is none.
    pub fn beside(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-reserve");
        Self { path: path.into(), stands: AtomicBool::new(false) }
    }

    /// Sees to it that the reserve stands.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where there is no room for it.
    pub fn hold(&self) -> Result<()> {
        if self.stands.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.make().map_err(|error| {
            // A part of it would take the room that it is to keep.
            let _ = fs::remove_file(&self.path);
            Error::Unavailable(format!("no room on the disk for {}: {error}", self.path.display()))
        })?;
        self.stands.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn make(&self) -> io::Result<()> {
        let size = u64::try_from(SIZE).unwrap_or(u64::MAX);
        match fs::metadata(&self.path) {
            Ok(file) if file.len() == size => return Ok(()),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let disk = rustix::fs::statvfs(folder.unwrap_or(Path::new(".")))?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < 2 * size {
            return Err(ErrorKind::StorageFull.into());
        }
        let mut file = OpenOptions::new();
        let file = file.write(true).create(true).truncate(true).mode(0o600).open(&self.path);
        let mut file = file?;
        // Zeros that are written, so that every file system sets them aside.
        file.write_all(&vec![0; SIZE])?;
        file.sync_all()
    }

    /// Gives the room back.
    pub fn give_back(&self) {
        self.stands.store(false, Ordering::Relaxed);
        // Where there is none there is nothing to give.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_until_it_is_given_back_and_again_after_that() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::beside(&folder.path().join("a.db"));
        for _ in 0..2 {
            reserve.hold().unwrap();
            assert_eq!(fs::metadata(folder.path().join("a.db-reserve")).unwrap().len(), 1 << 20);
            reserve.give_back();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn where_it_cannot_be_made_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::beside(&folder.path().join("none").join("a.db"));
        assert!(matches!(reserve.hold(), Err(Error::Unavailable(_))));
    }
}
