//! The command line, as an operator uses it to set up a server. The tests run the real
//! binary and never call the library.

use crate::support::database::{Database, command, text};
use crate::support::{PATIENCE, Running};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
    command.args(arguments).env_remove("ORGTOKENS_DATABASE").env_remove("ORGTOKENS_LISTEN");
    command
}

fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "{}", text(output));
    assert!(output.stdout.is_empty(), "only the error is printed");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn init_prints_only_a_token_and_the_server_accepts_it() {
    let database = Database::new();
    assert_eq!(database.token.lines().count(), 1);
    let server = Running::start(&database, &[]);
    let user = server.ask_as(&database.token, "GET", "/v1/user", "").json();
    assert_eq!(user["user"]["username"], "alice");
    let organizations = server.ask_as(&database.token, "GET", "/v1/organizations", "").json();
    assert_eq!(organizations["organizations"][0]["slug"], "acme");
}

#[test]
fn init_refuses_an_initialised_database_and_changes_nothing() {
    let database = Database::new();
    let before = std::fs::read(database.path()).unwrap();
    let mut again = database.command("init");
    again.args(["--organization", "other", "--username", "bob", "--email", "bob@example.com"]);
    assert!(refusal(&again.output().unwrap()).contains("initialised already"));
    assert_eq!(std::fs::read(database.path()).unwrap(), before);
}

#[test]
fn commands_on_an_uninitialised_database_name_the_init_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orgtokens.db");
    for (name, arguments) in [
        ("serve", &["--listen", "127.0.0.1:0"][..]),
        ("user add", &["--username", "bob", "--email", "bob@example.com"]),
        ("token mint", &["--username", "bob", "--name", "laptop"]),
    ] {
        let refused = command(name, &path).args(arguments).output().unwrap();
        assert!(refusal(&refused).contains("orgtokens-server init --database"), "{name}");
        assert!(!path.exists(), "{name} created a file");
    }
}

#[test]
fn users_organizations_members_and_tokens_are_managed_while_serving() {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    database.run("user add", &["--username", "bob", "--email", "bob@example.com"]);
    let bob = database.run("token mint", &["--username", "bob", "--name", "laptop"]);
    let reach = |organization: &str| {
        let path = format!("/v1/organizations/{organization}/members/bob");
        server.ask_as(bob.trim_end(), "GET", &path, "")
    };
    assert_eq!(reach("acme").status, 404);
    for role in ["viewer", "owner"] {
        let arguments = ["--organization", "acme", "--username", "bob", "--role", role];
        database.run("member set", &arguments);
        assert_eq!(reach("acme").json()["member"]["role"], role);
    }
    database.run("organization add", &["--organization", "globex", "--owner", "bob"]);
    assert_eq!(reach("globex").json()["member"]["role"], "owner");
}

#[test]
fn taken_missing_and_malformed_arguments_are_refused_with_the_reason() {
    let database = Database::new();
    for (name, arguments, says) in [
        ("user add", &["--username", "alice", "--email", "a@b"][..], "user named alice already"),
        ("user add", &["--username", "a b", "--email", "a@b"], "`a b` is not a name"),
        ("user add", &["--username", "bob", "--email", "bob"], "not an email address"),
        ("organization add", &["--organization", "acme", "--owner", "alice"], "acme already"),
        ("organization add", &["--organization", "x", "--owner", "bob"], "no such user"),
        (
            "member set",
            &["--organization", "acme", "--username", "alice", "--role", "admin"],
            "last owner",
        ),
        (
            "member set",
            &["--organization", "x", "--username", "alice", "--role", "admin"],
            "no such organization",
        ),
        (
            "member set",
            &["--organization", "acme", "--username", "alice", "--role", "boss"],
            "`boss` is not a role",
        ),
        ("token mint", &["--username", "bob", "--name", "x"], "no such user"),
        ("token mint", &["--username", "alice", "--name", "first"], "token named first already"),
    ] {
        let refused = refusal(&database.command(name).args(arguments).output().unwrap());
        assert!(refused.contains(says), "{name} {arguments:?}: {refused}");
    }
}

