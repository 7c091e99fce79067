//! What helps to use the program from a shell: completions and manual pages.

use crate::arguments::command;
use crate::output::write;
use crate::problem::Problem;
use clap_complete::Shell;
use std::path::Path;

pub fn completions(shell: Shell) -> Result<(), Problem> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), "orgtokens", &mut text);
    write(&text)
}

pub fn manual(folder: &Path) -> Result<(), Problem> {
    clap_mangen::generate_to(command(), folder).map_err(|error| {
        Problem::wrong_use(format!("{} cannot be written to: {error}", folder.display()))
    })
}
