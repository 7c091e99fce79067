//! Sends the request of a generated command, and keeps the answer as it was received.

use crate::arguments::{self, Options, allow_ip, leaf, scope};
use crate::connection::Connection;
use crate::generated::{Cli, CliCommand, CliConfig};
use crate::login::read_stdin;
use crate::output::{self, Answer};
use crate::problem::Problem;
use crate::selection;
use crate::verbs::{Shown, question, verb};
use anyhow::{Context, ensure};
use clap::ArgMatches;
use clap::parser::ValueSource;
use futures::TryStreamExt;
use orgtokens_client::types::{self, Network, Scope};
use orgtokens_client::{Client, Error, ResponseValue, builder};
use serde::Serialize;
use serde_json::json;
use std::ffi::OsString;
use std::fmt::Debug;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex};

/// How often a request is sent again, if nothing can have changed.
const RETRIES: usize = 2;

/// How many entries a page of the whole audit log has.
const PAGE: u32 = 1_000;

pub async fn run(options: &Options, matches: &ArgMatches) -> Result<(), Problem> {
    let done = call(options, matches).await;
    done.map_err(|problem| problem.with_token_step(|| Connection::token_step(options)))
}

async fn call(options: &Options, matches: &ArgMatches) -> Result<(), Problem> {
    let (words, matches) = leaf(matches);
    refuse_bodies(matches)?;
    let (restricted, filter) = (restricted(matches), selection::filter(matches)?);
    let (operation, matches) = match &restricted {
        Some(matches) => (CliCommand::CreateOrganizationApiToken, matches),
        None if filter.is_some() => (CliCommand::RevokeOrganizationApiTokens, matches),
        None => (operation(&words, matches), matches),
    };
    let connection = match operation {
        CliCommand::RevokeCredentials => {
            Connection { url: Connection::find_url(options)?, token: String::new() }
        }
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

/// Refuses a whole body, which progenitor's hidden flags would read or print.
fn refuse_bodies(matches: &ArgMatches) -> Result<(), Problem> {
    let is_given = |id: &&clap::Id| {
        let is_typed = matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        is_typed && arguments::BODIES.contains(&id.as_str())
    };
    match matches.ids().find(is_given) {
        Some(id) => Err(Problem::wrong_use(format!("unexpected argument '--{id}': see --help"))),
        None => Ok(()),
    }
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
        given(id).map(move |value| {
            let mut argument = OsString::from(format!("--{name}="));
            argument.push(value);
            argument
        })
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
    // It is written in one piece, because what is typed early is shown between the pieces.
    let question = format!("{act}{name}{within} of {url}{consequence}? [y/N] ");
    eprint!("{question}");
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
        _: &ArgMatches,
        request: &mut builder::RevokeCredentials<'_>,
    ) -> anyhow::Result<()> {
        if io::stdin().is_terminal() {
            eprintln!("credentials, one on each line; Ctrl-D ends them:");
        }
        let text =
            read_stdin().context("no credential was reported: send fewer, one on each line")?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let credentials: Vec<_> = lines.map(str::to_owned).collect();
        ensure!(!credentials.is_empty(), "no credential was given: write one on each line");
        *request = request.clone().body_map(|body| body.credentials(credentials));
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
