//! The command line: the real program against a real server, or against a stand-in for what our
//! server never answers.

mod exit;
mod login;
mod operations;
mod readme;

use crate::support::Actor;
use orgtokens_client::ClientInfo;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A place to run the program: an empty home, a server and a token.
struct Shell {
    home: TempDir,
    url: String,
    token: String,
}

/// What the program did.
#[derive(Debug)]
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Shell {
    fn new(url: &str, token: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { home, url: url.to_owned(), token: token.to_owned() }
    }

    fn of(actor: &Actor) -> Self {
        Self::new(actor.client.baseurl(), actor.token.as_deref().unwrap())
    }

    /// Runs the program with the server and the token in the environment.
    async fn run(&self, arguments: &str) -> Run {
        let variables = [("ORGTOKENS_URL", &*self.url), ("ORGTOKENS_TOKEN", &*self.token)];
        self.run_with(&variables, "", arguments).await
    }

    /// Runs the program with these variables only, and this standard input.
    async fn run_with(&self, variables: &[(&str, &str)], input: &str, arguments: &str) -> Run {
        let file = self.home.path().join("input");
        std::fs::write(&file, input).unwrap();
        let mut command = self.command(variables, arguments);
        command.stdin(File::open(file).unwrap());
        let run = output(command).await;
        assert!(!run.stderr.contains(&self.token), "the token is shown: {run:?}");
        run
    }

    /// Runs the program on a terminal on which this answer is typed. Returns the terminal's text as
    /// standard error.
    async fn run_on_a_terminal(&self, answer: &str, arguments: &str) -> Run {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keyboard = openpt(flags).unwrap();
        unlockpt(&keyboard).unwrap();
        let terminal = ioctl_tiocgptpeer(&keyboard, flags).unwrap();
        let mut keyboard = File::from(keyboard);
        keyboard.write_all(format!("{answer}\n").as_bytes()).unwrap();
        let variables = [("ORGTOKENS_URL", &*self.url), ("ORGTOKENS_TOKEN", &*self.token)];
        let mut command = self.command(&variables, arguments);
        command.stdin(terminal.try_clone().unwrap()).stderr(terminal);
        let run = output(command).await;
        let mut text = Vec::new();
        // The end of a terminal is an error.
        let _ = keyboard.read_to_end(&mut text);
        Run { stderr: String::from_utf8(text).unwrap(), ..run }
    }

    fn command(&self, variables: &[(&str, &str)], arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orgtokens"));
        command.args(arguments.split_whitespace());
        command.env_clear().env("HOME", self.home.path()).envs(variables.iter().copied());
        command
    }

    /// Runs the program, which must succeed. Returns its standard output.
    async fn done(&self, arguments: &str) -> String {
        let run = self.run(arguments).await;
        assert_eq!(run.code, 0, "{arguments}: {run:?}");
        run.stdout
    }

    fn profiles(&self) -> PathBuf {
        self.home.path().join(".config/orgtokens/profiles.toml")
    }
}

/// Waits for the program on another thread: the server runs on this one.
async fn output(mut command: Command) -> Run {
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    Run { code: output.status.code().unwrap(), stdout, stderr }
}
