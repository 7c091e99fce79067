//! Where settings come from: arguments, environment variables, a TOML file, and defaults, in this order.
//! clap knows all but the file, whose settings become arguments: so clap validates them too.

use super::{Arguments, output, serve};
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::path::PathBuf;
use toml::{Spanned, Table, Value};

/// Parses the arguments of the process, or prints what is wrong with them and ends it.
pub fn parse() -> Arguments {
    let mut matches = matches(&env::args_os().collect::<Vec<_>>());
    Arguments::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit())
}

/// Prints the settings that `serve` would have with this file.
pub fn check(file: Option<PathBuf>) -> anyhow::Result<()> {
    let mut given = ["orgtokens-server", "serve"].map(OsString::from).to_vec();
    given.extend(file.map(|file| OsString::from_iter(["--config=".into(), file.into_os_string()])));
    let matches = matches(&given);
    let command = command();
    let (_, matches) = leaf(&command, &matches);
    let shown = settings(&command).filter_map(|setting| show(setting, matches));
    output::print_list(toml::to_string(&shown.collect::<Table>())?.trim_end())
}

fn command() -> Command {
    let mut command = Arguments::command();
    command.build();
    command
}

/// Returns the settings that a file may have: the options of `serve`.
fn settings(command: &Command) -> impl Iterator<Item = &Arg> {
    let arguments = command.find_subcommand("serve").into_iter().flat_map(Command::get_arguments);
    arguments.filter(|argument| !matches!(key(argument), "" | "config" | "help"))
}

fn key(argument: &Arg) -> &str {
    argument.get_long().unwrap_or_default()
}

/// Returns the effective value of a setting, without a credential.
fn show(setting: &Arg, matches: &ArgMatches) -> Option<(String, Value)> {
    let (id, key) = (setting.get_id().as_str(), key(setting));
    let value = |text: String| match text.parse() {
        _ if key == "database" => Value::String(serve::public(&text)),
        _ if setting.is_hide_env_values_set() => Value::String("not shown".to_owned()),
        Ok(number) => Value::Integer(number),
        Err(_) => Value::String(text),
    };
    let mut texts = matches.get_raw(id)?.map(|text| value(text.to_string_lossy().into_owned()));
    let value = match setting.get_action() {
        ArgAction::SetTrue => Value::Boolean(matches.get_flag(id)),
        ArgAction::Append => Value::Array(texts.collect()),
        _ => texts.next_back()?,
    };
    Some((key.to_owned(), value))
}

/// Parses arguments with the settings of the file that is named, or ends the process.
fn matches(given: &[OsString]) -> ArgMatches {
    // It is an error if help is wanted, which needs no file.
    let lenient = Arguments::command().ignore_errors(true).try_get_matches_from(given);
    let file = lenient.as_ref().ok().and_then(File::named_by);
    let file = file.transpose().unwrap_or_else(|error| error.exit());
    let mut arguments = given.to_vec();
    if let (Some(file), Ok(lenient)) = (&file, &lenient) {
        let end = given.iter().position(|argument| argument == "--").unwrap_or(given.len());
        arguments.splice(end..end, file.arguments(lenient));
    }
    Arguments::command().try_get_matches_from(arguments).unwrap_or_else(|mut error| {
        name_source(&mut error, given, file.as_ref());
        error.exit()
    })
}

/// Returns the innermost command and its arguments.
fn leaf<'a>(command: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    let inner = matches.subcommand();
    let inner = inner.and_then(|(name, matches)| Some((command.find_subcommand(name)?, matches)));
    inner.map_or((command, matches), |(command, matches)| leaf(command, matches))
}

/// Adds the variable or the line that an invalid value comes from. clap names only the option.
fn name_source(error: &mut Error, given: &[OsString], file: Option<&File>) {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return };
    // `--pool-size 0` is given as it is, or as `--pool-size=0`.
    let name = option.split(' ').next();
    let is_given = given.iter().any(|given| given.to_string_lossy().split('=').next() == name);
    let command = command();
    let Some(argument) = find(&command, option).filter(|_| !is_given) else { return };
    let line = || file.and_then(|file| file.place(key(argument)));
    let variable = || variable(argument).map(|name| format!("the environment variable '{name}"));
    if let Some(source) = variable().or_else(line) {
        let source = format!("{option}' from {source}");
        error.insert(ContextKind::InvalidArg, ContextValue::String(source));
    }
}

/// Returns the environment variable of an option, if it is set.
fn variable(argument: &Arg) -> Option<String> {
    let name = argument.get_env().filter(|name| env::var_os(name).is_some())?;
    Some(name.to_string_lossy().into_owned())
}

