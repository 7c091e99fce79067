//! `cargo xtask diff` passes on what `openapi-drift` reports, and adds what it knows about this
//! workspace. The tests of that crate prove what is found.

use std::path::Path;
use std::process::{Command, Output};

fn diff(arguments: &[&str]) -> Output {
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi-drift/tests/drift");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("diff").args(arguments).current_dir(documents).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn documents_that_agree_exit_with_0_and_name_the_tests_of_security() {
    let output = diff(&["--contract", "contract.yaml", "--generated", "generated.json"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("agree: 7 operations compared"));
    assert!(text(&output.stdout).contains("client/tests"));
}

#[test]
fn documents_that_differ_exit_with_1() {
    // The default is the contract of this workspace.
    let output = diff(&["--generated", "generated.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("--> openapi.yaml:"), "{}", text(&output.stdout));
}

#[test]
fn documents_that_cannot_be_compared_exit_with_2_and_one_sentence() {
    let output = diff(&["--contract", "no-such-file.yaml", "--generated", "generated.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let error = text(&output.stderr);
    assert!(error.starts_with("error: could not compare: no-such-file.yaml cannot be read"));
    assert_eq!(error.lines().count(), 1, "{error}");
}
