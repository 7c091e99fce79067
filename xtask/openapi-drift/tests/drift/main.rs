//! Tests of the comparison: a corpus of single changes, edge cases, properties that hold for
//! any document, the text of a finding, and the command line.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod case;
mod change;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod colour;
#[cfg(feature = "cli")]
mod command;
mod corpus;
mod edge_cases;
mod explain;
mod files;
mod formats;
mod holds;
mod invalid;
mod limit;
mod line;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod memory;
mod pair;
mod properties;
mod rename;
mod schema;
mod text;
mod traffic;
#[cfg(feature = "cli")]
mod traffic_command;
mod traffic_value;
mod union;
mod versions;
mod warning;
mod yaml;
