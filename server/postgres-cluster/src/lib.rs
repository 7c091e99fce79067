//! Temporary PostgreSQL servers for tests, benchmarks and `cargo xtask postgres`. They are made with
//! the programs of an installed PostgreSQL, and never outlive the process.

mod cluster;
mod tool;

pub use cluster::Cluster;
pub use tool::{NOT_INSTALLED, is_installed};
