//! The sources of settings, highest priority first: arguments, environment variables, a TOML file and
//! defaults. The settings of the file are converted to arguments, so that clap validates all of them.

mod file;

use super::{Arguments, output, serve};
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};
use file::File;
use orgtokens_server::server::Settings;
use orgtokens_server::store::Store;
use orgtokens_server::webhooks::Webhook;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use toml::{Table, Value};

/// Parses the arguments of the process. If they are wrong, prints the error and exits.
pub fn parse() -> Arguments {
    let (mut matches, file) = parse_with_file(&env::args_os().collect::<Vec<_>>());
    let parsed = Arguments::from_arg_matches_mut(&mut matches);
    let mut arguments = parsed.unwrap_or_else(|error| error.exit());
    if let super::Command::Serve { settings, .. } = &mut arguments.command {
        settings.webhooks = webhooks(file);
    }
    arguments
}

/// Returns the webhooks of the file. If they are wrong, prints the error and exits.
fn webhooks(file: Option<File>) -> Vec<Webhook> {
    let webhooks = file.map(File::webhooks).transpose().unwrap_or_else(|error| error.exit());
    webhooks.unwrap_or_default()
}

/// Prints the settings that `serve` would use with this file.
pub fn check(file: Option<PathBuf>) -> anyhow::Result<()> {
    let mut given = ["orgtokens-server", "serve"].map(OsString::from).to_vec();
    given.extend(file.map(|file| OsString::from_iter(["--config=".into(), file.into_os_string()])));
    let (matches, file) = parse_with_file(&given);
    let command = built_command();
    let (_, matches) = innermost(&command, &matches);
    Settings::from_arg_matches(matches)?.check()?;
    let webhooks = Some(webhooks(file)).filter(|webhooks| !webhooks.is_empty());
    let webhooks = webhooks.map(Value::try_from).transpose()?;
    let shown = settings(&command).filter_map(|setting| show(setting, matches));
    let shown = shown.chain(webhooks.map(|webhooks| ("webhook".to_owned(), webhooks)));
    output::print_result(toml::to_string(&shown.collect::<Table>())?.trim_end())
}

/// Checks the database URL of `serve`, which clap accepts as any text.
fn check_url(serve: &ArgMatches, file: Option<&File>) -> Result<(), Error> {
    let Some(url) = serve.get_one::<String>("url") else { return Ok(()) };
    Store::check_url(url).map_err(|error| {
        let place = file.and_then(|file| file.place("database"));
        let place = place.map(|place| format!("{place}': ")).unwrap_or_default();
        Error::raw(ErrorKind::ValueValidation, format!("{place}{:#}\n", anyhow::Error::new(error)))
    })
}

/// Returns the command line, in which every subcommand has its global options.
fn built_command() -> Command {
    let mut command = base_command();
    command.build();
    command
}

/// Returns the command line. Empty environment variables are ignored.
fn base_command() -> Command {
    ignore_empty_variables(Arguments::command())
}

