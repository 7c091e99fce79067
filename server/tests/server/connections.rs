//! Connections that occupy resources of the server without sending useful requests. The answers to
//! requests are tested elsewhere.

use crate::support::database::Database;
use crate::support::{PATIENCE, Running, eventually};
use rustix::net::sockopt;
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
fn idle_connections_are_closed() {
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

/// Waits for an answer on this connection, and returns its head without reading it.
fn waiting_head(stream: &TcpStream) -> String {
    let mut bytes = [0; 1024];
    let count = stream.peek(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
    text.split("\r\n\r\n").next().unwrap().to_ascii_lowercase()
}

#[test]
fn unread_answers_to_one_user_are_bounded_and_others_are_served() {
    for path in ["api-tokens", "audit-logs?page_size=1000"] {
        let path = format!("/v1/organizations/acme/{path}");
        unread_answers_are_bounded(&path);
    }
}

/// Asks for the answer 600 times as one user, and reads none of them.
fn unread_answers_are_bounded(path: &str) {
    let database = Database::new();
    let email = ["--username", "bob", "--email", "bob@example.com"];
    database.run("user add", &email);
    let membership = ["--organization", "acme", "--username", "bob", "--role", "viewer"];
    database.run("member set", &membership);
    let bob = database.run("token mint", &["--username", "bob", "--name", "all"]);
    database.add_tokens_of(2, 5_000);
    database.add_tokens(120_000);
    database.add_audit_entries(2_000);
    let server = Running::start(&database, &[]);
    let list = "/v1/organizations/acme/api-tokens";
    assert_eq!(server.ask_as(bob.trim(), "HEAD", list, "").status, 200);
    let before = server.memory();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        database.token
    );
    let unread: Vec<_> = (0..600)
        .map(|_| {
            let mut stream = server.connect();
            // A larger buffer could receive a whole page of the audit log.
            sockopt::set_socket_recv_buffer_size(&stream, 2048).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    let heads: Vec<_> = unread.iter().map(waiting_head).collect();
    let (listed, refused): (Vec<_>, Vec<_>) =
        heads.iter().partition(|head| head.starts_with("http/1.1 200"));
    assert!(!listed.is_empty() && !refused.is_empty());
    for head in refused {
        assert!(head.starts_with("http/1.1 503") && head.contains("\r\nretry-after: 1"), "{head}");
    }
    let answer = server.ask_as(bob.trim(), "GET", list, "");
    assert!(answer.status == 200 && answer.body.ends_with(b"]}\r\n0\r\n\r\n"));
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB");
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
        end.extend_from_slice(&bytes[..count]);
        end.drain(..end.len().saturating_sub(16));
        std::thread::sleep(Duration::from_millis(15));
    }
    assert!(started.elapsed() > Duration::from_secs(2));
    assert!(end.ends_with(b"]}\r\n0\r\n\r\n"));
}

/// A frame of HTTP/2 (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The preface of HTTP/2 with a window of zero bytes, and requests on so many streams.
fn http_2_requests(token: &str, streams: u32) -> Vec<u8> {
    // Literals of HPACK: GET and http by index, the others with their length.
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let path = text("/v1/organizations/acme/api-tokens");
    let headers = [
        &[0x82, 0x86, 0x04][..],
        &path,
        &[0x01],
        &text("localhost"),
        &[0x0f, 0x08],
        &text(&format!("Bearer {token}")),
    ]
    .concat();
    let settings = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let requests = (0..streams).flat_map(|index| frame(1, 5, 2 * index + 1, &headers));
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    preface.iter().copied().chain(settings).chain(requests).collect()
}

/// The status 505 in HPACK: a literal that refers to `:status`, Huffman-coded.
const STATUS_505: [u8; 5] = [0x48, 0x83, 0x6c, 0x0d, 0xff];

#[test]
fn http_2_is_refused_and_its_connection_closed() {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    let mut stream = server.connect();
    stream.write_all(&http_2_requests(&database.token, 1)).unwrap();
    // Opens the window, so that the body is sent too.
    stream.write_all(&frame(4, 0, 0, &[0, 4, 0, 0, 0xff, 0xff])).unwrap();
    let mut answer = Vec::new();
    // A reset ends the connection too.
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.windows(5).any(|bytes| bytes == STATUS_505), "{answer:?}");
    let text = String::from_utf8_lossy(&answer);
    assert!(text.contains(r#"{"error":"#) && text.contains("HTTP/1.1"), "{text}");
}

#[test]
fn a_hundred_streams_of_http_2_do_not_grow_the_server() {
    let database = Database::new();
    database.add_tokens(20_000);
    let server = Running::start(&database, &[]);
    let alone = server.sockets();
    assert_eq!(server.ask("GET", "/v1/user", &[], "").status, 401);
    let before = server.memory();
    let mut stream = server.connect();
    stream.write_all(&http_2_requests(&database.token, 100)).unwrap();
    assert!(eventually(PATIENCE, || is_closed(&mut stream)));
    assert!(eventually(PATIENCE, || server.sockets() <= alone));
    // Each answer has 3 MB. The cache of the database may grow meanwhile.
    assert!(server.memory() < before + 16 * 1024, "{before} {}", server.memory());
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