#[test]
fn the_environment_sets_the_database_and_the_listen_address() {
    let database = Database::new();
    let mut serve = program(&["serve"]);
    serve.env("ORGTOKENS_DATABASE", format!("sqlite://{}", database.path().display()));
    serve.env("ORGTOKENS_LISTEN", "127.0.0.1:0");
    let server = Running::spawn(&mut serve).unwrap();
    assert_eq!(server.ask_as(&database.token, "GET", "/v1/auth/validate", "").status, 200);
}

#[test]
fn the_listen_address_may_be_a_host_name_or_a_port() {
    let database = Database::new();
    for (listen, expected) in
        [("localhost:0", "127.0.0.1:"), ("0", "127.0.0.1:"), ("[::1]:0", "[::1]:")]
    {
        let mut serve = database.command("serve");
        let server = Running::spawn(serve.args(["--listen", listen])).unwrap();
        assert!(server.address.to_string().starts_with(expected), "{listen}: {}", server.address);
        assert_eq!(server.ask_as(&database.token, "GET", "/v1/auth/validate", "").status, 200);
    }
}

#[test]
fn an_invalid_option_or_variable_is_named_with_the_accepted_values() {
    for (option, variable, value, accepted) in [
        ("--pool-size <COUNT>", "ORGTOKENS_POOL_SIZE", "0", "a whole number, 1 or more"),
        ("--pool-size <COUNT>", "ORGTOKENS_POOL_SIZE", "abc", "a whole number, 1 or more"),
        ("--listen <ADDR>", "ORGTOKENS_LISTEN", "nonsense", "localhost:8080, or a port alone"),
        ("--listen <ADDR>", "ORGTOKENS_LISTEN", "127.0.0.1", "localhost:8080, or a port alone"),
        ("--listen <ADDR>", "ORGTOKENS_LISTEN", "70000", "localhost:8080, or a port alone"),
        ("--max-connections <N>", "ORGTOKENS_MAX_CONNECTIONS", "0", "a whole number, 1 or more"),
        ("--idle-timeout <SECONDS>", "ORGTOKENS_IDLE_TIMEOUT", "0", "a whole number, 1 or more"),
        ("--max-tokens-per-user <N>", "ORGTOKENS_MAX_TOKENS_PER_USER", "x", "a whole number, 1"),
        (
            "--max-tokens-per-organization <N>",
            "ORGTOKENS_MAX_TOKENS_PER_ORGANIZATION",
            "0",
            "a whole number, 1 or more",
        ),
        ("--trusted-proxy <NET>", "ORGTOKENS_TRUSTED_PROXY", "10.0.0.1,x", "10.0.0.0/8"),
        (
            "--bad-credentials-per-second <N>",
            "ORGTOKENS_BAD_CREDENTIALS_PER_SECOND",
            "-1",
            "a whole number, 1 or more",
        ),
        (
            "--client-address-header <NAME>",
            "ORGTOKENS_CLIENT_ADDRESS_HEADER",
            "X Forwarded",
            "such as X-Forwarded-For",
        ),
    ] {
        let error = refusal(&program(&["serve"]).env(variable, value).output().unwrap());
        let named = error.contains(option) && error.contains(variable);
        assert!(named && error.contains(accepted), "{error}");
        let name = option.split(' ').next().unwrap();
        let given = format!("{name}={value}");
        let error = refusal(&program(&["serve", &given]).env(variable, "1").output().unwrap());
        let named = error.contains(option) && !error.contains(variable);
        assert!(named && error.contains(accepted), "{error}");
    }
}

#[test]
fn openapi_prints_the_document_without_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(&["openapi"]).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["paths"].as_object().unwrap().len(), 18);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "it leaves nothing behind");
}

/// Returns the name and the help of every command below this one.
fn helps(command: &[&str]) -> Vec<(String, String)> {
    let help = text(&program(command).arg("--help").output().unwrap());
    let Some((_, list)) = help.split_once("Commands:\n") else {
        return vec![(command.join(" "), help)];
    };
    let list = list.lines().take_while(|line| line.starts_with("  "));
    let names = list.filter_map(|line| line.split_whitespace().next());
    let names = names.filter(|name| *name != "help");
    names.flat_map(|name| helps(&[command, &[name]].concat())).collect()
}

