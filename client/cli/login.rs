//! `login` keeps a token that the server accepts in a profile, and `logout` removes it.

use crate::arguments::Options;
use crate::connection::Connection;
use crate::output::say;
use crate::problem::Problem;
use crate::profile::{self, DEFAULT, Profile};
use orgtokens_client::Failure;
use reqwest::StatusCode;
use std::io::{self, ErrorKind, IsTerminal, Read};
use tokio::signal::unix::SignalKind;
use tokio::signal::{self, unix};

const NOTHING_KEPT: &str = "no token was kept: run `orgtokens login` again";

pub async fn login(options: &Options) -> Result<(), Problem> {
    let name = options.profile.as_deref().unwrap_or(DEFAULT);
    let url = Connection::find_url(options)?;
    let token = options.token.clone().map_or_else(read_token, Ok)?;
    let connection = Connection { url, token };
    let user = tokio::select! {
        user = check(&connection) => user?,
        _ = signal::ctrl_c() => return Err(Problem::interrupted(NOTHING_KEPT)),
    };
    let Connection { url, token } = connection;
    let done = format!("logged in to {url}{user}: kept in the profile `{name}`");
    profile::change(|profiles| {
        profiles.insert(name.to_owned(), Profile { url, token });
        Ok(())
    })?;
    say(&done)
}

/// Asks the server whether it accepts the token, and who its user is.
async fn check(connection: &Connection) -> Result<String, Problem> {
    let client = connection.client(|client| client)?;
    client.validate_api_token().send().await.map_err(|error| match Failure::from(error) {
        failure if failure.status == Some(StatusCode::UNAUTHORIZED) => {
            let advice = "give the whole token, and the URL of the server that minted it";
            Problem::refused(format!("{} does not accept this token: {advice}", connection.url))
        }
        failure => failure.into(),
    })?;
    // A group-bound token is valid, but may not ask who its user is.
    let user = client.get_current_user().send().await;
    Ok(user.map(|user| format!(" as {}", user.user.username)).unwrap_or_default())
}

/// The most that is read from standard input, in bytes: no secret and no leak report is longer.
const LONGEST: u64 = 65_536;

/// Reads a text from standard input. A longer one is an error.
pub fn read_stdin() -> io::Result<String> {
    let text = io::read_to_string(io::stdin().take(LONGEST + 1))?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other(format!("it has more than {LONGEST} bytes")));
    }
    Ok(text)
}

/// Reads a token from the terminal without echo, or from standard input if it is none.
fn read_token() -> Result<String, Problem> {
    let read = if io::stdin().is_terminal() {
        // At Ctrl-C the prompt raises SIGINT before it gives the terminal its echo again.
        let _handler = unix::signal(SignalKind::interrupt()).map_err(Problem::wrong_use)?;
        rpassword::prompt_password("token (not shown): ")
    } else {
        read_stdin()
    };
    let token = read.map_err(|error| match error.kind() {
        ErrorKind::Interrupted => Problem::interrupted(NOTHING_KEPT),
        _ => Problem::wrong_use(format!("no token was read: {error}")),
    })?;
    match token.trim() {
        "" => Err(Problem::wrong_use("no token was given: type it, or send it to standard input")),
        token => Ok(token.to_owned()),
    }
}

pub fn logout(options: &Options) -> Result<(), Problem> {
    let name = options.profile.as_deref().unwrap_or(DEFAULT);
    profile::change(|profiles| {
        let none =
            || Problem::wrong_use(format!("there is no profile `{name}`: nothing was removed"));
        profiles.remove(name).map(drop).ok_or_else(none)
    })?;
    say(&format!("removed the profile `{name}`: its token is valid until it is revoked"))
}
