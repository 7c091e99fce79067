//! Tests of `cargo xtask diff`, in one binary: the corpus of single changes, properties that hold
//! for any document, the text of a finding, and the command line.

mod case;
mod command;
mod corpus;
mod pair;
mod properties;
mod text;
