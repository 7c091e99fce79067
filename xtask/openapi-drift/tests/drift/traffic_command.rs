//! The command `check-traffic`: exit codes, every format, folders, and the file of reasons.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// Makes a folder for this test with one file of one exchange, which has this body.
fn folder(name: &str, body: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("traffic-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("traffic")).unwrap();
    std::fs::write(folder.join("openapi.yaml"), include_str!("traffic.yaml")).unwrap();
    let line = json!({
        "request": {"method": "GET", "url": "/v1/books/1", "headers": []},
        "response": {
            "status": 200,
            "headers": [{"name": "content-type", "value": "application/json"}],
            "content": {"text": body},
        },
    });
    std::fs::write(folder.join("traffic/one.jsonl"), line.to_string()).unwrap();
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openapi-drift"));
    command.arg("check-traffic").args(arguments).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

const KEPT: &str = r#"{"id": 1, "title": "Emma"}"#;
const BROKEN: &str = r#"{"id": 1, "title": "Emma", "isbn": 7}"#;

#[test]
fn traffic_that_keeps_the_contract_exits_with_0_and_its_coverage() {
    let output = run(&folder("kept", KEPT), &["traffic"]);
    let text = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("coverage: 1 of 7 operations seen\n  not seen: addBook, "), "{text}");
    assert!(text.ends_with("the traffic keeps openapi.yaml: 1 exchange checked, 0 skipped\n"));
}

#[test]
fn traffic_that_breaks_the_contract_exits_with_1_and_shows_the_line_and_the_exchange() {
    let output = run(&folder("broken", BROKEN), &["traffic/one.jsonl"]);
    let text = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let start = "error[traffic-response-value]: `isbn` is documented as string matching \
                 `^[0-9]{4}$`, and another value was sent\n  --> openapi.yaml:";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("   | traffic:  7\n   = in: getBook 200 `.isbn`\n"), "{text}");
    assert!(text.contains("   = seen: 1 exchange: traffic/one.jsonl #1\n"), "{text}");
    assert!(text.contains("the traffic breaks openapi.yaml in 1 place: 1 exchange"), "{text}");
}

#[test]
fn the_formats_for_machines_have_the_same_facts() {
    let folder = folder("formats", BROKEN);
    let run = |format| {
        let output = run(&folder, &["traffic", "--format", format]);
        assert_eq!(output.status.code(), Some(1), "{format}");
        text(&output.stdout).to_owned()
    };
    let report: Value = serde_json::from_str(&run("json")).unwrap();
    assert_eq!([&report["conforms"], &report["exchanges"]], [&json!(false), &json!(1)]);
    let finding = &report["findings"][0];
    assert_eq!(finding["code"], "traffic-response-value");
    assert_eq!(finding["exchanges"], json!([{"file": "traffic/one.jsonl", "number": 1}]));
    assert!(finding["contract"]["line"].is_number() && finding["count"] == 1, "{finding}");
    assert_eq!(report["coverage"]["operations"]["documented"], 7);
    assert_eq!(report["coverage"]["statuses"]["missing"].as_array().unwrap().len(), 9);
    let github = run("github");
    assert!(github.starts_with("::error file="), "{github}");
    assert!(github.contains("openapi.yaml,line="), "{github}");
    assert!(github.contains(",title=traffic-response-value::`isbn` is documented as"), "{github}");
    assert!(github.contains("%0Aseen: 1 exchange: traffic/one.jsonl #1%0A"), "{github}");
    assert_eq!(github.lines().count(), 1, "{github}");
    let sarif: Value = serde_json::from_str(&run("sarif")).unwrap();
    let schema = serde_json::from_str(include_str!("sarif.json")).unwrap();
    assert!(jsonschema::is_valid(&schema, &sarif));
    let driver = &sarif["runs"][0]["tool"]["driver"]["rules"];
    assert!(driver.as_array().unwrap().iter().any(|it| it["id"] == "traffic-response-value"));
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "traffic-response-value");
}

