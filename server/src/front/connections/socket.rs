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
use std::time::Duration;
use std::{fs, io};

/// How many connections may wait to be accepted. With dropshot's 128, a client above that waits a
/// second until it tries again.
const BACKLOG: i32 = 4096;

/// An accepted connection.
#[derive(Debug)]
pub struct Socket {
    number: RawFd,
    /// The kernel's name for it, which is never reused.
    pub cookie: u64,
    pub peer: SocketAddr,
    /// How many bytes its peer has acknowledged.
    pub acknowledged: u64,
    /// Whether bytes wait for its peer.
    is_unread: bool,
}

impl Socket {
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
pub fn accepted(port: u16) -> Vec<Socket> {
    let numbers = numbers_on(port).into_iter();
    numbers.filter_map(|number| describe(number).ok()).collect()
}

fn describe(number: RawFd) -> io::Result<Socket> {
    let socket = borrow(number);
    let cookie = sockopt::socket_cookie(socket)?;
    // Fails for a listening socket, which has no peer.
    let peer = net::getpeername(socket)?.ok_or(io::ErrorKind::NotConnected)?;
    let peer = SocketAddr::try_from(peer)?;
    let info = information(socket)?;
    let is_unread = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
    Ok(Socket { number, cookie, peer, acknowledged: info.tcpi_bytes_acked, is_unread })
}

/// Lengthens the accept queue, and turns Nagle's algorithm off, which accepted sockets inherit:
/// it would delay the second part of a response.
pub fn tune_listener(address: SocketAddr) {
    for number in numbers_on(address.port()) {
        let socket = borrow(number);
        if sockopt::socket_acceptconn(socket) == Ok(true) {
            let _ = net::listen(socket, BACKLOG);
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
fn numbers_on(port: u16) -> Vec<RawFd> {
    let Ok(open) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let numbers = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_ours = |number: &RawFd| {
        let name = net::getsockname(borrow(*number)).ok();
        name.and_then(|name| SocketAddr::try_from(name).ok()).is_some_and(|own| own.port() == port)
    };
    numbers.filter(is_ours).collect()
}

#[expect(unsafe_code, reason = "dropshot exposes no socket, so only the number is known")]
fn borrow(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: it is passed to system calls only, and no caller keeps it. They return EBADF for a
    // closed number and ENOTSOCK for a file; the cookie tells whether it is another socket.
    unsafe { BorrowedFd::borrow_raw(number) }
}

#[expect(unsafe_code, reason = "no safe wrapper has TCP_INFO")]
fn information(socket: BorrowedFd<'_>) -> io::Result<libc::tcp_info> {
    // SAFETY: `tcp_info` has integer fields only, so zeros are valid.
    let mut info: libc::tcp_info = unsafe { zeroed() };
    let mut size = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).unwrap_or_default();
    let pointer = (&raw mut info).cast();
    // SAFETY: the kernel writes at most `size` bytes, and `info` has that size.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            pointer,
            &raw mut size,
        )
    };
    if result == 0 { Ok(info) } else { Err(io::Error::last_os_error()) }
}
