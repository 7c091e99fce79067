//! HTTP servers as child processes: this project's, the references and the peers. Most
//! print their address on their first line. Each writes its log to a file. What is asked is in `load`.

use crate::process::{Process, command};
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to start or to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long the log must not have grown until it counts as complete.
const LOG_PAUSE: Duration = Duration::from_millis(100);

/// A server that accepts requests. Dropping it ends it.
pub struct Server {
    pub process: Process,
    pub address: SocketAddr,
    log: PathBuf,
}

impl Server {
    /// Starts `orgtokens-server serve` on a database.
    pub fn serve(program: &Path, database: &str, options: &[&str], log: &Path) -> Result<Self> {
        let mut serve = command(program);
        serve.args(["serve", "--listen", "127.0.0.1:0"]).args(options);
        serve.env("ORGTOKENS_DATABASE", database);
        Self::start(&mut serve, log)
    }

    /// Starts a server, and returns when it has printed its address.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let mut process = spawn(command.stdout(Stdio::piped()), log)?;
        let stdout = process.0.stdout.take().context("there is no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().rsplit("http://").next().and_then(|text| text.parse().ok());
        let address = address.with_context(|| fs::read_to_string(log).unwrap_or_default())?;
        Ok(Self { process, address, log: log.to_owned() })
    }

    /// Starts a server that prints no address, and returns when it accepts connections.
    pub fn start_at(address: SocketAddr, command: &mut Command, log: &Path) -> Result<Self> {
        let mut process = spawn(command.stdout(Stdio::null()), log)?;
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            let is_running = process.0.try_wait()?.is_none() && Instant::now() < deadline;
            ensure!(is_running, "{}", fs::read_to_string(log)?);
            thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { process, address, log: log.to_owned() })
    }

    /// Returns the body of the answer to a GET request. Any status but 200 is an error.
    pub fn get(&self, path: &str, headers: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
        let status = head.split(' ').nth(1);
        ensure!(status == Some("200"), "{path} was answered {}", head.lines().next().unwrap_or(""));
        Ok(body.to_owned())
    }

    /// Empties the log.
    pub fn clear_log(&self) -> Result<()> {
        self.complete_log()?;
        Ok(File::options().write(true).open(&self.log)?.set_len(0)?)
    }

    /// Counts the lines about requests in the log, once it no longer grows.
    pub fn count_log_lines(&self) -> Result<usize> {
        self.complete_log()?;
        let log = fs::read_to_string(&self.log)?;
        Ok(log.lines().filter(|line| line.contains("\"msg\":\"request\"")).count())
    }

    fn complete_log(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut length = None;
        while Instant::now() < deadline {
            let now = Some(fs::metadata(&self.log)?.len());
            if now == length {
                return Ok(());
            }
            length = now;
            thread::sleep(LOG_PAUSE);
        }
        anyhow::bail!("the log grows although no request is sent: {}", self.log.display())
    }
}

/// Starts a process whose log goes to a file.
fn spawn(command: &mut Command, log: &Path) -> Result<Process> {
    let file = File::options().create(true).append(true).open(log)?;
    file.set_len(0)?;
    let child = command.stdin(Stdio::null()).stderr(file).spawn();
    Ok(Process(child.context("`setpriv` (package util-linux) cannot start")?))
}
