//! Rotation: what stays the same, how long the old secret is accepted, and how its later use is
//! recorded.

use crate::stage::{
    Backend, Stage, acme, an_hour_later, audit_log, create, credential, details, is_dead, name,
    request, require_intact_audit_log, restarted_an_hour_earlier, trials,
};
use futures::future::join_all;
use libtest_mimic::Trial;
use orgtokens_server::caller::{Credential, Origin, Role};
use orgtokens_server::error::{Error, Result};
use orgtokens_server::records::RotatedToken;
use orgtokens_server::service::Service;
use orgtokens_server::store::Store;
use orgtokens_server::token::TokenId;
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    trials!(
        Backend::BOTH,
        a_rotated_token_keeps_everything_except_its_secret,
        without_an_overlap_the_old_secret_is_refused_at_once,
        with_an_overlap_the_old_secret_is_accepted_until_it_ends,
        an_ended_overlap_stays_ended_if_the_clock_is_set_back,
        a_second_rotation_ends_the_overlap_of_the_first,
        an_overlap_ends_with_the_token,
        revoking_a_token_ends_both_secrets,
        only_the_user_of_a_token_may_rotate_it,
        a_user_who_may_not_mint_a_token_may_not_rotate_it,
        a_rotation_does_not_widen_a_token_beyond_the_caller,
        the_use_of_an_old_secret_is_recorded_once,
        of_concurrent_rotations_only_the_last_secret_is_accepted,
    )
}

/// Mints a token with these members.
async fn mint(stage: &Stage, with: &Credential, more: &Value) -> (Credential, TokenId) {
    let minted = create(&stage.here, with, request("ci", more)).await.expect("a token").minted;
    (credential(&minted.token), minted.id)
}

async fn rotate(
    service: &Service,
    with: &Credential,
    id: TokenId,
    request: Value,
) -> Result<RotatedToken> {
    let request = serde_json::from_value(request).expect("a request");
    service.within(with, &acme()).rotate_token(id, request).await
}

fn secret(rotated: &RotatedToken) -> Credential {
    credential(&rotated.created.minted.token)
}

async fn a_rotated_token_keeps_everything_except_its_secret(backend: Backend) {
    let stage = Stage::new(backend).await;
    let limits = json!({"expiration": "2d", "allowed_ips": ["10.0.0.0/8"]});
    let (_, id) = mint(&stage, &stage.owner, &limits).await;
    let before = details(&stage.here, &stage.owner, id).await.expect("details");
    let rotated = rotate(&stage.here, &stage.owner, id, json!({})).await.expect("rotated");
    let after = details(&stage.there, &stage.owner, id).await.expect("details");
    assert!(after.rotated_at >= Some(before.created_at), "{after:?}");
    let kept = orgtokens_server::records::TokenDetails { rotated_at: None, ..after };
    assert_eq!(kept, before);
    let created = rotated.created;
    assert_eq!((created.minted.id, created.expires_at), (id, before.expires_at));
    let entry = audit_log(&stage).await.remove(0);
    assert_eq!(entry.code, "user-token-rotate");
    assert_eq!(entry.data["token"]["id"], json!(id));
    let other = rotate(&stage.here, &stage.owner, id, json!({"expiration": "1h"})).await;
    assert!(other.expect("rotated").created.expires_at < before.expires_at);
}

async fn without_an_overlap_the_old_secret_is_refused_at_once(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (old, id) = mint(&stage, &stage.owner, &json!({})).await;
    for service in [&stage.here, &stage.there] {
        service.validate(&old).await.expect("alive");
    }
    let rotated = rotate(&stage.here, &old, id, json!({})).await.expect("it may rotate itself");
    assert_eq!(rotated.previous_secret_expires_at, None);
    for service in [&stage.here, &stage.there] {
        assert!(is_dead(&service.validate(&old).await));
        service.validate(&secret(&rotated)).await.expect("alive");
    }
}

