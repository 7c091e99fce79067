//! Runs the real binary as a server on a temporary database, and sends it requests.
//! It does not check the answers. The tests do.

pub mod database;
pub mod http;

use database::Database;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long to wait for something that will happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running server. Dropping it kills the process.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    pub scheme: String,
    /// Where `--ops-listen` listens.
    pub ops: Option<SocketAddr>,
}

impl Running {
    /// Serves the database, with these further arguments.
    pub fn start(database: &Database, arguments: &[&str]) -> Self {
        let mut command = database.command("serve");
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        Self::spawn(&mut command).expect("a server that starts")
    }

    /// Starts the command and waits for the line with its address. Fails if it ends before that.
    pub fn spawn(command: &mut Command) -> Result<Self, ExitStatus> {
        command.stderr(Stdio::null());
        Self::spawn_logging(command)
    }

    /// Like `spawn`, but leaves the stderr of the command as it is.
    pub fn spawn_logging(command: &mut Command) -> Result<Self, ExitStatus> {
        let command = command.stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let has_ops = command.get_args().any(|argument| argument == "--ops-listen");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut url = |before| {
            let line = lines.next()?.unwrap();
            let (scheme, address) = line.strip_prefix(before)?.split_once("://")?;
            Some((scheme.to_owned(), address.parse().unwrap()))
        };
        match url("listening on ") {
            Some((scheme, address)) => {
                let ops = has_ops.then(|| url("operations on ").expect("its address").1);
                Ok(Self { child, address, scheme, ops })
            }
            None => Err(child.wait().unwrap()),
        }
    }

    /// Wraps a server that is already running.
    pub fn around(child: Child, address: SocketAddr) -> Self {
        Self { child, address, scheme: "http".to_owned(), ops: None }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Counts the open sockets of the process.
    pub fn sockets(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let targets = open.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    /// The resident memory of the process, in KiB.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)
            .unwrap();
    }

    /// Waits until the process ends. Returns `None` if it does not within `patience`.
    pub fn ended_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let mut ended = None;
        eventually(patience, || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns whether `holds` becomes true within `patience`.
pub fn eventually(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
