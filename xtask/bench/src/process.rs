//! Child processes: started so that they end with this process, and what the kernel counts of them.
//! What they serve is known in `server`.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may do work that no request waits for.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running child process. Dropping it kills the process.
pub struct Process(pub Child);

/// Returns a command that the system kills if this process ends in any way.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program.as_ref());
    command
}

impl Process {
    /// Returns the user and system time that the process has used, in microseconds.
    pub fn cpu(&self) -> Result<f64> {
        cpu(&self.0.id().to_string())
    }

    /// Waits until the process uses no CPU time.
    pub fn wait_until_idle(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let before = self.cpu()?;
            thread::sleep(Duration::from_millis(300));
            if self.cpu()? <= before {
                return Ok(());
            }
        }
        bail!("the server is still busy after {PATIENCE:?}")
    }

    /// Returns a value of `/proc/PID/status` in MiB, such as `VmRSS`.
    pub fn memory(&self, name: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0).with_context(|| format!("/proc has no {name}"))
    }

    /// Makes the highest memory use, `VmHWM`, start again at what is used now.
    pub fn reset_peak_memory(&self) -> Result<()> {
        let file = format!("/proc/{}/clear_refs", self.0.id());
        fs::write(&file, "5").with_context(|| format!("{file} cannot be written"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the user and system time that this process has used, in microseconds.
pub fn own_cpu() -> Result<f64> {
    cpu("self")
}

fn cpu(process: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let ticks = cpu_ticks(&stat).context("/proc has no CPU time")?;
    Ok(ticks as f64 * 1e6 / rustix::param::clock_ticks_per_second() as f64)
}

/// Returns the sum of the user and system time in a line of `/proc/PID/stat`.
fn cpu_ticks(stat: &str) -> Option<u64> {
    // The name of the program is in parentheses and may contain spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_time_is_found_behind_a_program_name_with_spaces() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 123 45 6 7 20 0 1 0 5 6 7";
        assert_eq!(cpu_ticks(stat), Some(168));
    }
}
