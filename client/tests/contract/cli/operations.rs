//! What the commands of the operations send and print.

use super::{Shell, output};
use crate::support::{Reply, StandIn, World};
use orgtokens_server::caller::Role;
use std::fs::File;
use std::process::{Command, Stdio};

/// Returns the rows of a table, each as its cells.
fn rows(table: &str) -> Vec<Vec<&str>> {
    let rows = table.lines().filter_map(|line| line.strip_prefix('│')?.strip_suffix('│'));
    rows.map(|row| row.split('┆').map(str::trim).collect()).collect()
}

#[tokio::test]
async fn every_command_reads_or_changes_what_its_words_say() {
    let world = World::new().await;
    let outsider = world.outsider().username;
    let owner = world.user(Role::Owner);
    let shell = Shell::of(&owner);
    for (command, shows) in [
        ("validate", "the token is valid and does not expire\n".to_owned()),
        ("whoami", owner.username.clone()),
        ("organization list", "acme".to_owned()),
        ("organization show --organization acme", "acme".to_owned()),
        (&format!("member add {outsider} --organization acme"), format!("added {outsider}\n")),
        (&format!("member show {outsider} --organization acme"), "member".to_owned()),
        (
            &format!("member set-role {outsider} --organization acme --role viewer"),
            "viewer".to_owned(),
        ),
        ("member list --organization acme", outsider.clone()),
        (
            &format!("member remove {outsider} --organization acme --yes"),
            format!("removed {outsider}\n"),
        ),
        ("group create new --organization acme --location lhr", "lhr".to_owned()),
        ("group list --organization acme", "new".to_owned()),
        ("group show new --organization acme", "delete protection".to_owned()),
        ("group delete new --organization acme --yes", "deleted new\n".to_owned()),
        ("audit list --organization acme --page-size 1", "group-delete".to_owned()),
    ] {
        let printed = shell.done(command).await;
        assert!(printed.contains(&shows), "{command}: {printed}");
    }
    let log = shell.done("audit list --organization acme").await;
    assert_eq!(rows(&log)[1][3], "cli", "the server knows this program: {log}");
}

#[tokio::test]
async fn a_mint_prints_the_secret_alone_and_sends_every_scope() {
    let world = World::new().await;
    let shell = Shell::of(&world.user(Role::Owner));
    let mint = "token mint ci-bot --organization acme --group default --scope db:create \
                --scope read";
    let minted = shell.run(mint).await;
    assert_eq!(minted.code, 0, "{minted:?}");
    let secret = minted.stdout.strip_suffix('\n').unwrap();
    assert!(secret.starts_with("orgt_") && !secret.contains(char::is_whitespace));
    assert!(minted.stderr.starts_with("minted ci-bot, id "), "{}", minted.stderr);
    assert!(!minted.stderr.contains(secret));

    let token = Shell::new(&shell.url, secret);
    token.done("validate").await;
    let list = shell.done("token list --organization acme").await;
    assert_eq!(rows(&list)[0][..4], ["name", "id", "group", "scopes"]);
    let row = rows(&list)[1].clone();
    assert_eq!((row[0], row[2], row[3]), ("ci-bot", "default", "read, db:create"));
    assert!(minted.stderr.contains(row[1]), "the id is that of the list");
    assert!(shell.done("token mine").await.contains("ci-bot"));
}

