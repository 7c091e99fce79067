//! The earlier version that the contract must keep, as git knows it.

use std::path::Path;

use xshell::{Shell, cmd};

/// Returns the revision whose contract must be kept, if there is an earlier contract.
pub fn of(folder: &Path, contract: &str) -> Result<Option<String>, String> {
    git(folder, &["--version"]).ok_or("git cannot be started: install it")?;
    let line = |arguments: &[&str]| Some(git(folder, arguments)?.trim().to_owned());
    let short = |revision: &str| line(&["rev-parse", "--verify", "--short", revision]);
    let head = short("HEAD");
    if head.is_none() && folder.join(".git").exists() {
        return Err(format!("git finds no commit in {}: run `git log`", folder.display()));
    }
    let tag = || line(&["describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"]);
    let merge_base = || short(&line(&["merge-base", "HEAD", "origin/main"])?);
    let base = tag()
        .or_else(|| merge_base().filter(|base| Some(base) != head.as_ref()))
        .or_else(|| short("HEAD^"));
    let has_contract =
        |base: &String| git(folder, &["cat-file", "-e", &format!("{base}:{contract}")]).is_some();
    Ok(base.filter(has_contract))
}

/// Whether git has only the last commits.
pub fn is_cut_off(folder: &Path) -> bool {
    let is_shallow = git(folder, &["rev-parse", "--is-shallow-repository"]);
    is_shallow.is_some_and(|answer| answer.trim() == "true")
}

/// Returns the text of a file in a revision.
pub fn text(folder: &Path, revision: &str, file: &str) -> Option<String> {
    git(folder, &["cat-file", "blob", &format!("{revision}:{file}")])
}

/// Returns what git prints, or nothing if it fails.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let shell = Shell::new().ok()?;
    cmd!(shell, "git -C {folder} {arguments...}").quiet().ignore_stderr().read().ok()
}
