//! `token revoke` with a filter: the arguments that select tokens, and the calls until none is left.

use crate::output::complain;
use crate::problem::Problem;
use chrono::DateTime;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};
use indicatif::ProgressBar;
use orgtokens_client::types::{Name, OrganizationSlug, RevocationFilter};
use orgtokens_client::{Client, Failure};
use reqwest::StatusCode;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The arguments that select tokens, with the members of the filter, and their help.
const FILTERS: [(&str, &str, &str, &str); 4] = [
    ("owner", "owner", "USERNAME", "Revoke the tokens that this user minted"),
    ("group", "group", "NAME", "Revoke the tokens that are bound to this group"),
    ("created-before", "created_before", "TIME", "Revoke the tokens that were minted before this"),
    (
        "last-used-before",
        "last_used_before",
        "TIME",
        "Revoke the tokens that were used, but not since",
    ),
];

const NEVER_USED: &str = "never-used";

/// Why the second call is not accepted.
const OWN: &str = "the token of this command is one of the revoked ones, and there are more: \
                   repeat it with another token";

/// Lets `token revoke` select tokens of an organization. What is selected by an ID is not.
pub fn arguments(command: Command) -> Command {
    let ids = || FILTERS.iter().map(|(id, ..)| *id).chain([NEVER_USED]);
    let filters = FILTERS.map(|(id, _, value, help)| {
        let filter = Arg::new(id).long(id).value_name(value).help(help);
        let filter =
            if value == "TIME" { filter.value_parser(time) } else { filter.value_parser(name) };
        filter.requires("organization-slug").conflicts_with_all(["token-name", "token-id"])
    });
    let never_used = Arg::new(NEVER_USED).long(NEVER_USED).action(ArgAction::SetTrue);
    let never_used = never_used.help("Revoke the tokens that were never used");
    let never_used =
        never_used.requires("organization-slug").conflicts_with_all(["token-name", "token-id"]);
    let dry_run = Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue);
    let dry_run = dry_run.requires("filter").help("Show the selected tokens, and revoke none");
    let filter = ArgGroup::new("filter").args(ids()).multiple(true);
    let selected = ArgGroup::new("selected").args(ids()).arg("token-id").multiple(true);
    command.args(filters).args([never_used, dry_run]).groups([filter, selected])
}

fn time(text: &str) -> Result<String, &'static str> {
    let time = DateTime::parse_from_rfc3339(text).map(|_| text.to_owned());
    time.map_err(|_| "use a time such as 2030-01-31T12:00:00Z")
}

fn name(text: &str) -> Result<String, String> {
    text.parse::<Name>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Returns whether the selected tokens are only to be shown.
pub fn is_dry_run(matches: &ArgMatches) -> bool {
    is_set(matches, "dry-run")
}

fn is_set(matches: &ArgMatches, flag: &str) -> bool {
    matches!(matches.try_get_one(flag), Ok(Some(true)))
}

/// Returns the filter in words, for the question before.
pub fn describe(matches: &ArgMatches) -> Option<String> {
    let given = FILTERS.iter().filter_map(|(id, ..)| {
        let text = matches.try_get_one::<String>(id).ok().flatten()?;
        Some(format!("{id} {text}"))
    });
    let never_used = is_set(matches, NEVER_USED).then(|| NEVER_USED.to_owned());
    let words: Vec<_> = given.chain(never_used).collect();
    (!words.is_empty()).then(|| format!("({})", words.join(", ")))
}

/// Returns the filter, if one is given.
pub fn filter(matches: &ArgMatches) -> Result<Option<RevocationFilter>, Problem> {
    let mut members = Map::new();
    for (id, member, ..) in FILTERS {
        if let Ok(Some(text)) = matches.try_get_one::<String>(id) {
            members.insert(member.to_owned(), text.as_str().into());
        }
    }
    if is_set(matches, NEVER_USED) {
        members.insert("never_used".to_owned(), true.into());
    }
    if members.is_empty() {
        return Ok(None);
    }
    serde_json::from_value(Value::Object(members)).map(Some).map_err(Problem::wrong_use)
}

/// Revokes the selected tokens, or shows the first of them. Returns all that the server named, and why
/// it broke off.
pub async fn revoke(
    client: &Client,
    matches: &ArgMatches,
    filter: &RevocationFilter,
) -> (Value, Option<Problem>) {
    let slug = matches.get_one::<OrganizationSlug>("organization-slug");
    let slug = slug.expect("clap requires it");
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(200));
    let is_dry_run = is_dry_run(matches);
    let mut tokens = Vec::new();
    let problem = loop {
        let call = client.revoke_organization_api_tokens().organization_slug(slug.clone());
        let call = call.body_map(|body| body.filter(filter.clone()).dry_run(is_dry_run));
        let answer = match call.send().await {
            Ok(answer) => answer.into_inner(),
            Err(error) => {
                let failure = Failure::from(error);
                let was_own =
                    failure.status == Some(StatusCode::UNAUTHORIZED) && !tokens.is_empty();
                break Some(if was_own { Problem::refused(OWN) } else { failure.into() });
            }
        };
        if answer.more && answer.tokens.is_empty() {
            break Some(Problem::unknown("the server says that there are more, but revokes none"));
        }
        tokens.extend(answer.tokens);
        let done = if is_dry_run { "selected" } else { "revoked" };
        progress.set_message(format!("{} tokens {done}", tokens.len()));
        if answer.more && is_dry_run {
            progress.suspend(|| complain("these are the oldest ones: there are more"));
        }
        if !answer.more || is_dry_run {
            break None;
        }
    };
    progress.finish_and_clear();
    (json!({ "tokens": tokens }), problem)
}
