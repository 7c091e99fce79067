//! Revoking many tokens at once, and revoking leaked tokens.

use crate::stage::{
    Backend, Stage, acme, an_hour_later, audit_log, bound, create, credential, is_dead, name,
    request, require_intact_audit_log, trials,
};
use libtest_mimic::Trial;
use orgtokens_server::caller::{Credential, Role};
use orgtokens_server::error::{Error, Result};
use orgtokens_server::records::{LeakReport, MintRequest, RevokedTokens};
use orgtokens_server::service::{Operator, Service};
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    trials!(
        Backend::BOTH,
        the_named_tokens_are_revoked_and_unknown_ids_are_ignored,
        a_filter_selects_tokens_that_match_all_its_conditions,
        a_dry_run_revokes_nothing,
        a_request_revokes_at_most_a_thousand_tokens_and_says_that_there_are_more,
        members_revoke_their_own_tokens_and_see_no_owner,
        a_selection_of_nothing_or_everything_is_refused,
        reported_credentials_are_revoked_with_every_binding,
        a_reported_old_secret_revokes_its_token_only_during_the_overlap,
    )
}

async fn revoke(service: &Service, with: &Credential, request: Value) -> Result<RevokedTokens> {
    let request = serde_json::from_value(request).expect("a request");
    service.within(with, &acme()).revoke_tokens(request).await
}

fn names(revoked: &RevokedTokens) -> Vec<&str> {
    revoked.tokens.iter().map(|token| token.name.as_str()).collect()
}

async fn mint(stage: &Stage, with: &Credential, token: &str) -> (Credential, String) {
    let minted = stage.here.mint_token(with, &name(token), &bound()).await.expect("a token");
    (credential(&minted.token), minted.id.to_string())
}

async fn the_named_tokens_are_revoked_and_unknown_ids_are_ignored(backend: Backend) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Member).await;
    let (one, first) = mint(&stage, &bob, "one").await;
    let (two, second) = mint(&stage, &stage.owner, "two").await;
    let (three, _) = mint(&stage, &stage.owner, "three").await;
    for token in [&one, &two, &three] {
        stage.there.validate(token).await.expect("alive");
    }
    let ids = json!({"ids": [second, first, "clGFZ4STEe6fljpFzIum8A"]});
    let revoked = revoke(&stage.here, &stage.owner, ids).await.expect("revoked");
    assert_eq!(
        (names(&revoked), revoked.more, revoked.dry_run),
        (vec!["one", "two"], false, false)
    );
    assert_eq!(revoked.tokens[0].owner, Some(name("bob")));
    for service in [&stage.here, &stage.there] {
        assert!(is_dead(&service.validate(&one).await) && is_dead(&service.validate(&two).await));
        service.validate(&three).await.expect("alive");
    }
    let log = audit_log(&stage).await;
    let codes: Vec<_> = log.iter().take(3).map(|entry| entry.code.as_str()).collect();
    assert_eq!(codes, ["user-token-revoke", "user-token-revoke", "user-token-create"]);
    require_intact_audit_log(&stage.here).await;
}

async fn a_filter_selects_tokens_that_match_all_its_conditions(backend: Backend) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Admin).await;
    stage.create_group().await;
    let grouped = |token| request(token, &json!({"group": "default", "scopes": ["read"]}));
    mint(&stage, &bob, "one").await;
    create(&stage.here, &bob, grouped("two")).await.expect("a token");
    create(&stage.here, &stage.owner, grouped("three")).await.expect("a token");
    for (filter, expected) in [
        (json!({"owner": "bob"}), vec!["one", "two"]),
        (json!({"group": "default"}), vec!["two", "three"]),
        (json!({"owner": "bob", "group": "default"}), vec!["two"]),
        (json!({"owner": "someone"}), vec![]),
        (json!({"group": "other"}), vec![]),
        (json!({"created_before": "2020-01-01T00:00:00Z"}), vec![]),
        (json!({"created_before": "2999-01-01T00:00:00Z"}), vec!["one", "two", "three"]),
    ] {
        let request = json!({"filter": filter, "dry_run": true});
        let selected = revoke(&stage.there, &stage.owner, request).await.expect("a selection");
        assert_eq!(names(&selected), expected, "{filter}");
    }
    let request = json!({"filter": {"owner": "bob", "group": "default"}});
    let revoked = revoke(&stage.here, &stage.owner, request).await.expect("revoked");
    assert_eq!(names(&revoked), ["two"]);
    assert_eq!(stage.bound_tokens().await, 2);
}

async fn a_dry_run_revokes_nothing(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (token, id) = mint(&stage, &stage.owner, "one").await;
    let entries = audit_log(&stage).await.len();
    let request = json!({"ids": [id], "dry_run": true});
    let selected = revoke(&stage.here, &stage.owner, request).await.expect("a selection");
    assert_eq!((names(&selected), selected.dry_run), (vec!["one"], true));
    stage.here.validate(&token).await.expect("alive");
    assert_eq!(audit_log(&stage).await.len(), entries);
}

