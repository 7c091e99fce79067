//! Tests of the verbs of `cargo xtask`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod breaking;
mod diff;
