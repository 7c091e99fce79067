//! Throughput, with `wrk`: one thread and 32 connections, a different token for each request. A run
//! in which any answer was not 200 has no figure.

use crate::process::command;
use anyhow::{Context, Result, bail, ensure};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// What to do if there is no `wrk`.
pub const NOT_INSTALLED: &str =
    "`wrk` is not installed: install it (Debian: `apt-get install wrk`)";

/// What `wrk` counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throughput {
    pub requests: u64,
    pub per_second: f64,
}

/// Returns whether `wrk` can be run.
pub fn is_installed() -> bool {
    Command::new("wrk").arg("-v").output().is_ok()
}

/// Asks `path` for some seconds, in which `SLUG` stands for the slug of each line of `tokens`, with a
/// cookie if the server wants one.
pub fn run(
    script: &Path,
    address: SocketAddr,
    path: &str,
    tokens: &Path,
    cookie: Option<&str>,
    seconds: u64,
) -> Result<Throughput> {
    let mut wrk = command("wrk");
    wrk.args(["-t1", "-c32", &format!("-d{seconds}s"), "-s"]).arg(script);
    wrk.arg(format!("http://{address}")).args(["--", path]).arg(tokens).args(cookie);
    let output = wrk.output().context(NOT_INSTALLED)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && errors.is_empty(), "wrk failed: {}", errors.trim());
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// Reads what `wrk` printed.
fn parse(text: &str) -> Result<Throughput> {
    for line in text.lines().map(str::trim) {
        if line.starts_with("Non-2xx") || line.starts_with("Socket errors") {
            bail!("not every request was answered with 200: {line}");
        }
    }
    let number_after = |key: &str| text.split_once(key)?.1.split_whitespace().next();
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in "));
    let requests = requests.and_then(|(count, _)| count.parse().ok());
    let per_second = number_after("Requests/sec:").and_then(|number| number.parse().ok());
    let (Some(requests), Some(per_second)) = (requests, per_second) else {
        bail!("the output of wrk is not understood: {text}");
    };
    ensure!(requests > 0, "wrk received no answer");
    Ok(Throughput { requests, per_second })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Running 2s test @ http://127.0.0.1:8080
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.62ms  493.85us  11.09ms   94.27%
    Req/Sec    19.93k     0.99k   21.00k    90.00%
  39700 requests in 2.00s, 119.21MB read
Requests/sec:  19829.67
Transfer/sec:     59.55MB
";

    #[test]
    fn requests_and_their_rate_are_read() {
        let expected = Throughput { requests: 39_700, per_second: 19_829.67 };
        assert_eq!(parse(GOOD).unwrap(), expected);
    }

    #[test]
    fn a_run_with_another_status_or_a_broken_connection_has_no_figure() {
        for line in [
            "  Non-2xx or 3xx responses: 1\n",
            "  Socket errors: connect 0, read 1, write 0, timeout 0\n",
        ] {
            let error = parse(&GOOD.replace("Requests/sec", &format!("{line}Requests/sec")));
            assert!(error.unwrap_err().to_string().contains(line.trim()));
        }
        assert!(parse("").is_err());
        assert!(parse(&GOOD.replace("39700", "0")).is_err());
    }
}
