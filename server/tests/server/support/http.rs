//! HTTP/1.1 as raw bytes, so that a test can send malformed requests. Nothing is corrected, and the
//! status is not checked.

use super::Running;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// An answer as it was received.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> Value {
        let is_chunked = self.header("transfer-encoding") == Some("chunked");
        let joined = is_chunked.then(|| join_chunks(&self.body).expect("a whole body"));
        let body = joined.as_ref().unwrap_or(&self.body);
        serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the message of an error body, which has no other member.
    pub fn error(&self) -> String {
        let Value::Object(body) = self.json() else { panic!("{self:?}") };
        assert_eq!(body.len(), 1, "{body:?}");
        body["error"].as_str().expect("a sentence").to_owned()
    }
}

impl Running {
    /// Sends a well-formed request with these further header lines.
    pub fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let length = format!("Content-Length: {}", body.len());
        let mut lines = vec!["Host: localhost", "Connection: close"];
        lines.extend(headers);
        if !body.is_empty() {
            lines.extend(["Content-Type: application/json", &length]);
        }
        let head = format!("{method} {path} HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n"));
        self.send(format!("{head}{body}").as_bytes())
    }

    /// Sends a request with a credential.
    pub fn ask_as(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        self.ask(method, path, &[&format!("Authorization: Bearer {token}")], body)
    }

    /// Sends exactly these bytes, and reads until the server closes.
    pub fn send(&self, bytes: &[u8]) -> Answer {
        self.try_send(bytes).expect("an answer")
    }

    /// Like `send`, but returns `None` if the server does not answer.
    pub fn try_send(&self, bytes: &[u8]) -> Option<Answer> {
        send_to(self.address, bytes)
    }

    /// Sends a request to the operations listener.
    pub fn ask_ops(&self, method: &str, path: &str) -> Answer {
        self.ask_ops_with(method, path, "")
    }

    /// Like `ask_ops`, with these header lines. Each must end with CRLF.
    pub fn ask_ops_with(&self, method: &str, path: &str, headers: &str) -> Answer {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let ops = self.ops.expect("a server with --ops-listen");
        send_to(ops, request.as_bytes()).expect("an answer")
    }
}

/// Sends exactly these bytes, and reads until the server closes.
fn send_to(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(super::PATIENCE)).ok()?;
    // A server that refuses early may close before it has read all. Its answer counts.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    parse(&answer)
}

/// Parses the first answer in these bytes. Returns `None` if it is incomplete.
pub fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer { status, head, body: bytes[end + 4..].to_vec() };
    let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
    if let Some(length) = length.filter(|length| *length <= answer.body.len()) {
        answer.body.truncate(length);
        return Some(answer);
    }
    // An answer to HEAD has a length, but no body.
    (length.is_none() || answer.body.is_empty()).then_some(answer)
}

/// Returns the body that these chunks make. Returns `None` if the last one is missing.
fn join_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 4 + size..)?;
    }
}

/// Sends a request so often on one connection, without waiting for the answers, and closes it.
/// `head` is the request without its last, empty line. Returns all answers.
pub fn pipeline(mut stream: TcpStream, head: &str, count: usize) -> String {
    let mut writer = stream.try_clone().unwrap();
    let requests = format!("{head}\r\n").repeat(count - 1) + head + "Connection: close\r\n\r\n";
    let mut answers = String::new();
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(requests.as_bytes()).unwrap());
        stream.read_to_string(&mut answers).unwrap();
    });
    answers
}
