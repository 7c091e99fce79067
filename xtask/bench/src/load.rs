//! The clients that send requests: `wrk` for throughput, `client` for everything that it cannot do.

pub mod client;
mod connection;
pub mod wrk;
