//! The project's own commands as a library, so that they can be tested like one.
//!
//! Command lines are parsed in `main`; each command has one module here.

pub mod ci;
pub mod diff;
pub mod postgres;

use std::path::Path;

/// The root of the workspace.
fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}
