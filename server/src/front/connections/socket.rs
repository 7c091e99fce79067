//! The process's own sockets, found by their numbers, because dropshot hands none
//! out. Linux only, and the one place with unsafe code.
//!
//! No number is ever duplicated: closing a duplicate of a database file would drop
//! the locks that the process holds on it (POSIX). What is done to a number that was
//! closed, or is a file, fails with an error and no effect.

use rustix::net::{self, Shutdown, sockopt};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::mem::{size_of, zeroed};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;
use std::{fs, io};

/// How many connections may wait to be accepted: dropshot asks for 128, and above that a client
/// waits a second for its next try.
const BACKLOG: i32 = 4096;

/// A connection that was accepted.
#[derive(Debug)]
pub struct Socket {
    number: RawFd,
    /// The kernel's name for it, which is never used again.
    pub cookie: u64,
    pub peer: SocketAddr,
    /// How many bytes its peer has taken.
    pub acknowledged: u64,
    /// Whether there is more for its peer to take.
    is_unread: bool,
}

impl Socket {
    /// Closes the connection in both directions: whoever serves it notices at once.
    pub fn close(&self) {
        let socket = borrow(self.number);
        // The number may name another socket by now.
        if sockopt::socket_cookie(socket) != Ok(self.cookie) {
            return;
        }
        if self.is_unread {
            // The rest is dropped instead of being kept for a peer who does not read.
            let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
        }
        // Where this fails the peer was faster.
        let _ = net::shutdown(socket, Shutdown::Both);
    }
}

/// The open connections whose own end is `port`.
pub fn accepted(port: u16) -> Vec<Socket> {
    let numbers = numbers_on(port).into_iter();
    numbers.filter_map(|number| describe(number).ok()).collect()
}

fn describe(number: RawFd) -> io::Result<Socket> {
    let socket = borrow(number);
    let cookie = sockopt::socket_cookie(socket)?;
    // A listening socket has no peer, and fails here.
    let peer = net::getpeername(socket)?.ok_or(io::ErrorKind::NotConnected)?;
    let peer = SocketAddr::try_from(peer)?;
    let info = information(socket)?;
    let is_unread = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
    Ok(Socket { number, cookie, peer, acknowledged: info.tcpi_bytes_acked, is_unread })
}

/// Lets clients queue up, and answers that are written in parts go out at once: accepted sockets
/// inherit that.
pub fn tune_listener(address: SocketAddr) {
    for number in numbers_on(address.port()) {
        let socket = borrow(number);
        if sockopt::socket_acceptconn(socket) == Ok(true) {
            let _ = net::listen(socket, BACKLOG);
            let _ = sockopt::set_tcp_nodelay(socket, true);
        }
    }
}

/// Lets the process have as many open files as it may: a cap on connections is of no use where
/// they run out first.
pub fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where this fails, connections beyond the lower limit wait.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// The numbers of the sockets whose own end is `port`.
fn numbers_on(port: u16) -> Vec<RawFd> {
    let Ok(open) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let numbers = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_ours = |number: &RawFd| {
        let name = net::getsockname(borrow(*number)).ok();
        name.and_then(|name| SocketAddr::try_from(name).ok()).is_some_and(|own| own.port() == port)
    };
    numbers.filter(is_ours).collect()
}

#[expect(unsafe_code, reason = "the numbers of sockets that dropshot owns are all there is")]
fn borrow(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: it goes to system calls alone, and never outlives the function that asked for it.
    // They answer EBADF for a number that was closed meanwhile and ENOTSOCK for a file; where it
    // is another socket by now its cookie tells.
    unsafe { BorrowedFd::borrow_raw(number) }
}

#[expect(unsafe_code, reason = "no safe wrapper knows TCP_INFO")]
fn information(socket: BorrowedFd<'_>) -> io::Result<libc::tcp_info> {
    // SAFETY: `tcp_info` is whole numbers alone, so zeros are a value of it.
    let mut info: libc::tcp_info = unsafe { zeroed() };
    let mut size = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).unwrap_or_default();
    let pointer = (&raw mut info).cast();
    // SAFETY: the kernel writes at most `size` bytes to `info`, which is as large.
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
