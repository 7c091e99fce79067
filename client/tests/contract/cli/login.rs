//! Which server and token are used: from flags, the environment, or profiles.

use super::{Shell, Terminal, output};
use crate::support::{Binding, Reply, StandIn, World};
use futures::future::join_all;
use orgtokens_server::caller::Role;
use orgtokens_server::scope::RequestedScope;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn login_keeps_an_accepted_token_where_only_its_owner_reads_it() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let shell = Shell::of(&owner);
    let (url, input) = (format!("--url {}", shell.url), format!("{}\n", shell.token));
    let login = shell.run_with(&[], &input, &format!("login {url}")).await;
    let says = format!(
        "logged in to {} as {}: kept in the profile `default`\n",
        shell.url, owner.username
    );
    assert_eq!((login.code, login.stdout), (0, says), "{}", login.stderr);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(shell.profiles()), 0o600);
    assert_eq!(mode(shell.profiles().parent().unwrap().to_owned()), 0o700);
    let whoami = shell.run_with(&[], "", "whoami").await;
    assert!(whoami.stdout.contains(&owner.username), "{whoami:?}");

    let logout = shell.run_with(&[], "", "logout").await;
    assert_eq!(logout.code, 0, "{logout:?}");
    assert!(!fs::read_to_string(shell.profiles()).unwrap().contains(&shell.token));
    assert_eq!(shell.run_with(&[], "", "whoami").await.code, 2);
    assert_eq!(shell.run_with(&[], "", "logout").await.code, 2);
}

#[tokio::test]
async fn login_keeps_no_token_that_the_server_refuses() {
    let world = World::new().await;
    let shell = Shell::of(&world.user(Role::Owner));
    let url = [("ORGTOKENS_URL", &*shell.url)];
    assert_eq!(shell.run_with(&url, "orgt_unknown", "login").await.code, 1);
    assert_eq!(shell.run_with(&url, "\n", "login").await.code, 2);
    assert_eq!(shell.run_with(&[], &shell.token, "login").await.code, 2, "there is no server");
    let long = shell.run_with(&url, &"x".repeat(70_000), "login").await;
    assert!(long.code == 2 && long.stderr.contains("more than 65536 bytes"), "{long:?}");
    assert!(!shell.profiles().exists());
    // A valid token that may not ask who its user is.
    let scopes = &[RequestedScope::DbCreate];
    let narrow = Shell::of(&world.actor(Role::Owner, Binding::Group(scopes)));
    let login = narrow.run_with(&url, &narrow.token, "login").await;
    assert_eq!(login.code, 0, "{login:?}");
}