#[test]
fn every_command_has_help_with_an_example() {
    let helps = helps(&[]);
    assert!(helps.len() > 20, "{helps:?}");
    for (name, help) in helps {
        let (_, example) = help.split_once("\nExample").expect(&help);
        assert!(example.contains(&format!("orgtokens-server {name}")), "{help}");
    }
}

#[test]
fn the_demo_prints_a_table_of_tokens_and_curl_lines() {
    let mut demo = program(&["demo", "--listen", "127.0.0.1:0"]);
    let mut child = demo.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let shown: Vec<String> =
        lines.scan((), |(), line| (!line.contains("audit-logs")).then_some(line)).collect();
    let address = shown[0].strip_prefix("listening on http://").unwrap().parse().unwrap();
    let mut server = Running::around(child, address);
    for (role, tokens) in [("owner", 3), ("admin", 3), ("member", 2), ("viewer", 2)] {
        let rows: Vec<_> =
            shown.iter().filter(|line| line.starts_with(&format!("│ {role} "))).collect();
        assert_eq!(rows.len(), tokens, "{role}");
        for row in rows {
            let token = row.split_whitespace().find(|word| word.starts_with("orgt_")).unwrap();
            assert_eq!(server.ask_as(token, "GET", "/v1/auth/validate", "").status, 200, "{row}");
        }
    }
    assert_eq!(shown.iter().filter(|line| line.starts_with("curl -H")).count(), 3);
    server.signal(Signal::INT);
    assert!(server.ended_within(PATIENCE).unwrap().success());
}

#[test]
fn a_database_with_a_schema_but_no_organization_is_not_initialised() {
    let database = Database::new();
    database.tamper("PRAGMA foreign_keys = OFF; DELETE FROM organizations");
    let mut add = database.command("user add");
    let refused = add.args(["--username", "bob", "--email", "bob@example.com"]).output().unwrap();
    assert!(refusal(&refused).contains("never initialised: `orgtokens-server init"));
}

#[test]
fn a_sqlite_url_that_is_more_than_a_path_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["sqlite://:memory:", "sqlite://file:x.db", "sqlite://x.db?mode=ro", "sqlite://"] {
        let mut init = program(&["init", "--organization", "acme", "--username", "alice"]);
        init.args(["--email", "alice@example.com", "--database", url]).current_dir(&folder);
        assert!(refusal(&init.output().unwrap()).contains("sqlite://orgtokens.db"), "{url}");
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_log_that_is_not_read_blocks_neither_requests_nor_shutdown() {
    let database = Database::new();
    let mut serve = database.command("serve");
    serve.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = serve.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on http://").unwrap().parse().unwrap();
    // Kept open, but never read.
    let _log = child.stderr.take().unwrap();
    let mut server = Running::around(child, address);
    for _ in 0..1_500 {
        assert_eq!(server.ask("GET", "/v1/user", &[], "").status, 401);
    }
    server.signal(Signal::TERM);
    assert!(server.ended_within(PATIENCE).unwrap().success());
}

#[test]
fn a_write_that_waits_for_another_process_times_out_while_reads_are_served() {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    let other = rusqlite::Connection::open(database.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let change = || server.ask_as(&database.token, "DELETE", "/v1/auth/api-tokens/first", "");
        let changes: Vec<_> = (0..3).map(|_| scope.spawn(change)).collect();
        assert_eq!(server.ask_as(&database.token, "GET", "/v1/user", "").status, 200);
        for change in changes {
            assert_eq!(change.join().unwrap().status, 503);
        }
    });
    let reserve = database.folder().join("orgtokens.db-reserve");
    assert!(reserve.exists(), "the disk is not full, so the reserve is kept");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(
        server.ask_as(&database.token, "DELETE", "/v1/auth/api-tokens/first", "").status,
        200
    );
}
