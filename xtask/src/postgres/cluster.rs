//! Temporary PostgreSQL servers: made, started, killed, copied as standbys, promoted,
//! and never left behind.

use super::tool::{Failure, Result, UNPRIVILEGED, finish, is_root, tool, unmade, unprivileged};
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The superuser of every cluster. The password has characters that a URL has to encode.
const USER: &str = "orgtokens";
const PASSWORD: &str = "p@ss/w:rd";
const ENCODED_PASSWORD: &str = "p%40ss%2Fw%3Ard";
const PATIENCE: Duration = Duration::from_mins(1);

/// A server in a temporary folder. Dropping it ends the server and deletes the folder.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

impl Cluster {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// Where there is no PostgreSQL on this machine, or it does not start.
    pub fn start() -> Result<Self> {
        let mut cluster = Self::new()?;
        let password = cluster.folder.path().join("password");
        fs::write(&password, PASSWORD).map_err(|error| unmade(&error))?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644))
            .map_err(|error| unmade(&error))?;
        finish(
            tool("initdb")?
                .arg("--pgdata")
                .arg(cluster.data())
                .arg("--pwfile")
                .arg(&password)
                .args(["--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8"])
                .args(["--locale", "C.UTF-8"]),
        )?;
        cluster.certify()?;
        cluster.resume()?;
        Ok(cluster)
    }

    /// Gives it a certificate for `localhost`, and for no other name.
    fn certify(&self) -> Result<()> {
        finish(
            unprivileged("openssl")?
                .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
                .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
                .args(["-addext", "subjectAltName=DNS:localhost"])
                .args(["-addext", "basicConstraints=critical,CA:FALSE"])
                .arg("-keyout")
                .arg(self.data().join("server.key"))
                .arg("-out")
                .arg(self.data().join("server.crt")),
        )
        .map(drop)
    }

    /// Makes a standby that follows `primary` under this name, and starts it.
    ///
    /// # Errors
    /// Where it cannot be copied, or does not start.
    pub fn standby_of(primary: &Self, name: &str) -> Result<Self> {
        let mut cluster = Self::new()?;
        let source =
            format!("host=127.0.0.1 port={} user={USER} application_name={name}", primary.port);
        finish(
            tool("pg_basebackup")?
                .arg("--pgdata")
                .arg(cluster.data())
                .args(["--dbname", &source, "--write-recovery-conf", "--checkpoint", "fast"])
                .env("PGPASSWORD", PASSWORD),
        )?;
        cluster.resume()?;
        Ok(cluster)
    }

    fn new() -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|error| unmade(&error))?;
        // The server's user has to get through to its own folder inside.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))
            .map_err(|error| unmade(&error))?;
        let cluster = Self { folder, port: free_port()?, server: None };
        let mut make = Command::new("install");
        make.args(["--directory", "--mode", "0700"]);
        if is_root()? {
            make.args(["--owner", UNPRIVILEGED, "--group", UNPRIVILEGED]);
        }
        finish(make.arg(cluster.data()))?;
        Ok(cluster)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Host and port, as a URL has them.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL of its first database.
    pub fn url(&self) -> String {
        Self::url_of(&[self], "postgres")
    }

    /// The URL of a database on whichever of these clusters takes writes.
    pub fn url_of(clusters: &[&Self], database: &str) -> String {
        let hosts: Vec<String> = clusters.iter().map(|cluster| cluster.address()).collect();
        format!("postgres://{USER}:{ENCODED_PASSWORD}@{}/{database}", hosts.join(","))
    }

    /// Starts the server, which must not run.
    ///
    /// # Errors
    /// Where it does not accept connections in time; its log is shown.
    pub fn resume(&mut self) -> Result<()> {
        let log =
            fs::File::create(self.folder.path().join("log")).map_err(|error| unmade(&error))?;
        let server = tool("postgres")?
            .arg("-D")
            .arg(self.data())
            .args([
                "-p",
                &self.port.to_string(),
                "-h",
                "127.0.0.1",
                "-c",
                "fsync=on",
                "-c",
                "ssl=on",
            ])
            .arg("-k")
            .arg(self.data())
            .stderr(log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| unmade(&error))?;
        self.server = Some(server);
        let deadline = Instant::now() + PATIENCE;
        while !self.accepts()? {
            if Instant::now() > deadline || self.has_ended() {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(Failure::new(format!("PostgreSQL does not start:\n{log}")));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn accepts(&self) -> Result<bool> {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            return Ok(false);
        }
        let port = self.port.to_string();
        let ready = tool("pg_isready")?.args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
        Ok(ready.is_ok_and(|status| status.success()))
    }

    fn has_ended(&mut self) -> bool {
        self.server.as_mut().is_none_or(|server| !matches!(server.try_wait(), Ok(None)))
    }

    fn stop(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        // Clients are cut off, nothing is saved, and the system gets back what is shared.
        finish(Command::new("kill").args(["-QUIT", &server.id().to_string()]))?;
        server.wait().map(drop).map_err(|error| unmade(&error))
    }

    /// Kills the server and every process of it, with no chance to finish anything.
    ///
    /// # Errors
    /// Where it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let main = server.id().to_string();
        // Its processes see the death of the main one only at their next rest.
        let children = finish(Command::new("ps").args(["-o", "pid=", "--ppid", &main]))?;
        finish(Command::new("kill").arg("-9").arg(&main).args(children.split_whitespace()))?;
        server.wait().map(drop).map_err(|error| unmade(&error))
    }

    /// Sends a signal to every process of the server, such as `-STOP` and `-CONT`.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let Some(server) = &self.server else { return Ok(()) };
        let main = server.id().to_string();
        let children = finish(Command::new("ps").args(["-o", "pid=", "--ppid", &main]))?;
        finish(Command::new("kill").arg(signal).arg(&main).args(children.split_whitespace()))
            .map(drop)
    }

    /// Makes a standby a primary, and returns when it takes writes.
    ///
    /// # Errors
    /// Where it is none, or does not become one in time.
    pub fn promote(&self) -> Result<()> {
        finish(tool("pg_ctl")?.arg("-D").arg(self.data()).args(["-w", "promote"])).map(drop)
    }

    /// Runs statements on its first database, and returns what they print.
    ///
    /// # Errors
    /// Where one of them fails.
    pub fn run(&self, statements: &[&str]) -> Result<String> {
        let mut psql = tool("psql")?;
        psql.args(["--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"]);
        psql.arg(self.url());
        for statement in statements {
            psql.args(["-c", statement]);
        }
        finish(&mut psql)
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
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| unmade(&error))?;
    Ok(listener.local_addr().map_err(|error| unmade(&error))?.port())
}
