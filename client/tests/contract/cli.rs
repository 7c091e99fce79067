//! The command line: the real program against a real server, or against a stand-in for what our
//! server never answers.

mod exit;
mod life;
mod login;
mod operations;
mod readme;

use crate::support::Actor;
use orgtokens_client::ClientInfo;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A place to run the program: an empty home, a server and a token.
struct Shell {
    home: TempDir,
    url: String,
    token: String,
}

/// The keyboard's side of a terminal.
struct Terminal(File);

impl Terminal {
    /// Returns it with the side of the program.
    fn open() -> (Self, OwnedFd) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keyboard = openpt(flags).unwrap();
        unlockpt(&keyboard).unwrap();
        let screen = ioctl_tiocgptpeer(&keyboard, flags).unwrap();
        (Self(File::from(keyboard)), screen)
    }

    fn enter(&mut self, keys: &str) {
        self.0.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until what is typed is not shown.
    async fn is_silent(&self) {
        while tcgetattr(&self.0).unwrap().local_modes.contains(LocalModes::ECHO) {
            tokio::task::yield_now().await;
        }
    }

    /// Returns what was shown, after the program has ended.
    fn text(mut self) -> String {
        let mut text = Vec::new();
        // The end of a terminal is an error.
        let _ = self.0.read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    }
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

    /// Runs the program on a terminal on which this answer is typed.
    async fn run_on_a_terminal(&self, answer: &str, arguments: &str) -> Run {
        let variables = [("ORGTOKENS_URL", &*self.url), ("ORGTOKENS_TOKEN", &*self.token)];
        let keys = format!("{answer}\n");
        self.run_while(&variables, arguments, async |terminal| terminal.enter(&keys)).await
    }

    /// Runs the program in a session of its own on a terminal, while someone types on it. Returns
    /// the terminal's text as standard error. It ends with the settings that the program leaves.
    async fn run_while(
        &self,
        variables: &[(&str, &str)],
        arguments: &str,
        someone: impl AsyncFnOnce(&mut Terminal),
    ) -> Run {
        // The end of a session's first process would reset the terminal.
        const SESSION: &str = r#"trap : INT; "$0" "$@"; code=$?; stty -a >&2; exit $code"#;
        let (mut terminal, screen) = Terminal::open();
        let program = self.command(variables, arguments);
        let mut command = Command::new("/usr/bin/setsid");
        command.args(["--ctty", "--wait", "sh", "-c", SESSION]);
        command.arg(program.get_program()).args(program.get_args());
        command.env_clear().env("HOME", self.home.path()).envs(variables.iter().copied());
        command.stdin(screen.try_clone().unwrap()).stderr(screen);
        let (run, ()) = tokio::join!(output(command), someone(&mut terminal));
        Run { stderr: terminal.text(), ..run }
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
