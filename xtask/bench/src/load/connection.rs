//! A connection that sends one request after the other, and finds the end of each answer.

use anyhow::{Context, Result, bail, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

/// A connection with at most one request under way.
pub struct Connection {
    stream: TcpStream,
    /// What was received of the answer.
    received: Vec<u8>,
    /// How long the answer is, once its head was received.
    length: Option<usize>,
    due: Option<Instant>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, received: Vec::new(), length: None, due: None })
    }

    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends a request that was due at this time. It must fit into the socket's buffer.
    pub fn send(&mut self, request: &[u8], due: Instant) -> Result<()> {
        self.stream.write_all(request).context("a request cannot be sent")?;
        self.received.clear();
        (self.length, self.due) = (None, Some(due));
        Ok(())
    }

    /// Receives, and returns when the request was due if its answer is complete.
    pub fn receive(&mut self) -> Result<Option<Instant>> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the server has closed a connection"),
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error).context("no answer can be received"),
            }
            if self.length.is_none() {
                self.length = length(&self.received)?;
            }
            if self.length == Some(self.received.len()) {
                return Ok(self.due.take());
            }
        }
    }
}

/// Returns how long an answer is, if its head is complete.
fn length(answer: &[u8]) -> Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = str::from_utf8(&answer[..end])?;
    let text = || String::from_utf8_lossy(answer);
    ensure!(head.starts_with("HTTP/1.1 200 "), "a request was not answered with 200: {}", text());
    let body = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Ok(Some(end + 4 + body.with_context(|| format!("an answer has no length: {head}"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_answer_is_known_from_its_head() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345";
        assert_eq!(length(&answer[..20]).unwrap(), None);
        assert_eq!(length(answer).unwrap(), Some(answer.len()));
    }

    #[test]
    fn an_answer_that_is_not_200_or_has_no_length_is_an_error() {
        assert!(length(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").is_err());
        assert!(length(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
