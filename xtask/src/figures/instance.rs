//! API servers as processes of their own, and what is asked of them. They are
//! used as anybody may use them; whether a figure holds is not decided here.

use super::http::{Answer, ask};
use super::{Result, failed};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server. Dropping it ends it.
pub struct Instance {
    process: Child,
    address: SocketAddr,
}

impl Instance {
    /// Starts a server on this database.
    pub fn start(url: &str, pool: u32) -> Result<Self> {
        let mut process = program()?
            .args(["serve", "--listen", "127.0.0.1:0", "--pool-size", &pool.to_string()])
            .env("ORGTOKENS_DATABASE", url)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed("the server does not start", error))?;
        let mut line = String::new();
        if let Some(out) = process.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(|error| failed("stdout", error))?;
        }
        match line.trim().rsplit_once('/').and_then(|(_, address)| address.parse().ok()) {
            Some(address) => Ok(Self { process, address }),
            None => Err(failed("the server does not say where it listens", line)),
        }
    }

    fn ask(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        ask(self.address, token, method, path, body)
    }

    /// Mints a token, bound to the organization; its secret where that was acknowledged.
    pub fn mint(&self, token: &str, name: &str) -> (u16, Option<String>) {
        let path = format!("/v1/auth/api-tokens/{name}");
        let answer = self.ask(token, "POST", &path, r#"{"organization":"acme"}"#);
        let secret = serde_json::from_str::<serde_json::Value>(&answer.body).ok();
        let secret = secret.and_then(|body| Some(body.get("token")?.as_str()?.to_owned()));
        (answer.status, secret.filter(|_| answer.status == 200))
    }

    pub fn revoke(&self, token: &str, name: &str) -> u16 {
        self.ask(token, "DELETE", &format!("/v1/auth/api-tokens/{name}"), "").status
    }

    /// Whether it accepts a token: 200 or 401.
    pub fn validate(&self, token: &str) -> u16 {
        self.ask(token, "GET", "/v1/auth/validate", "").status
    }

    pub fn list(&self, token: &str) -> u16 {
        self.ask(token, "GET", "/v1/organizations/acme/api-tokens", "").status
    }

    /// Asks until the answer is this one; how long that took.
    pub fn wait_for(&self, token: &str, status: u16) -> Result<Duration> {
        let started = Instant::now();
        while self.validate(token) != status {
            if started.elapsed() > Duration::from_mins(1) {
                return Err(failed("the server does not recover", format!("no {status}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(started.elapsed())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // It is gone already where either fails.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Fills a database, and returns the owner's token.
pub fn init(url: &str) -> Result<String> {
    let output = program()?
        .args(["init", "--organization", "acme", "--username", "owner"])
        .args(["--email", "owner@example.com"])
        .env("ORGTOKENS_DATABASE", url)
        .output()
        .map_err(|error| failed("the server does not run", error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(failed("init failed", String::from_utf8_lossy(&output.stderr)))
}

/// The server's program is built beside this one.
fn program() -> Result<Command> {
    let own = std::env::current_exe().map_err(|error| failed("this program's path", error))?;
    let program: PathBuf = own.with_file_name("orgtokens-server");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    Ok(command)
}