#[test]
fn what_is_not_openapi_in_the_contract_is_a_warning_in_every_format() {
    let folder = folder("warnings", KEPT);
    let contract = include_str!("traffic.yaml").replacen(
        "operationId:",
        "operationID: a\n      operationId:",
        1,
    );
    std::fs::write(folder.join("openapi.yaml"), contract).unwrap();
    for (format, says) in [
        ("human", "warning[unknown-keyword]: `operationID` is no keyword of an operation object"),
        ("json", "\"title\": \"`operationID` is no keyword of an operation object"),
        ("github", "/openapi.yaml,line="),
        ("sarif", "\"level\": \"warning\""),
    ] {
        let output = run(&folder, &["traffic", "--format", format]);
        let text = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert_eq!(text.matches(says).count(), 1, "{text}");
    }
}

#[test]
fn the_files_of_a_folder_are_read_in_the_order_of_their_names() {
    let folder = folder("order", BROKEN);
    let line = std::fs::read(folder.join("traffic/one.jsonl")).unwrap();
    for name in 0..9 {
        std::fs::write(folder.join(format!("traffic/{}", 8 - name)), &line).unwrap();
    }
    std::fs::create_dir(folder.join("traffic/9")).unwrap();
    let output = run(&folder, &["traffic"]);
    let text = text(&output.stdout);
    assert!(
        text.contains("10 exchanges: first in traffic/0 #1, traffic/1 #1, traffic/2"),
        "{text}"
    );
}

#[test]
fn with_reasons_every_gap_is_an_error() {
    let folder = folder("reasons", KEPT);
    let most = ["addBook", "listBooks", "removeBook", "latestBook", "getCover", "logIn"];
    let mut reasons: String = most.map(|name| format!("{name}: a test\n")).concat();
    reasons.push_str("* 200: b\n* 201: b\n* 204: b\n* 400: b\n* 4XX: b\n");
    for (reasons, code, says) in [
        (format!("{reasons}* default: b\n"), 0, "the traffic keeps"),
        (reasons.clone(), 1, "error[traffic-uncovered]: `getBook default` is documented"),
        (
            format!("{reasons}* default: b\n* 500: c\n"),
            1,
            "error[traffic-unneeded-reason]: r.txt:13",
        ),
        ("getBook".to_owned(), 2, "error: could not check: r.txt has no reason in line 1"),
    ] {
        std::fs::write(folder.join("r.txt"), &reasons).unwrap();
        let output = run(&folder, &["traffic", "--reasons", "r.txt"]);
        let text = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn what_cannot_be_checked_exits_with_2_and_one_sentence() {
    let folder = folder("unreadable", KEPT);
    std::fs::create_dir(folder.join("empty")).unwrap();
    std::fs::write(folder.join("text"), "no traffic").unwrap();
    std::fs::write(folder.join("nothing"), "").unwrap();
    for (arguments, why) in [
        (&["none.jsonl"][..], "none.jsonl cannot be read"),
        (&["empty"], "empty has no files: record some traffic first"),
        (&["text"], "text is neither a HAR file nor JSON lines"),
        (&["traffic", "--contract", "none.yaml"], "none.yaml cannot be read"),
        (&["traffic", "--contract", "/dev/zero"], "it has more than 268435456 bytes"),
        (&["nothing"], "none of 0 exchanges is one of the contract"),
        (&["traffic", "--prefix", "https://none.example"], "none of 1 exchanges is one"),
        (&["traffic", "--reasons", "none.txt"], "none.txt cannot be read"),
    ] {
        let output = run(&folder, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let errors = text(&output.stderr);
        assert!(errors.starts_with("error: could not check: ") && errors.contains(why), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

#[test]
fn a_code_of_traffic_is_explained() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openapi-drift"));
    let output = command.args(["--explain", "traffic-status"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = text(&output.stdout);
    assert!(text.starts_with("traffic-status: a response has a status that is not"), "{text}");
    assert!(text.contains("example:\n  contract: responses: {200, 404}\n"), "{text}");
}
