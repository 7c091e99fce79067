//! Names the environment variable that an invalid value comes from. clap names only the option.

use clap::error::{ContextKind, ContextValue, Error};
use clap::{Command, Parser};
use std::env;

/// Parses the arguments of the process, or prints what is wrong with them and ends it.
pub fn parse<T: Parser>() -> T {
    T::try_parse().unwrap_or_else(|mut error| {
        let mut command = T::command();
        command.build();
        name_variable(&mut error, &command);
        error.exit()
    })
}

fn name_variable(error: &mut Error, command: &Command) {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return };
    // `--pool-size 0` is given as it is, or as `--pool-size=0`.
    let name = option.split(' ').next().unwrap_or_default();
    let is_given = env::args().any(|given| given.split('=').next() == Some(name));
    if let Some(variable) = variable(command, option)
        && !is_given
        && env::var_os(&variable).is_some()
    {
        let source = format!("{option}' from the environment variable '{variable}");
        error.insert(ContextKind::InvalidArg, ContextValue::String(source));
    }
}

/// Returns the environment variable of an option of the command, or of one of its subcommands.
fn variable(command: &Command, option: &str) -> Option<String> {
    let own = command.get_arguments().find(|argument| argument.to_string() == option);
    let name = own.and_then(|argument| argument.get_env());
    let name = name.map(|name| name.to_string_lossy().into_owned());
    name.or_else(|| command.get_subcommands().find_map(|command| variable(command, option)))
}
