//! Sends the request of a generated command, and keeps the answer as it was received.

use crate::arguments::{Options, allow_ip, leaf, scope};
use crate::connection::Connection;
use crate::generated::{Cli, CliCommand, CliConfig};
use crate::output::{self, Answer};
use crate::problem::Problem;
use crate::selection;
use crate::verbs::{Shown, question, verb};
use clap::ArgMatches;
use futures::TryStreamExt;
use orgtokens_client::types::{self, Network, Scope};
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
    let (restricted, filter) = (restricted(matches), selection::filter(matches)?);
    let (operation, matches) = match &restricted {
        Some(matches) => (CliCommand::CreateOrganizationApiToken, matches),
        None if filter.is_some() => (CliCommand::RevokeOrganizationApiTokens, matches),
        None => (operation(&words, matches), matches),
    };
    let connection = match operation {
        CliCommand::RevokeCredentials => Connection::find_anonymous(options)?,
        _ => Connection::find(options)?,
    };
    let shown = verb(operation).shown;
    if matches!(shown, Shown::Secret(_)) {
        output::require_stdout()?;
    }
    if let (Some(question), Some(false)) = (question(operation), flag(matches, "yes"))
        && !selection::is_dry_run(matches)
    {
        confirm(question, matches, &connection.url)?;
    }
    let bodies = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let received = bodies.clone();
    let client = connection.client(move |client| {
        client.retries(RETRIES).on_body(move |body| {
            received.lock().expect("no thread panics here").push(body.to_vec());
        })
    })?;
    let (value, problem) = if flag(matches, "all") == Some(true) {
        (Some(all_entries(&client, matches).await?), None)
    } else if let Some(filter) = &filter {
        let (value, problem) = selection::revoke(&client, matches, filter).await;
        (Some(value), problem)
    } else {
        Cli::new(client, Hooks).execute(operation, matches).await.map_err(Problem::from_call)?;
        (None, None)
    };
    let bodies = std::mem::take(&mut *bodies.lock().expect("no thread panics here"));
    // What was done before a later call failed is shown too.
    if problem.is_none() || !bodies.is_empty() {
        output::print(&Answer { bodies, value }, &shown, options.format)?;
    }
    problem.map_or(Ok(()), Err)
}

/// Returns whether a flag is given, or `None` if the command does not have it.
fn flag(matches: &ArgMatches, name: &str) -> Option<bool> {
    matches.try_get_one(name).ok().flatten().copied()
}

/// Returns the operation with these words. If there are more, it is the one whose required arguments
/// are given. The one that needs a filter is found by [`selection::filter`].
fn operation(words: &str, matches: &ArgMatches) -> CliCommand {
    let is_given = |operation: &CliCommand| {
        let command = Cli::<Hooks>::get_command(*operation);
        let mut required = command.get_arguments().filter(|argument| argument.is_required_set());
        // A whole body as a file is hidden, and never required.
        required.all(|it| it.get_id() == "json-body" || matches.contains_id(it.get_id().as_str()))
    };
    let needs_filter = |it: &CliCommand| matches!(it, CliCommand::RevokeOrganizationApiTokens);
    let candidates = CliCommand::iter().filter(|it| verb(*it).words == words);
    let mut candidates = candidates.filter(|it| !needs_filter(it));
    candidates.find(is_given).expect("clap knows these words and has required the arguments")
}

/// Returns the arguments of the operation that mints a restricted token, if that is asked for.
fn restricted(matches: &ArgMatches) -> Option<ArgMatches> {
    let given = |id| matches.try_get_raw(id).ok().flatten().into_iter().flatten();
    given("expires").chain(given("allow-ip")).next()?;
    let names = [
        ("token-name", "name"),
        ("organization", "organization-slug"),
        ("group", "group"),
        ("scope", "scope"),
        ("expires", "expiration"),
        ("allow-ip", "allow-ip"),
    ];
    let arguments = names.into_iter().flat_map(|(id, name)| {
        given(id).flat_map(move |value| [format!("--{name}").into(), value.to_owned()])
    });
    let command = Cli::<Hooks>::get_command(CliCommand::CreateOrganizationApiToken);
    let command = command.no_binary_name(true).args([scope(), allow_ip()]);
    Some(command.get_matches_from(arguments))
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
    let name = name.or_else(|| selection::describe(matches).map(Into::into)).unwrap_or_default();
    let within = given("organization-slug").map(|slug| format!(" in {slug}")).unwrap_or_default();
    let name = if name.is_empty() { name } else { format!(" {name}").into() };
    eprint!("{act}{name}{within} of {url}{consequence}? [y/N] ");
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

fn scopes(matches: &ArgMatches) -> Option<Vec<Scope>> {
    Some(matches.get_many("scope")?.copied().collect())
}

/// What is done at each step of a call. Only lists need help; the answer is printed from its body.
pub struct Hooks;

impl CliConfig for Hooks {
    fn execute_create_api_token(
        &self,
        matches: &ArgMatches,
        request: &mut builder::CreateApiToken<'_>,
    ) -> anyhow::Result<()> {
        if let Some(scopes) = scopes(matches) {
            *request = request.clone().body_map(|body| body.scopes(scopes));
        }
        Ok(())
    }

    fn execute_create_organization_api_token(
        &self,
        matches: &ArgMatches,
        request: &mut builder::CreateOrganizationApiToken<'_>,
    ) -> anyhow::Result<()> {
        if let Some(scopes) = scopes(matches) {
            *request = request.clone().body_map(|body| body.scopes(scopes));
        }
        if let Some(addresses) = matches.get_many::<Network>("allow-ip") {
            let addresses: Vec<_> = addresses.cloned().collect();
            *request = request.clone().body_map(|body| body.allowed_ips(addresses));
        }
        Ok(())
    }

    fn execute_revoke_credentials(
        &self,
        matches: &ArgMatches,
        request: &mut builder::RevokeCredentials<'_>,
    ) -> anyhow::Result<()> {
        if !matches.contains_id("json-body") {
            if io::stdin().is_terminal() {
                eprintln!("credentials, one on each line; Ctrl-D ends them:");
            }
            let credentials: Vec<_> = io::stdin().lines().collect::<Result<_, _>>()?;
            *request = request.clone().body_map(|body| body.credentials(credentials));
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
