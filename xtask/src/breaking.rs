//! `cargo xtask breaking`: no release breaks a client by accident.
//!
//! Compares `openapi.yaml` with its version in the last release, and looks in `CHANGELOG.md` for an
//! entry about each promise that is broken. `openapi-drift` decides what breaks.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use openapi_drift::cli::{self, Format};
use openapi_drift::{Finding, Outcome, Pair, Question, Style, compare};
use xshell::{Shell, cmd};

const CONTRACT: &str = "openapi.yaml";
const CHANGELOG: &str = "CHANGELOG.md";
const STYLE: Style<'_> = Style { colour: false, note: "" };
const UNSHALLOW: &str = "git fetch --unshallow --tags";

/// Compare the contract with the last release: every broken promise needs a line in CHANGELOG.md
///
/// The earlier version is that of the last release tag (`v` and a number). Without one it is that of
/// the merge base with origin/main, and on main itself that of the last commit but one.
///
/// Exits with 0 if no promise is broken, or if all that are have a line. The line begins with `-
/// Breaking: `, and names the code and the places of the finding. The command prints it.
///
/// In the formats for machines, a promise that CHANGELOG.md announces to be broken is an addition.
#[derive(Args, Debug)]
pub struct Breaking {
    /// Output for people or for machines
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Breaking {
    /// Runs the command and returns its exit code.
    pub fn run(&self) -> ExitCode {
        match check(crate::root(), self.format, &mut io::stdout().lock()) {
            Ok(is_announced) => ExitCode::from(u8::from(!is_announced)),
            Err(why) => {
                eprintln!("error: could not compare: {why}");
                ExitCode::from(2)
            }
        }
    }
}

/// Reports what breaks, and returns whether the changelog announces all of it.
fn check(folder: &Path, format: Format, out: &mut dyn Write) -> Result<bool, String> {
    let contract = folder.join(CONTRACT);
    let base = base(folder)?;
    let documented = match &base {
        Some(base) => cli::earlier(base, &contract, folder)?,
        None if format == Format::Human => {
            return cli::written(nothing(folder, out)).map(|()| true);
        }
        // For a machine, nothing differs.
        None => cli::read(&contract, folder)?,
    };
    let documents = Pair { documented, served: cli::read(&contract, folder)? };
    let mut outcome = compare(Question::Change, &documents);
    let new = new_entries(folder, &base.unwrap_or_default())?;
    let is_announced = |finding: &Finding| new.iter().any(|entry| announces(entry, finding));
    if format != Format::Human {
        let (announced, missing) = outcome.findings.into_iter().partition(is_announced);
        outcome.findings = missing;
        outcome.additions.extend(announced);
        cli::written(format.write(out, &outcome, STYLE))?;
        return Ok(outcome.count() == 0);
    }
    let missing: Vec<_> = outcome.findings.iter().filter(|it| !is_announced(it)).collect();
    cli::written(report(out, &outcome, &missing))?;
    Ok(missing.is_empty() && outcome.count() == outcome.findings.len())
}

fn nothing(folder: &Path, out: &mut dyn Write) -> io::Result<()> {
    if is_cut_off(folder) {
        writeln!(out, "the history is cut off, nothing was compared: run `{UNSHALLOW}`")
    } else {
        writeln!(out, "no earlier version has {CONTRACT}: nothing is promised yet")
    }
}

fn report(out: &mut dyn Write, outcome: &Outcome, missing: &[&Finding]) -> io::Result<()> {
    Format::Human.write(out, outcome, STYLE)?;
    let announced = outcome.findings.len() - missing.len();
    if announced > 0 {
        writeln!(out, "{CHANGELOG} announces {announced} of them")?;
    }
    if !missing.is_empty() {
        writeln!(out, "\nUndo each of these, or announce it with a line in {CHANGELOG}:\n")?;
    }
    missing.iter().try_for_each(|finding| writeln!(out, "- {}", entry(finding)))
}

/// Returns the entries of the changelog that its earlier version does not have, and that are in no section
/// of a release that it has.
fn new_entries(folder: &Path, base: &str) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(folder.join(CHANGELOG));
    let text = text.map_err(|error| format!("{CHANGELOG} cannot be read: {error}"))?;
    let known = git(folder, &["cat-file", "blob", &format!("{base}:{CHANGELOG}")]);
    let known = known.unwrap_or_default();
    let is_released =
        |heading: &str| !heading.contains("unreleased") && known.lines().any(|it| it == heading);
    let mut new = entries(&text, is_released);
    let known = entries(&known, |_| false);
    new.retain(|entry| !known.contains(entry));
    Ok(new)
}

/// Returns the entry that announces a finding.
fn entry(finding: &Finding) -> String {
    format!("Breaking: `{}` in {}: {}.", finding.code(), finding.places.join(", "), finding.title)
}

/// Whether the entry names the code and every place. Its other words are free.
fn announces(entry: &str, finding: &Finding) -> bool {
    entry.starts_with("Breaking: ")
        && entry.contains(&format!("`{}`", finding.code()))
        && finding.places.iter().all(|place| names(entry, place))
}

/// Whether the entry names this place, and not a longer one that begins or ends with it.
fn names(entry: &str, place: &str) -> bool {
    let is_part = |text: &str| {
        let word = text.split(' ').next().unwrap_or_default();
        word.starts_with(|first: char| first == '`' || first.is_ascii_digit())
            || ["request", "query", "path", "header"].contains(&word)
    };
    entry.match_indices(place).any(|(at, _)| {
        let (before, after) = (&entry[..at], &entry[at + place.len()..]);
        let goes_on = |letter: char| letter.is_alphanumeric() || letter == '/';
        !before.ends_with(goes_on)
            && !after.starts_with(goes_on)
            && !after.strip_prefix(' ').is_some_and(is_part)
    })
}

/// Returns the entries of a changelog without their line breaks. Comments have none.
fn entries(changelog: &str, is_left_out: impl Fn(&str) -> bool) -> Vec<String> {
    let (first, rest) = changelog.split_once("<!--").unwrap_or((changelog, ""));
    let rest = rest.split("<!--").filter_map(|part| part.split_once("-->"));
    let text: String = [first].into_iter().chain(rest.map(|(_, text)| text)).collect();
    let mut entries: Vec<String> = Vec::new();
    let mut is_skipped = false;
    for line in text.lines() {
        if line.starts_with("## ") {
            is_skipped = is_left_out(line);
        }
        match (line.strip_prefix("- "), line.strip_prefix("  "), entries.last_mut()) {
            _ if is_skipped => {}
            (Some(first), ..) => entries.push(first.trim().to_owned()),
            (None, Some(more), Some(entry)) => *entry = format!("{entry} {}", more.trim()),
            _ => {}
        }
    }
    entries
}

/// Returns the revision whose contract must be kept, if there is an earlier contract.
fn base(folder: &Path) -> Result<Option<String>, String> {
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
        |base: &String| git(folder, &["cat-file", "-e", &format!("{base}:{CONTRACT}")]).is_some();
    Ok(base.filter(has_contract))
}

fn is_cut_off(folder: &Path) -> bool {
    let is_shallow = git(folder, &["rev-parse", "--is-shallow-repository"]);
    is_shallow.is_some_and(|answer| answer.trim() == "true")
}

/// Returns what git prints, or nothing if it fails.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let shell = Shell::new().ok()?;
    cmd!(shell, "git -C {folder} {arguments...}").quiet().ignore_stderr().read().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

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
        assert!(
            report.contains("openapi.yaml breaks 1 promise of v0.1.0:openapi.yaml"),
            "{report}"
        );
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
}
