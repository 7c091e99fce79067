//! The command line `orgtokens`. Its commands are generated from the contract: `verbs` names them,
//! `arguments` makes their arguments read well, `call` sends the request, and `output` prints the
//! answer. `profile` and `connection` decide on the server and the token, and `login` keeps them.
//! `problem` has the exit codes. It must not know an operation outside of `verbs` and `call`.

mod arguments;
mod call;
mod connection;
mod login;
mod output;
mod problem;
mod profile;
mod selection;
mod shell;
mod verbs;

#[expect(
    dead_code,
    elided_lifetimes_in_paths,
    unused_variables,
    clippy::clone_on_copy,
    clippy::pedantic,
    clippy::unwrap_used,
    reason = "generated code"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/cli.rs"));
}

use arguments::{Options, Own};
use clap::FromArgMatches;
use problem::Problem;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            output::complain(&format!("error: {problem}"));
            problem.code.into()
        }
    }
}

async fn run() -> Result<(), Problem> {
    let matches = arguments::command().get_matches();
    let options = Options::from_arg_matches(&matches).map_err(Problem::wrong_use)?;
    match Own::from_arg_matches(&matches) {
        Ok(Own::Login) => login::login(&options).await,
        Ok(Own::Logout) => login::logout(&options),
        Ok(Own::Completions { shell }) => shell::completions(shell),
        Ok(Own::Man { folder }) => shell::manual(&folder),
        // It is an operation.
        Err(_) => call::run(&options, &matches).await,
    }
}
