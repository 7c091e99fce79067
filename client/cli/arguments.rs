//! The whole command line as clap reads it: the generated commands under their words, with
//! arguments that read well, and the commands of our own.

use crate::generated::{Cli, CliCommand, RANGES, SCOPES};
use crate::{call::Hooks, selection, verbs};
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, CommandFactory, Parser, Subcommand, ValueEnum,
    value_parser,
};
use orgtokens_client::types::{Expiration, Network, Scope};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;

const DURATIONS: [&str; 3] = ["overlap", "default-expiration", "maximum-expiration"];

const EXAMPLES: &str = "\
Examples:
  orgtokens login --url http://127.0.0.1:8080
  orgtokens token mint ci-bot --organization my-org > ci-bot.token
  orgtokens token list --organization my-org
  orgtokens token revoke ci-bot

Exit codes:
  0    done
  1    the server refused it
  2    wrong use: nothing was sent
  3    the server was not reached, or the outcome is unknown
  130  Ctrl-C ended a login";

/// Manage API tokens, members and groups of organizations
///
/// The server and the token come from the flags, else from `ORGTOKENS_URL` and `ORGTOKENS_TOKEN`,
/// else from the profile that `orgtokens login` writes. `--profile` is a flag: it replaces both
/// variables.
#[derive(Parser)]
#[command(name = "orgtokens", version, after_help = EXAMPLES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Root {
    #[command(flatten)]
    _options: Options,
}

/// What every command takes.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub struct Options {
    /// The server, such as `http://127.0.0.1:8080` [env: `ORGTOKENS_URL`]
    #[arg(long, global = true)]
    pub url: Option<String>,
    /// The token; it is safer in the environment or a profile, because other users see the
    /// arguments of a process [env: `ORGTOKENS_TOKEN`]
    #[arg(long, global = true, value_name = "SECRET")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub token: Option<String>,
    /// The profile to use instead of the environment [default: default]
    #[arg(long, global = true, value_name = "NAME")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub profile: Option<String>,
    /// A table for people, or the response as the server sent it
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
}

// The commands that are no operation of the contract. As a doc comment it would become the help.
#[derive(Subcommand)]
pub enum Own {
    /// Check a token and keep it in a profile, which only you can read
    ///
    /// Reads the token from the terminal without showing it, or from standard input.
    #[command(after_help = "Examples:\n  orgtokens login --url http://127.0.0.1:8080\n  \
                            orgtokens login --profile ci --url https://tokens.example < ci.token")]
    Login,
    /// Remove a profile; its token stays valid until it is revoked
    Logout,
    /// Print the completions of a shell
    #[command(after_help = "Example:\n  orgtokens completions bash > \
                            ~/.local/share/bash-completion/completions/orgtokens")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages to a folder
    #[command(after_help = "Example:\n  orgtokens man ~/.local/share/man/man1")]
    Man {
        /// An existing folder
        folder: PathBuf,
    },
}

/// The arguments for a whole body, which progenitor needs. They are refused.
pub const BODIES: [&str; 2] = ["json-body", "json-body-template"];

/// Returns the whole command line.
pub fn command() -> Command {
    let mut root = Root::command();
    for (thing, about) in verbs::THINGS {
        let group = Command::new(thing).about(about);
        root = root.subcommand(group.subcommand_required(true).arg_required_else_help(true));
    }
    for operation in CliCommand::iter() {
        let words = verbs::verb(operation).words;
        let leaf = readable(operation, words);
        root = match words.split_once(' ') {
            None => root.subcommand(leaf.name(words)),
            Some((thing, verb)) => {
                root.mut_subcommand(thing, |thing| add(thing, operation, leaf.name(verb)))
            }
        };
    }
    Own::augment_subcommands(root)
}

/// Adds a command, or its arguments if the name is taken.
fn add(thing: Command, operation: CliCommand, leaf: Command) -> Command {
    let name = leaf.get_name().to_owned();
    if thing.find_subcommand(&name).is_none() {
        return thing.subcommand(leaf);
    }
    thing.mut_subcommand(name, |taken| match operation {
        CliCommand::CreateOrganizationApiToken => restrict(taken),
        CliCommand::RevokeOrganizationApiTokens => selection::arguments(taken),
        _ => revoke(taken, &leaf),
    })
}

