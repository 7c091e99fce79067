//! Fuzzes the body of a mint request. The property itself is in `holds.rs`,
//! which the property tests share; this file must not decide anything.
#![no_main]

#[path = "../../tests/server/properties/holds.rs"]
#[expect(dead_code, reason = "each target runs one property")]
mod holds;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| holds::mint_body(bytes));
