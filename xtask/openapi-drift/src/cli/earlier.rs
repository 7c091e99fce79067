//! Reads the earlier version of a contract: from a file, or from git.

use std::path::Path;
use std::process::Command;

use super::{Names, folder, parse_with_files, read};
use crate::Document;

/// Reads `FILE`, `REV:path`, or the contract in `REV`. A file goes first.
///
/// # Errors
/// A sentence, if there is no such file or revision, or if it is no document.
pub fn earlier(against: &str, contract: &Path, names: Names<'_>) -> Result<Document, String> {
    if against.is_empty() || against.starts_with(':') {
        return Err("`--against` names no revision: give one, such as v1.0.0".into());
    }
    // A pipe is one too.
    if Path::new(against).exists() && !Path::new(against).is_dir() {
        return read(Path::new(against), names);
    }
    let folder = folder(contract);
    let file = contract.file_name().unwrap_or_default().to_string_lossy();
    let (name, object) = match against.split_once(':') {
        Some(_) => (against.to_owned(), against.to_owned()),
        // git takes `./` for the folder that it runs in.
        None => (format!("{against}:{}", names.of(contract)), format!("{against}:./{file}")),
    };
    let why = match git(folder, &object) {
        // The files that it refers to come from the same revision.
        Ok(text) => {
            let parent = object.rfind(['/', ':']).map_or("", |end| &object[..=end]);
            let read = &mut |path: &str| {
                let file = git(folder, &format!("{parent}{path}"));
                file.map_err(|why| format!("which git cannot read: {why}"))
            };
            return parse_with_files(&name, &text, read);
        }
        Err(why) => why,
    };
    Err(format!("`{against}` is no file, and git cannot read {name}: {why}"))
}

fn git(folder: &Path, object: &str) -> Result<String, String> {
    if object.starts_with('-') {
        return Err("a revision does not begin with `-`".into());
    }
    let mut command = Command::new("git");
    let output = command.arg("-C").arg(folder).args(["cat-file", "blob", object]).output();
    let output = output.map_err(|error| format!("git cannot be started: {error}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(errors.lines().next().unwrap_or("it says nothing").to_owned());
    }
    String::from_utf8(output.stdout).map_err(|_| "it is not UTF-8 text".into())
}
