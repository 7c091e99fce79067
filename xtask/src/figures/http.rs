//! The least of HTTP: one request, one answer, one connection. It trusts its peer,
//! which is a server that it started.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any answer may take, so that one that never comes is counted as such.
const PATIENCE: Duration = Duration::from_secs(20);

/// A status and a body; status 0 is no answer at all.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// Asks a server for something as the holder of a token.
pub fn ask(server: SocketAddr, token: &str, method: &str, path: &str, body: &str) -> Answer {
    exchange(server, token, method, path, body)
        .unwrap_or_else(|error| Answer { status: 0, body: error.to_string() })
}

fn exchange(
    server: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, body: body.to_owned() })
}