#[tokio::test]
async fn nothing_is_minted_if_standard_output_is_closed_or_keeps_nothing() {
    let server = StandIn::start([Reply::Close]).await;
    let shell = Shell::new(&server.url, "secret-text");
    let variables = [("ORGTOKENS_URL", &*shell.url), ("ORGTOKENS_TOKEN", &*shell.token)];
    for (format, redirection) in [("table", ">&-"), ("json", ">&-"), ("table", ">/dev/null")] {
        let program = shell.command(&variables, &format!("token mint ci-bot --format {format}"));
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!(r#""$0" "$@" {redirection}"#));
        command.arg(program.get_program()).args(program.get_args());
        command.env_clear().env("HOME", shell.home.path()).envs(variables);
        let run = output(command).await;
        assert!(run.code == 2 && run.stderr.contains("the secret would be lost"), "{run:?}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_minted_token_that_cannot_be_printed_is_named_to_be_revoked() {
    let world = World::new().await;
    let shell = Shell::of(&world.user(Role::Owner));
    let variables = [("ORGTOKENS_URL", &*shell.url), ("ORGTOKENS_TOKEN", &*shell.token)];
    let full = || File::options().write(true).open("/dev/full").unwrap();
    for format in ["table", "json"] {
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        for (name, stdout) in [("full", Stdio::from(full())), ("closed", Stdio::from(closed))] {
            let name = format!("{name}-{format}");
            let mint = format!("token mint {name} --organization acme --format {format}");
            let mut command = shell.command(&variables, &mint);
            command.stdout(stdout);
            let run = output(command).await;
            let list = shell.done("token mine --format json").await;
            let (_, id) = list.split_once(&format!(r#"{{"name":"{name}","id":""#)).unwrap();
            let (id, _) = id.split_once('"').unwrap();
            let says = format!("the token {name}, id {id}, was minted, but not printed (");
            assert!(run.code == 3 && run.stderr.contains(&says), "{run:?}");
            let revoke = run.stderr.split('`').nth(1).unwrap().strip_prefix("orgtokens ").unwrap();
            shell.done(&format!("{revoke} --yes")).await;
        }
    }
    // The other messages are worth less than the secret.
    let mut command = shell.command(&variables, "token mint ci-bot --organization acme");
    command.stderr(full());
    let run = output(command).await;
    assert!(run.code == 0 && run.stdout.starts_with("orgt_"), "{run:?}");
}

#[tokio::test]
async fn json_is_the_body_of_the_response_unchanged() {
    const BODY: &str = "{ \"tokens\" :[ {\"later\":1e2, \"name\":\"\\u0061\"} ] }\n\n";
    let server = StandIn::start([Reply::Answer(200, &[], BODY)]).await;
    let shell = Shell::new(&server.url, "secret-text");
    let printed = shell.done("token list --organization acme --format json").await;
    assert_eq!(printed, BODY);
    let request = server.requests().remove(0);
    assert_eq!(request.uri(), "/v1/organizations/acme/api-tokens");
    assert!(request.headers()["user-agent"].to_str().unwrap().starts_with("orgtokens-cli/"));
}

#[tokio::test]
async fn the_whole_audit_log_is_one_table_and_as_json_a_line_for_each_page() {
    let page = |page: u32, code: &str| {
        let pagination =
            format!(r#"{{"page":{page},"page_size":1,"total_pages":2,"total_rows":2}}"#);
        let entry = format!(
            r#"{{"code":"{code}","message":"m","origin":"cli","author":"a","created_at":"2026-05-21T00:00:00Z","data":{{}}}}"#
        );
        format!(r#"{{"audit_logs":[{entry}],"pagination":{pagination}}}"#)
    };
    let pages = [page(1, "later"), page(2, "earlier")];
    let replies = pages.clone().map(|page| Reply::Answer(200, &[], page.leak()));
    let server = StandIn::start(replies.clone()).await;
    let table =
        Shell::new(&server.url, "secret-text").done("audit list --organization acme --all").await;
    let codes: Vec<_> = rows(&table).iter().map(|row| row[1].to_owned()).collect();
    assert_eq!(codes, ["code", "later", "earlier"]);
    let server = StandIn::start(replies).await;
    let shell = Shell::new(&server.url, "secret-text");
    let json = shell.done("audit list --organization acme --all --format json").await;
    assert_eq!(json, pages.join("\n"));
}

#[tokio::test]
async fn control_characters_of_a_server_do_not_reach_a_table_or_an_error() {
    let body = r#"{"user": {"username": "a\u001b[2Jb", "email": "c"}}"#;
    let server = StandIn::start([Reply::Answer(200, &[], body)]).await;
    let table = Shell::new(&server.url, "secret-text").done("whoami").await;
    assert!(table.contains("a[2Jb"), "{table}");
    let refusal = Reply::Answer(403, &[], r#"{"error": "no\u001b[2J\nerror: more"}"#);
    let server = StandIn::start([refusal]).await;
    let refused = Shell::new(&server.url, "secret-text").run("whoami").await;
    assert!(!refused.stderr.contains('\u{1b}') && refused.stderr.lines().count() == 1);
}

#[tokio::test]
async fn completions_and_manual_pages_name_the_commands() {
    let shell = Shell::new("", "secret-text");
    for name in ["bash", "zsh", "fish"] {
        let completions = shell.done(&format!("completions {name}")).await;
        assert!(completions.contains("set-role") && completions.contains("mint-token"));
        assert!(!completions.contains("json-body"), "it is hidden");
    }
    shell.done(&format!("man {}", shell.home.path().display())).await;
    let page = std::fs::read_to_string(shell.home.path().join("orgtokens-token-mint.1")).unwrap();
    assert!(page.contains("shown once"));
    // `man` joins lines that are not paragraphs.
    let item = ".PP\n\\- With `organization` it acts in that organization only.\n.PP\n\\- With";
    assert!(page.contains(item), "{page}");
}
