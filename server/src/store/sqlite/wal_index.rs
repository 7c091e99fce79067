//! Notices the commits of all processes without a lock or a system call.
//!
//! The WAL index is memory that all processes with an open connection share. Every commit changes
//! its header (SQLite, "WAL-mode File Format", 2.1), and SQLite itself compares it with an earlier
//! copy when a transaction begins. `PRAGMA data_version` gives the same answer, but takes locks
//! that all readers of a process share: more time than the rest of a short request.

#![expect(unsafe_code, reason = "SQLite gives the memory as a pointer, through its C interface")]

use parking_lot::Mutex;
use rusqlite::{Connection, ffi};
use std::array;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering, fence};

/// The first of the two copies of the header: a commit writes it last, before it is acknowledged.
pub type Header = [u32; 12];

/// The word of the header that counts commits.
const COMMITS: usize = 2;

/// The size of the first part of the index, which SQLite maps in parts.
const PART: i32 = 32 * 1024;

/// The shared memory of an open database.
pub struct WalIndex {
    header: NonNull<[AtomicU32; 12]>,
    /// Keeps the memory mapped.
    _connection: Mutex<Connection>,
}

// SAFETY: the pointer is to memory of the whole process, which is only read, word by word.
unsafe impl Send for WalIndex {}
// SAFETY: as above.
unsafe impl Sync for WalIndex {}

impl WalIndex {
    /// Returns the index of a connection that has read its database; `None` without a WAL.
    pub fn of(connection: Connection) -> Option<Self> {
        let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
        let mut part = ptr::null_mut();
        // SAFETY: the connection is open, and its file and the mapped memory live as long as it.
        unsafe {
            ffi::sqlite3_file_control(
                connection.handle(),
                c"main".as_ptr(),
                ffi::SQLITE_FCNTL_FILE_POINTER,
                (&raw mut file).cast(),
            );
            let map = file.as_ref()?.pMethods.as_ref()?.xShmMap?;
            map(file, 0, PART, 0, &raw mut part);
        }
        Some(Self { header: NonNull::new(part.cast())?, _connection: connection.into() })
    }

    /// Returns the header. It differs from an earlier one if a process has committed meanwhile.
    pub fn header(&self) -> Header {
        // SAFETY: `_connection` keeps it mapped, and it is aligned like a page.
        let words = unsafe { self.header.as_ref() };
        let header = array::from_fn(|index| words[index].load(Ordering::Relaxed));
        // Later reads see this state or a newer one.
        fence(Ordering::Acquire);
        header
    }
}

/// Returns how many commits a header counts, from an arbitrary start.
pub fn commits(header: &Header) -> u32 {
    header[COMMITS]
}