async fn a_request_revokes_at_most_a_thousand_tokens_and_says_that_there_are_more(
    backend: Backend,
) {
    let stage = Stage::new(backend).await;
    for number in 0..1_001 {
        mint(&stage, &stage.owner, &format!("t{number}")).await;
    }
    let all = json!({"filter": {"owner": "owner"}});
    let dry = json!({"filter": {"owner": "owner"}, "dry_run": true});
    let selected = revoke(&stage.here, &stage.owner, dry).await.expect("a selection");
    assert_eq!((selected.tokens.len(), selected.more), (1_000, true));
    let revoked = revoke(&stage.here, &stage.owner, all.clone()).await.expect("revoked");
    assert_eq!((revoked.tokens.len(), revoked.more), (1_000, true));
    assert_eq!((names(&revoked)[0], names(&revoked)[999]), ("t0", "t999"));
    let rest = revoke(&stage.there, &stage.owner, all).await.expect("revoked");
    assert_eq!((names(&rest), rest.more), (vec!["t1000"], false));
    require_intact_audit_log(&stage.here).await;
}

async fn members_revoke_their_own_tokens_and_see_no_owner(backend: Backend) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Viewer).await;
    let (_, own) = mint(&stage, &bob, "own").await;
    let (theirs, id) = mint(&stage, &stage.owner, "theirs").await;
    let everything = json!({"filter": {"created_before": "2999-01-01T00:00:00Z"}, "dry_run": true});
    let selected = revoke(&stage.here, &bob, everything).await.expect("a selection");
    assert_eq!((names(&selected), &selected.tokens[0].owner), (vec!["own"], &None));
    let revoked = revoke(&stage.here, &bob, json!({"ids": [own, id]})).await.expect("revoked");
    assert_eq!(names(&revoked), ["own"]);
    stage.here.validate(&theirs).await.expect("alive");
}

async fn a_selection_of_nothing_or_everything_is_refused(backend: Backend) {
    let stage = Stage::new(backend).await;
    mint(&stage, &stage.owner, "one").await;
    for request in [
        json!({}),
        json!({"filter": {}}),
        json!({"ids": []}),
        json!({"ids": ["clGFZ4STEe6fljpFzIum8A"], "filter": {"owner": "owner"}}),
        json!({"ids": vec!["clGFZ4STEe6fljpFzIum8A"; 1_001]}),
    ] {
        let refused = revoke(&stage.here, &stage.owner, request).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    assert_eq!(stage.bound_tokens().await, 1);
}

async fn report(stage: &Stage, secrets: &[&str]) -> Result<()> {
    let credentials = secrets.iter().map(|secret| (*secret).to_owned()).collect();
    stage.here.revoke_leaked(&LeakReport { credentials }).await
}

async fn reported_credentials_are_revoked_with_every_binding(backend: Backend) {
    let stage = Stage::new(backend).await;
    let plain = stage.here.mint_token(&stage.owner, &name("plain"), &MintRequest::default()).await;
    let (plain, other) = (plain.expect("a token"), mint(&stage, &stage.owner, "other").await.0);
    let minted =
        stage.here.mint_token(&stage.owner, &name("bound"), &bound()).await.expect("a token");
    let [first, second] = [&plain, &minted].map(|minted| minted.token.clone());
    stage.there.validate(&credential(&second)).await.expect("alive");
    let unknown = orgtokens_server::token::PlainToken::generate().expect("random");
    let secrets = [first.reveal(), second.reveal(), second.reveal(), unknown.reveal(), "no token"];
    report(&stage, &secrets).await.expect("accepted");
    for service in [&stage.here, &stage.there] {
        assert!(is_dead(&service.validate(&credential(&first)).await));
        assert!(is_dead(&service.validate(&credential(&second)).await));
        service.validate(&other).await.expect("alive");
    }
    let entry = audit_log(&stage).await.remove(0);
    assert_eq!((entry.code.as_str(), entry.author.as_str()), ("user-token-revoke", "leak-report"));
    assert_eq!(entry.data["cause"], "leak-report");
    require_intact_audit_log(&stage.here).await;
    report(&stage, &secrets).await.expect("accepted again");
    for count in [0, 1_001] {
        let refused = report(&stage, &vec!["x"; count]).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    for reserved in ["leak-report", "expiry", "old-secret"].map(name) {
        let email = "a@example.com".parse().expect("an address");
        let taken = Operator(&stage.here).add_user(&reserved, &email).await;
        assert!(matches!(taken, Err(Error::Invalid(_))), "{taken:?}");
    }
}

async fn a_reported_old_secret_revokes_its_token_only_during_the_overlap(backend: Backend) {
    let stage = Stage::new(backend).await;
    for (token, is_late) in [("early", false), ("late", true)] {
        let minted = stage.here.mint_token(&stage.owner, &name(token), &bound()).await;
        let minted = minted.expect("a token");
        let request = serde_json::from_value(json!({"overlap": "30m"})).expect("a request");
        let slug = acme();
        let rotated = stage.here.within(&stage.owner, &slug).rotate_token(minted.id, request).await;
        let new = credential(&rotated.expect("rotated").created.minted.token);
        if is_late {
            an_hour_later(&stage).await;
        }
        report(&stage, &[minted.token.reveal()]).await.expect("accepted");
        assert_eq!(stage.there.validate(&new).await.is_ok(), is_late, "{token}");
    }
}
