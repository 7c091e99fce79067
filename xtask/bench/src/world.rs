//! The servers and databases of a group of figures. They are started when the first contender needs
//! them, and end with the group.

use crate::contender::{Ask, Host};
use crate::database::{BoundToken, Database, TOKENS};
use crate::process::command;
use crate::server::Server;
use crate::{peers, postgres};
use anyhow::{Context, Result, ensure};
use postgres_cluster::Cluster;
use serde_json::Value;
use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How many tokens the organization with a long list has.
const MILLION: usize = 1_000_000;

/// The file with the cookie of a session at better-auth's server.
const COOKIE: &str = "cookie";

/// What all groups share: the programs, and the folder of everything that is written.
pub struct Workshop {
    /// `orgtokens-server`, from the same build.
    pub server: PathBuf,
    pub folder: PathBuf,
}

/// What one group uses.
pub struct World<'a> {
    workshop: &'a Workshop,
    databases: HashMap<Host, Database>,
    // What others use is dropped after them, so it comes last.
    servers: HashMap<Host, Server>,
    postgres: Option<Cluster>,
    /// The copies of databases, scripts and logs. They are removed with the world.
    folder: TempDir,
}

impl Workshop {
    /// Finds the programs, and makes the folder.
    pub fn new() -> Result<Self> {
        let server = env::current_exe()?.with_file_name("orgtokens-server");
        let folder = crate::root().join("target/bench");
        fs::create_dir_all(folder.join("databases"))?;
        ensure!(server.exists(), "orgtokens-server is not built: run `cargo xtask bench`");
        Ok(Self { server, folder })
    }

    fn prepare(&self, big: usize) -> Result<Database> {
        Database::prepare(&self.server, &self.folder.join("databases"), big)
    }

    /// Returns the folder of the peers.
    pub fn peers(&self) -> PathBuf {
        self.folder.join("peers")
    }
}

impl<'a> World<'a> {
    /// A world without servers.
    pub fn new(workshop: &'a Workshop) -> Result<Self> {
        let folder = tempfile::tempdir_in(&workshop.folder)?;
        let (databases, servers) = (HashMap::new(), HashMap::new());
        Ok(Self { workshop, databases, servers, postgres: None, folder })
    }

    /// Returns the path of a file that is removed with the world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the script of `wrk`.
    pub fn script(&self) -> Result<PathBuf> {
        let script = self.path("requests.lua");
        fs::write(&script, include_str!("load/requests.lua"))?;
        Ok(script)
    }

    /// Returns the database whose tokens a server accepts. A reference accepts any.
    pub fn database(&mut self, host: Host) -> Result<&Database> {
        let (host, big) = match host {
            Host::SqliteMillion => (host, MILLION),
            Host::SqliteNoLastUse => (host, 0),
            _ => (Host::Sqlite, 0),
        };
        if !self.databases.contains_key(&host) {
            let mut database = self.workshop.prepare(big)?;
            // A world starts with the same contents every time. The long one is only read.
            if big == 0 {
                let copy = self.path(&format!("{host:?}.db"));
                fs::copy(&database.file, &copy)?;
                database.file = copy;
            }
            self.databases.insert(host, database);
        }
        self.databases.get(&host).context("there is no database")
    }

    /// Copies the small database as every world starts with it.
    pub fn copy_database(&self, target: &Path) -> Result<()> {
        fs::copy(self.workshop.prepare(0)?.file, target)?;
        Ok(())
    }

    /// Returns the PostgreSQL server with the contents of the small database.
    pub fn postgres(&mut self) -> Result<&Cluster> {
        if self.postgres.is_none() {
            let server = &self.workshop.server;
            let cluster = postgres::start(server, self.database(Host::Postgres)?);
            self.postgres = Some(cluster.context("PostgreSQL does not start")?);
        }
        self.postgres.as_ref().context("there is no PostgreSQL")
    }

    /// Returns a server, and starts it unless it runs.
    pub fn server(&mut self, host: Host) -> Result<&Server> {
        if !self.servers.contains_key(&host) {
            let server = self.start(host).with_context(|| format!("{host:?} does not start"))?;
            self.servers.insert(host, server);
        }
        self.servers.get(&host).context("the server has ended")
    }

    /// Returns the cookie that requests to a running server need.
    pub fn cookie(&self, host: Host) -> Result<Option<String>> {
        let is_needed = host == Host::BetterAuth;
        is_needed.then(|| Ok(fs::read_to_string(self.path(COOKIE))?)).transpose()
    }

    /// Starts a server that ends when it is dropped.
    pub fn start(&mut self, host: Host) -> Result<Server> {
        let log = self.path(&format!("{host:?}.log"));
        let kind = match host {
            Host::Prism => return peers::start_prism(&self.workshop.peers(), &log),
            Host::BetterAuth => {
                let (database, cookie) = (self.path("better-auth.db"), self.path(COOKIE));
                let folder = self.workshop.peers();
                return peers::start_better_auth(&folder, &database, &cookie, &log);
            }
            Host::Dropshot => "dropshot",
            Host::DropshotBytes => "dropshot-bytes",
            Host::Hyper => "hyper",
            Host::Sqlite | Host::SqliteMillion => {
                let url = self.database(host)?.url();
                return Server::serve(&self.workshop.server, &url, &[], &log);
            }
            Host::SqliteNoLastUse => {
                let url = self.database(host)?.url();
                return Server::serve(&self.workshop.server, &url, &["--no-last-use"], &log);
            }
            Host::Postgres => {
                let url = self.postgres()?.url();
                return Server::serve(&self.workshop.server, &url, &[], &log);
            }
        };
        let list = self.list()?;
        Server::start(command(env::current_exe()?).arg(kind).arg(list), &log)
    }

    /// Returns a file with a list as this project's server answers it.
    fn list(&mut self) -> Result<PathBuf> {
        let BoundToken { slug, token } = self.database(Host::Sqlite)?.list[0].clone();
        let path = Ask::List.path().replace("SLUG", &slug);
        let authorization = format!("Authorization: Bearer {token}\r\n");
        let list = self.server(Host::Sqlite)?.get(&path, &authorization)?;
        let count = serde_json::from_str::<Value>(&list)?["tokens"].as_array().map_or(0, Vec::len);
        ensure!(count == TOKENS, "a list has {count} tokens, and should have {TOKENS}");
        let file = self.path("list.json");
        fs::write(&file, list)?;
        Ok(file)
    }
}
