//! Fuzzes the token parser; what has to hold is written once, beside the property
//! tests, and nothing is decided here.
#![no_main]

#[path = "../../server/tests/server/properties/holds.rs"]
#[expect(dead_code, reason = "each target runs one property")]
mod holds;

libfuzzer_sys::fuzz_target!(|text: &str| holds::token(text));
