//! Fuzzes the types of path segments: names, slugs and token ids. The property itself is in
//! `holds.rs`, which the property tests share; this file must not decide anything.
#![no_main]

#[path = "../../tests/server/properties/holds.rs"]
#[expect(dead_code, reason = "each target runs one property")]
mod holds;

libfuzzer_sys::fuzz_target!(|text: &str| holds::segment(text));
