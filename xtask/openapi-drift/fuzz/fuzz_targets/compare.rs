//! Fuzzes the reader and the comparison with any text. The property itself is in `holds.rs`, which the
//! property tests share; this file must not decide anything.
#![no_main]

#[path = "../../tests/drift/holds.rs"]
mod holds;

libfuzzer_sys::fuzz_target!(|text: &str| holds::text(text));
