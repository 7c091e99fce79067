//! How each contender is measured. All of them return a sample, or an error if any request was not
//! answered with 200.

pub mod big;
pub mod lists;
pub mod mints;

use crate::contender::{Metric, Sample};
use std::time::Duration;

/// Returns a sample of the rate of some requests, and of the CPU time that they took together.
fn throughput(per_second: f64, cpu: Duration, requests: u64) -> Sample {
    let microseconds = cpu.as_secs_f64() * 1e6 / requests as f64;
    Sample::from([(Metric::PerSecond, per_second), (Metric::CpuMicroseconds, microseconds)])
}
