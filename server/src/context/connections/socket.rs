//! Finds the process's own sockets by descriptor number, because dropshot does not
//! expose them. Linux only; the only module with unsafe code.
//!
//! It must not duplicate a descriptor: closing a duplicate of a database file would
//! release the process's locks on that file (POSIX). A system call on a number that is
//! closed, or is a file, fails without effect.

use rustix::net::{self, Shutdown, sockopt};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::mem::{size_of, zeroed};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};
use std::{fs, io};

/// How many connections may wait to be accepted. With dropshot's 128, a client above that waits a
/// second until it tries again.
const BACKLOG: i32 = 4096;

/// How many bytes of a response the kernel keeps for a peer that does not read. It would keep up to
/// 4 MiB, which no reservation counts.
const SEND_BUFFER: usize = 64 * 1024;

/// An accepted connection.
pub struct Socket {
    number: RawFd,
    /// The kernel's name for it, which is never reused.
    pub cookie: u64,
    pub peer: SocketAddr,
    /// How many bytes its peer has acknowledged.
    pub acknowledged: u64,
    /// When its peer last read a part of a response, or else when the socket was first seen.
    pub progress: Instant,
    /// Whether bytes wait for its peer.
    is_unread: bool,
}

impl Socket {
    fn new(number: RawFd, now: Instant) -> io::Result<Self> {
        let socket = borrow(number);
        let cookie = sockopt::socket_cookie(socket)?;
        // Fails for a listening socket, which has no peer.
        let peer = net::getpeername(socket)?.ok_or(io::ErrorKind::NotConnected)?.try_into()?;
        let info = information(socket)?;
        let is_unread = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
        let acknowledged = info.tcpi_bytes_acked;
        Ok(Self { number, cookie, peer, acknowledged, progress: now, is_unread })
    }

    /// Closes the connection in both directions. Its task notices at once.
    pub fn close(&self) {
        let socket = borrow(self.number);
        // The number may belong to another socket by now.
        if sockopt::socket_cookie(socket) != Ok(self.cookie) {
            return;
        }
        if self.is_unread {
            // Drops the rest: the kernel would keep it for a peer that does not read.
            let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
        }
        // It fails if the peer has closed already.
        let _ = net::shutdown(socket, Shutdown::Both);
    }
}

/// Returns the open connections on the local `port`.
pub fn accepted(port: u16, now: Instant) -> Vec<Socket> {
    numbers_on(port).filter_map(|number| Socket::new(number, now).ok()).collect()
}

/// Lengthens the accept queue, bounds what accepted sockets send unread, and turns Nagle's algorithm
/// off for them: it would delay the second part of a response.
pub fn tune_listener(port: u16) {
    for socket in numbers_on(port).map(borrow) {
        if sockopt::socket_acceptconn(socket) == Ok(true) {
            let _ = net::listen(socket, BACKLOG);
            let _ = sockopt::set_socket_send_buffer_size(socket, SEND_BUFFER);
            let _ = sockopt::set_tcp_nodelay(socket, true);
        }
    }
}

/// Raises the limit on open files to its maximum, so that the cap on connections is reached first.
pub fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it fails, connections above the lower limit wait.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Returns the numbers of the sockets on the local `port`.
fn numbers_on(port: u16) -> impl Iterator<Item = RawFd> {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(move |number| {
        let name = net::getsockname(borrow(*number)).ok();
        let name = name.and_then(|name| SocketAddr::try_from(name).ok());
        name.is_some_and(|name| name.port() == port)
    })
}

#[expect(unsafe_code, reason = "dropshot exposes no socket, so only the number is known")]
fn borrow(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: it is passed to system calls only, and no caller keeps it. They return EBADF for a
    // closed number and ENOTSOCK for a file; the cookie tells whether it is another socket.
    unsafe { BorrowedFd::borrow_raw(number) }
}

#[expect(unsafe_code, reason = "no safe wrapper has TCP_INFO")]
fn information(socket: BorrowedFd<'_>) -> io::Result<libc::tcp_info> {
    let number = socket.as_raw_fd();
    // SAFETY: `tcp_info` has integer fields only, so zeros are valid.
    let mut info: libc::tcp_info = unsafe { zeroed() };
    let mut size = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).unwrap_or_default();
    let (level, name, value) = (libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast());
    // SAFETY: the kernel writes at most `size` bytes, and `info` has that size.
    let result = unsafe { libc::getsockopt(number, level, name, value, &raw mut size) };
    if result == 0 { Ok(info) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn an_accepted_connection_has_a_bounded_send_buffer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        tune_listener(address.port());
        let _client = TcpStream::connect(address).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        // The kernel doubles the value. It grows none that was set.
        assert_eq!(sockopt::socket_send_buffer_size(&accepted).unwrap(), 2 * SEND_BUFFER);
        assert!(sockopt::tcp_nodelay(&accepted).unwrap());
    }
}