#[tokio::test]
async fn a_profile_has_a_name_and_is_told_how_to_name_a_server() {
    let shell = Shell::new("http://127.0.0.1:1", "secret-text");
    let variables = [("ORGTOKENS_URL", &*shell.url), ("ORGTOKENS_TOKEN", &*shell.token)];
    let run = shell.run_with(&variables, "", "login --profile ci").await;
    assert!(run.code == 2 && !run.stderr.contains("ORGTOKENS"), "{run:?}");
    assert!(
        run.stderr.contains("no server is named: run `orgtokens login --profile ci --url "),
        "{run:?}"
    );
    for command in ["login --profile=", "logout --profile=", "whoami --profile="] {
        let run = shell.run_with(&variables, "", command).await;
        assert!(run.code == 2 && run.stderr.contains("--profile <NAME>"), "{run:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_no_longer_accepted_is_replaced_where_it_came_from() {
    let world = World::new().await;
    let shell = Shell::of(&world.user(Role::Owner));
    let url = [("ORGTOKENS_URL", &*shell.url)];
    let minted = shell.done("token mint kept --organization acme").await;
    for profile in ["default", "ci"] {
        let login = format!("login --profile {profile}");
        let login = [&login, " --url ", &shell.url].concat();
        assert_eq!(shell.run_with(&url, &minted, &login).await.code, 0);
    }
    shell.done("token revoke kept --yes").await;
    for (variables, command, step) in [
        (&[][..], "validate", "and run `orgtokens login`\n"),
        (&[], "validate --profile ci", "and run `orgtokens login --profile ci`\n"),
        (&[("ORGTOKENS_TOKEN", "orgt_dead")], "validate", "set ORGTOKENS_TOKEN to a valid token"),
        (&[("ORGTOKENS_TOKEN", "orgt_dead")], "validate --token orgt_x", "give another --token"),
    ] {
        let run = shell.run_with(variables, "", command).await;
        assert!(run.code == 1 && run.stderr.contains(step), "{run:?}");
    }
}

#[tokio::test]
async fn logins_at_the_same_time_keep_every_profile() {
    let server = StandIn::start([Reply::Answer(200, &[], r#"{"exp": -1}"#)]).await;
    let shell = Shell::new(&server.url, "secret-text");
    let logins = (0..16).map(|number| {
        let mut login = shell.command(&[], &format!("login --profile p{number}"));
        login.args(["--url", &shell.url, "--token", &shell.token]);
        output(login)
    });
    assert!(join_all(logins).await.iter().all(|run| run.code == 0));
    let kept = fs::read_to_string(shell.profiles()).unwrap();
    assert_eq!(kept.matches("[p").count(), 16, "{kept}");
}

#[tokio::test]
async fn flags_come_before_the_environment_and_the_environment_before_profiles() {
    const EXPIRY: Reply = Reply::Answer(200, &[], r#"{"exp": -1}"#);
    let server = StandIn::start([EXPIRY]).await;
    let shell = Shell::new(&server.url, "secret-text");
    let url = [("ORGTOKENS_URL", &*shell.url)];
    shell.run_with(&url, "of-default", "login").await;
    let staging = format!("login --profile staging --url {}", shell.url);
    shell.run_with(&[], "of-staging", &staging).await;
    let both = [url[0], ("ORGTOKENS_TOKEN", "of-environment")];
    let before = server.requests().len();
    for (variables, arguments) in [
        (&both[..], "validate --token of-flag"),
        (&both, "validate"),
        (&both, "validate --profile staging"),
        (&url, "validate"),
        (&[], "validate"),
        (&[("ORGTOKENS_TOKEN", "")], "validate"),
    ] {
        assert_eq!(shell.run_with(variables, "", arguments).await.code, 0, "{arguments}");
    }
    let sent = server.requests().split_off(before);
    let sent: Vec<_> =
        sent.iter().map(|it| it.headers()["authorization"].to_str().unwrap().to_owned()).collect();
    let expected = ["flag", "environment", "staging", "default", "default", "default"];
    assert_eq!(sent, expected.map(|of| format!("Bearer of-{of}")));

    // The token of a profile goes to no other server.
    let other = StandIn::start([EXPIRY]).await;
    let run = shell.run_with(&[("ORGTOKENS_URL", &other.url)], "", "validate").await;
    assert!(run.code == 2 && other.requests().is_empty(), "{run:?}");
}

#[tokio::test]
async fn a_profile_that_others_can_read_and_a_damaged_one_are_refused_without_their_tokens() {
    let shell = Shell::new("http://127.0.0.1:1", "secret-text");
    let path = shell.profiles();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    for (text, mode, says) in [
        ("[default]\nurl = 'http://a'\ntoken = 'secret-text'", 0o640, "chmod 600"),
        ("[default]\ntoken = 'secret-text", 0o600, "is damaged"),
        ("[default]\ntoken = 'secret-text'", 0o600, "missing field `url`"),
    ] {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let run = shell.run_with(&[], "", "whoami").await;
        assert!(run.code == 2 && run.stderr.contains(says), "{run:?}");
    }
}

#[tokio::test]
async fn ctrl_c_ends_a_login_and_leaves_a_terminal_that_shows_what_is_typed() {
    let server = StandIn::start([Reply::Hang]).await;
    let shell = Shell::new(&server.url, "secret-text");
    let url = [("ORGTOKENS_URL", &*shell.url)];
    let prompt = async |terminal: &mut Terminal| {
        terminal.is_silent().await;
        terminal.enter("secret-text\u{3}");
    };
    let run = shell.run_while(&url, "login", prompt).await;
    assert!(run.code == 130 && run.stderr.contains(" echo "), "{run:?}");
    assert!(run.stderr.contains("interrupted") && server.requests().is_empty(), "{run:?}");

    let validation = async |terminal: &mut Terminal| {
        terminal.is_silent().await;
        terminal.enter("secret-text\n");
        while server.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        terminal.enter("\u{3}");
    };
    let run = shell.run_while(&url, "login", validation).await;
    assert!(run.code == 130 && run.stderr.contains(" echo "), "{run:?}");
    assert!(!run.stderr.contains("secret-text") && !shell.profiles().exists(), "{run:?}");
}