async fn with_an_overlap_the_old_secret_is_accepted_until_it_ends(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (old, id) = mint(&stage, &stage.owner, &json!({})).await;
    let rotated = rotate(&stage.here, &stage.owner, id, json!({"overlap": "30m"})).await;
    let rotated = rotated.expect("rotated");
    let end = rotated.previous_secret_expires_at.expect("an end");
    let shown = details(&stage.there, &stage.owner, id).await.expect("details");
    assert_eq!(shown.previous_secret_expires_at, Some(end));
    for service in [&stage.here, &stage.there] {
        assert_eq!(service.validate(&old).await.expect("alive"), Some(end));
        assert_eq!(service.validate(&secret(&rotated)).await.expect("alive"), None);
        let slug = acme();
        service.within(&old, &slug).get().await.expect("reached");
    }
    // A token that is minted with the old secret expires with it, and the old secret cannot rotate
    // the token.
    let child = create(&stage.here, &old, request("child", &json!({}))).await.expect("a token");
    assert_eq!(child.expires_at, Some(end));
    let refused = rotate(&stage.here, &old, id, json!({"overlap": "7d"})).await;
    assert!(matches!(refused, Err(Error::TokenTooNarrow(_))), "{refused:?}");
    // During the overlap, a refusal has another reason, such as the client's address.
    stage.here.note_reuse(&old.digest, Origin::Cli).await.expect("looked up");
    assert_eq!(audit_log(&stage).await[0].code, "user-token-create");
    an_hour_later(&stage).await;
    for service in [&stage.here, &stage.there] {
        assert!(is_dead(&service.validate(&old).await));
        service.validate(&secret(&rotated)).await.expect("alive");
    }
    let shown = details(&stage.there, &stage.owner, id).await.expect("details");
    assert_eq!(shown.previous_secret_expires_at, None);
}

async fn an_ended_overlap_stays_ended_if_the_clock_is_set_back(backend: Backend) {
    let stage = Stage::new(backend).await;
    for is_used in [false, true] {
        let (old, id) = mint(&stage, &stage.owner, &json!({})).await;
        let rotated = rotate(&stage.here, &stage.owner, id, json!({"overlap": "30m"})).await;
        let rotated = secret(&rotated.expect("rotated"));
        an_hour_later(&stage).await;
        if is_used {
            stage.here.sweep_refused(&old.digest).await;
        } else {
            stage.here.sweep().await.expect("swept");
        }
        let restarted = restarted_an_hour_earlier(&stage).await;
        assert!(is_dead(&restarted.validate(&old).await), "{is_used}");
        restarted.validate(&rotated).await.expect("alive");
        stage.here.revoke_own_token(&stage.owner, &name("ci")).await.expect("revoked");
    }
}

async fn a_second_rotation_ends_the_overlap_of_the_first(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (first, id) = mint(&stage, &stage.owner, &json!({})).await;
    let second = rotate(&stage.here, &stage.owner, id, json!({"overlap": "7d"})).await;
    let second = secret(&second.expect("rotated"));
    let third = rotate(&stage.there, &stage.owner, id, json!({"overlap": "1h"})).await;
    let third = secret(&third.expect("rotated"));
    for service in [&stage.here, &stage.there] {
        assert!(is_dead(&service.validate(&first).await));
        service.validate(&second).await.expect("alive");
        service.validate(&third).await.expect("alive");
    }
}

async fn an_overlap_ends_with_the_token(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (old, id) = mint(&stage, &stage.owner, &json!({"expiration": "30m"})).await;
    let rotated = rotate(&stage.here, &stage.owner, id, json!({"overlap": "1d"})).await;
    let rotated = rotated.expect("rotated");
    assert_eq!(rotated.previous_secret_expires_at, rotated.created.expires_at);
    an_hour_later(&stage).await;
    assert!(is_dead(&stage.here.validate(&old).await));
    assert!(is_dead(&stage.here.validate(&secret(&rotated)).await));
}

async fn revoking_a_token_ends_both_secrets(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (old, id) = mint(&stage, &stage.owner, &json!({})).await;
    let rotated = rotate(&stage.here, &stage.owner, id, json!({"overlap": "1d"})).await;
    let new = secret(&rotated.expect("rotated"));
    stage.there.within(&stage.owner, &acme()).revoke_token(id).await.expect("revoked");
    for service in [&stage.here, &stage.there] {
        assert!(is_dead(&service.validate(&old).await));
        assert!(is_dead(&service.validate(&new).await));
    }
}

