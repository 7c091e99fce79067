//! Tests of the real binary: raw bytes over loopback, signals, full disks and damaged files. Property
//! tests call the library directly. All tests are one program, so that it is linked once.

#![expect(clippy::unwrap_used, reason = "a test that panics fails")]

mod audit;
mod command_line;
mod compat;
mod config;
mod connections;
mod copying;
mod crash;
mod disk;
mod dist;
mod docs;
mod escalation;
mod failover;
mod files;
mod last_use;
mod lifecycle;
mod log;
mod modules;
mod operator;
mod ops;
mod permissions;
mod properties;
mod quotas;
mod readme;
mod requests;
mod revocation;
mod support;
mod throttle;
mod tls;
mod upgrade;
mod webhooks;
