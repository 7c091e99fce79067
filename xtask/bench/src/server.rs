//! HTTP servers as child processes: this project's, the references and the peers. Each prints a
//! line with its address, and writes its log to a file. What is asked is in `load`.

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
    pub fn serve(program: &Path, database: &str, log: &Path) -> Result<Self> {
        let mut serve = command(program);
        serve.args(["serve", "--listen", "127.0.0.1:0"]).env("ORGTOKENS_DATABASE", database);
        Self::start(&mut serve, log)
    }

    /// Starts a server, and returns when it has printed its address.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        file.set_len(0)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).spawn();
        let program = command.get_args().nth(2).unwrap_or_default().display().to_string();
        let mut process = Process(child.context("`setpriv` (package util-linux) cannot start")?);
        let stdout = process.0.stdout.take().context("there is no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains("listening on"));
        // Prism writes its log to stdout, which must not fill up.
        thread::spawn(|| lines.for_each(drop));
        let address = line.as_deref().and_then(|line| line.trim().rsplit("http://").next());
        let address = address.and_then(|text| text.parse().ok());
        let address = address.with_context(|| {
            format!("{program} does not start: {}", fs::read_to_string(log).unwrap_or_default())
        })?;
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
