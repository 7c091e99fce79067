//! `cargo xtask compat`: runs clients that others wrote, unchanged, against a server on a temporary
//! database, and clients that other generators make from `openapi.yaml`. What they call is in
//! `compat/`. The vendor's command line is no package: its requests are recorded.

mod recorded;

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};

use clap::Args;

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
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
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
fn calls() -> io::Result<Vec<Call>> {
    let folder = crate::target().join("compat");
    fs::create_dir_all(&folder)?;
    let scripts = crate::root().join("xtask/src/compat");
    // The scripts look for packages in their own folder.
    for script in ["calls.mjs", "calls.py", "generated.mts", "generated.py", "generated.yaml"] {
        fs::copy(scripts.join(script), folder.join(script))?;
    }
    println!("installing {}, {}", NODE.join(", "), PYTHON.join(", "));
    let run = |line: &str| {
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).current_dir(&folder);
        command
    };
    output(run("npm install --silent --prefix .").args(NODE))?;
    output(&mut run("python3 -m venv python"))?;
    output(run("python/bin/pip install --quiet --disable-pip-version-check").args(PYTHON))?;
    let contract = crate::root().join("openapi.yaml");
    output(run("npx openapi-typescript --output contract.d.ts").arg(&contract))?;
    let compile = "npx tsc --strict --target es2022 --module nodenext --skipLibCheck generated.mts";
    output(&mut run(compile))?;
    let generate = "python/bin/openapi-python-client generate --meta none --overwrite \
                    --config generated.yaml --output-path contract --path";
    output(run(generate).arg(&contract))?;

    let server = Server::start()?;
    let mut lines = String::new();
    for script in [
        "node calls.mjs",
        "python/bin/python calls.py",
        "node generated.mjs",
        "python/bin/python generated.py",
    ] {
        // A client that fails must not hide the others.
        let done = server.output(&mut run(script));
        lines += &done.unwrap_or_else(|error| format!("{script}\t-\t{error}\n"));
    }
    let mut calls: Vec<_> = lines.lines().filter_map(Call::parse).collect();
    calls.extend(recorded::calls(&server.url, &server.token)?);
    Ok(calls)
}

/// A server with the organization acme, its owner and the user bob. Dropping it ends it.
struct Server {
    process: Child,
    url: String,
    token: String,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> io::Result<Self> {
        let build = ["build", "--quiet", "--package", "orgtokens-server"];
        output(Command::new("cargo").args(build).current_dir(crate::root()))?;
        let folder = tempfile::tempdir()?;
        let database = format!("sqlite://{}", folder.path().join("compat.db").display());
        let program = crate::target().join("debug/orgtokens-server");
        let run = |arguments: &str| {
            let mut command = Command::new(&program);
            command.args(arguments.split(' ')).env("ORGTOKENS_DATABASE", &database);
            command
        };
        let owner = "init --organization acme --username alice --email alice@example.com";
        let token = output(&mut run(owner))?.trim().to_owned();
        output(&mut run("user add --username bob --email bob@example.com"))?;
        let mut serve = run("serve --listen 127.0.0.1:0");
        let mut process = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut line)?;
        let url = line.trim().trim_start_matches("listening on ").to_owned();
        Ok(Self { process, url, token, _folder: folder })
    }

    /// Runs a script that calls this server, and returns what it printed.
    fn output(&self, script: &mut Command) -> io::Result<String> {
        output(script.env("ORGTOKENS_URL", &self.url).env("ORGTOKENS_TOKEN", &self.token))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a command that must succeed, and returns its stdout. Its stderr goes to ours.
fn output(command: &mut Command) -> io::Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.stderr(Stdio::inherit()).output();
    let output = output
        .map_err(|error| io::Error::other(format!("{program} cannot run: {error}: install it")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(io::Error::other(format!("{program} failed: {}\n{text}", output.status)));
    }
    Ok(text)
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
