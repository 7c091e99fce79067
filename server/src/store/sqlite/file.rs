//! The database file itself: whether it exists, and who may read it. It is not opened as a database
//! here, and no existing file is overwritten.

use super::super::{Error, INIT, Result};
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Requires a database file that may have been initialised.
///
/// # Errors
/// If there is none, or it is empty: SQLite by itself would make or fill it.
pub fn require(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(file) if file.is_file() && file.len() > 0 => Ok(()),
        Ok(_) => Err(Error::Broken(format!("{} was never initialised: {INIT}", path.display()))),
        Err(error) => {
            Err(Error::Broken(format!("{} cannot be opened ({error}): {INIT}", path.display())))
        }
    }
}

/// Makes an empty file that only its owner may read, unless the file exists.
///
/// # Errors
/// If the folder does not allow it.
pub fn create(path: &Path) -> Result<()> {
    // SQLite gives its other files the permissions of this one.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::Broken(format!("{} cannot be made: {error}", path.display()))),
    }
}
