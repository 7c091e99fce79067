//! The log on stderr: lines are lost only if the reader stalls, and lost lines are counted. The content
//! of a request's line is tested in `requests`.

use crate::support::database::Database;
use crate::support::http::pipeline;
use crate::support::{PATIENCE, Running, eventually};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

const CONNECTIONS: usize = 4;
const HEAD: &str = "GET /v1/user HTTP/1.1\r\nHost: a\r\n";

/// Starts a server whose log goes to `stderr`.
fn start(database: &Database, stderr: impl Into<Stdio>) -> Running {
    let mut command = database.command("serve");
    command.args(["--listen", "127.0.0.1:0"]).stderr(stderr);
    Running::spawn_logging(&mut command).unwrap()
}

/// Sends so many requests on each connection, as fast as they are answered.
fn flood(server: &Running, count: usize) {
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let answers = pipeline(server.connect(), HEAD, count);
                assert_eq!(answers.matches("HTTP/1.1 401").count(), count);
            });
        }
    });
}

fn stop(mut server: Running) {
    server.signal(Signal::TERM);
    assert!(server.ended_within(PATIENCE).unwrap().success());
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn every_request_is_logged_under_load() {
    let database = Database::new();
    let path = database.folder().join("log");
    let server = start(&database, File::create(&path).unwrap());
    flood(&server, 2_500);
    stop(server);
    let log = std::fs::read_to_string(path).unwrap();
    let requests = log.lines().filter(|line| parse(line)["msg"] == "request");
    assert_eq!(requests.count(), CONNECTIONS * 2_500);
    assert_eq!(parse(log.lines().last().unwrap())["msg"], "stopping");
}

#[test]
fn each_write_is_one_or_more_whole_lines() {
    let database = Database::new();
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = start(&database, OwnedFd::from(theirs));
    let mut received = 0;
    let mut bytes = vec![0; 1024 * 1024];
    for expected in 0..20 {
        // The first line is that of the start.
        while received <= expected {
            let count = ours.recv(&mut bytes).unwrap();
            let text = str::from_utf8(&bytes[..count]).unwrap();
            assert!(text.ends_with("}\n"), "{text}");
            received += text.lines().map(parse).count();
        }
        assert_eq!(server.ask("GET", "/v1/user", &[], "").status, 401);
    }
}

/// Sends requests and then one that fails, while the log is not read. Then reads all of it. Returns
/// how many requests were sent, how many of them are in the log, and how many lines were lost.
fn stall(count: usize) -> (usize, usize, usize) {
    let database = Database::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let server = start(&database, writer);
    flood(&server, count);
    database.tamper("ALTER TABLE tokens RENAME TO moved");
    let failed = server.ask_as(&database.token, "GET", "/v1/user", "");
    assert!(failed.status >= 500);
    // The reader reads before the server stops: it does not wait for ever for a stalled one.
    let lines = std::thread::spawn(|| BufReader::new(reader).lines().map(Result::unwrap).collect());
    stop(server);
    let lines: Vec<String> = lines.join().unwrap();
    let lines: Vec<_> = lines.iter().map(|line| parse(line)).collect();
    let errors: Vec<_> = lines.iter().filter(|line| line["msg"] == "request failed").collect();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["request_id"], failed.header("x-request-id").unwrap());
    let requests = lines.iter().filter(|line| line["msg"] == "request").count();
    let lost = lines.iter().filter_map(|line| line["count"].as_u64()).sum::<u64>();
    (CONNECTIONS * count + 1, requests, usize::try_from(lost).unwrap())
}

#[test]
fn a_short_stall_of_the_reader_loses_no_lines() {
    let (sent, logged, lost) = stall(2_500);
    assert_eq!((logged, lost), (sent, 0));
}

#[test]
#[ignore = "120,000 requests fill the queue, which takes a minute"]
fn in_a_long_stall_of_the_reader_lost_lines_are_counted_and_errors_are_kept() {
    let (sent, logged, lost) = stall(30_000);
    assert!(lost > 0);
    assert_eq!(logged + lost, sent);
}

