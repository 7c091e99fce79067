//! The real binary under abuse: raw bytes over loopback, signals, full disks, damaged
//! files. One program, so that it is linked once; nothing here looks inside the server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

mod audit;
mod command_line;
mod connections;
mod crash;
mod disk;
mod files;
mod requests;
mod support;
mod throttle;
