//! The commands about the life of a token.

use super::Shell;
use crate::support::{Reply, StandIn, World};
use orgtokens_server::caller::Role;
use serde_json::{Value, json};

/// Mints a token, and returns its id.
async fn mint(shell: &Shell, arguments: &str) -> String {
    let minted = shell.run(&format!("token mint {arguments} --format json")).await;
    assert_eq!(minted.code, 0, "{minted:?}");
    let minted: Value = serde_json::from_str(&minted.stdout).unwrap();
    minted["id"].as_str().unwrap().to_owned()
}

async fn show(shell: &Shell, id: &str) -> Value {
    let shown =
        shell.done(&format!("token show --organization acme --id {id} --format json")).await;
    serde_json::from_str::<Value>(&shown).unwrap()["token"].clone()
}

#[tokio::test]
async fn a_token_is_minted_with_limits_shown_and_rotated() {
    let world = World::new().await;
    let shell = Shell::of(&world.user(Role::Owner));
    let limits = "--organization acme --group default --scope read --expires 30d \
                  --allow-ip 127.0.0.0/8 --allow-ip ::1";
    let id = mint(&shell, &format!("ci {limits}")).await;
    let shown = show(&shell, &id).await;
    assert_eq!(shown["allowed_ips"], json!(["127.0.0.0/8", "::1"]));
    assert_eq!((&shown["group"], &shown["scopes"]), (&json!("default"), &json!(["read"])));
    assert!(shown["expires_at"].is_string());
    let table = shell.done(&format!("token show --organization acme --id {id}")).await;
    assert!(table.contains("expires at") && table.contains("127.0.0.0/8, ::1"), "{table}");

    let rotate = format!("token rotate --organization acme --id {id} --overlap 1h --expires 1d");
    let rotated = shell.run(&rotate).await;
    assert_eq!(rotated.code, 0, "{rotated:?}");
    assert!(rotated.stderr.starts_with("rotated ci, id "), "{}", rotated.stderr);
    let bot = Shell::new(&shell.url, rotated.stdout.trim_end());
    assert!(bot.done("validate").await.starts_with("the token is valid until "));
    assert!(show(&shell, &id).await["previous_secret_expires_at"].is_string());
    let dash = shell.run("token mint --organization acme --expires 1d -- -bot").await;
    assert!(dash.stderr.starts_with("minted -bot, id "), "{dash:?}");
    let refused = shell.run("token mint ci2 --expires 1d").await;
    assert_eq!(refused.code, 2, "{refused:?}");
    let refused = shell.run("token mint ci2 --organization acme --expires 0s").await;
    assert_eq!(refused.code, 1, "{refused:?}");
}

#[tokio::test]
async fn selected_tokens_are_shown_or_revoked_until_none_is_left() {
    let world = World::new().await;
    let (owner, member) = (world.user(Role::Owner), world.user(Role::Member));
    let (shell, other) = (Shell::of(&owner), Shell::of(&member));
    for number in 0..3 {
        mint(&other, &format!("doomed-{number} --organization acme")).await;
    }
    mint(&shell, "stays --organization acme").await;
    let select = format!("token revoke --organization acme --owner {}", member.username);
    let shown = shell.done(&format!("{select} --dry-run")).await;
    assert!(
        shown.contains("doomed-0") && shown.contains("doomed-2") && !shown.contains("stays"),
        "{shown}"
    );
    let unused = shell.done(&format!("{select} --never-used --dry-run")).await;
    assert!(unused.contains("doomed-0") && unused.contains("doomed-2"), "{unused}");
    let used = format!("{select} --last-used-before 2999-01-01T00:00:00Z --dry-run");
    assert!(!shell.done(&used).await.contains("doomed-0"));
    let asked = shell.run_on_a_terminal("n", &format!("{select} --never-used")).await;
    let question =
        format!("revoke the selected tokens (owner {}, never-used) in acme", member.username);
    assert!(asked.code == 2 && asked.stderr.contains(&question), "{asked:?}");
    let refused = shell.run(&select).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    let none = shell.done(&format!("{select} --created-before 2020-01-01T00:00:00Z --yes")).await;
    assert!(!none.contains("doomed-0"), "{none}");
    let revoked = shell.done(&format!("{select} --yes")).await;
    assert!(revoked.contains("doomed-0") && revoked.contains("doomed-2"), "{revoked}");
    let left = shell.done("token list --organization acme").await;
    assert!(left.contains("stays") && !left.contains("doomed-0"), "{left}");
    for (wrong, says) in [
        ("--created-before soon --yes", "'--created-before <TIME>': use a time such as"),
        ("--owner x/y --yes", "'--owner <USERNAME>'"),
        ("--dry-run", "required"),
    ] {
        let refused = shell.run(&format!("token revoke --organization acme {wrong}")).await;
        assert!(refused.code == 2 && refused.stderr.contains(says), "{wrong}: {refused:?}");
    }
}

