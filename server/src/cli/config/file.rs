//! Reads a settings file, and converts each setting to arguments. Only the types are checked here. clap
//! checks the values.

use super::{built_command, innermost, is_switch, key, set_variable, settings};
use clap::error::{Error, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command};
use orgtokens_server::webhooks::{self, Webhook};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use toml::{Spanned, Value};

/// The maximum size of a file in bytes.
const MAX_SIZE: u64 = 1 << 20;

/// A file of settings.
pub struct File {
    path: PathBuf,
    settings: Vec<Setting>,
    webhooks: Option<Tables>,
}

/// The line of the first webhook, and the tables of all webhooks.
type Tables = (usize, Value);

struct Setting {
    key: String,
    line: usize,
    /// The setting as arguments.
    arguments: Vec<OsString>,
}

impl File {
    /// Reads the file that `--config` or its environment variable names, if any.
    pub fn named_by(given: &ArgMatches) -> Option<Result<Self, Error>> {
        let path = given.get_one::<PathBuf>("config")?.clone();
        let shown = path.display().to_string();
        let settings = read(&path).map_err(|problem| {
            Error::raw(ErrorKind::ValueValidation, format!("{shown}: {problem}\n"))
        });
        Some(settings.map(|(settings, webhooks)| Self { path, settings, webhooks }))
    }

    /// Returns the webhooks. Reads their secrets from `secret_file`.
    pub fn webhooks(self) -> Result<Vec<Webhook>, Error> {
        let Some((line, value)) = self.webhooks else { return Ok(Vec::new()) };
        webhooks::parse(value).map_err(|problem| {
            let problem = format!("{}: from line {line} on: {problem}\n", self.path.display());
            Error::raw(ErrorKind::ValueValidation, problem)
        })
    }

    /// Returns the settings of the command that neither an argument nor an environment variable sets.
    pub fn arguments(&self, given: &ArgMatches) -> Vec<OsString> {
        let command = built_command();
        let (command, given) = innermost(&command, given);
        let is_unset = |setting: &&Setting| {
            let argument = command.get_arguments().find(|argument| key(argument) == setting.key);
            argument.is_some_and(|argument| {
                let source = given.value_source(argument.get_id().as_str());
                source != Some(ValueSource::CommandLine) && set_variable(argument).is_none()
            })
        };
        let unset = self.settings.iter().filter(is_unset);
        unset.flat_map(|setting| setting.arguments.clone()).collect()
    }

    /// Returns the line of a setting, for an error of clap. clap adds the last quotation mark.
    pub fn place(&self, key: &str) -> Option<String> {
        let setting = self.settings.iter().find(|setting| setting.key == key)?;
        Some(format!("line {} of '{}", setting.line, self.path.display()))
    }
}

/// Reads the settings of a file. Refuses keys that are no option of `serve`.
fn read(path: &PathBuf) -> Result<(Vec<Setting>, Option<Tables>), String> {
    let text = fs::File::open(path).and_then(|file| io::read_to_string(file.take(MAX_SIZE + 1)));
    let text = text.map_err(|error| format!("{error}: name a file that can be read"))?;
    if text.len() as u64 > MAX_SIZE {
        return Err(format!("it has more than {MAX_SIZE} bytes: name a file of settings"));
    }
    let line = |start| text[..start].matches('\n').count() + 1;
    let at = |start, problem: &dyn Display| format!("line {}: {problem}", line(start));
    // Only the message: the whole error quotes the line, which may contain a password.
    let mut values: BTreeMap<String, Spanned<Value>> = toml::from_str(&text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        match error.message() {
            "duplicate key" => {
                let key = &text[span.clone()];
                at(span.start, &format!("duplicate key `{key}`: keep one of them"))
            }
            message => at(span.start, &message),
        }
    })?;
    let webhooks = values.remove("webhook");
    let webhooks = webhooks.map(|value| (line(value.span().start), value.into_inner()));
    let command = built_command();
    let settings = values.into_iter().map(|(key, value)| {
        let start = value.span().start;
        let arguments = arguments(&command, &key, value.into_inner());
        let arguments = arguments.map_err(|problem| at(start, &problem))?;
        Ok(Setting { key, line: line(start), arguments })
    });
    Ok((settings.collect::<Result<_, String>>()?, webhooks))
}

/// Converts a setting to arguments.
pub fn arguments(command: &Command, key: &str, value: Value) -> Result<Vec<OsString>, String> {
    let Some(setting) = settings(command).find(|setting| self::key(setting) == key) else {
        let keys: Vec<_> = settings(command).map(self::key).collect();
        let keys = keys.join(", ");
        return Err(format!("there is no setting `{key}`: use {keys}, or [[webhook]] tables"));
    };
    if is_switch(setting) {
        let is_set = value.as_bool().ok_or_else(|| wrong_type(key, &value, "true or false"))?;
        return Ok(vec![format!("--{key}={is_set}").into()]);
    }
    let (values, accepted) = match (setting.get_action(), value) {
        (ArgAction::Append, Value::Array(values)) => (values, "a list of strings"),
        (ArgAction::Append, value) => (vec![value], "a list of strings"),
        (_, value) => (vec![value], "a string or a whole number"),
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