/// Returns the generated command of an operation, with arguments and help that read well.
fn readable(operation: CliCommand, words: &'static str) -> Command {
    let mut command = Cli::<Hooks>::get_command(operation).mut_args(readable_argument);
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let (title, text) = about.split_once("\n\n").unwrap_or((&about, ""));
    command = command.about(title.to_owned()).long_about(plain(&format!("{title}\n\n{text}")));
    if let Some(examples) = verbs::examples(words) {
        command = command.after_help(format!("Examples:\n  {examples}"));
    }
    if verbs::question(operation).is_some() {
        command = command.arg(yes());
    }
    match operation {
        CliCommand::CreateApiToken => mint(command),
        CliCommand::ListOrganizationAuditLogs => command.arg(all()),
        CliCommand::RevokeCredentials => explain(command, REPORT),
        _ => command,
    }
}

fn readable_argument(argument: Arg) -> Arg {
    let positional = |argument: Arg, name| argument.long(None).value_name(name);
    match argument.get_id().as_str() {
        "organization-slug" => argument.long("organization").value_name("SLUG"),
        "organization" => argument.value_name("SLUG"),
        "token-id" => argument.long("id").value_name("ID"),
        "expiration" => argument.long("expires").value_name("EXPIRATION").allow_hyphen_values(true),
        "token-name" | "group-name" | "name" => positional(argument, "NAME"),
        "username" => positional(argument, "USERNAME"),
        id if BODIES.contains(&id) => argument.hide(true).required(false),
        id => {
            let name = id.to_uppercase();
            let range = RANGES.iter().find(|(name, _)| *name == id);
            let is_duration = DURATIONS.contains(&id);
            let argument = argument.value_name(name);
            match range {
                Some((_, range)) => argument.value_parser(number(range)),
                // A negative duration is refused with the rule.
                None => argument.allow_hyphen_values(is_duration),
            }
        }
    }
}

/// Accepts the numbers of a range.
fn number(range: &'static RangeInclusive<u32>) -> impl TypedValueParser<Value = NonZeroU32> {
    move |text: &str| {
        let number = text.parse().ok().filter(|it: &NonZeroU32| range.contains(&it.get()));
        let rule = || format!("use a whole number from {} to {}", range.start(), range.end());
        number.ok_or_else(rule)
    }
}

/// Removes what Markdown adds to a text: emphasis and the targets of links.
fn plain(text: &str) -> String {
    let text = text.replace("**", "");
    let mut links = text.split("](");
    let start = links.next().unwrap_or_default().to_owned();
    links.fold(start, |text, rest| {
        let rest = rest.split_once(')').map_or(rest, |(_, rest)| rest);
        let (before, label) = text.rsplit_once('[').unwrap_or(("", &text));
        format!("{before}{label}{rest}")
    })
}

fn mint(command: Command) -> Command {
    let text = "\n\nWithout `--organization` the token is unrestricted: it may do all that you may \
                do. Turso has deprecated such tokens.\n\nThe secret alone is printed on standard \
                output. Save it: it is shown once.";
    explain(command, text)
        .mut_arg("group", |group| group.requires_all(["organization", "scope"]))
        .arg(scope().requires("group").help("What the token may do in the group; may be repeated"))
}

/// Adds a text to the long help.
fn explain(command: Command, text: &str) -> Command {
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    command.long_about(long + text)
}

/// Progenitor makes no flags for lists.
pub fn scope() -> Arg {
    let scope = PossibleValuesParser::new(SCOPES).try_map(|scope| scope.parse::<Scope>());
    let argument = Arg::new("scope").long("scope").value_name("SCOPE");
    argument.action(ArgAction::Append).value_parser(scope)
}

pub fn allow_ip() -> Arg {
    let argument = Arg::new("allow-ip").long("allow-ip").value_name("NET");
    argument.action(ArgAction::Append).value_parser(value_parser!(Network))
}

/// Lets a token of an organization expire, and name the addresses that may use it.
fn restrict(mint: Command) -> Command {
    let expires = Arg::new("expires").long("expires").value_name("EXPIRATION");
    let expires = expires.allow_hyphen_values(true).value_parser(value_parser!(Expiration));
    let expires = expires.help(
        "A duration such as 30d, a time such as 2030-01-31T12:00:00Z, or never; needs \
                      --organization, whose token policy has the default",
    );
    let addresses =
        "An address or a network that may use the token; may be repeated; needs --organization";
    mint.arg(expires.requires("organization"))
        .arg(allow_ip().requires("organization").help(addresses))
}

const REPORT: &str = "\n\nReads the credentials from standard input, one on each line.";

const SELECTION: &str = "\n\nWithout a name or an ID it revokes the tokens of the organization for \
    which every given condition is true, such as --owner and --never-used.";

