//! `cargo xtask breaking`: which version it compares with, and what CHANGELOG.md announces.

use std::fs;

use openapi_drift::cli::Format;
use tempfile::TempDir;
use xshell::{Shell, cmd};
use xtask::breaking::check;

const CONTRACT: &str = "openapi.yaml";
const CHANGELOG: &str = "CHANGELOG.md";
const V1: &str = "openapi: 3.0.3
paths:
  /books:
    get:
      operationId: listBooks
      responses:
        '200':
          content:
            application/json:
              schema: {type: string, enum: [a, b]}
    delete:
      operationId: deleteBooks
      responses: {'204': {}}
";

/// A repository of git, and what the gate says about it.
struct Repository(TempDir);

impl Repository {
    /// Makes a repository with one commit.
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().expect("a folder"));
        repository.git("init --quiet --initial-branch work");
        repository.commit(V1, "# Changelog\n\n- The first one.\n");
        repository
    }

    fn git(&self, arguments: &str) {
        let identity = ["user.name=a", "user.email=a@example.com", "commit.gpgsign=false"];
        let identity = identity.iter().flat_map(|it| ["-c", it]);
        let (folder, arguments) = (self.0.path(), arguments.split(' '));
        let shell = Shell::new().expect("a shell");
        let git = cmd!(shell, "git -C {folder} {identity...} {arguments...}");
        git.quiet().run().expect("git succeeds");
    }

    fn write(&self, contract: &str, changelog: &str) {
        fs::write(self.0.path().join(CONTRACT), contract).expect("a file");
        fs::write(self.0.path().join(CHANGELOG), changelog).expect("a file");
    }

    fn commit(&self, contract: &str, changelog: &str) {
        self.write(contract, changelog);
        self.git("add --all");
        self.git("commit --quiet --allow-empty --message change");
    }

    fn check(&self) -> (bool, String) {
        self.check_as(Format::Human)
    }

    fn check_as(&self, format: Format) -> (bool, String) {
        let mut out = Vec::new();
        let is_announced = check(self.0.path(), format, &mut out).expect("a comparison");
        (is_announced, String::from_utf8(out).expect("text"))
    }
}

/// The contract with another value of the enumeration, which breaks clients.
fn with_value(value: &str) -> String {
    V1.replace("enum: [a, b]", &format!("enum: [a, b, {value}]"))
}

#[test]
fn a_planted_break_is_caught_and_a_compatible_change_is_let_through() {
    let repository = Repository::new();
    repository.git("tag v0.1.0");
    repository.commit(&with_value("c"), "");
    let (is_announced, report) = repository.check();
    assert!(!is_announced);
    assert!(report.contains("openapi.yaml breaks 1 promise of v0.1.0:openapi.yaml"), "{report}");
    let line = "- Breaking: `response-enum` in listBooks 200: \
                    the response body may now be `c`, and was `a`, `b`.\n";
    assert!(report.ends_with(line), "{report}");
    repository.commit(&V1.replace("[a, b]", "[a]"), "");
    assert!(repository.check().0, "{}", repository.check().1);
}

#[test]
fn a_break_needs_a_new_line_in_the_changelog_for_each_code_and_place() {
    let repository = Repository::new();
    repository.git("tag v0.1.0");
    let both = with_value("c").replace("deleteBooks", "removeBooks");
    let one = "- Breaking: the letter of\n  listBooks 200 may be c, see `response-enum`.\n";
    let two = "- Breaking: `operation-id` in deleteBooks: call `removeBooks`.\n";
    for (changelog, expected) in [
        (String::new(), false),
        (one.into(), false),
        (two.into(), false),
        (format!("{one}{two}"), true),
        (format!("{one}{two}").replace("Breaking: ", ""), false),
        (format!("{one}{two}").replace("response-enum", "response-type"), false),
        (format!("{one}{two}").replace("listBooks 200", "listBooks"), false),
        (format!("{one}{two}").replace("listBooks 200", "listBooks 200 `.x`"), false),
        (format!("{one}{two}").replace("in deleteBooks", "in deleteBooksOf"), false),
        (format!("{one}{two}").replace("in deleteBooks", "in undeleteBooks"), false),
    ] {
        repository.write(&both, &changelog);
        assert_eq!(repository.check().0, expected, "{changelog}\n{}", repository.check().1);
    }
    // A line of an earlier release announces nothing now.
    repository.commit(V1, &format!("{one}{two}"));
    repository.git("tag v1.0.0");
    repository.write(&both, &format!("{one}{two}"));
    assert!(!repository.check().0);
}