/// Returns an option of the command, or of one of its subcommands.
fn find<'a>(command: &'a Command, option: &str) -> Option<&'a Arg> {
    let own = command.get_arguments().find(|argument| argument.to_string() == option);
    own.or_else(|| command.get_subcommands().find_map(|command| find(command, option)))
}

/// A file of settings.
struct File {
    path: PathBuf,
    settings: Vec<Setting>,
}

struct Setting {
    key: String,
    line: usize,
    /// The same setting as arguments.
    arguments: Vec<OsString>,
}

impl File {
    /// Reads the file that the arguments or the environment name, if they name one.
    fn named_by(given: &ArgMatches) -> Option<Result<Self, Error>> {
        let path = given.get_one::<PathBuf>("config")?.clone();
        let shown = path.display().to_string();
        let settings = read(&path).map_err(|problem| {
            Error::raw(ErrorKind::ValueValidation, format!("{shown}: {problem}\n"))
        });
        Some(settings.map(|settings| Self { path, settings }))
    }

    /// Returns the settings of the command that neither its arguments nor the environment set.
    fn arguments(&self, given: &ArgMatches) -> Vec<OsString> {
        let command = command();
        let (command, given) = leaf(&command, given);
        let is_unset = |setting: &&Setting| {
            let argument = command.get_arguments().find(|argument| key(argument) == setting.key);
            argument.is_some_and(|argument| {
                let source = given.value_source(argument.get_id().as_str());
                source != Some(ValueSource::CommandLine) && variable(argument).is_none()
            })
        };
        let unset = self.settings.iter().filter(is_unset);
        unset.flat_map(|setting| setting.arguments.clone()).collect()
    }

    /// Returns where the setting with this key is, with the quotation mark that clap does not close.
    fn place(&self, key: &str) -> Option<String> {
        let setting = self.settings.iter().find(|setting| setting.key == key)?;
        Some(format!("line {} of '{}", setting.line, self.path.display()))
    }
}

/// Reads the settings of a file, and refuses what `serve` has no option for.
fn read(path: &PathBuf) -> Result<Vec<Setting>, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("{error}: name a file that can be read"))?;
    let line = |start| text[..start].matches('\n').count() + 1;
    let at = |start, problem: &dyn Display| format!("line {}: {problem}", line(start));
    // The whole error would show the line, which may have a password.
    let values: BTreeMap<String, Spanned<Value>> = toml::from_str(&text)
        .map_err(|error| at(error.span().unwrap_or_default().start, &error.message()))?;
    let command = command();
    let settings = values.into_iter().map(|(key, value)| {
        let start = value.span().start;
        let arguments = arguments(&command, &key, value.into_inner());
        let arguments = arguments.map_err(|problem| at(start, &problem))?;
        Ok(Setting { key, line: line(start), arguments })
    });
    settings.collect()
}

/// Returns the arguments that mean the same as this setting.
fn arguments(command: &Command, key: &str, value: Value) -> Result<Vec<OsString>, String> {
    let Some(setting) = settings(command).find(|setting| self::key(setting) == key) else {
        let keys: Vec<_> = settings(command).map(self::key).collect();
        return Err(format!("there is no setting `{key}`: use {}", keys.join(", ")));
    };
    let (values, accepted) = match (setting.get_action(), value) {
        (ArgAction::SetTrue, Value::Boolean(is_set)) => {
            return Ok(is_set.then(|| format!("--{key}").into()).into_iter().collect());
        }
        (ArgAction::SetTrue, value) => return Err(wrong_type(key, &value, "true or false")),
        (ArgAction::Append, Value::Array(values)) => (values, "a list of texts"),
        (ArgAction::Append, value) => (vec![value], "a list of texts"),
        (_, value) => (vec![value], "a text or a whole number"),
    };
    let arguments = values.into_iter().map(|value| match value {
        Value::String(text) => Ok(format!("--{key}={text}").into()),
        Value::Integer(number) => Ok(format!("--{key}={number}").into()),
        value => Err(wrong_type(key, &value, accepted)),
    });
    arguments.collect()
}

fn wrong_type(key: &str, value: &Value, accepted: &str) -> String {
    format!("`{key}` has the type {}: write {accepted}", value.type_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../dist/orgtokens.toml");

    #[test]
    fn the_example_has_every_setting_with_its_default() {
        let command = command();
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
        let all: Table = toml::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap();
        let command = command();
        assert_eq!(all.len(), settings(&command).count());
        let mut given = vec!["orgtokens-server".into(), "serve".into()];
        for (key, value) in all {
            given.extend(arguments(&command, &key, value).unwrap());
        }
        Arguments::command().try_get_matches_from(given).unwrap();
    }
}
