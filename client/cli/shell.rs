//! What helps to use the program from a shell: completions and manual pages.

use crate::arguments::command;
use crate::output::write;
use crate::problem::Problem;
use clap::Command;
use clap_complete::Shell;
use std::path::Path;

pub fn completions(shell: Shell) -> Result<(), Problem> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut without_hidden(&command()), "orgtokens", &mut text);
    write(&text)
}

/// Returns a command without its hidden arguments, which completions would offer.
fn without_hidden(command: &Command) -> Command {
    let shown = Command::new(command.get_name().to_owned());
    let shown = shown.about(command.get_about().cloned().unwrap_or_default());
    let shown = shown.args(command.get_arguments().filter(|argument| !argument.is_hide_set()));
    let shown = shown.groups(command.get_groups());
    shown.subcommands(command.get_subcommands().map(without_hidden))
}

pub fn manual(folder: &Path) -> Result<(), Problem> {
    clap_mangen::generate_to(with_paragraphs(command()), folder).map_err(|error| {
        Problem::wrong_use(format!("{} cannot be written to: {error}", folder.display()))
    })
}

/// Makes every item of a list a paragraph, because a manual page joins the lines of one.
fn with_paragraphs(command: Command) -> Command {
    let command = command.mut_subcommands(with_paragraphs);
    match command.get_long_about().map(|text| text.to_string().replace("\n- ", "\n\n- ")) {
        Some(text) => command.long_about(text),
        None => command,
    }
}