#[test]
fn a_comment_or_the_section_of_a_release_announces_nothing() {
    let repository = Repository::new();
    let line = "- Breaking: `operation-id` in deleteBooks: call `removeBooks`.\n";
    repository.commit(V1, "## 0.2.0, unreleased\n\n## 0.1.0, 2026-01-01\n\n- The first one.\n");
    repository.git("tag v0.1.0");
    let renamed = V1.replace("deleteBooks", "removeBooks");
    for (changelog, expected) in [
        (format!("## 0.2.0, unreleased\n\n{line}\n## 0.1.0, 2026-01-01\n"), true),
        (format!("## 0.2.0, 2026-02-02\n\n{line}\n## 0.1.0, 2026-01-01\n"), true),
        (format!("## 0.2.0, unreleased\n\n## 0.1.0, 2026-01-01\n\n{line}"), false),
        (format!("## 0.2.0, unreleased\n\n<!--\n{line}-->\n"), false),
        (format!("## 0.2.0, unreleased\n<!-- a -->\n{line}<!-- b -->\n"), true),
        // A comment in backticks is none.
        (format!("## 0.2.0, unreleased\n\n- Write `<!--`.\n{line}"), true),
        (format!("## 0.2.0, unreleased\n\n- Write `<!-- a -->`.\n<!--\n{line}-->\n"), false),
        (format!("## 0.2.0, unreleased\n\n- Write `a`. <!--\n{line}"), false),
    ] {
        repository.write(&renamed, &changelog);
        assert_eq!(repository.check().0, expected, "{changelog}\n{}", repository.check().1);
    }
}

#[test]
fn a_break_that_is_announced_is_no_error_for_machines() {
    let repository = Repository::new();
    let (is_kept, report) = repository.check_as(Format::Json);
    assert!(is_kept && report.contains("\"conforms\": true"), "{report}");
    repository.git("tag v0.1.0");
    let line = "- Breaking: `operation-id` in deleteBooks: call `removeBooks`.\n";
    let renamed = with_value("c").replace("deleteBooks", "removeBooks");
    repository.write(&renamed, line);
    let (is_announced, report) = repository.check_as(Format::Github);
    assert!(!is_announced);
    let lines: Vec<_> = report.lines().collect();
    assert!(lines[0].starts_with("::error file=openapi.yaml,line="), "{report}");
    assert!(lines[0].contains("title=response-enum::"), "{report}");
    assert!(lines[1].starts_with("::notice file=openapi.yaml,line="), "{report}");
    repository.write(&V1.replace("deleteBooks", "removeBooks"), line);
    let (is_announced, report) = repository.check_as(Format::Sarif);
    assert!(is_announced && report.contains("in revision v0.1.0)"), "{report}");
}

#[test]
fn the_base_is_the_last_tag_else_the_merge_base_else_the_last_commit_but_one() {
    let repository = Repository::new();
    assert_eq!(repository.check(), (true, NOTHING.to_owned()));
    repository.git("update-ref refs/remotes/origin/main HEAD");
    repository.commit(&with_value("c"), "");
    repository.commit(&with_value("c"), "");
    assert!(!repository.check().0, "against the merge base");
    repository.git("update-ref refs/remotes/origin/main HEAD");
    assert!(repository.check().0, "on main against the last commit but one");
    repository.commit(V1, "");
    repository.commit(&with_value("c"), "");
    repository.git("update-ref refs/remotes/origin/main HEAD");
    assert!(!repository.check().0, "on main against the last commit but one");
    repository.git("tag other");
    repository.git("tag v0.1.0 HEAD~4");
    assert!(!repository.check().0, "against the release");
    repository.git("tag v0.2.0");
    assert!(repository.check().0, "against the later release");
}

const NOTHING: &str = "no earlier version has openapi.yaml: nothing is promised yet\n";

#[test]
fn a_contract_that_is_new_promises_nothing_yet() {
    let repository = Repository::new();
    repository.git("rm --quiet openapi.yaml");
    repository.git("commit --quiet --message gone");
    repository.commit(V1, "");
    assert_eq!(repository.check(), (true, NOTHING.to_owned()));
}

#[test]
fn the_contract_may_refer_to_files_of_its_revision() {
    let repository = Repository::new();
    let contract = V1.replace("{type: string, enum: [a, b]}", "{$ref: 'letter.yaml'}");
    let letter = repository.0.path().join("letter.yaml");
    fs::write(&letter, "{type: string, enum: [a, b]}").expect("a file");
    repository.commit(&contract, "");
    repository.git("tag v0.1.0");
    assert!(repository.check().0, "{}", repository.check().1);
    fs::write(&letter, "{type: string, enum: [a, b, c]}").expect("a file");
    assert!(!repository.check().0);
}

#[test]
fn a_history_that_is_cut_off_is_named() {
    let repository = Repository::new();
    repository.commit(&with_value("c"), "");
    let clone = tempfile::tempdir().expect("a folder");
    let folder = clone.path().join("clone");
    let from = repository.0.path().display();
    repository.git(&format!("clone --quiet --depth 1 file://{from} {}", folder.display()));
    let mut report = Vec::new();
    assert_eq!(check(&folder, Format::Human, &mut report), Ok(true));
    assert!(String::from_utf8_lossy(&report).contains("git fetch --unshallow"));
}