#[tokio::test]
async fn a_selection_that_goes_on_says_so_and_one_that_breaks_off_shows_what_was_revoked() {
    let page = r#"{"tokens": [{"name": "doomed-0", "id": "clGFZ4STEe6fljpFzIum8A"}], "dry_run": false,
        "more": true}"#;
    let more = Reply::Answer(200, &[], page);
    let server = StandIn::start([more.clone(), Reply::Answer(503, &[], "{}")]).await;
    let shell = Shell::new(&server.url, "orgt_x");
    let select = "token revoke --organization acme --owner bob";
    let broken = shell.run(&format!("{select} --yes")).await;
    assert!(broken.code == 3 && broken.stdout.contains("doomed-0"), "{broken:?}");
    let dead = Reply::Answer(401, &[], r#"{"error": "not accepted"}"#);
    let server = StandIn::start([more.clone(), dead]).await;
    let own = Shell::new(&server.url, "orgt_x").run(&format!("{select} --yes")).await;
    assert!(own.code == 1 && own.stderr.contains("repeat it with another token"), "{own:?}");
    let server = StandIn::start([more]).await;
    let shown = Shell::new(&server.url, "orgt_x").run(&format!("{select} --dry-run")).await;
    assert!(shown.code == 0 && shown.stderr.contains("there are more"), "{shown:?}");
}

#[tokio::test]
async fn the_policy_is_shown_and_set() {
    let world = World::new().await;
    let shell = Shell::of(&world.user(Role::Admin));
    let shown = shell.done("policy show --organization acme").await;
    assert!(shown.contains("maximum expiration") && shown.contains("never"), "{shown}");
    let set = "policy set --organization acme --default-expiration 1d --maximum-expiration 30d \
               --allow-unrestricted true";
    assert!(shell.done(set).await.contains("30d"));
    let id = mint(&shell, "ci --organization acme").await;
    assert!(show(&shell, &id).await["expires_at"].is_string());
    let refused = shell.run("token mint long --organization acme --expires 31d").await;
    assert!(refused.code == 1 && refused.stderr.contains("30d"), "{refused:?}");
}

#[tokio::test]
async fn the_tokens_of_a_member_are_listed_and_leaked_ones_reported() {
    let world = World::new().await;
    let (owner, member) = (world.user(Role::Owner), world.user(Role::Member));
    let (shell, other) = (Shell::of(&owner), Shell::of(&member));
    let leaked = other.done("token mint leaked --organization acme").await;
    let list = format!("member tokens {} --organization acme", member.username);
    assert!(shell.done(&list).await.contains("leaked"));
    let server = [("ORGTOKENS_URL", shell.url.as_str())];
    let lines = format!("\n  {}\r\n\n", leaked.trim_end());
    let reported = shell.run_with(&server, &lines, "leak report").await;
    assert_eq!((reported.code, reported.stdout.as_str()), (0, "reported\n"), "{reported:?}");
    assert!(!shell.done(&list).await.contains("leaked"));
}
