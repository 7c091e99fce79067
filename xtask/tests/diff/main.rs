//! Tests of `cargo xtask diff`, in one binary: the corpus of single changes, properties that hold
//! for any document, the text of a finding, and the command line.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod case;
mod command;
mod corners;
mod corpus;
mod pair;
mod properties;
mod text;
