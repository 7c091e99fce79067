//! How each contender is measured. All of them return a sample, or an error if any request was not
//! answered with 200.

pub mod big;
pub mod lists;
pub mod mints;

use crate::contender::{Metric, Sample};

/// Returns a sample of the rate of some requests, and of the CPU time that they took together, in
/// microseconds.
fn throughput(per_second: f64, cpu: f64, requests: u64) -> Sample {
    let cpu = cpu / requests as f64;
    Sample::from([(Metric::PerSecond, per_second), (Metric::CpuMicroseconds, cpu)])
}
