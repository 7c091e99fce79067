//! The project's own commands as a library, so that tests can call them.
//!
//! `main` parses the command line. Each command has one module here.

pub mod bench;
pub mod breaking;
pub mod ci;
pub mod compat;
pub mod diff;
pub mod postgres;
pub mod traffic;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xshell::Shell;

/// The root of the workspace.
fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The folder that cargo builds into.
fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Returns a shell in the root of the workspace.
fn shell() -> xshell::Result<Shell> {
    let shell = Shell::new()?;
    shell.change_dir(root());
    Ok(shell)
}

/// Says why a command cannot run, and returns its exit code.
fn fail(error: &impl Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
