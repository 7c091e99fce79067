//! Connections that hold resources of the server and send nothing useful. What a
//! request means, and its answer, are tested elsewhere.

use crate::support::database::Database;
use crate::support::{PATIENCE, Running, eventually};
use rustix::process::Signal;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The ways to make the server wait for more bytes.
const STUCK: [(&str, &[u8]); 6] = [
    ("silent", b""),
    ("half a request line", b"GET /v1/us"),
    ("half a header block", b"GET /v1/user HTTP/1.1\r\nHost: localhost\r\nX-A: "),
    ("half an HTTP/2 preface", b"PRI * HTTP/2.0\r\n"),
    ("idle HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
    ("idle after a request", b"GET /v1/user HTTP/1.1\r\nHost: localhost\r\n\r\n"),
];

/// Returns whether the server has closed the connection. Skips what it sent before.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn connections_that_do_nothing_are_closed() {
    let database = Database::new();
    let server = Running::start(&database, &["--idle-timeout", "1"]);
    let mut stuck: Vec<_> = STUCK
        .iter()
        .map(|(what, bytes)| {
            let mut stream = server.connect();
            stream.write_all(bytes).unwrap();
            (what, stream)
        })
        .collect();
    for (what, stream) in &mut stuck {
        assert!(eventually(PATIENCE, || is_closed(stream)), "{what}");
    }
}

#[test]
fn a_header_sent_byte_by_byte_does_not_keep_a_connection_open() {
    let database = Database::new();
    let server = Running::start(&database, &["--idle-timeout", "1"]);
    let mut stream = server.connect();
    stream.write_all(b"GET /v1/user HTTP/1.1\r\nHost: localhost\r\nX-A: ").unwrap();
    let dripped =
        eventually(PATIENCE, || stream.write_all(b"a").is_err() || is_closed(&mut stream));
    assert!(dripped);
}

/// Requests a list that is larger than all buffers on the way. Returns the connection.
fn asks_for_a_long_list(server: &Running, database: &Database) -> TcpStream {
    database.add_tokens(120_000);
    let mut stream = server.connect();
    let request = format!(
        "GET /v1/organizations/acme/api-tokens HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        database.token
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

#[test]
fn an_answer_that_is_not_read_does_not_keep_a_connection_open() {
    let database = Database::new();
    let server = Running::start(&database, &["--idle-timeout", "1"]);
    let alone = server.sockets();
    let stream = asks_for_a_long_list(&server, &database);
    assert!(eventually(PATIENCE, || server.sockets() > alone));
    assert!(eventually(PATIENCE, || server.sockets() == alone));
    drop(stream);
}

#[test]
fn an_answer_that_is_read_slowly_is_not_cut_off() {
    let database = Database::new();
    let server = Running::start(&database, &["--idle-timeout", "1"]);
    let mut stream = asks_for_a_long_list(&server, &database);
    let (started, mut bytes, mut end) = (Instant::now(), vec![0; 128 * 1024], Vec::new());
    loop {
        let count = stream.read(&mut bytes).unwrap();
        if count == 0 {
            break;
        }
        end = bytes[..count].to_vec();
        std::thread::sleep(Duration::from_millis(15));
    }
    assert!(started.elapsed() > Duration::from_secs(2));
    assert!(end.ends_with(b"]}\r\n0\r\n\r\n"));
}

/// Sends a request and reads its answer. The connection stays open.
fn ask_once(stream: &mut TcpStream) {
    stream.write_all(b"GET /v1/user HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut bytes = [0; 4096];
    let count = stream.read(&mut bytes).unwrap();
    assert!(bytes[..count].starts_with(b"HTTP/1.1 401"));
}

#[test]
fn regular_requests_keep_a_connection_open() {
    let database = Database::new();
    let server = Running::start(&database, &["--idle-timeout", "2"]);
    let mut stream = server.connect();
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        ask_once(&mut stream);
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn above_the_limit_the_connection_that_was_idle_longest_is_closed_first() {
    let database = Database::new();
    let server = Running::start(&database, &["--max-connections", "4"]);
    let mut old: Vec<_> = (0..4).map(|_| server.connect()).collect();
    let mut new: Vec<_> = (0..4).map(|_| server.connect()).collect();
    // Each time the server checks, the new ones were used later than the old ones.
    assert!(eventually(PATIENCE, || {
        new.iter_mut().for_each(ask_once);
        old.iter_mut().all(is_closed)
    }));
    new.iter_mut().for_each(ask_once);
}

#[test]
fn a_thousand_silent_connections_delay_no_request() {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    let silent: Vec<_> = (0..1000).map(|_| server.connect()).collect();
    for _ in 0..20 {
        let started = Instant::now();
        assert_eq!(server.ask("GET", "/v1/user", &[], "").status, 401);
        assert!(started.elapsed() < Duration::from_millis(100), "{:?}", started.elapsed());
    }
    drop(silent);
}

#[test]
fn sigterm_stops_the_server_within_10_seconds_despite_half_sent_requests() {
    let database = Database::new();
    let mut server = Running::start(&database, &[]);
    let mut half_sent: Vec<_> = STUCK
        .iter()
        .map(|(_, bytes)| {
            let mut stream = server.connect();
            stream.write_all(bytes).unwrap();
            stream
        })
        .collect();
    let mut body = server.connect();
    let head = format!(
        "POST /v1/auth/api-tokens/half HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{",
        database.token
    );
    body.write_all(head.as_bytes()).unwrap();
    half_sent.push(body);
    server.signal(Signal::TERM);
    let ended = server.ended_within(Duration::from_secs(10)).expect("an end");
    assert_eq!(ended.code(), Some(0));
}
