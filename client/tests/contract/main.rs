//! The contract, tested: the generated client against a real server on a real
//! database, with every answer held against `openapi.yaml`. Nothing stands in
//! for either of them.

#![expect(clippy::unwrap_used, reason = "a test that panics fails")]

mod support;

mod audit;
mod cascades;
mod document;
mod escalation;
mod failures;
mod matrix;
mod members;
mod operations;
mod raw;
mod tokens;
