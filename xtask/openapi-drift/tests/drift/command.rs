//! The command line: exit codes, both formats, and the error for each document that cannot be
//! compared. The corpus tests which changes are differences.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Returns the place of a file of these tests.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drift").join(name)
}

/// Writes a file for this test.
pub fn write(name: &str, text: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, text).unwrap();
    file
}

fn diff(contract: &Path, generated: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_openapi-drift"))
        .args(["--contract".as_ref(), contract.as_os_str()])
        .args(["--generated".as_ref(), generated.as_os_str()])
        .args(more)
        .output()
        .unwrap()
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Returns the error for a contract that cannot be compared.
fn comparison_error(name: &str, contract: &str) -> String {
    let output = diff(&write(name, contract), &file("generated.json"), &[]);
    assert_eq!(output.status.code(), Some(2), "{contract}");
    assert!(output.stdout.is_empty());
    let text = text(&output.stderr).to_owned();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn documents_that_agree_exit_with_0_and_say_what_is_not_compared() {
    let output = diff(&file("contract.yaml"), &file("generated.json"), &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = text(&output.stdout);
    assert!(text.contains("agree: 7 operations compared"), "{text}");
    assert!(text.contains("note: security is not compared"), "{text}");
}

#[test]
fn documents_that_differ_exit_with_1_and_the_lines_on_both_sides() {
    let contract = std::fs::read_to_string(file("contract.yaml")).unwrap();
    let contract = write("drift.yaml", &contract.replace("maximum: 100", "maximum: 200"));
    let output = diff(&contract, &file("generated.json"), &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = text(&output.stdout);
    assert!(text.contains("drift.yaml:20:13 #/paths/"), "{text}");
    assert!(text.contains("generated.json:28:15 #/paths/"), "{text}");
    assert!(text.ends_with("differ in 1 place\n"), "{text}");
    assert!(!text.contains('\x1b'), "colour in a pipe");
}

#[test]
fn the_json_format_is_one_object_with_the_documented_fields() {
    let drifted = std::fs::read_to_string(file("contract.yaml")).unwrap();
    let drifted = write("json.yaml", &drifted.replace("maximum: 100", "maximum: 200"));
    for (contract, findings) in [(file("contract.yaml"), 0), (drifted, 1)] {
        let output = diff(&contract, &file("generated.json"), &["--format", "json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["conforms"], findings == 0);
        assert_eq!(report["operations"], 7);
        let all = report["findings"].as_array().unwrap();
        assert_eq!(all.len(), findings);
        for finding in all {
            assert_eq!(finding["code"], "request-range");
            assert_eq!([&finding["documented"]["line"], &finding["served"]["line"]], [20, 28]);
            assert_eq!(finding["places"][0], "listBooks query `limit`");
            assert!(["title", "why", "help"].iter().all(|key| finding[key].is_string()));
        }
    }
}

/// Returns a folder with a repository of git, whose only commit has the contract in `api`.
fn repository(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("api")).unwrap();
    std::fs::copy(file("contract.yaml"), folder.join("api/contract.yaml")).unwrap();
    for arguments in ["init --quiet", "add --all", "commit --quiet --message first", "branch api"] {
        let identity = ["user.name=a", "user.email=a@example.com", "commit.gpgsign=false"];
        let identity = identity.iter().flat_map(|setting| ["-c", setting]);
        let mut git = Command::new("git");
        git.args(identity).args(arguments.split(' ')).current_dir(&folder);
        assert!(git.status().unwrap().success(), "{arguments}");
    }
    folder
}

/// Compares the contract in this folder with an earlier version.
fn against(folder: &Path, contract: &str, against: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_openapi-drift"))
        .args(["--contract", contract, &format!("--against={against}")])
        .args(more)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn a_change_that_breaks_exits_with_1_and_one_that_adds_with_0() {
    let folder = repository("change");
    let contract = folder.join("api/contract.yaml");
    let first = std::fs::read_to_string(&contract).unwrap();
    std::fs::write(folder.join("old.yaml"), &first).unwrap();
    // A revision, even if a folder has its name, a revision with a path, and a file; from the root and
    // from the folder.
    let places = [
        ("", "api/contract.yaml", "HEAD", "HEAD:api/contract.yaml"),
        ("", "api/contract.yaml", "api", "api:api/contract.yaml"),
        ("", "api/contract.yaml", "HEAD:api/contract.yaml", "HEAD:api/contract.yaml"),
        ("", "api/contract.yaml", "old.yaml", "old.yaml"),
        ("api", "contract.yaml", "HEAD", "HEAD:contract.yaml"),
    ];
    for (text, code) in [
        (first.clone(), 0),
        (first.replace("maximum: 100", "maximum: 200"), 0),
        (first.replace("'409':", "'429':"), 1),
        (first.replace("maximum: 100", "maximum: 50"), 1),
        (first.replace("      operationId: getCatalogue\n", "      operationId: catalogue\n"), 1),
    ] {
        std::fs::write(&contract, text).unwrap();
        for (within, contract, old, name) in places {
            let output = against(&folder.join(within), contract, old, &[]);
            let report = text_of(&output);
            assert_eq!(output.status.code(), Some(code), "{old}: {report}");
            assert!(report.trim_end().ends_with(&format!("of {name}")) == (code == 1), "{report}");
        }
    }
}

fn text_of(output: &Output) -> String {
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_formats_for_machines_tell_breaks_from_additions_at_the_line_of_the_later_version() {
    let folder = repository("formats");
    let contract = folder.join("api/contract.yaml");
    let text = std::fs::read_to_string(&contract).unwrap();
    // Two lines further down, so that the lines of both versions differ.
    let text = text.replace("info:\n", "tags: []\nx-note: ''\ninfo:\n");
    let text = text.replace("maximum: 100", "maximum: 50");
    let extra = "        rating:\n          type: number\n          minimum: 0\n";
    assert!(text.contains(extra));
    let text = text.replace(extra, &format!("        pages:\n          type: integer\n{extra}"));
    std::fs::write(&contract, text).unwrap();
    let run = |format| {
        let output = against(&folder, "api/contract.yaml", "HEAD", &["--format", format]);
        assert_eq!(output.status.code(), Some(1));
        text_of(&output)
    };
    let github = run("github");
    let lines: Vec<_> = github.lines().collect();
    assert_eq!(lines.len(), 2, "{github}");
    let error = "::error file=api/contract.yaml,line=22,col=13,title=request-range::";
    assert!(lines[0].starts_with(error), "{github}");
    assert!(lines[1].starts_with("::notice file=api/contract.yaml,line="), "{github}");
    assert!(lines[1].contains("title=added-property::`pages` is new"), "{github}");
    let json: Value = serde_json::from_str(&run("json")).unwrap();
    assert_eq!(json["conforms"], false);
    assert_eq!([&json["before"], &json["now"]], ["HEAD:api/contract.yaml", "api/contract.yaml"]);
    assert_eq!(json["findings"][0]["before"]["line"], 20);
    assert_eq!(json["findings"][0]["now"]["line"], 22);
    assert_eq!(json["additions"][0]["code"], "added-property");
    let sarif: Value = serde_json::from_str(&run("sarif")).unwrap();
    let results = &sarif["runs"][0]["results"];
    assert_eq!([&results[0]["level"], &results[1]["level"]], ["error", "note"]);
    assert_eq!(
        results[0]["relatedLocations"][0]["message"]["text"],
        "integer (1 to 100) (line 20 in revision HEAD)"
    );
    let added = results[1]["message"]["text"].as_str().unwrap();
    assert!(
        added.contains("In listBooks 200 `.books[].pages`, addBook 201 `.book.pages`, "),
        "{added}"
    );
}

#[test]
fn an_annotation_is_at_the_definition_that_changed_or_at_the_use_of_another() {
    let text = "openapi: 3.0.3
info: {title: Letters, version: '1'}
paths:
  /letter:
    get:
      operationId: getLetter
      responses:
        '200':
          description: A letter.
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Letter'}
components:
  schemas:
    Letter: {type: string, enum: [a]}
";
    let earlier = write("letter-1.yaml", text);
    let changed = write("letter-2.yaml", &text.replace("[a]", "[a, b]"));
    let other = text.replace("/Letter'", "/Note'") + "    Note: {type: string, enum: [a, b]}\n";
    let other = write("letter-3.yaml", &other);
    for (later, format, place) in [
        (&changed, "github", "letter-2.yaml,line=15,col="),
        (&changed, "sarif", "\"startLine\": 15"),
        (&other, "github", "letter-3.yaml,line=12,col="),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openapi-drift"));
        command.arg("--contract").arg(later).arg("--against").arg(&earlier);
        let output = command.args(["--format", format]).output().unwrap();
        assert!(text_of(&output).contains(place), "{}", text_of(&output));
    }
}

#[test]
#[cfg(unix)]
fn annotations_name_files_below_the_repository_from_every_folder_and_behind_links() {
    use std::os::unix::fs::symlink;
    let folder = repository("a repository");
    let contract = folder.join("api/contract.yaml");
    let text = std::fs::read_to_string(&contract).unwrap().replace("maximum: 100", "maximum: 50");
    std::fs::write(&contract, &text).unwrap();
    std::fs::write(folder.join("api/b k.yaml"), &text).unwrap();
    let link = folder.with_extension("link");
    let _ = std::fs::remove_file(&link);
    symlink(&folder, &link).unwrap();
    symlink("contract.yaml", folder.join("api/link.yaml")).unwrap();
    // Outside of any repository names are as they were given.
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("contract.yaml"), &text).unwrap();
    symlink(outside.path().join("contract.yaml"), folder.join("api/out.yaml")).unwrap();
    let through_link = link.join("api/contract.yaml");
    let place = |within: &Path, contract: &str, format| {
        let output = against(
            within,
            contract,
            file("contract.yaml").to_str().unwrap(),
            &["--format", format],
        );
        text_of(&output)
    };
    let api = folder.join("api");
    for (within, contract, expected) in [
        (&folder, "api/contract.yaml", "api/contract.yaml"),
        (&api, "contract.yaml", "api/contract.yaml"),
        (&api, "./../api/b k.yaml", "api/b k.yaml"),
        (&api, through_link.to_str().unwrap(), "api/contract.yaml"),
        (&link, "api/link.yaml", "api/contract.yaml"),
        (&api, "out.yaml", "api/out.yaml"),
        (&outside.path().to_owned(), "contract.yaml", "contract.yaml"),
    ] {
        let report = place(within, contract, "github");
        assert!(
            report.starts_with(&format!("::error file={expected},line=")),
            "{contract}: {report}"
        );
        let report: Value = serde_json::from_str(&place(within, contract, "sarif")).unwrap();
        let physical = &report["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(physical["artifactLocation"]["uri"], expected.replace(' ', "%20"));
        assert!(place(within, contract, "human").contains(&format!("--> {contract}:20:")));
    }
    // So is the earlier version.
    let output = against(&api, "contract.yaml", "HEAD", &["--format", "sarif"]);
    let report: Value = serde_json::from_str(&text_of(&output)).unwrap();
    let other = &report["runs"][0]["results"][0]["relatedLocations"][0];
    assert_eq!(other["physicalLocation"]["artifactLocation"]["uri"], "api/contract.yaml");
}

#[test]
fn an_earlier_version_that_cannot_be_read_exits_with_2_and_one_sentence() {
    let folder = repository("earlier");
    let cases = [
        ("v9", "git cannot read v9:api/contract.yaml: fatal: "),
        ("HEAD:no/such.yaml", "git cannot read HEAD:no/such.yaml: fatal: "),
        ("-x", "a revision does not begin with `-`"),
        ("", "`--against` names no revision"),
        (":api/contract.yaml", "`--against` names no revision"),
        ("HEAD:api", "git cannot read HEAD:api"),
    ];
    for (old, why) in cases {
        let output = against(&folder, "api/contract.yaml", old, &[]);
        assert_eq!(output.status.code(), Some(2), "{old}");
        let error = text(&output.stderr);
        assert!(error.contains(why), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_server_and_an_earlier_version_are_not_compared_at_once() {
    let output = diff(&file("contract.yaml"), &file("generated.json"), &["--against", "HEAD"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot be used with"), "{}", text(&output.stderr));
}

#[test]
fn every_format_exits_with_1_if_there_is_a_difference() {
    let contract = std::fs::read_to_string(file("contract.yaml")).unwrap();
    let contract = write("formats.yaml", &contract.replace("maximum: 100", "maximum: 200"));
    for (format, start) in [("github", "::error file="), ("sarif", "{"), ("json", "{")] {
        let output = diff(&contract, &file("generated.json"), &["--format", format]);
        assert_eq!(output.status.code(), Some(1), "{format}");
        assert!(text(&output.stdout).starts_with(start), "{format}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_closed_pipe_does_not_change_the_exit_code_and_a_full_disk_is_an_error() {
    let contract = std::fs::read_to_string(file("contract.yaml")).unwrap();
    let contract = write("pipe.yaml", &contract.replace("maximum: 100", "maximum: 200"));
    let run = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openapi-drift"));
        command.arg("--contract").arg(&contract).arg("--generated").arg(file("generated.json"));
        let output = command.stdout(out).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        (output.status.code(), text(&output.stderr).to_owned())
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(run(writer.into()), (Some(1), String::new()));
    let (code, error) = run(std::fs::File::create("/dev/full").unwrap().into());
    assert_eq!(code, Some(2));
    assert!(error.starts_with("error: could not write the report: "), "{error}");
}

#[test]
fn a_code_is_explained_and_an_unknown_one_is_refused_with_all_codes() {
    let explain = |code| {
        let program = env!("CARGO_BIN_EXE_openapi-drift");
        Command::new(program).args(["--explain", code]).output().unwrap()
    };
    let output = explain("response-null");
    assert_eq!(output.status.code(), Some(0));
    let expected = "response-null: null is allowed on one side only

why: a client that reads the documented type fails on null
example:
  contract: {response: {type: string}}
  server:   {response: {type: string, nullable: true}}
help: if None is skipped, say so: #[serde(default, skip_serializing_if = \"Option::is_none\")] \
#[schemars(with = \"T\")]; if null is meant, document `nullable: true`
";
    assert_eq!(text(&output.stdout), expected);
    let output = explain("null");
    assert_eq!(output.status.code(), Some(2));
    let codes = text(&output.stderr);
    for code in ["response-null, request-type", "added-error", "traffic-status", "unknown-keyword"]
    {
        assert!(codes.contains(code), "{codes}");
    }
    let output = explain("unknown-keyword");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("unknown-keyword: "));
    let output = explain("respnse-null");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean `response-null`?"));
}

#[test]
fn a_document_that_cannot_be_compared_exits_with_2_and_one_sentence() {
    let cases = [
        ("empty", "", "holds no document"),
        ("text", "just words", "it has no `openapi` version"),
        ("broken", "openapi: [", "is not YAML or JSON"),
        ("older", "swagger: '2.0'\npaths: {}", "it has no `openapi` version"),
        ("later", "openapi: 3.2.0\npaths: {}", "only 3.0.x and 3.1.x can be compared"),
        ("float", "openapi: 3.0\npaths: {}", "only 3.0.x and 3.1.x can be compared"),
        ("pathless", "openapi: 3.0.3", "has no `paths` object"),
        ("webhooks", "openapi: 3.1.0\nwebhooks: {a: {post: {}}}", "webhooks are not compared"),
        ("null-paths", "openapi: 3.0.3\npaths:", "has no `paths` object"),
        ("twice", "openapi: 3.0.3\npaths: {}\npaths: {}", "the key `paths` twice"),
        ("many", "openapi: 3.0.3\n---\nopenapi: 3.0.3", "more than one document"),
        ("merge", "a: &a {}\nb:\n  <<: *a", "merge key"),
        ("infinite", "a: .inf", "which JSON cannot hold"),
        ("huge", "a: 1e999", "out of range"),
        ("nowhere", "openapi: 3.0.3\npaths: {/a: {$ref: '#/b'}}", "`#/b`, which is not there"),
        (
            "missing",
            "openapi: 3.0.3\npaths: {/a: {$ref: b.yaml}}",
            "`b.yaml`, which cannot be read",
        ),
        (
            "circle",
            "openapi: 3.0.3\npaths: {}\na: {$ref: '#/b'}\nb: {$ref: '#/a'}",
            "leads to no definition",
        ),
    ];
    for (name, contract, why) in cases {
        let text = comparison_error(&format!("{name}.yaml"), contract);
        assert!(text.contains(why), "{name}: {text}");
        assert!(text.contains(name), "{name}: {text}");
    }
}

#[test]
fn a_file_that_cannot_be_read_exits_with_2() {
    let output = diff(Path::new("/no/such/file.yaml"), &file("generated.json"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("/no/such/file.yaml cannot be read"));
    std::fs::write(write("binary.yaml", ""), [0xff, 0xfe, 0x00]).unwrap();
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("binary.yaml");
    assert_eq!(diff(&binary, &binary, &[]).status.code(), Some(2));
}

#[test]
fn deep_nesting_is_an_error_and_not_a_stack_overflow() {
    for depth in [150, 50_000] {
        comparison_error("deep.json", &format!("{}1{}", "[".repeat(depth), "]".repeat(depth)));
    }
    let dashes = comparison_error("dashes.yaml", &format!("{}x", "- ".repeat(5_000)));
    assert!(dashes.contains("nested more than"), "{dashes}");
}

#[test]
fn aliases_that_multiply_without_end_are_an_error() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let last = format!("*a{}", level - 1);
        let ten = vec![last; 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{ten}]").unwrap();
    }
    assert!(comparison_error("bomb.yaml", &bomb).contains("more than 1000000 values"));
}

#[test]
fn yaml_and_json_of_the_same_document_agree() {
    let yaml = "openapi: 3.0.3\npaths:\n  /a:\n    get: &get\n      operationId: a\n      \
                responses: {200: {description: ok}}\n    put: *get\n";
    let json = r#"{"openapi": "3.0.3", "paths": {"/a": {
        "get": {"operationId": "a", "responses": {"200": {"description": "\ud83d\udc4d"}}},
        "put": {"operationId": "a", "responses": {"200": {"description": ""}}}}}}"#;
    let output = diff(&write("same.yaml", yaml), &write("same.json", json), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}
