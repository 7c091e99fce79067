//! Servers over PostgreSQL under load and failure: real processes, which are stopped or killed. The
//! tests check only the answers of the servers, and must not read the database.
//!
//! They take minutes and measure, so they are ignored. Run them on an idle machine:
//! `cargo nextest run -p orgtokens-server --run-ignored only --no-capture failover`

mod overload;
mod standby;
mod two_servers;

use crate::support::{Running, eventually};
use postgres_cluster::Cluster;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Starts PostgreSQL with an organization `acme`, and returns the token of its owner.
fn start_cluster() -> (Cluster, String) {
    let cluster = Cluster::start().unwrap();
    let output = command("init", &cluster.url())
        .args(["--organization", "acme", "--username", "owner"])
        .args(["--email", "owner@example.com"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let token = String::from_utf8(output.stdout).unwrap();
    (cluster, token.trim().to_owned())
}

fn command(name: &str, url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
    command.args([name, "--database", url]);
    command
}

/// A running server, and the owner who calls it.
struct Server {
    process: Running,
    owner: String,
}

impl Server {
    fn start(url: &str, owner: &str, pool_size: u32) -> Self {
        let mut serve = command("serve", url);
        serve.args(["--listen", "127.0.0.1:0", "--pool-size", &pool_size.to_string()]);
        let process = Running::spawn(&mut serve).expect("a server that starts");
        Self { process, owner: owner.to_owned() }
    }

    /// Mints a token that is bound to the organization. Returns it, or the status of the refusal.
    fn mint(&self, name: &str) -> Result<String, u16> {
        let (path, body) = (token_path(name), r#"{"organization":"acme"}"#);
        let answer = self.process.ask_as(&self.owner, "POST", &path, body);
        if answer.status != 200 {
            return Err(answer.status);
        }
        Ok(answer.json()["token"].as_str().unwrap().to_owned())
    }

    fn revoke(&self, name: &str) -> u16 {
        self.status(&self.owner, "DELETE", &token_path(name))
    }

    fn list(&self) -> u16 {
        self.status(&self.owner, "GET", "/v1/organizations/acme/api-tokens")
    }

    fn validate(&self, token: &str) -> u16 {
        self.status(token, "GET", "/v1/auth/validate")
    }

    fn status(&self, token: &str, method: &str, path: &str) -> u16 {
        self.process.ask_as(token, method, path, "").status
    }

    /// Waits until the owner's token is accepted, and returns how long that took.
    fn wait_until_ready(&self) -> Duration {
        let started = Instant::now();
        let is_ready = || self.validate(&self.owner) == 200;
        assert!(eventually(Duration::from_mins(1), is_ready), "the server does not recover");
        started.elapsed()
    }
}

fn token_path(name: &str) -> String {
    format!("/v1/auth/api-tokens/{name}")
}

/// Runs `scenario` while `clients` threads repeat `work`, which receives the client and the round.
fn under_load<T>(
    clients: usize,
    work: impl Fn(usize, usize) + Sync,
    scenario: impl FnOnce() -> T,
) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for client in 0..clients {
            let (work, is_over) = (&work, &is_over);
            let rounds = (0..).take_while(|_| !is_over.load(Ordering::SeqCst));
            scope.spawn(move || rounds.for_each(|round| work(client, round)));
        }
        let _stop = SetOnDrop(&is_over);
        scenario()
    })
}

/// Stops the clients even if the scenario panics, because the scope waits for them.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