#[test]
fn the_first_line_has_the_version_the_database_and_the_address() {
    let database = Database::new();
    let path = database.folder().join("log");
    let server = start(&database, File::create(&path).unwrap());
    let (address, read) = (server.address.to_string(), || std::fs::read_to_string(&path).unwrap());
    assert!(eventually(PATIENCE, || read().ends_with('\n')));
    let line = parse(&read());
    assert_eq!(line["msg"], "started");
    assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(line["database"], database.path().display().to_string());
    assert_eq!(line["address"], address);
}

#[test]
fn the_log_names_the_client_behind_a_proxy() {
    let database = Database::new();
    let path = database.folder().join("log");
    let mut command = database.command("serve");
    command.args(["--listen", "127.0.0.1:0", "--trusted-proxy", "127.0.0.1"]);
    let server = Running::spawn_logging(command.stderr(File::create(&path).unwrap())).unwrap();
    server.ask("GET", "/v1/user", &["X-Forwarded-For: 2001:db8::1"], "");
    stop(server);
    let log = std::fs::read_to_string(path).unwrap();
    let request = log.lines().map(parse).find(|line| line["msg"] == "request").unwrap();
    assert_eq!(request["client"], "2001:db8::1");
    assert!(request["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
}

/// Sends a request with these header lines. Returns the lines of the log, and the request's id.
fn log_of(format: &[&str], headers: &[&str]) -> (Vec<String>, String) {
    let database = Database::new();
    let path = database.folder().join("log");
    let mut command = database.command("serve");
    command.args(["--listen", "127.0.0.1:0"]).args(format);
    let server = Running::spawn_logging(command.stderr(File::create(&path).unwrap())).unwrap();
    let answer = server.ask("GET", "/v1/user", headers, "");
    stop(server);
    let log = std::fs::read_to_string(path).unwrap();
    let id = answer.header("x-request-id").unwrap().to_owned();
    (log.lines().map(str::to_owned).collect(), id)
}

#[test]
fn each_format_has_the_time_and_the_request_id_of_the_answer() {
    let (rows, id) = log_of(&["--log-format", "text"], &[]);
    for row in &rows {
        let time = row.split(' ').next().unwrap();
        assert!(time.parse::<chrono::DateTime<chrono::Utc>>().is_ok(), "{row}");
    }
    assert!(rows[1].contains("Z GET 401 ") && rows[1].contains(&id), "{rows:?}");
    let (lines, id) = log_of(&["--log-format", "json"], &[]);
    assert_eq!(parse(&lines[1])["request_id"], id);
}

#[test]
fn the_log_names_the_trace_of_a_request_if_it_is_valid() {
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let (lines, _) = log_of(&[], &[&format!("traceparent: 00-{trace}-{span}-01")]);
    let line = parse(&lines[1]);
    let names = ["trace_id", "span_id", "trace_flags"].map(|name| line[name].as_str().unwrap());
    assert_eq!(names, [trace, span, "01"]);
    for headers in [&[][..], &["traceparent: 00-\"-x-01"]] {
        let (lines, _) = log_of(&[], headers);
        assert!(!lines[1].contains("trace"), "{lines:?}");
    }
}

#[test]
fn running_out_of_file_descriptors_is_logged() {
    let database = Database::new();
    let path = database.folder().join("log");
    let server = start(&database, File::create(&path).unwrap());
    let id = Pid::from_raw(i32::try_from(server.id()).unwrap());
    let limit = Rlimit { current: Some(0), ..getrlimit(Resource::Nofile) };
    prlimit(id, Resource::Nofile, limit).unwrap();
    let _refused = TcpStream::connect(server.address).unwrap();
    let read = || std::fs::read_to_string(&path).unwrap();
    assert!(eventually(PATIENCE, || read().contains("Too many open files")), "{}", read());
    let warning = read().lines().map(parse).find(|line| line["level"] == 40).unwrap();
    assert_eq!(warning["source"], "dropshot");
}
