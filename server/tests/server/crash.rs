//! Kills the server while clients write, and compares the acknowledged changes with the database. A
//! change without an answer may or may not be there.

use crate::support::database::{Database, text};
use crate::support::http::Answer;
use crate::support::{PATIENCE, Running, eventually};
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const ROUNDS: u32 = 12;
const WRITERS: u32 = 8;

/// The outcomes of the changes, as the writers know them.
#[derive(Default)]
struct Outcomes {
    answers: u32,
    /// Secrets by name: the mint was acknowledged, and no revocation was tried.
    minted: BTreeMap<String, String>,
    /// Secrets by name: the revocation was acknowledged.
    revoked: BTreeMap<String, String>,
    /// Names of tokens in an unknown state: a change got no answer.
    unanswered: BTreeSet<String>,
}

fn path(name: &str) -> String {
    format!("/v1/auth/api-tokens/{name}")
}

/// Sends a request. Returns `None` if the server died before it answered.
fn attempt(server: &Running, token: &str, method: &str, path: &str) -> Option<Answer> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    server.try_send(request.as_bytes())
}

/// Mints, and revokes every other token, until the server is gone.
fn write(server: &Running, token: &str, prefix: &str, outcomes: &Mutex<Outcomes>) {
    for count in 0.. {
        let name = format!("{prefix}-{count}");
        let minted = attempt(server, token, "POST", &path(&name));
        let is_gone = minted.is_none();
        let Some(minted) = minted.filter(is_done) else {
            outcomes.lock().unwrap().unanswered.insert(name);
            if is_gone {
                return;
            }
            continue;
        };
        let secret = minted.json()["token"].as_str().unwrap().to_owned();
        outcomes.lock().unwrap().keep(&name, secret);
        if count % 2 == 0 {
            continue;
        }
        let revoked = attempt(server, token, "DELETE", &path(&name));
        let is_gone = revoked.is_none();
        outcomes.lock().unwrap().forget(name, revoked.is_some_and(|answer| is_done(&answer)));
        if is_gone {
            return;
        }
    }
}

/// Returns whether the change was acknowledged. After a 503 its outcome is unknown.
fn is_done(answer: &Answer) -> bool {
    assert!(matches!(answer.status, 200 | 503), "{answer:?}");
    answer.status == 200
}

impl Outcomes {
    fn keep(&mut self, name: &str, secret: String) {
        self.answers += 1;
        self.minted.insert(name.to_owned(), secret);
    }

    fn forget(&mut self, name: String, is_acknowledged: bool) {
        let secret = self.minted.remove(&name).unwrap();
        if is_acknowledged {
            self.revoked.insert(name, secret);
        } else {
            self.unanswered.insert(name);
        }
    }
}

/// Compares the tokens in the database with the acknowledged changes.
fn compare(server: &Running, token: &str, outcomes: &Outcomes) {
    let list = server.ask_as(token, "GET", "/v1/auth/api-tokens", "").json();
    let tokens = list["tokens"].as_array().unwrap();
    let kept: BTreeSet<_> = tokens.iter().map(|token| token["name"].as_str().unwrap()).collect();
    for name in outcomes.minted.keys() {
        assert!(kept.contains(name.as_str()), "{name} was minted and is lost");
    }
    for name in outcomes.revoked.keys() {
        assert!(!kept.contains(name.as_str()), "{name} was revoked and is back");
    }
    for name in kept {
        let known = outcomes.minted.contains_key(name) || outcomes.unanswered.contains(name);
        assert!(known || name == "first", "{name} was never minted");
    }
}

/// Kills the server while eight clients write, and starts it again.
fn kill(database: &Database, server: &Running, outcomes: &Mutex<Outcomes>, round: u32) -> Running {
    let before = outcomes.lock().unwrap().answers;
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let token = &database.token;
            scope.spawn(move || write(server, token, &format!("r{round}-{writer}"), outcomes));
        }
        // Later in every round, so that the kill interrupts different steps.
        let wrote =
            eventually(PATIENCE, || outcomes.lock().unwrap().answers >= before + 10 + round);
        server.signal(Signal::KILL);
        assert!(wrote, "the writers made too little progress");
    });
    let started = Instant::now();
    let server = Running::start(database, &[]);
    assert_eq!(server.ask_as(&database.token, "GET", "/v1/user", "").status, 200);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    server
}

#[test]
fn a_server_killed_under_eight_writers_keeps_what_it_acknowledged() {
    for database in Database::on_each() {
        let outcomes = Mutex::new(Outcomes::default());
        let mut server = Running::start(&database, &[]);
        for round in 0..ROUNDS {
            server = kill(&database, &server, &outcomes, round);
            compare(&server, &database.token, &outcomes.lock().unwrap());
        }
        let outcomes = outcomes.lock().unwrap();
        for (status, secrets) in [(200, &outcomes.minted), (401, &outcomes.revoked)] {
            for secret in secrets.values().take(50) {
                let answer = server.ask_as(secret, "GET", "/v1/auth/validate", "");
                assert_eq!(answer.status, status);
            }
        }
        // Every change has its audit entry, and the chain is intact.
        database.run("check", &[]);
    }
}

#[test]
fn every_acknowledged_change_is_synced_to_disk() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: strace is not installed");
        return;
    }
    let database = Database::new();
    let trace = database.folder().join("trace");
    let serve = database.command("serve");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-o"]).arg(&trace);
    command.arg(serve.get_program()).args(serve.get_args()).args(["--listen", "127.0.0.1:0"]);
    let server = Running::spawn(&mut command).unwrap();
    let count = || std::fs::read_to_string(&trace).unwrap().matches("sync(").count();
    for change in 0..10 {
        let before = count();
        let answer = server.ask_as(&database.token, "POST", &path(&format!("n{change}")), "");
        assert_eq!(answer.status, 200);
        assert!(count() > before, "change {change} was acknowledged without a sync");
    }
    let children = format!("/proc/{0}/task/{0}/children", server.id());
    let traced = std::fs::read_to_string(children).unwrap();
    drop(server);
    // strace is killed first. The server usually ends with it; if not, it is killed here.
    let _ = Command::new("kill").arg(traced.trim()).output().map(|output| text(&output));
}
