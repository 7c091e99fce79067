//! Runs the commands of the README in a shell.

use crate::support::Running;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Returns the text of a section of the README.
fn section(title: &str) -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, after) = readme.split_once(&format!("\n## {title}\n")).expect(title);
    after.split_once("\n## ").map_or(after, |(section, _)| section).to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Returns the commands after the prompts of a text, without their comments.
fn commands(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", "");
    text.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

/// Runs a command in a shell that finds the program on its path, and fails on HTTP errors.
fn shell(folder: &Path, command: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_orgtokens-server")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let script = format!("set -e; curl() {{ command curl --fail -sS \"$@\"; }}; {command}");
    let mut shell = Command::new("bash");
    shell.args(["-c", &script]).env("PATH", path).env_remove("ORGTOKENS_DATABASE");
    let output = shell.current_dir(folder).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command}");
    output
}

#[test]
fn the_first_steps_of_the_readme_work_in_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let commands = commands(&section("A first token"));
    let [demo, install, init, serve, variables, calls @ ..] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(demo, "cargo run -- demo");
    assert_eq!(install, "cargo install --path server --locked");
    let token = String::from_utf8(shell(folder.path(), init).stdout).unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
    server.args(serve.split(' ').skip(1)).env("ORGTOKENS_LISTEN", "127.0.0.1:0");
    let server = Running::spawn(server.current_dir(&folder)).unwrap();
    let variables = variables
        .replace("127.0.0.1:8080", &server.address.to_string())
        .replace("orgt_...", token.trim_end());
    let answers = calls.iter().map(|call| {
        let answer = shell(folder.path(), &format!("{variables}; {call}"));
        String::from_utf8(answer.stdout).unwrap()
    });
    let answers: Vec<_> = answers.collect();
    let [minted, list, revoked] = &answers[..] else { panic!("{answers:?}") };
    assert!(minted.contains(r#""token":"orgt_"#), "{minted}");
    assert!(list.contains(r#""name":"ci-bot""#), "{list}");
    assert_eq!(revoked, r#"{"token":"ci-bot"}"#);
}

#[test]
#[ignore = "builds the workspace: cargo xtask ci --complete"]
fn the_steps_of_the_readme_to_change_the_contract_work() {
    let steps = section("Change the contract");
    let step = |number: u32| {
        let start = format!("\n{number}. `");
        let (_, step) = steps.split_once(&start).expect(&start);
        step.split_once('`').unwrap().0.to_owned()
    };
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    let files = "mkdir -p \"$COPY\" && git ls-files -z | xargs -0 cp --parents -p -t \"$COPY\"";
    let mut copying = Command::new("bash");
    copying.args(["-c", files]).env("COPY", &copy).current_dir(root());
    assert!(copying.status().unwrap().success());
    let run = |command: &str| {
        let mut words = command.split(' ');
        let mut run = Command::new(words.next().unwrap());
        run.args(words).current_dir(&copy).env_remove("CARGO_TARGET_DIR").output().unwrap()
    };
    let unchanged = run(&step(3));
    assert!(unchanged.status.success(), "{}", String::from_utf8_lossy(&unchanged.stdout));

    let document = copy.join("openapi.yaml");
    let text = fs::read_to_string(&document).unwrap();
    fs::write(&document, text.replace("delete_protection", "deletion_protection")).unwrap();
    let built = run(&step(2));
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let generated =
        format!("grep -rlw deletion_protection '{}'/target/debug/build/*/out", copy.display());
    let generated = Command::new("bash").args(["-c", &generated]).output().unwrap();
    assert!(!generated.stdout.is_empty(), "the client is generated again");
    let found = run(&step(3));
    let findings = String::from_utf8_lossy(&found.stdout);
    assert!(!found.status.success() && findings.contains("deletion_protection"), "{findings}");
}
