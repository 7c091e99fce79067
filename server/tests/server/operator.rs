//! The operator's commands on users, members and tokens, next to a server that is running. Each test
//! runs on every backend that is available.

use crate::support::Running;
use crate::support::database::{Database, text};
use serde_json::{Value, json};

/// Returns what a list prints as JSON.
fn list(database: &Database, command: &str, arguments: &[&str]) -> Value {
    let printed = database.run(command, &[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&printed).unwrap()
}

/// Returns what a command that must fail prints.
fn refusal(database: &Database, command: &str, arguments: &[&str]) -> String {
    let output = database.command(command).args(arguments).output().unwrap();
    assert!(!output.status.success(), "{command} {arguments:?}: {}", text(&output));
    text(&output)
}

/// Adds a user to `acme` who has an unrestricted token `laptop` and a bound token `ci`. Returns both.
fn add_member(database: &Database, server: &Running, username: &str, role: &str) -> [String; 2] {
    let email = format!("{username}@example.com");
    database.run("user add", &["--username", username, "--email", &email]);
    let member = ["--organization", "acme", "--username", username, "--role", role];
    database.run("member set", &member);
    let minted = database.run("token mint", &["--username", username, "--name", "laptop"]);
    let laptop = minted.trim_end().to_owned();
    let body = r#"{"organization":"acme"}"#;
    let ci = server.ask_as(&laptop, "POST", "/v1/auth/api-tokens/ci", body).json();
    [laptop, ci["token"].as_str().unwrap().to_owned()]
}

fn validate(server: &Running, token: &str) -> u16 {
    server.ask_as(token, "GET", "/v1/auth/validate", "").status
}

/// Returns the codes and authors of a page of audit entries, newest first.
fn audit(page: &Value) -> Vec<(&str, &str)> {
    let entries = page["audit_logs"].as_array().unwrap().iter();
    entries
        .map(|entry| (entry["code"].as_str().unwrap(), entry["author"].as_str().unwrap()))
        .collect()
}

#[test]
fn the_tokens_of_a_disabled_user_are_dead_on_every_server_until_the_user_is_enabled() {
    for database in Database::on_each() {
        let servers = [Running::start(&database, &[]), Running::start(&database, &[])];
        let tokens = add_member(&database, &servers[0], "bob", "member");
        let answers = || {
            let pairs =
                servers.iter().flat_map(|server| tokens.iter().map(move |token| (server, token)));
            pairs.map(|(server, token)| validate(server, token)).collect::<Vec<_>>()
        };
        assert_eq!(answers(), [200; 4]);
        for _ in 0..2 {
            let said = database.run("user disable", &["--username", "bob"]);
            assert_eq!(said, "bob is disabled: no server accepts a token of this user\n");
            assert_eq!(answers(), [401; 4]);
        }
        let mint = ["--username", "bob", "--name", "new"];
        assert!(refusal(&database, "token mint", &mint).contains("user enable"));
        database.run("user enable", &["--username", "bob"]);
        assert_eq!(answers(), [200; 4]);
        let entries = list(&database, "audit list", &["--unrestricted", "--page-size", "2"]);
        let expected = [("user-enable", "operator"), ("user-disable", "operator")];
        assert_eq!(audit(&entries), expected, "nothing is written if nothing changes");
    }
}

#[test]
fn removing_a_user_revokes_all_tokens_with_entries_and_the_name_can_be_used_again() {
    for database in Database::on_each() {
        let server = Running::start(&database, &[]);
        let tokens = add_member(&database, &server, "bob", "admin");
        let said = database.run("user remove", &["--username", "bob"]);
        assert_eq!(said, "removed the user bob and revoked 2 tokens\n");
        assert_eq!(tokens.each_ref().map(|token| validate(&server, token)), [401; 2]);
        let of_acme = list(&database, "audit list", &["--organization", "acme"]);
        let expected = [("org-member-rm", "operator"), ("user-token-revoke", "operator")];
        assert_eq!(audit(&of_acme)[..2], expected);
        assert_eq!(of_acme["audit_logs"][1]["message"], "revoked token ci of bob (org-member-rm)");
        let of_users = list(&database, "audit list", &["--unrestricted"]);
        let expected = [("user-rm", "operator"), ("user-token-revoke", "operator")];
        assert_eq!(audit(&of_users)[..2], expected);
        assert_eq!(of_users["audit_logs"][1]["message"], "revoked token laptop of bob (user-rm)");
        assert!(refusal(&database, "user remove", &["--username", "bob"]).contains("no such user"));
        assert!(refusal(&database, "user enable", &["--username", "bob"]).contains("no such user"));
        let members = list(&database, "member list", &["--organization", "acme"]);
        assert_eq!(members["members"].as_array().unwrap().len(), 1);

        let again = ["--username", "bob", "--email", "bob@example.org"];
        database.run("user add", &again);
        let users = list(&database, "user list", &[]);
        let bob = json!({"username": "bob", "email": "bob@example.org", "disabled": false});
        assert_eq!(users["users"][1], bob);
        assert!(refusal(&database, "user add", &again).contains("named bob already"));
        let token = database.run("token mint", &["--username", "bob", "--name", "laptop"]);
        let organizations = server.ask_as(token.trim_end(), "GET", "/v1/organizations", "");
        assert_eq!(organizations.json(), json!({"organizations": []}));
        database.run("audit verify", &[]);
    }
}

#[test]
fn the_last_owner_whose_tokens_are_accepted_is_neither_disabled_nor_removed() {
    for database in Database::on_each() {
        let server = Running::start(&database, &[]);
        let alice = ["--username", "alice"];
        let member = ["--organization", "acme", "--username", "alice"];
        let is_refused = |command: &str, arguments: &[&str]| {
            let said = refusal(&database, command, arguments);
            assert!(said.contains("alice is the last owner of acme"), "{command}: {said}");
        };
        let all_are_refused = || {
            is_refused("user disable", &alice);
            is_refused("user remove", &alice);
            is_refused("member remove", &member);
            is_refused("member set", &[&member[..], &["--role", "admin"]].concat());
        };
        all_are_refused();
        let [bob, _] = add_member(&database, &server, "bob", "owner");
        database.run("user disable", &["--username", "bob"]);
        all_are_refused();
        database.run("user enable", &["--username", "bob"]);
        database.run("user disable", &alice);
        let demoted = server.ask_as(&bob, "DELETE", "/v1/organizations/acme/members/bob", "");
        assert_eq!(demoted.status, 409, "alice cannot act for the organization");
        assert_eq!(validate(&server, &database.token), 401);
        let said = database.run("member remove", &member);
        assert_eq!(said, "removed alice from acme and revoked 0 tokens\n");
    }
}

#[test]
fn a_disabled_user_owns_no_new_organization() {
    for database in Database::on_each() {
        database.run("user add", &["--username", "bob", "--email", "bob@example.com"]);
        database.run("user disable", &["--username", "bob"]);
        let add = ["--organization", "globex", "--owner", "bob"];
        assert!(refusal(&database, "organization add", &add).contains("bob is disabled"));
        database.run("user enable", &["--username", "bob"]);
        database.run("organization add", &add);
    }
}

#[test]
fn a_change_that_cannot_be_printed_is_reported_as_done() {
    let database = Database::new();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for (command, arguments, says) in [
        (
            "user add",
            &["--username", "bob", "--email", "bob@example.com"][..],
            "done, but not printed: added the user bob",
        ),
        ("token mint", &["--username", "bob", "--name", "x"], "revoke --username bob --name x"),
    ] {
        let output = database.command(command).args(arguments).stdout(full()).output().unwrap();
        assert!(!output.status.success() && text(&output).contains(says), "{}", text(&output));
    }
    database.run("token revoke", &["--username", "bob", "--name", "x"]);
}

#[test]
fn a_closed_pipe_is_no_error_for_a_list() {
    let database = Database::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = database.command("user list").stdout(writer).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn any_token_is_listed_and_revoked_by_id_or_by_name() {
    for database in Database::on_each() {
        let server = Running::start(&database, &[]);
        let [laptop, ci] = add_member(&database, &server, "bob", "viewer");
        let all = list(&database, "token list", &[]);
        let names: Vec<_> =
            all["tokens"].as_array().unwrap().iter().map(|token| token["name"].clone()).collect();
        assert_eq!(names, ["first", "laptop", "ci"], "in the order of minting");
        let bound = list(&database, "token list", &["--organization", "acme"]);
        let of_the_api =
            server.ask_as(&database.token, "GET", "/v1/organizations/acme/api-tokens", "").json();
        assert_eq!(bound, of_the_api, "the same object as the API's");
        let both = ["--username", "bob", "--organization", "acme"];
        assert_eq!(list(&database, "token list", &both), bound);
        let table = database.run("token list", &["--username", "bob"]);
        assert!(table.contains("laptop") && !table.contains("first"), "{table}");
        assert!(!table.contains("orgt_"), "{table}");

        let id = bound["tokens"][0]["id"].as_str().unwrap();
        let said = database.run("token revoke", &["--id", id]);
        assert_eq!(said, format!("revoked the token ci of bob ({id})\n"));
        assert_eq!((validate(&server, &ci), validate(&server, &laptop)), (401, 200));
        let by_name = ["--username", "bob", "--name", "laptop"];
        database.run("token revoke", &by_name);
        assert_eq!(validate(&server, &laptop), 401);
        assert!(refusal(&database, "token revoke", &by_name).contains("no such token"));
        assert!(refusal(&database, "token revoke", &["--id", id]).contains("no such token"));
        let of_acme = list(&database, "audit list", &["--organization", "acme"]);
        assert_eq!(audit(&of_acme)[0], ("user-token-revoke", "operator"));
        assert_eq!(of_acme["audit_logs"][0]["message"], "revoked token ci of bob");
        let of_users = list(&database, "audit list", &["--unrestricted"]);
        assert_eq!(audit(&of_users)[0], ("user-token-revoke", "operator"));
        database.run("audit verify", &[]);
    }
}

#[test]
fn a_token_is_selected_either_by_id_or_by_name() {
    let database = Database::new();
    for arguments in [
        &[][..],
        &["--username", "alice"],
        &["--name", "first"],
        &["--id", "AZrAAAAAAAAAAAAAAAAAAA", "--username", "alice", "--name", "first"],
    ] {
        refusal(&database, "token revoke", arguments);
    }
    assert_eq!(list(&database, "token list", &[])["tokens"].as_array().unwrap().len(), 1);
}

#[test]
fn a_page_of_the_audit_log_is_the_object_of_the_api() {
    for database in Database::on_each() {
        let server = Running::start(&database, &[]);
        add_member(&database, &server, "bob", "member");
        let page = ["--organization", "acme", "--page", "2", "--page-size", "1"];
        let path = "/v1/organizations/acme/audit-logs?page=2&page_size=1";
        let of_the_api = server.ask_as(&database.token, "GET", path, "").json();
        assert_eq!(list(&database, "audit list", &page), of_the_api);
        let newest = list(&database, "audit list", &["--unrestricted", "--page-size", "1"]);
        assert_eq!(audit(&newest), [("user-token-create", "operator")]);
        assert_eq!(newest["pagination"]["total_rows"], 4);
        let organizations = list(&database, "organization list", &[]);
        let of_the_api = server.ask_as(&database.token, "GET", "/v1/organizations", "").json();
        assert_eq!(organizations, of_the_api);
        let members = list(&database, "member list", &["--organization", "acme"]);
        let path = "/v1/organizations/acme/members";
        assert_eq!(members, server.ask_as(&database.token, "GET", path, "").json());
        for command in ["member list", "audit list", "token list"] {
            let said = refusal(&database, command, &["--organization", "other"]);
            assert!(said.contains("no such organization"), "{said}");
        }
    }
}

#[test]
fn no_user_may_be_named_operator() {
    for database in Database::on_each() {
        let operator = ["--username", "operator", "--email", "o@example.com"];
        let said = refusal(&database, "user add", &operator);
        assert!(said.contains("no user may be named operator"), "{said}");
        database.run("check", &[]);
        database.tamper("INSERT INTO users (username, email) VALUES ('operator', 'o@example.com')");
        let said = refusal(&database, "check", &[]);
        assert!(said.contains("a user is named operator"), "{said}");
        database.run("user remove", &["--username", "operator"]);
        database.run("check", &[]);
    }
}
