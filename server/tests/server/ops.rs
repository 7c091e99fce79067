//! The operations listener: its answers while the server works, and while it does not.

#![expect(clippy::float_cmp, reason = "the numbers that are compared are whole")]

pub mod metrics;

use crate::support::database::Database;
use crate::support::http::pipeline;
use crate::support::{PATIENCE, Running, eventually};
use metrics::scrape;
use postgres_cluster::{Cluster, is_installed};
use rustix::process::Signal;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;

const OPS: [&str; 2] = ["--ops-listen", "127.0.0.1:0"];

fn start(database: &Database) -> Running {
    Running::start(database, &OPS)
}

fn connect(server: &Running) -> TcpStream {
    let stream = TcpStream::connect(server.ops.unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn text(server: &Running, path: &str) -> (u16, String) {
    let answer = server.ask_ops("GET", path);
    (answer.status, String::from_utf8(answer.body).unwrap())
}

/// Requires that the server is alive but not ready, with these words in the reason.
#[track_caller]
fn require_not_ready(server: &Running, words: &str) {
    let (status, reason) = text(server, "/readyz");
    assert!(status == 503 && reason.contains(words), "{status} {reason}");
    assert_eq!(text(server, "/healthz").0, 200);
    assert_eq!(scrape(server)["orgtokens_ready"], 0.0);
}

#[test]
fn a_server_that_works_is_alive_and_ready() {
    for database in Database::on_each() {
        let server = start(&database);
        assert_eq!(text(&server, "/healthz"), (200, "alive\n".to_owned()));
        assert_eq!(text(&server, "/readyz?from=a-balancer"), (200, "ready\n".to_owned()));
        assert_eq!(scrape(&server)["orgtokens_ready"], 1.0);
    }
}

#[test]
fn only_get_and_head_of_three_paths_are_answered() {
    let database = Database::new();
    let server = start(&database);
    for path in ["/healthz", "/readyz", "/metrics"] {
        let head = server.ask_ops("HEAD", path);
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_ne!(head.header("content-length"), Some("0"), "{path}");
        let post = server.ask_ops("POST", path);
        assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    for path in ["/", "/metrics/", "/v1/auth/validate", "/%6detrics"] {
        assert_eq!(server.ask_ops("GET", path).status, 404, "{path}");
    }
}

#[test]
fn the_operations_paths_are_not_part_of_the_api() {
    let database = Database::new();
    let server = start(&database);
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(server.ask("GET", path, &[], "").status, 404, "{path}");
    }
    let mut openapi = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
    let document = String::from_utf8(openapi.arg("openapi").output().unwrap().stdout).unwrap();
    assert!(document.contains("/v1/auth/validate") && !document.contains("metrics"));
}

#[test]
fn without_ops_listen_there_is_one_listener_and_one_line_of_output() {
    let database = Database::new();
    let mut serve = database.command("serve");
    serve.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = serve.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 1024];
    let length = stdout.read(&mut first).unwrap();
    let line = str::from_utf8(&first[..length]).unwrap();
    let address = line.trim_end().strip_prefix("listening on http://").unwrap().parse().unwrap();
    let server = Running::around(child, address);
    let with_ops = start(&database);
    assert_eq!(server.sockets() + 1, with_ops.sockets());
    server.signal(Signal::TERM);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn an_address_in_use_is_refused_with_the_name_of_the_option() {
    let database = Database::new();
    let taken = start(&database).ops.unwrap().to_string();
    let holder = std::net::TcpListener::bind(&taken).unwrap();
    let mut serve = database.command("serve");
    serve.args(["--listen", "127.0.0.1:0", "--ops-listen", &taken]);
    let output = serve.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(error.contains(&taken) && error.contains("--ops-listen"), "{error}");
    drop(holder);
}

#[test]
fn a_database_file_that_was_removed_or_replaced_makes_the_server_not_ready() {
    let database = Database::new();
    let server = start(&database);
    let (path, elsewhere) = (database.path(), database.folder().join("elsewhere.db"));
    fs::rename(&path, &elsewhere).unwrap();
    require_not_ready(&server, "orgtokens.db is not the file that was opened");
    fs::copy(&elsewhere, &path).unwrap();
    require_not_ready(&server, "orgtokens.db is not the file that was opened");
    fs::rename(&elsewhere, &path).unwrap();
    assert_eq!(text(&server, "/readyz").0, 200);
}

#[test]
fn a_database_that_answers_with_an_error_makes_the_server_not_ready() {
    let database = Database::new();
    let server = start(&database);
    database.tamper("ALTER TABLE organizations RENAME TO moved");
    require_not_ready(&server, "organizations");
    database.tamper("ALTER TABLE moved RENAME TO organizations");
    assert_eq!(text(&server, "/readyz").0, 200);
}

#[test]
fn a_postgresql_that_is_down_or_silent_makes_the_server_not_ready_until_it_is_back() {
    if !is_installed() {
        eprintln!("PostgreSQL is not installed: nothing is tested");
        return;
    }
    let mut cluster = Cluster::start().unwrap();
    let command = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
        command.args([name, "--database", &cluster.url()]);
        command
    };
    let mut init = command("init");
    init.args(["--organization", "acme", "--username", "alice", "--email", "a@example.com"]);
    assert!(init.output().unwrap().status.success());
    let server = Running::spawn(command("serve").args(["--listen", "0"]).args(OPS)).unwrap();
    assert_eq!(text(&server, "/readyz").0, 200);
    cluster.signal("-STOP").unwrap();
    let (ready, health) = (text(&server, "/readyz"), text(&server, "/healthz"));
    // Before the assertions, because a paused PostgreSQL cannot be stopped if one of them fails.
    cluster.signal("-CONT").unwrap();
    assert!(ready.0 == 503 && ready.1.contains("within 1s"), "{ready:?}");
    assert_eq!(health.0, 200);
    assert!(eventually(PATIENCE, || text(&server, "/readyz").0 == 200));
    cluster.kill().unwrap();
    require_not_ready(&server, "unavailable");
    cluster.restart().unwrap();
    assert!(eventually(PATIENCE, || text(&server, "/readyz").0 == 200));
}

#[test]
fn a_stopping_server_is_alive_and_not_ready() {
    let database = Database::new();
    let mut server = start(&database);
    // The rest of the body does not come, so the server waits.
    let mut unfinished = server.connect();
    let head = format!(
        "POST /v1/auth/api-tokens/ci HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{",
        database.token
    );
    unfinished.write_all(head.as_bytes()).unwrap();
    assert_eq!(text(&server, "/readyz").0, 200);
    server.signal(Signal::TERM);
    assert!(eventually(PATIENCE, || text(&server, "/readyz").0 == 503));
    require_not_ready(&server, "the server is stopping");
    drop(unfinished);
    assert!(server.ended_within(PATIENCE).unwrap().success());
}

#[test]
fn a_draining_server_serves_and_is_not_ready_until_a_second_signal() {
    let database = Database::new();
    let mut server = Running::start(&database, &[&OPS[..], &["--drain-time", "600"]].concat());
    let status = || server.ask_as(&database.token, "GET", "/v1/user", "").status;
    assert_eq!((text(&server, "/readyz").0, status()), (200, 200));
    server.signal(Signal::TERM);
    assert!(eventually(PATIENCE, || text(&server, "/readyz").0 == 503));
    require_not_ready(&server, "the server is stopping");
    assert_eq!(status(), 200);
    server.signal(Signal::TERM);
    assert!(server.ended_within(PATIENCE).unwrap().success());
}

#[test]
fn draining_ends_after_the_drain_time_and_ctrl_c_skips_it() {
    let database = Database::new();
    for (time, signal) in [("1", Signal::TERM), ("600", Signal::INT)] {
        let mut server = Running::start(&database, &["--drain-time", time]);
        server.signal(signal);
        assert!(server.ended_within(PATIENCE).unwrap().success(), "{time}");
    }
}

#[test]
fn the_operations_listener_answers_while_the_api_is_overloaded() {
    const REQUESTS: usize = 2_000;
    let database = Database::new();
    let server = start(&database);
    let head = format!(
        "GET /v1/organizations/acme/api-tokens HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n",
        database.token
    );
    let _idle: Vec<_> = (0..64).map(|_| server.connect()).collect();
    thread::scope(|scope| {
        let flood = || pipeline(server.connect(), &head, REQUESTS);
        let floods: Vec<_> = (0..8).map(|_| scope.spawn(flood)).collect();
        while floods.iter().any(|flood| !flood.is_finished()) {
            for path in ["/healthz", "/readyz", "/metrics"] {
                assert_eq!(text(&server, path).0, 200, "{path}");
            }
        }
        for flood in floods {
            assert_eq!(flood.join().unwrap().matches("HTTP/1.1 200").count(), REQUESTS);
        }
    });
}

#[test]
fn silent_clients_block_no_others_and_are_disconnected() {
    let database = Database::new();
    let server = start(&database);
    let idle = server.sockets();
    let mut silent: Vec<_> = (0..200).map(|_| connect(&server)).collect();
    // The oldest connections are closed to make room, before their timeout.
    assert!(eventually(PATIENCE, || server.sockets() <= idle + 16));
    let mut newest = silent.pop().unwrap();
    newest.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = String::new();
    newest.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut partial = connect(&server);
    partial.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").unwrap();
    silent.iter_mut().chain([&mut partial]).for_each(require_closed);
    assert!(eventually(PATIENCE, || server.sockets() == idle));
}

/// Requires that the server closes the connection without an answer.
fn require_closed(stream: &mut TcpStream) {
    let end = stream.read(&mut [0; 1024]).map_err(|error| error.kind());
    assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "{end:?}");
}
