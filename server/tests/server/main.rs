//! The real binary under abuse: raw bytes over loopback, signals, full disks, damaged
//! files; and what is generated, over the library itself. One program, so that it is
//! linked once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

mod audit;
mod command_line;
mod connections;
mod crash;
mod disk;
mod escalation;
mod failover;
mod files;
mod properties;
mod requests;
mod support;
mod throttle;
