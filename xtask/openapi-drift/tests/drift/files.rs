//! Contracts in several files: references to files below the folder of the document, in the folder and
//! in git, and references that lead out of it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use openapi_drift::Document;
use tempfile::TempDir;

const CONTRACT: &str = "\
openapi: 3.0.3
info: {title: t, version: '1'}
paths:
  /books:
    $ref: paths/books.yaml#/books
";

const PATHS: &str = "\
books:
  get:
    operationId: listBooks
    responses:
      '200':
        description: ok
        content:
          application/json:
            schema: {$ref: ../schemas/book.json}
";

/// A book refers to its author, and the author to the books.
const BOOK: &str = r#"{
  "type": "object",
  "properties": {
    "title": {"type": "string"},
    "author": {"$ref": "./author.yaml#/Author"}
  }
}"#;

const AUTHOR: &str = "\
Author:
  type: object
  properties:
    name: {type: string}
    first: {$ref: book.json}
";

/// The same in one file.
const WHOLE: &str = "\
openapi: 3.0.3
info: {title: t, version: '1'}
paths:
  /books:
    get:
      operationId: listBooks
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Book'}
components:
  schemas:
    Book:
      type: object
      properties:
        title: {type: string}
        author:
          type: object
          properties:
            name: {type: string}
            first: {$ref: '#/components/schemas/Book'}
";

/// Writes the contract in its files, and in one.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("api/openapi.yaml", CONTRACT),
        ("api/paths/books.yaml", PATHS),
        ("api/schemas/book.json", BOOK),
        ("api/schemas/author.yaml", AUTHOR),
        ("whole.yaml", WHOLE),
    ] {
        write(&folder, name, text);
    }
    folder
}

fn write(folder: &TempDir, name: &str, text: &str) {
    let file = folder.path().join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openapi-drift"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

const DIFF: [&str; 4] = ["--contract", "api/openapi.yaml", "--generated", "whole.yaml"];

#[test]
fn a_contract_in_several_files_agrees_with_the_same_in_one() {
    let folder = folder();
    let output = run(folder.path(), &DIFF);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let swapped = ["--contract", "whole.yaml", "--generated", "api/openapi.yaml"];
    assert_eq!(run(folder.path(), &swapped).status.code(), Some(0));
    // The contract of the folder is the one that is compared if none is named.
    let output = run(&folder.path().join("api"), &["--generated", "../whole.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).starts_with("openapi.yaml and "), "{}", text(&output));
    // By an anchor too.
    let book = BOOK.replacen('{', r#"{"$anchor": "book","#, 1);
    write(&folder, "api/schemas/book.json", &book);
    write(&folder, "api/paths/books.yaml", &PATHS.replace("book.json", "book.json#book"));
    let output = run(folder.path(), &DIFF);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn a_difference_in_another_file_names_that_file_and_its_line() {
    let folder = folder();
    write(
        &folder,
        "api/schemas/author.yaml",
        &AUTHOR.replace("name: {type: string", "name: {type: integer"),
    );
    let output = run(folder.path(), &DIFF);
    assert_eq!(output.status.code(), Some(1));
    let report = text(&output);
    assert!(
        report.contains("--> api/schemas/author.yaml:4:12 #/Author/properties/name\n"),
        "{report}"
    );
    let annotated = text(&run(folder.path(), &[&DIFF[..], &["--format", "github"]].concat()));
    assert!(annotated.contains("file=api/schemas/author.yaml,line=4,"), "{annotated}");
    let json = text(&run(folder.path(), &[&DIFF[..], &["--format", "json"]].concat()));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["findings"][0]["documented"]["file"], "api/schemas/author.yaml");
    assert!(json["findings"][0]["served"]["file"].is_null());
    let sarif = text(&run(folder.path(), &[&DIFF[..], &["--format", "sarif"]].concat()));
    assert!(sarif.contains(r#""uri": "api/schemas/author.yaml""#), "{sarif}");
    // What differs may be a keyword of the definition.
    write(&folder, "api/schemas/author.yaml", &AUTHOR.replace("type: object", "type: array"));
    let report = text(&run(folder.path(), &DIFF));
    assert!(report.contains("--> api/schemas/author.yaml:2:3 #/Author\n"), "{report}");
    // Else a use in one file and its definition in another are both named.
    write(&folder, "whole.yaml", &WHOLE.replace("        author:", "        writer:"));
    let report = text(&run(folder.path(), &DIFF));
    let place = "book.json:5:5 #/properties/author -> schemas/author.yaml#/Author\n";
    assert!(report.contains(place), "{report}");
}

#[test]
fn an_earlier_version_takes_its_files_from_the_same_revision() {
    let folder = folder();
    let git = |arguments: &str| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let mut command = Command::new("git");
        command.arg("-C").arg(folder.path()).args(identity).args(arguments.split(' '));
        assert!(command.output().unwrap().status.success(), "{arguments}");
    };
    git("init --quiet");
    git("add .");
    git("commit --quiet -m one");
    write(&folder, "api/schemas/book.json", &BOOK.replace("title", "name"));
    for against in ["HEAD", "HEAD:api/openapi.yaml"] {
        let output = run(folder.path(), &["--contract", "api/openapi.yaml", "--against", against]);
        let report = text(&output);
        assert_eq!(output.status.code(), Some(1), "{report}");
        assert!(report.contains("HEAD:api/schemas/book.json:4:5"), "{report}");
    }
    git("checkout --quiet .");
    let output = run(folder.path(), &["--contract", "api/openapi.yaml", "--against", "HEAD"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn references_out_of_the_folder_and_to_what_is_not_there_exit_with_2_and_one_sentence() {
    let folder = folder();
    write(&folder, "secret.yaml", "a: {type: string}");
    std::os::unix::fs::symlink("../secret.yaml", folder.path().join("api/link.yaml")).unwrap();
    write(&folder, "api/broken.yaml", "a: [");
    for (reference, why) in [
        ("../secret.yaml#/a", "outside of the folder"),
        ("paths/../../secret.yaml#/a", "outside of the folder"),
        ("/etc/hostname", "not a path below the folder"),
        ("https://example.com/a.yaml", "not a file below the folder"),
        ("link.yaml#/a", "a link that leads out"),
        ("missing.yaml", "cannot be read"),
        ("paths", "which is no file"),
        ("broken.yaml", "is not YAML or JSON"),
        ("paths/books.yaml#/nothing", "which is not there"),
    ] {
        let contract = CONTRACT.replace("paths/books.yaml#/books", &format!("'{reference}'"));
        write(&folder, "api/openapi.yaml", &contract);
        let output = run(folder.path(), &DIFF);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{reference}: {said}");
        assert!(said.contains(why) && said.lines().count() == 1, "{reference}: {said}");
        assert!(said.contains("api/openapi.yaml"), "{said}");
    }
}

#[test]
fn a_contract_in_thousands_of_files_is_read() {
    let read = |count| {
        let schemas: Vec<_> = (0..count).map(|at| format!("S{at}: {{$ref: {at}.yaml}}")).collect();
        let schemas = schemas.join(", ");
        let text =
            format!("{{openapi: 3.0.3, paths: {{}}, components: {{schemas: {{{schemas}}}}}}}");
        let mut read = 0;
        let document = Document::parse_with_files("openapi.yaml", &text, &mut |_| {
            read += 1;
            Ok("type: string".to_owned())
        });
        document.map(|_| read).map_err(|error| error.to_string())
    };
    assert_eq!(read(10_000), Ok(10_000));
    assert!(read(10_001).unwrap_err().contains("refers to more than 10000 files"));
}
