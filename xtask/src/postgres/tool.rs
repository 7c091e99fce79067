//! PostgreSQL's own programs, where this machine has them, run as a user that
//! they accept. Nothing is installed, and no server is known here.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// PostgreSQL refuses to run as root; Debian's package makes this user for it.
pub const UNPRIVILEGED: &str = "postgres";

/// Why there is no server: a sentence that says what to do.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    pub(crate) fn new(sentence: String) -> Self {
        Self(sentence)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

pub type Result<T> = std::result::Result<T, Failure>;

/// One of PostgreSQL's programs.
pub fn tool(name: &str) -> Result<Command> {
    let folder = binaries().ok_or_else(|| {
        Failure(
            "no PostgreSQL is at hand: install it (Debian: `apt-get install postgresql`)"
                .to_owned(),
        )
    })?;
    unprivileged(folder.join(name))
}

/// A program that is run as a user that PostgreSQL accepts, and ended by the system itself should
/// this process be killed.
pub fn unprivileged(program: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if is_root()? {
        command.args(["--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--init-groups"]);
    }
    // Its user may not enter the folder that this runs in.
    command.arg(program).current_dir("/");
    Ok(command)
}

/// Whether this machine has PostgreSQL's programs.
pub fn is_at_hand() -> bool {
    binaries().is_some()
}

fn binaries() -> Option<PathBuf> {
    let asked = Command::new("pg_config").arg("--bindir").output().ok();
    let asked = asked.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    packaged.sort();
    let newest_first = packaged.into_iter().rev().map(|(_, folder)| folder);
    asked.into_iter().chain(newest_first).find(|folder| has_server(folder))
}

fn has_server(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file())
}

pub fn is_root() -> Result<bool> {
    fs::metadata("/proc/self").map(|process| process.uid() == 0).map_err(|error| unmade(&error))
}

/// Runs a command to its end, and returns what it printed.
pub fn finish(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| unmade(&error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Failure(format!("{} failed: {}", command.get_program().display(), errors.trim())))
}

pub fn unmade(error: &io::Error) -> Failure {
    Failure(format!("a temporary PostgreSQL cannot be made: {error}"))
}
