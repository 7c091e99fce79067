//! Temporary PostgreSQL servers: created, started, killed, copied as standbys and promoted. None
//! outlives its `Cluster`.

use crate::tool::{UNPRIVILEGED, is_root, run, tool, unprivileged};
use std::fs;
use std::io::{self, Result};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The superuser of every cluster. The password has characters that a URL must encode.
const USER: &str = "orgtokens";
const PASSWORD: &str = "p@ss/w:rd";
const ENCODED_PASSWORD: &str = "p%40ss%2Fw%3Ard";
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A server in a temporary folder. Dropping it ends the server and deletes the folder.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

impl Cluster {
    /// Creates a cluster and starts it.
    ///
    /// # Errors
    /// If PostgreSQL is not installed, or does not start.
    pub fn start() -> Result<Self> {
        let mut cluster = Self::new()?;
        let password = cluster.folder.path().join("password");
        fs::write(&password, PASSWORD)?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644))?;
        run(tool("initdb")?
            .arg("--pgdata")
            .arg(cluster.data())
            .arg("--pwfile")
            .arg(&password)
            .args(["--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8"])
            .args(["--locale", "C.UTF-8"]))?;
        cluster.create_certificate()?;
        cluster.restart()?;
        Ok(cluster)
    }

    /// Creates a standby of `primary` under this name, and starts it.
    ///
    /// # Errors
    /// If the primary cannot be copied, or the standby does not start.
    pub fn standby_of(primary: &Self, name: &str) -> Result<Self> {
        let mut cluster = Self::new()?;
        let source =
            format!("host=127.0.0.1 port={} user={USER} application_name={name}", primary.port);
        run(tool("pg_basebackup")?
            .arg("--pgdata")
            .arg(cluster.data())
            .args(["--dbname", &source, "--write-recovery-conf", "--checkpoint", "fast"])
            .env("PGPASSWORD", PASSWORD))?;
        cluster.restart()?;
        Ok(cluster)
    }

    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // The server's user must be able to enter its own folder inside.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))?;
        let cluster = Self { folder, port: free_port()?, server: None };
        let mut install = Command::new("install");
        install.args(["--directory", "--mode", "0700"]);
        if is_root()? {
            install.args(["--owner", UNPRIVILEGED, "--group", UNPRIVILEGED]);
        }
        run(install.arg(cluster.data()))?;
        Ok(cluster)
    }

    /// Creates a certificate for `localhost`, and for no other name.
    fn create_certificate(&self) -> Result<()> {
        run(unprivileged("openssl")?
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(self.data().join("server.key"))
            .arg("-out")
            .arg(self.data().join("server.crt")))
        .map(drop)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns host and port as they are in a URL.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the URL of the first database.
    pub fn url(&self) -> String {
        Self::url_of(&[self], "postgres")
    }

    /// Returns the URL of a database on the one of these clusters that accepts writes.
    pub fn url_of(clusters: &[&Self], database: &str) -> String {
        let hosts: Vec<String> = clusters.iter().map(|cluster| cluster.address()).collect();
        format!("postgres://{USER}:{ENCODED_PASSWORD}@{}/{database}", hosts.join(","))
    }

    /// Starts the server after it was killed.
    ///
    /// # Errors
    /// If it does not accept connections within a minute; the message has its log.
    pub fn restart(&mut self) -> Result<()> {
        let log = self.folder.path().join("log");
        let server = tool("postgres")?
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.data())
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-c", "fsync=on", "-c", "ssl=on"])
            .stderr(fs::File::create(&log)?)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        self.server = Some(server);
        let deadline = Instant::now() + START_TIMEOUT;
        while !self.accepts_connections()? {
            if Instant::now() > deadline || self.has_exited() {
                let log = fs::read_to_string(&log).unwrap_or_default();
                return Err(io::Error::other(format!("PostgreSQL does not start:\n{log}")));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn accepts_connections(&self) -> Result<bool> {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            return Ok(false);
        }
        let port = self.port.to_string();
        let ready = tool("pg_isready")?.args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
        Ok(ready.is_ok_and(|status| status.success()))
    }

    fn has_exited(&mut self) -> bool {
        self.server.as_mut().is_none_or(|server| !matches!(server.try_wait(), Ok(None)))
    }

    /// Ends the server without a checkpoint, but lets it release its shared memory.
    fn stop(&mut self) -> Result<()> {
        // One that was stopped could not end.
        self.signal("-CONT")?;
        let Some(mut server) = self.server.take() else { return Ok(()) };
        run(Command::new("kill").args(["-QUIT", &server.id().to_string()]))?;
        server.wait()?;
        Ok(())
    }

    /// Kills every process of the server, so that none can finish anything.
    ///
    /// # Errors
    /// If it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        // The child processes would notice the death of their parent only later.
        self.signal("-KILL")?;
        if let Some(mut server) = self.server.take() {
            server.wait()?;
        }
        Ok(())
    }

    /// Sends a signal, such as `-STOP` or `-CONT`, to every process of the server.
    ///
    /// # Errors
    /// If the processes cannot be listed or signalled.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let Some(server) = &self.server else { return Ok(()) };
        let parent = server.id().to_string();
        let children = run(Command::new("ps").args(["-o", "pid=", "--ppid", &parent]))?;
        run(Command::new("kill").args([signal, &parent]))?;
        // A child may have ended meanwhile, which is an error of `kill`.
        let mut kill = Command::new("kill");
        kill.arg(signal).args(children.split_whitespace()).stderr(Stdio::null()).status()?;
        Ok(())
    }

    /// Promotes a standby, and returns when it accepts writes.
    ///
    /// # Errors
    /// If it is not a standby, or is not promoted in time.
    pub fn promote(&self) -> Result<()> {
        run(tool("pg_ctl")?.arg("-D").arg(self.data()).args(["-w", "promote"])).map(drop)
    }

    /// Executes statements in the first database, and returns what they print.
    ///
    /// # Errors
    /// If a statement fails.
    pub fn execute(&self, statements: &[&str]) -> Result<String> {
        let mut psql = tool("psql")?;
        psql.args(["--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"]);
        psql.arg(self.url());
        for statement in statements {
            psql.args(["-c", statement]);
        }
        run(&mut psql)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(failure) = self.stop() {
            eprintln!("warning: a PostgreSQL in {} may be left: {failure}", self.data().display());
        }
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
