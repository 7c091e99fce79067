//! Other programs that list tokens, on Node: Prism, which mocks the contract, and a server with
//! better-auth's api-key plugin. They are installed under `target/bench`, and only measured.

use crate::process::command;
use crate::server::Server;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;

const NOT_INSTALLED: &str =
    "Node is not installed: install Node 20 or newer (Debian: `apt-get install nodejs npm`)";

/// The packages with their versions, and the server with better-auth.
const FILES: [(&str, &str); 2] = [
    ("package.json", include_str!("../peers/package.json")),
    ("server.mjs", include_str!("../peers/server.mjs")),
];

/// Installs the packages into a folder, unless they are there.
pub fn install(folder: &Path) -> Result<()> {
    ensure!(Command::new("node").arg("--version").output().is_ok(), NOT_INSTALLED);
    fs::create_dir_all(folder)?;
    let marker = folder.join("installed.json");
    for (name, text) in FILES {
        fs::write(folder.join(name), text)?;
    }
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == FILES[0].1) {
        return Ok(());
    }
    eprintln!("installing the peers with npm into {}", folder.display());
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
    let output = npm.output().context(NOT_INSTALLED)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`npm install` failed: {}", errors.trim());
    Ok(fs::write(marker, FILES[0].1)?)
}

/// Starts Prism, which answers as the contract's examples say.
pub fn start_prism(folder: &Path, log: &Path) -> Result<Server> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let port = address.port().to_string();
    let mut prism = command("node");
    prism.arg(folder.join("node_modules/@stoplight/prism-cli/dist/index.js"));
    // A line for each request would take most of its time.
    prism.args(["mock", "--verboseLevel", "error", "--host", "127.0.0.1", "--port", &port]);
    Server::start_at(address, prism.arg(crate::root().join("openapi.yaml")), log)
}

/// Starts the server with better-auth on a new database. It writes the cookie of a session to a file.
pub fn start_better_auth(
    folder: &Path,
    database: &Path,
    cookie: &Path,
    log: &Path,
) -> Result<Server> {
    let mut node = command("node");
    node.arg("server.mjs").args([database, cookie]).current_dir(folder);
    Server::start(&mut node, log)
}
