//! Exit codes, and the sentences that come with them.

use super::Shell;
use crate::support::{Reply, StandIn, World};
use orgtokens_server::caller::Role;

const MINT: &str = "token mint ci-bot --organization acme";

#[tokio::test]
async fn a_refusal_exits_1_with_the_sentence_of_the_server_alone() {
    let world = World::new().await;
    let member = Shell::of(&world.user(Role::Member));
    for (command, says) in [
        (
            "member list --organization none",
            "404 Not Found: no such organization, or this credential does not reach it",
        ),
        (
            "audit list --organization acme",
            "403 Forbidden: only owners and admins of this organization may do this",
        ),
        (
            "token mint laptop",
            "409 Conflict: the token name laptop is not available: choose another one",
        ),
    ] {
        let run = member.run(command).await;
        assert_eq!((run.code, &*run.stdout), (1, ""), "{run:?}");
        assert_eq!(run.stderr, format!("error: {says}\n"));
    }
    let unknown = Shell::new(&member.url, "orgt_unknown").run("whoami").await;
    assert!(unknown.code == 1 && unknown.stderr.contains("orgtokens login"), "{unknown:?}");
}

#[tokio::test]
async fn a_refusal_has_a_next_step_if_the_server_cannot_know_it_or_is_another_one() {
    const JSON: &str = r#"{"error": "no, as said: at once"}"#;
    for (status, headers, body, ends) in [
        (
            401,
            &[][..],
            JSON,
            ": at once, and set ORGTOKENS_TOKEN to a valid token, or unset it and run `orgtokens login`",
        ),
        (
            401,
            &[],
            r#"{"error": "no"}"#,
            "Unauthorized: no: set ORGTOKENS_TOKEN to a valid token, or unset it and run `orgtokens login`",
        ),
        (401, &[], "<h1>", "not this API's JSON: check the base URL and any proxy"),
        (408, &[], JSON, ": at once, and try again later"),
        (429, &[], JSON, ": at once, and try again later"),
        (429, &[("retry-after", "60")], JSON, ": at once, and try again in 60 s"),
        (
            429,
            &[("retry-after", "9")],
            r#"{"error": "try again soon"}"#,
            "Requests: try again soon",
        ),
        (403, &[], JSON, ": at once"),
        (404, &[], r#"{"error": "no"}"#, "404 Not Found: no"),
        (404, &[], "<h1>", "not this API's JSON: check the base URL and any proxy"),
    ] {
        let server = StandIn::start([Reply::Answer(status, headers, body)]).await;
        let run = Shell::new(&server.url, "secret-text").run(MINT).await;
        assert!(run.code == 1 && run.stderr.ends_with(&format!("{ends}\n")), "{run:?}");
    }
}

#[tokio::test]
async fn wrong_use_exits_2_and_sends_nothing() {
    let server = StandIn::start([Reply::Close]).await;
    let shell = Shell::new(&server.url, "secret-text");
    for (command, says) in [
        ("token list", "--organization"),
        ("token mint ci/bot", "1 to 64 letters"),
        ("token mint ci-bot --organization a/b", "1 to 64 letters"),
        ("organization show --organization ..", "not empty, `.` or `..`"),
        ("token list --organization .", "not empty, `.` or `..`"),
        ("audit list --all --organization=", "not empty, `.` or `..`"),
        ("token revoke .. --yes", "1 to 64 letters"),
        ("audit list --organization acme --page 0", "from 1 to 4294967295"),
        ("audit list --organization acme --page-size 1001", "from 1 to 1000"),
        ("audit list --organization acme --page-size=-1", "from 1 to 1000"),
        ("token mint ci-bot --group default --scope read", "--organization"),
        ("token mint ci-bot --organization acme --group default", "--scope"),
        ("token mint ci-bot --organization acme --scope read", "--group"),
        ("token mint ci-bot --scope everything", "possible values: read"),
        ("token mint ci --organization acme --expires 30x", "`30x` is not allowed: a duration"),
        ("token mint ci --organization acme --allow-ip here", "an address or a network"),
        ("token mint ci --json-body-template", "unexpected argument '--json-body-template'"),
        ("token mint ci --json-body=/dev/null", "unexpected argument '--json-body'"),
        ("leak report", "no credential was given"),
        ("whoami --url http://user:pw@127.0.0.1", "scheme and host"),
        ("whoami --token=", "a value is required for '--token <SECRET>'"),
        ("policy set --organization acme --default-expiration -1d", "`-1d` is not allowed"),
        ("token rotate --organization acme --id clGFZ4STEe6fljpFzIum8A --overlap 1", "a duration"),
        (
            "token rotate --organization acme --id clGFZ4STEe6fljpFzIum8A --expires=-1d",
            "a duration",
        ),
        (
            "policy set --organization acme --default-expiration 1.5d --maximum-expiration never \
             --allow-unrestricted true",
            "`1.5d` is not allowed",
        ),
        ("token revoke", "<NAME>"),
        ("token revoke ci-bot --id clGFZ4STEe6fljpFzIum8A --yes", "cannot be used with"),
        ("token revoke --id clGFZ4STEe6fljpFzIum8A --yes", "--organization"),
        ("token revoke ci-bot", "give --yes"),
        ("token revoke --organization acme --id clGFZ4STEe6fljpFzIum8A", "give --yes"),
        ("group delete default --organization acme", "give --yes"),
        ("member remove bob --organization acme", "give --yes"),
        ("member set-role bob --organization acme --role owner", "possible values: admin"),
        ("audit list --organization acme --all --page 2", "cannot be used with"),
        ("whoami --url ftp://example", "scheme and host"),
        ("whoami --profile missing", "orgtokens login --profile missing"),
        ("unknown", "unrecognized subcommand"),
    ] {
        let run = shell.run(command).await;
        assert_eq!((run.code, &*run.stdout), (2, ""), "{command}: {run:?}");
        assert!(run.stderr.contains(says), "{command}: {run:?}");
    }
    let nothing = shell.run_with(&[], "", "whoami").await;
    assert!(nothing.code == 2 && nothing.stderr.contains("no server is named"), "{nothing:?}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_reached_and_an_unknown_outcome_exit_3() {
    let run = Shell::new("http://127.0.0.1:1", "secret-text").run("whoami").await;
    assert!(run.code == 3 && run.stderr.contains("check the URL"), "{run:?}");
    for reply in [
        Reply::Answer(503, &[], r#"{"error": "the outcome is unknown"}"#),
        Reply::Close,
        Reply::BreakOff("{"),
        Reply::Answer(504, &[], ""),
        Reply::Answer(302, &[("location", "/login")], ""),
    ] {
        let run = Shell::new(&StandIn::start([reply]).await.url, "secret-text").run(MINT).await;
        assert_eq!((run.code, &*run.stdout), (3, ""), "{run:?}");
        assert!(run.stderr.contains("list"), "{run:?}");
    }
    let foreign = Reply::Answer(200, &[], r#"{"error": "another API"}"#);
    let list = Shell::new(&StandIn::start([foreign]).await.url, "secret-text");
    let run = list.run("token list --organization acme").await;
    assert!(run.code == 3 && run.stderr.contains("has no `tokens`: check the base URL"), "{run:?}");
    let later = Reply::Answer(503, &[("retry-after", "60")], r#"{"error": "later"}"#);
    let run = Shell::new(&StandIn::start([later]).await.url, "secret-text").run(MINT).await;
    assert!(run.code == 1 && run.stderr.contains("try again in 60 s"), "{run:?}");
}

#[tokio::test]
async fn a_token_is_revoked_by_its_name_or_by_its_id() {
    let world = World::new().await;
    let shell = Shell::of(&world.user(Role::Owner));
    shell.done(MINT).await;
    assert_eq!(shell.done("token revoke ci-bot --yes").await, "revoked ci-bot\n");
    let minted = shell.run(MINT).await;
    let id = minted.stderr.trim_end().rsplit(' ').next().unwrap();
    let revoke = format!("token revoke --organization acme --id {id} --yes");
    assert_eq!(shell.done(&revoke).await, format!("revoked {id}\n"));
    let again = shell.run(&revoke).await;
    assert!(again.code == 1 && again.stderr.contains("no such token"), "{again:?}");
    let revoked = Shell::new(&shell.url, minted.stdout.trim_end()).run("validate").await;
    assert_eq!(revoked.code, 1);
}

#[tokio::test]
async fn on_a_terminal_tokens_end_only_after_a_yes() {
    let world = World::new().await;
    let shell = Shell::of(&world.user(Role::Owner));
    let bob = world.user(Role::Member).username;
    let url = &shell.url;
    shell.done(MINT).await;
    for (command, question, done) in [
        (
            "token revoke ci-bot",
            format!("revoke the token ci-bot of {url}?"),
            "revoked ci-bot\n".to_owned(),
        ),
        (
            &format!("member remove {bob} --organization acme"),
            format!(
                "remove the member {bob} in acme of {url}, and revoke that user's tokens there?"
            ),
            format!("removed {bob}\n"),
        ),
        (
            "group delete default --organization acme",
            format!("delete the group default in acme of {url}, and revoke its tokens?"),
            "deleted default\n".to_owned(),
        ),
    ] {
        for answer in ["n", "", "yess"] {
            let run = shell.run_on_a_terminal(answer, command).await;
            assert_eq!((run.code, &*run.stdout), (2, ""), "{run:?}");
            assert!(run.stderr.contains(&format!("{question} [y/N] ")), "{run:?}");
            assert!(run.stderr.contains("nothing was changed"), "{run:?}");
        }
        let run = shell.run_on_a_terminal("y", command).await;
        assert_eq!((run.code, run.stdout), (0, done), "{}", run.stderr);
    }
}
