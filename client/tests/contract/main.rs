//! Contract tests: the generated client against a real server on a real database. Every
//! answer is checked against `openapi.yaml`. Nothing is mocked.

#![expect(clippy::unwrap_used, reason = "a test that panics fails")]

mod support;

mod audit;
mod cascades;
#[cfg(feature = "cli")]
mod cli;
mod document;
mod escalation;
mod failures;
mod matrix;
mod members;
mod operations;
mod raw;
mod settings;
mod statuses;
mod tls;
mod tokens;
