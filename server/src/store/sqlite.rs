//! The embedded backend: one SQLite file. Worker threads call SQLite directly.
//!
//! One connection writes, and changes queue for it. Each read has its own connection and sees the
//! last commit. Commits are synced (`synchronous=FULL`). It knows statements, not the domain.

mod backup;
mod commits;
mod convert;
mod files;
mod open;
mod reader;
mod reserve;
mod session;
mod wal_index;
mod writer;

use super::statement::sql;
use super::{CheckReport, Counts, Error, Intent, Purpose, Result, broken};
use crate::clock::Clock;
use commits::Commits;
use open::Opened;
use reader::Readers;
use reserve::Reserve;
use scopeguard::guard;
use session::Lease;
pub use session::Session;
#[cfg(test)]
pub use session::plan;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use tempfile::TempDir;
use tokio::sync::oneshot;
use wal_index::WalIndex;
pub use writer::Batch;
use writer::Writer;

/// An open database file.
pub struct Sqlite {
    path: PathBuf,
    /// Shows whether another file has replaced this one.
    file_id: files::FileId,
    pub writer: Writer,
    /// Whether the check for damage was finished when the file was opened.
    is_checked: bool,
    /// The version of the schema before it was upgraded.
    pub upgraded_from: Option<usize>,
    pub readers: Arc<Readers>,
    /// Dropped after the connections: closing them frees the space of their files.
    pub reserve: Reserve,
    /// The temporary copy of a database that is read-only. Removed last.
    _copy: Option<TempDir>,
}

impl Sqlite {
    pub async fn open(
        path: &str,
        intent: Intent,
        counts: Arc<Counts>,
        clock: Arc<Clock>,
    ) -> Result<Self> {
        let name = PathBuf::from(path);
        // The check for damage and migrations may take long.
        run_blocking(move || {
            let (path, copy) = match intent {
                Intent::Read => files::copy_unless_writable(&name)?,
                Intent::Change | Intent::Create => (name.clone(), None),
            };
            let reserve = Reserve::for_database(&path);
            let open = || open::open(&path, &name, intent == Intent::Create);
            let opened = open().or_else(|error| match error {
                // The first process that opens a database needs space for SQLite's other files.
                Error::Full(_) => {
                    reserve.release();
                    open()
                }
                error => Err(error),
            });
            let Opened { writer, is_checked, upgraded_from } = opened?;
            // A temporary copy is upgraded, but not the database.
            let upgraded_from = upgraded_from.filter(|_| copy.is_none());
            open::set_clock(&writer, &clock)?;
            open::raise_clock(&writer, &clock)?;
            let commits = Arc::new(Commits::new(WalIndex::of(open::connect(&path)?), counts));
            let readers = Readers::new(path.clone(), Arc::clone(&commits), clock);
            let writer = Writer::new(writer, commits);
            let file_id = files::file_id(&path)?;
            Ok(Self {
                path,
                file_id,
                writer,
                is_checked,
                upgraded_from,
                readers,
                reserve,
                _copy: copy,
            })
        })
        .await
    }

    /// Returns a session that reads. BEGIN runs before the first query.
    pub fn read(&self, is_transaction: bool) -> Session {
        Session::new(Lease::Reader(self.readers.lease(is_transaction)))
    }

    pub async fn write(&self, purpose: Purpose, is_alone: bool) -> Result<Session> {
        let prepare = || match purpose {
            Purpose::Change => self.reserve.hold(),
            Purpose::Revocation => Ok(()),
        };
        Ok(Session::new(Lease::Writer(self.writer.begin(is_alone, prepare).await?)))
    }

    pub async fn release_reserve(&self) {
        let release = |connection: &rusqlite::Connection| {
            self.reserve.release();
            // After a checkpoint SQLite reuses the space of the WAL, so the file need not grow.
            let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        };
        self.writer.outside_transaction(release).await;
    }

    pub async fn back_up(&self, target: &Path) -> Result<()> {
        let (path, target) = (self.path.clone(), target.to_owned());
        run_blocking(move || backup::back_up(&open::connect(&path)?, &target)).await
    }

    /// Finishes the check for damage that opening began. Dropping the future ends the check.
    pub async fn find_damage(&self) -> Result<()> {
        if self.is_checked {
            return Ok(());
        }
        let connection = open::connect(&self.path)?;
        let _interrupts = guard(connection.get_interrupt_handle(), |check| check.interrupt());
        let (sender, found) = oneshot::channel();
        thread::spawn(move || {
            // Requests come first. On Linux this lowers the priority of this thread only.
            let _ = rustix::process::nice(5);
            sender.send(open::find_damage(&connection))
        });
        found.await.unwrap_or_else(|_| Err(broken("the check for damage panicked")))
    }

    /// Fails unless the path still names the same readable file. Blocks no worker thread.
    pub async fn require_ready(&self) -> Result<()> {
        if files::file_id(&self.path).ok() != Some(self.file_id) {
            return Err(broken(format!(
                "{} is not the file that was opened: stop the server, put the file and its -wal back, \
                 and start it again",
                self.path.display()
            )));
        }
        let ask = sql!("SELECT 1 FROM organizations LIMIT 1");
        self.read(false).query_blocking(vec![ask], |_| Ok(())).await.map(drop)
    }

    pub async fn check(&self) -> Result<CheckReport> {
        let path = self.path.clone();
        run_blocking(move || backup::check(&open::connect(&path)?)).await
    }
}

/// Runs `work` on the blocking pool, so that it blocks no worker thread.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| broken(error.to_string()))?
}

fn folder(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Returns the path of a database with a suffix.
fn companion(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}
