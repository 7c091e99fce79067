//! Sends the request of a generated command, and keeps the answer as it was received.

use crate::arguments::{Options, leaf};
use crate::connection::Connection;
use crate::generated::{Cli, CliCommand, CliConfig};
use crate::output::{self, Answer};
use crate::problem::Problem;
use crate::verbs::{Shown, question, verb};
use clap::ArgMatches;
use futures::TryStreamExt;
use orgtokens_client::types::{self, Scope};
use orgtokens_client::{Client, Error, ResponseValue, builder};
use serde::Serialize;
use serde_json::json;
use std::fmt::Debug;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex};

/// How often a request is sent again, if nothing can have changed.
const RETRIES: usize = 2;

/// How many entries a page of the whole audit log has.
const PAGE: u32 = 1_000;

pub async fn run(options: &Options, matches: &ArgMatches) -> Result<(), Problem> {
    let (words, matches) = leaf(matches);
    let operation = operation(&words, matches);
    let connection = Connection::find(options)?;
    let shown = verb(operation).shown;
    if matches!(shown, Shown::Secret) {
        output::require_stdout()?;
    }
    if let (Some(question), Some(false)) = (question(operation), flag(matches, "yes")) {
        confirm(question, matches, &connection.url)?;
    }
    let bodies = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let received = bodies.clone();
    let client = connection.client(move |client| {
        client.retries(RETRIES).on_body(move |body| {
            received.lock().expect("no thread panics here").push(body.to_vec());
        })
    })?;
    let all = flag(matches, "all") == Some(true);
    let value = if all { Some(all_entries(&client, matches).await?) } else { None };
    if value.is_none() {
        Cli::new(client, Hooks).execute(operation, matches).await.map_err(Problem::from_call)?;
    }
    let bodies = std::mem::take(&mut *bodies.lock().expect("no thread panics here"));
    output::print(&Answer { bodies, value }, &shown, options.format)
}

/// Returns whether a flag is given, or `None` if the command does not have it.
fn flag(matches: &ArgMatches, name: &str) -> Option<bool> {
    matches.try_get_one(name).ok().flatten().copied()
}

/// Returns the operation with these words. If there are two, it is the one whose required
/// arguments are given.
fn operation(words: &str, matches: &ArgMatches) -> CliCommand {
    let is_given = |operation: &CliCommand| {
        let command = Cli::<Hooks>::get_command(*operation);
        let mut required = command.get_arguments().filter(|argument| argument.is_required_set());
        required.all(|argument| matches.contains_id(argument.get_id().as_str()))
    };
    let mut candidates = CliCommand::iter().filter(|it| verb(*it).words == words);
    candidates.find(is_given).expect("clap knows these words and has required the arguments")
}

/// Asks whether to do it.
fn confirm(
    (act, consequence): (&str, &str),
    matches: &ArgMatches,
    url: &str,
) -> Result<(), Problem> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Problem::wrong_use("there is no terminal to ask on: give --yes to do it"));
    }
    let given = |name| {
        let mut values = matches.try_get_raw(name).ok().flatten()?;
        values.next().map(|value| value.to_string_lossy())
    };
    let name = ["token-name", "token-id", "group-name", "username"].into_iter().find_map(given);
    let name = name.unwrap_or_default();
    let within = given("organization-slug").map(|slug| format!(" in {slug}")).unwrap_or_default();
    eprint!("{act} {name}{within} of {url}{consequence}? [y/N] ");
    let mut answer = String::new();
    let read = io::stderr().flush().and_then(|()| io::stdin().read_line(&mut answer));
    match read {
        Ok(_) if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) => Ok(()),
        _ => Err(Problem::wrong_use("nothing was changed: answer y to do it")),
    }
}

/// Asks for every page of the audit log.
async fn all_entries(client: &Client, matches: &ArgMatches) -> Result<serde_json::Value, Problem> {
    let slug = matches.get_one::<types::OrganizationSlug>("organization-slug");
    let slug = slug.expect("clap requires it");
    let log = client.list_organization_audit_logs().organization_slug(slug.clone());
    let entries: Vec<_> = log.page_size(PAGE).stream().try_collect().await?;
    Ok(json!({ "audit_logs": entries }))
}

/// What is done at each step of a call. Only a list of scopes needs help; the answer is printed
/// from its body.
pub struct Hooks;

impl CliConfig for Hooks {
    fn execute_create_api_token(
        &self,
        matches: &ArgMatches,
        request: &mut builder::CreateApiToken<'_>,
    ) -> anyhow::Result<()> {
        if let Some(scopes) = matches.get_many::<Scope>("scope") {
            let scopes: Vec<_> = scopes.copied().collect();
            *request = request.clone().body_map(|body| body.scopes(scopes));
        }
        Ok(())
    }

    fn success_item<T: Serialize + Debug>(&self, _: &ResponseValue<T>) {}
    fn success_no_item(&self, _: &ResponseValue<()>) {}
    fn error<T: Serialize + Debug>(&self, _: &Error<T>) {}
    fn list_start<T: Serialize + Debug>(&self) {}
    fn list_item<T: Serialize + Debug>(&self, _: &T) {}
    fn list_end_success<T: Serialize + Debug>(&self) {}
    fn list_end_error<T: Serialize + Debug>(&self, _: &Error<T>) {}
}