/// Lets one command revoke a token by name, or by organization and ID.
fn revoke(by_name: Command, by_id: &Command) -> Command {
    let text = [&by_name, by_id].map(|it| it.get_long_about().map(ToString::to_string));
    by_name
        .args(by_id.get_arguments().filter(|it| it.get_id() != "yes"))
        .about("Revoke API Token")
        .long_about(text.map(Option::unwrap_or_default).join("\n\n") + SELECTION)
        .override_usage(
            "orgtokens token revoke [OPTIONS] <NAME>\n       \
             orgtokens token revoke [OPTIONS] --organization <SLUG> --id <ID>\n       \
             orgtokens token revoke [OPTIONS] --organization <SLUG> <--owner|--group|...>",
        )
        .mut_arg("token-name", |name| {
            let others = ["selected", "organization-slug"];
            name.required(false).required_unless_present_any(others).conflicts_with("token-id")
        })
        .mut_arg("token-id", |id| id.required(false).requires("organization-slug"))
        .mut_arg("organization-slug", |slug| slug.required(false).requires("selected"))
}

fn yes() -> Arg {
    let yes = Arg::new("yes").long("yes").action(ArgAction::SetTrue);
    yes.help("Do it without a question; needed if there is no terminal")
}

fn all() -> Arg {
    let all = Arg::new("all").long("all").action(ArgAction::SetTrue);
    all.conflicts_with_all(["page", "page-size"]).help(
        "Return the entries of all pages; `--format json` prints one JSON document for each page",
    )
}

/// Returns the words of the command that was given, and its matches.
pub fn leaf(matches: &ArgMatches) -> (String, &ArgMatches) {
    let (mut words, mut leaf) = (Vec::new(), matches);
    while let Some((word, inner)) = leaf.subcommand() {
        words.push(word);
        leaf = inner;
    }
    (words.join(" "), leaf)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs;

    /// Appends the help of a command and of all commands in it. The root shows the global options.
    fn append_help(text: &mut String, command: &mut Command) {
        if !text.is_empty() {
            let hide = |it: Arg| if it.is_global_set() { it.hide(true) } else { it };
            *command = std::mem::take(command).mut_args(hide);
        }
        let help = command.render_long_help().to_string();
        let name = command.get_bin_name().unwrap_or("orgtokens");
        text.extend(["$ ", name, " --help\n"]);
        text.extend(help.lines().flat_map(|line| [line.trim_end(), "\n"]).chain(["\n"]));
        let is_generated = |command: &Command| command.get_name() == "help";
        command
            .get_subcommands_mut()
            .filter(|it| !is_generated(it))
            .for_each(|it| append_help(text, it));
    }

    #[test]
    fn the_whole_help_is_the_text_in_the_golden_file() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/cli/help.txt");
        let mut help = String::new();
        let mut command = command().term_width(100);
        command.build();
        append_help(&mut help, &mut command);
        if std::env::var_os("UPDATE_HELP").is_some() {
            fs::write(path, &help).unwrap();
        }
        let golden = fs::read_to_string(path).unwrap_or_default();
        let difference = help.lines().zip(golden.lines()).find(|(now, golden)| now != golden);
        assert!(
            help == golden,
            "{difference:?}: run `UPDATE_HELP=1 cargo test` if that is intended"
        );
    }

    #[test]
    fn every_example_in_the_readmes_and_in_the_help_is_accepted() {
        let mut examples = 0;
        for (text, start) in [
            (include_str!("../../README.md"), "$ orgtokens "),
            (include_str!("../README.md"), "$ orgtokens "),
            (include_str!("help.txt"), "  orgtokens "),
        ] {
            let text = text.replace("\\\n", "");
            for example in text.lines().filter_map(|line| line.strip_prefix(start)) {
                let words = example.split_whitespace().take_while(|word| !"<>".contains(word));
                let parsed = command().try_get_matches_from(["orgtokens"].into_iter().chain(words));
                assert!(parsed.is_ok(), "{example}: {parsed:?}");
                examples += 1;
            }
        }
        assert!(examples > 15, "{examples}");
    }

    #[test]
    fn every_operation_has_a_command_of_its_own_but_mint_and_revoke_have_more() {
        command().debug_assert();
        let mut operations = BTreeMap::<_, usize>::new();
        for operation in CliCommand::iter() {
            *operations.entry(verbs::verb(operation).words).or_default() += 1;
        }
        operations.retain(|_, count| *count > 1);
        assert_eq!(operations, BTreeMap::from([("token mint", 2), ("token revoke", 3)]));
    }

    #[test]
    fn markdown_is_made_plain() {
        let plain = plain("- **All**: see [`GET`](/a/b) and [this](c), (really)");
        assert_eq!(plain, "- All: see `GET` and this, (really)");
    }
}
