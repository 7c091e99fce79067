//! `cargo xtask compat`: runs clients that others wrote, unchanged, against a server on a temporary
//! database, and clients that other generators make from `openapi.yaml`. What they call is in
//! `compat/`. The vendor's command line is no package: its requests are recorded.

mod recorded;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};

use clap::Args;
use xshell::{TempDir, cmd};

const NODE: [&str; 5] = [
    "@tursodatabase/api@2.0.5",
    "openapi-typescript@7.13.0",
    "openapi-fetch@0.17.0",
    "typescript@5.9.3",
    "@types/node@20",
];
const PYTHON: [&str; 3] = ["tursopy==0.0.3", "scpytsdk==1.0.0", "openapi-python-client==0.29.1"];

/// How many calls there are. If a client fails early, some of them are missing.
const CALLS: usize = 76 + recorded::CALLS;

/// Run clients that others wrote against the server, and print which of their calls work
///
/// Installs the clients into `target/compat`, which takes a network and a minute the first time. It
/// needs Node with npm, and Python 3 with venv. It fails if any call does.
#[derive(Args, Debug)]
pub struct Compat;

impl Compat {
    /// Runs the command.
    pub fn run(&self) -> ExitCode {
        match calls() {
            Ok(calls) => {
                println!("{}", table(&calls));
                let is_complete = calls.len() == CALLS && calls.iter().all(Call::works);
                ExitCode::from(u8::from(!is_complete))
            }
            Err(error) => crate::fail(&error),
        }
    }
}

/// A call of a client, and `ok` or what went wrong.
struct Call {
    client: String,
    name: String,
    outcome: String,
}

impl Call {
    /// Parses a line of a script.
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(3, '\t').map(str::to_owned);
        Some(Self { client: parts.next()?, name: parts.next()?, outcome: parts.next()? })
    }

    fn works(&self) -> bool {
        self.outcome == "ok"
    }
}

/// Installs the clients, runs their calls, and returns the outcomes.
fn calls() -> Result<Vec<Call>, Box<dyn Error>> {
    let shell = crate::shell()?;
    let (folder, contract) = (crate::target().join("compat"), crate::root().join("openapi.yaml"));
    shell.create_dir(&folder)?;
    // The scripts look for packages in their own folder.
    for script in ["calls.mjs", "calls.py", "generated.mts", "generated.py", "generated.yaml"] {
        shell.copy_file(crate::root().join("xtask/src/compat").join(script), &folder)?;
    }
    println!("installing {}, {}", NODE.join(", "), PYTHON.join(", "));
    shell.change_dir(&folder);
    let compile = "--strict --target es2022 --module nodenext --skipLibCheck".split(' ');
    let generate =
        "--meta none --overwrite --config generated.yaml --output-path contract".split(' ');
    for command in [
        cmd!(shell, "npm install --silent --prefix . {NODE...}"),
        cmd!(shell, "python3 -m venv python"),
        cmd!(shell, "python/bin/pip install --quiet --disable-pip-version-check {PYTHON...}"),
        cmd!(shell, "npx openapi-typescript --output contract.d.ts {contract}"),
        cmd!(shell, "npx tsc {compile...} generated.mts"),
        cmd!(shell, "python/bin/openapi-python-client generate {generate...} --path {contract}"),
    ] {
        command.quiet().run()?;
    }

    let server = Server::start()?;
    shell.set_var("ORGTOKENS_URL", &server.url);
    shell.set_var("ORGTOKENS_TOKEN", &server.token);
    let mut calls = Vec::new();
    for script in [
        cmd!(shell, "node calls.mjs"),
        cmd!(shell, "python/bin/python calls.py"),
        cmd!(shell, "node generated.mjs"),
        cmd!(shell, "python/bin/python generated.py"),
    ] {
        // A client that fails must not hide the others. What it does not call is missing.
        calls.extend(script.quiet().ignore_status().read()?.lines().filter_map(Call::parse));
    }
    calls.extend(recorded::calls(&server.url, &server.token)?);
    Ok(calls)
}

/// A server with the organization acme, its owner and the user bob. Dropping it ends it.
struct Server {
    process: Child,
    url: String,
    token: String,
    _folder: TempDir,
}

impl Server {
    fn start() -> Result<Self, Box<dyn Error>> {
        let shell = crate::shell()?;
        cmd!(shell, "cargo build --quiet --package orgtokens-server").quiet().run()?;
        let folder = shell.create_temp_dir()?;
        let database = format!("sqlite://{}", folder.path().join("compat.db").display());
        shell.set_var("ORGTOKENS_DATABASE", database);
        let program = crate::target().join("debug/orgtokens-server");
        let alice = "--username alice --email alice@example.com".split(' ');
        let bob = "--username bob --email bob@example.com".split(' ');
        let token = cmd!(shell, "{program} init --organization acme {alice...}").quiet().read()?;
        cmd!(shell, "{program} user add {bob...}").quiet().read()?;
        let mut serve = Command::from(cmd!(shell, "{program} serve --listen 127.0.0.1:0"));
        let mut process = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut line)?;
        let url = line.trim().trim_start_matches("listening on ").to_owned();
        Ok(Self { process, url, token, _folder: folder })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns a line for each call, and how many of them work.
fn table(calls: &[Call]) -> String {
    let line = |Call { client, name, outcome }: &Call| format!("{client:<21} {name:<34} {outcome}");
    let mut lines: Vec<_> = calls.iter().map(line).collect();
    let working = calls.iter().filter(|call| call.works()).count();
    lines.push(format!("{working} of {CALLS} calls work"));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_fails_or_is_missing_is_counted() {
        let lines = ["a\tone\tok", "a\ttwo\tno such path\twith a tab", "a warning"];
        let calls: Vec<_> = lines.into_iter().filter_map(Call::parse).collect();
        let table = table(&calls);
        assert!(table.contains("no such path\twith a tab"), "{table}");
        assert!(table.ends_with("1 of 92 calls work"), "{table}");
    }
}