/// Removes empty environment variables from a command, except those for credentials: if a password got
/// lost, `serve` must fail instead of opening the default database.
fn ignore_empty_variables(command: Command) -> Command {
    let is_empty = |argument: &Arg| {
        let name = argument.get_env().filter(|_| !argument.is_hide_env_values_set());
        name.and_then(env::var_os).is_some_and(|value| value.is_empty())
    };
    let command = command.mut_args(|argument| {
        if is_empty(&argument) { argument.env(None::<&'static str>) } else { argument }
    });
    command.mut_subcommands(ignore_empty_variables)
}

/// Returns the settings that a file may contain: the options of `serve`.
fn settings(command: &Command) -> impl Iterator<Item = &Arg> {
    let arguments = command.find_subcommand("serve").into_iter().flat_map(Command::get_arguments);
    arguments.filter(|argument| !matches!(key(argument), "" | "config" | "help"))
}

/// Returns whether a setting is a boolean. On the command line its name alone means true.
fn is_switch(setting: &Arg) -> bool {
    setting.get_num_args().is_some_and(|count| count.min_values() == 0)
}

fn key(argument: &Arg) -> &str {
    argument.get_long().unwrap_or_default()
}

/// Returns the key and the effective value of a setting. Credentials are hidden.
fn show(setting: &Arg, matches: &ArgMatches) -> Option<(String, Value)> {
    let (id, key) = (setting.get_id().as_str(), key(setting));
    let value = |text: String| match text.parse() {
        _ if key == "database" => Value::String(serve::redact_url(&text)),
        _ if setting.is_hide_env_values_set() => Value::String("not shown".to_owned()),
        Ok(number) => Value::Integer(number),
        Err(_) => Value::String(text),
    };
    let mut texts = matches.get_raw(id)?.map(|text| value(text.to_string_lossy().into_owned()));
    let value = match setting.get_action() {
        _ if is_switch(setting) => Value::Boolean(*matches.get_one(id)?),
        ArgAction::Append => Value::Array(texts.collect()),
        _ => texts.next_back()?,
    };
    Some((key.to_owned(), value))
}

/// Parses arguments together with the settings of the file that they name. If either is wrong, prints the
/// error and exits.
fn parse_with_file(given: &[OsString]) -> (ArgMatches, Option<File>) {
    // `--help` is an error here. It needs no file.
    let lenient = base_command().ignore_errors(true).try_get_matches_from(given);
    let file = lenient.as_ref().ok().and_then(File::named_by);
    let file = file.transpose().unwrap_or_else(|error| error.exit());
    let mut arguments = given.to_vec();
    if let (Some(file), Ok(lenient)) = (&file, &lenient) {
        let end = given.iter().position(|argument| argument == "--").unwrap_or(given.len());
        arguments.splice(end..end, file.arguments(lenient));
    }
    let matches = base_command().try_get_matches_from(arguments).unwrap_or_else(|mut error| {
        name_source(&mut error, given, file.as_ref());
        error.exit()
    });
    if let Some(("serve", serve)) = matches.subcommand() {
        check_url(serve, file.as_ref()).unwrap_or_else(|error| error.exit());
    }
    (matches, file)
}

/// Returns the innermost command and its arguments.
fn innermost<'a>(command: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    let inner = matches.subcommand();
    let inner = inner.and_then(|(name, matches)| Some((command.find_subcommand(name)?, matches)));
    inner.map_or((command, matches), |(command, matches)| innermost(command, matches))
}

/// Adds the source of an invalid value to the error: the environment variable, or the line of the file.
/// clap names only the option.
fn name_source(error: &mut Error, given: &[OsString], file: Option<&File>) {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return };
    // The argument may be `--pool-size 0` or `--pool-size=0`.
    let name = option.split(' ').next();
    let is_given = given.iter().any(|given| given.to_string_lossy().split('=').next() == name);
    let command = built_command();
    let Some(argument) = find_option(&command, option).filter(|_| !is_given) else { return };
    let line = || file.and_then(|file| file.place(key(argument)));
    let variable =
        || set_variable(argument).map(|name| format!("the environment variable '{name}"));
    if let Some(source) = variable().or_else(line) {
        let source = format!("{option}' from {source}");
        error.insert(ContextKind::InvalidArg, ContextValue::String(source));
    }
}

/// Returns the environment variable of an option, if it is set.
fn set_variable(argument: &Arg) -> Option<String> {
    let name = argument.get_env().filter(|name| env::var_os(name).is_some())?;
    Some(name.to_string_lossy().into_owned())
}

/// Returns an option of the command, or of one of its subcommands.
fn find_option<'a>(command: &'a Command, option: &str) -> Option<&'a Arg> {
    let own = command.get_arguments().find(|argument| argument.to_string() == option);
    own.or_else(|| command.get_subcommands().find_map(|command| find_option(command, option)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../dist/orgtokens.toml");

    #[test]
    fn the_example_has_every_setting_with_its_default() {
        let command = built_command();
        let given: Table = toml::from_str(EXAMPLE).unwrap();
        for setting in settings(&command) {
            let key = key(setting);
            match (setting.get_default_values(), given.get(key)) {
                ([], None) => assert!(EXAMPLE.contains(&format!("\n#{key} = ")), "{key}"),
                ([default], Some(Value::String(text))) => assert_eq!(default, &**text, "{key}"),
                ([default], Some(value)) => assert_eq!(default, &*value.to_string(), "{key}"),
                (defaults, value) => panic!("{key} is {value:?}, and its default {defaults:?}"),
            }
        }
    }

    #[test]
    fn every_line_of_the_example_is_accepted() {
        let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
            Some(line) if !line.starts_with(' ') => line,
            _ => line,
        });
        let mut all: Table = toml::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap();
        orgtokens_server::webhooks::parse(all.remove("webhook").unwrap()).unwrap();
        let command = built_command();
        assert_eq!(all.len(), settings(&command).count());
        let mut given = vec!["orgtokens-server".into(), "serve".into()];
        for (key, value) in all {
            given.extend(file::arguments(&command, &key, value).unwrap());
        }
        Arguments::command().try_get_matches_from(given).unwrap();
    }
}
