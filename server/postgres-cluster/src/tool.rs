//! The programs of an installed PostgreSQL, run as a user that they accept. This module must not
//! install anything, and it does not know servers: see `cluster`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// PostgreSQL refuses to run as root. Debian's package creates this user for it.
pub const UNPRIVILEGED: &str = "postgres";

/// What to do if there is no PostgreSQL.
pub const NOT_INSTALLED: &str =
    "PostgreSQL is not installed: install it (Debian: `apt-get install postgresql`)";

/// Returns the command of one of PostgreSQL's programs.
pub fn tool(name: &str) -> io::Result<Command> {
    let folder = binaries().ok_or_else(|| io::Error::other(NOT_INSTALLED))?;
    unprivileged(folder.join(name))
}

/// Returns a command that runs as a user that PostgreSQL accepts. The system ends it if this
/// process is killed.
pub fn unprivileged(program: impl AsRef<OsStr>) -> io::Result<Command> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if is_root()? {
        command.args(["--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--init-groups"]);
    }
    // This user may not be allowed to enter the current folder.
    command.arg(program).current_dir("/");
    Ok(command)
}

/// Whether PostgreSQL is installed.
pub fn is_installed() -> bool {
    binaries().is_some()
}

/// Returns the folder of the programs: that of `pg_config`, else of the newest Debian package.
fn binaries() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok();
    let configured =
        output.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
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
    configured.into_iter().chain(newest_first).find(|folder| has_server(folder))
}

fn has_server(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file())
}

pub fn is_root() -> io::Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// Runs a command to its end, and returns what it printed.
pub fn run(command: &mut Command) -> io::Result<String> {
    let output = command.output().map_err(|error| {
        io::Error::other(format!("{} cannot run: {error}", command.get_program().display()))
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let program = command.get_program().display();
    Err(io::Error::other(format!("{program} failed: {}", errors.trim())))
}
