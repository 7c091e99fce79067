//! A disk that fails while SQLite commits. Every write and sync of a commit fails once. The tests
//! compare the answer with what the process reads, and with what is left if the process or the
//! machine crashes at that moment. The calls that fail are real calls of `pwrite64` and `fsync`.

use crate::stage::{Backend, Stage, name, trials};
use libtest_mimic::Trial;
use orgtokens_server::name::Name;
use orgtokens_server::store::{Error, Purpose, Result, Store, View, WriteLock};
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

pub fn trials() -> Vec<Trial> {
    trials!(
        [Backend::Sqlite],
        a_commit_that_fails_once_is_certainly_undone,
        on_a_dead_disk_a_commit_that_a_crash_may_bring_back_is_unknown,
        a_commit_that_is_never_synced_is_unknown,
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Write,
    Sync,
}

/// The calls on a WAL that fail, by their number.
struct Faults {
    log: PathBuf,
    next: u32,
    fails: Box<dyn Fn(u32, Call) -> bool + Send>,
}

/// The faults of all running tests.
static FAULTS: Mutex<Vec<Faults>> = Mutex::new(Vec::new());

fn faults() -> MutexGuard<'static, Vec<Faults>> {
    FAULTS.lock().expect("no test panics with the lock")
}

/// The content of each file at its last sync. A crash of the machine loses the rest.
static SYNCED: Mutex<Option<HashMap<PathBuf, Vec<u8>>>> = Mutex::new(None);

fn synced<T>(work: impl FnOnce(&mut HashMap<PathBuf, Vec<u8>>) -> T) -> T {
    work(SYNCED.lock().expect("no test panics with the lock").get_or_insert_default())
}

fn path_of(file: c_int) -> PathBuf {
    fs::read_link(format!("/proc/self/fd/{file}")).unwrap_or_default()
}

/// Stores the content of a file, if a test has asked for it.
fn keep_synced(file: c_int) {
    synced(|files| {
        if let Some(kept) = files.get_mut(&path_of(file)) {
            *kept = fs::read(path_of(file)).expect("the file");
        }
    });
}

/// Counts a call on a file, and returns whether it fails.
fn fails(file: c_int, call: Call) -> bool {
    let mut all = faults();
    // Usually no test has faults, and the path is not needed.
    if all.is_empty() {
        return false;
    }
    let path = path_of(file);
    let Some(faults) = all.iter_mut().find(|faults| faults.log == path) else { return false };
    faults.next += 1;
    (faults.fails)(faults.next - 1, call)
}

#[expect(unsafe_code, reason = "these take the place of the C library's calls, which SQLite makes")]
mod calls {
    use super::{Call, c_int, c_void, fails, keep_synced};

    fn input_output_error() -> c_int {
        // SAFETY: `errno` belongs to the calling thread.
        unsafe { *libc::__errno_location() = libc::EIO };
        -1
    }

    #[unsafe(no_mangle)]
    extern "C" fn fsync(file: c_int) -> c_int {
        if fails(file, Call::Sync) {
            return input_output_error();
        }
        // SAFETY: the call has no pointers.
        let result = unsafe { libc::syscall(libc::SYS_fsync, file) };
        if result == 0 {
            keep_synced(file);
        }
        c_int::try_from(result).expect("0 or -1")
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn pwrite64(
        file: c_int,
        data: *const c_void,
        size: usize,
        offset: i64,
    ) -> isize {
        if fails(file, Call::Write) {
            return input_output_error() as isize;
        }
        // SAFETY: the caller guarantees that `data` is valid for `size` bytes.
        let result = unsafe { libc::syscall(libc::SYS_pwrite64, file, data, size, offset) };
        isize::try_from(result).expect("a size")
    }
}

/// Commits a new user while these calls on the WAL fail.
async fn add_user(
    store: &Store,
    database: &Path,
    username: &Name,
    fails: impl Fn(u32, Call) -> bool + Send + 'static,
) -> Result<()> {
    let mut change = store.write(&WriteLock::None, Purpose::Change).await?;
    let email = "eve@example.com".parse().expect("an address");
    change.insert_user(username, &email).await?;
    with_faults(database, fails, change.commit()).await
}

/// Runs `work` while these calls on the WAL of a database fail.
pub async fn with_faults<T>(
    database: &Path,
    fails: impl Fn(u32, Call) -> bool + Send + 'static,
    work: impl Future<Output = T>,
) -> T {
    let log = log_of(database);
    faults().push(Faults { log: log.clone(), next: 0, fails: Box::new(fails) });
    let outcome = work.await;
    faults().retain(|faults| faults.log != log);
    outcome
}

async fn has(store: &Store, username: &Name) -> bool {
    let found = store.read(View::Statement).await.expect("a view").user(username).await;
    found.expect("an answer").is_some()
}

fn log_of(database: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", database.display()))
}

/// Returns whether the user exists if the process crashes now.
async fn has_after_a_crash(database: &Path, username: &Name) -> bool {
    has_in(|file| fs::read(file).expect("the file"), database, username).await
}

/// Returns whether the user exists if the machine crashes now: data that was not synced is lost.
async fn has_after_a_power_failure(database: &Path, username: &Name) -> bool {
    has_in(|file| synced(|files| files[file].clone()), database, username).await
}

/// Opens a copy of the database and its WAL, with the content that `content` returns.
async fn has_in(content: impl Fn(&Path) -> Vec<u8>, database: &Path, username: &Name) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join("copy.db");
    fs::write(&copy, content(database)).expect("a copy");
    fs::write(log_of(&copy), content(&log_of(database))).expect("a copy of the log");
    has(&Store::open(&format!("sqlite://{}", copy.display())).await.expect("a store"), username)
        .await
}