async fn only_the_user_of_a_token_may_rotate_it(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (bob, eve) =
        (stage.member("bob", Role::Member).await, stage.member("eve", Role::Member).await);
    let (token, id) = mint(&stage, &bob, &json!({})).await;
    let refused = rotate(&stage.here, &stage.owner, id, json!({})).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    let refused = rotate(&stage.here, &eve, id, json!({})).await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    stage.here.validate(&token).await.expect("alive");
    rotate(&stage.here, &bob, id, json!({})).await.expect("rotated");
}

async fn a_user_who_may_not_mint_a_token_may_not_rotate_it(backend: Backend) {
    let stage = Stage::new(backend).await;
    let slug = acme();
    let organization = stage.here.within(&stage.owner, &slug);
    stage.create_group().await;
    let bob = stage.member("bob", Role::Admin).await;
    let (token, id) = mint(&stage, &bob, &json!({"group": "default", "scopes": ["read"]})).await;
    organization.update_member(&name("bob"), Role::Member).await.expect("another role");
    let refused = rotate(&stage.here, &bob, id, json!({})).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    stage.here.validate(&token).await.expect("alive");
}

async fn a_rotation_does_not_widen_a_token_beyond_the_caller(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (token, id) = mint(&stage, &stage.owner, &json!({"expiration": "30m"})).await;
    let expiry = details(&stage.here, &stage.owner, id).await.expect("details").expires_at;
    let longer = rotate(&stage.here, &token, id, json!({"expiration": "never"})).await;
    let longer = longer.expect("rotated");
    assert_eq!(longer.created.expires_at, expiry);
    // A token without an expiry may extend it, and a restricted token narrows it.
    let narrow = request("narrow", &json!({"allowed_ips": ["10.0.0.0/8"]}));
    let narrow = create(&stage.here, &stage.owner, narrow).await.expect("a token").minted;
    let narrow = credential(&narrow.token).with_address("10.0.0.1".parse().expect("an address"));
    let rotated = rotate(&stage.here, &narrow, id, json!({"expiration": "never"})).await;
    assert_eq!(rotated.expect("rotated").created.expires_at, None);
    let shown = details(&stage.here, &stage.owner, id).await.expect("details");
    assert_eq!(json!(shown.allowed_ips), json!(["10.0.0.0/8"]));
}

async fn the_use_of_an_old_secret_is_recorded_once(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (old, id) = mint(&stage, &stage.owner, &json!({})).await;
    rotate(&stage.here, &stage.owner, id, json!({})).await.expect("rotated");
    let lookups =
        [&stage.here, &stage.there, &stage.here].map(|it| it.note_reuse(&old.digest, Origin::Cli));
    join_all(lookups).await.into_iter().for_each(|noted| noted.expect("looked up"));
    let log = audit_log(&stage).await;
    let noted: Vec<_> = log.iter().filter(|entry| entry.code == "user-token-reuse").collect();
    assert_eq!(noted.len(), 1, "{log:?}");
    assert_eq!(noted[0].data["token"]["id"], json!(id));
    assert_eq!((&*noted[0].author, noted[0].origin), ("old-secret", Origin::Cli));
    require_intact_audit_log(&stage.here).await;
    // The token still works. An unknown secret is not recorded.
    details(&stage.here, &stage.owner, id).await.expect("details");
    let unknown = credential(&orgtokens_server::token::PlainToken::generate().expect("random"));
    stage.here.note_reuse(&unknown.digest, Origin::Web).await.expect("nothing to note");
    assert_eq!(audit_log(&stage).await.len(), log.len());
}

async fn of_concurrent_rotations_only_the_last_secret_is_accepted(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (_, id) = mint(&stage, &stage.owner, &json!({})).await;
    let services = [&stage.here, &stage.there, &stage.here, &stage.there];
    let rotations = services.map(|service| rotate(service, &stage.owner, id, json!({})));
    let rotated = join_all(rotations).await.into_iter().map(|rotated| rotated.expect("rotated"));
    let fresh = Service::new(Store::open(&stage.database.url).await.expect("the database"));
    let mut alive = 0;
    for rotated in rotated {
        alive += usize::from(fresh.validate(&secret(&rotated)).await.is_ok());
    }
    assert_eq!(alive, 1);
    assert_eq!(audit_log(&stage).await[0].code, "user-token-rotate");
}