/// The result of a commit with faults.
#[derive(Debug)]
struct Outcome {
    answer: Result<()>,
    is_there: bool,
    is_there_after_a_crash: bool,
    is_there_after_a_power_failure: bool,
}

/// Commits with faults that begin at each step in turn, until a commit has none.
async fn outcomes(fails: fn(u32, u32, Call) -> bool) -> Vec<Outcome> {
    let stage = Stage::new(Backend::Sqlite).await;
    let path = stage.path();
    let store = Store::open(&stage.database.url).await.expect("the same database");
    for file in [path.to_owned(), log_of(path)] {
        // All earlier commits were synced.
        let content = fs::read(&file).unwrap_or_default();
        synced(|files| files.insert(file, content));
    }
    let mut outcomes = Vec::new();
    for step in 0.. {
        let username = name(&format!("eve-{step}"));
        let fails = move |call, kind| fails(step, call, kind);
        let answer = add_user(&store, path, &username, fails).await;
        let is_there_after_a_crash = has_after_a_crash(path, &username).await;
        let is_there_after_a_power_failure = has_after_a_power_failure(path, &username).await;
        let is_there = has(&store, &username).await;
        let is_done = answer.is_ok();
        outcomes.push(Outcome {
            answer,
            is_there,
            is_there_after_a_crash,
            is_there_after_a_power_failure,
        });
        let after = name(&format!("after-{step}"));
        add_user(&store, path, &after, |_, _| false).await.expect("a disk that works again");
        assert!(has_after_a_crash(path, &after).await);
        assert!(has_after_a_power_failure(path, &after).await);
        if is_done {
            break;
        }
    }
    assert!(outcomes.len() > 5, "writes and a sync failed: {outcomes:?}");
    outcomes
}

/// Whether the user exists now, after a crash of the process, and after a crash of the machine.
fn states(outcome: &Outcome) -> [bool; 3] {
    [outcome.is_there, outcome.is_there_after_a_crash, outcome.is_there_after_a_power_failure]
}

fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome.answer, Err(Error::Unknown(_)))
}

fn is_undone(outcome: &Outcome) -> bool {
    let is_certain = matches!(outcome.answer, Err(Error::Full(_) | Error::Unavailable(_)));
    is_certain && states(outcome) == [false; 3]
}

async fn a_commit_that_fails_once_is_certainly_undone(_: Backend) {
    let mut outcomes = outcomes(|step, call, _| call == step).await;
    let last = outcomes.pop().expect("a commit without faults");
    assert!(last.answer.is_ok() && states(&last) == [true; 3], "{last:?}");
    assert!(outcomes.iter().all(is_undone), "{outcomes:?}");
}

async fn on_a_dead_disk_a_commit_that_a_crash_may_bring_back_is_unknown(_: Backend) {
    let mut outcomes = outcomes(|step, call, _| call >= step).await;
    outcomes.pop();
    let synced = outcomes.pop().expect("a commit whose sync failed");
    assert!(is_unknown(&synced) && states(&synced) == [false, true, false], "{synced:?}");
    assert!(outcomes.iter().all(is_undone), "{outcomes:?}");
}

async fn a_commit_that_is_never_synced_is_unknown(_: Backend) {
    let mut outcomes = outcomes(|step, call, kind| call >= step && kind == Call::Sync).await;
    outcomes.pop();
    assert!(outcomes.iter().all(is_unknown), "{outcomes:?}");
    // The commit that undoes the change overwrote it, and was not synced either.
    assert!(outcomes.iter().all(|outcome| states(outcome) == [false; 3]), "{outcomes:?}");
}
