//! The limits of tokens: when they expire, which addresses may use them, what they can mint, and
//! what happens after they have expired.

use crate::database::connect;
use crate::stage::{
    Backend, HOUR, Stage, acme, all, an_hour_later, audit_log, bound, create, credential, details,
    execute, is_dead, list_tokens, name, request, require_intact_audit_log,
    restarted_an_hour_earlier, trials,
};
use futures::future::join_all;
use libtest_mimic::Trial;
use orgtokens_server::caller::{Credential, Role};
use orgtokens_server::error::Error;
use orgtokens_server::records::MintRequest;
use orgtokens_server::service::Service;
use orgtokens_server::store::Store;
use orgtokens_server::token::TokenId;
use serde_json::json;
use std::net::IpAddr;

pub fn trials() -> Vec<Trial> {
    trials!(
        Backend::BOTH,
        a_token_is_refused_after_its_expiry,
        an_expired_token_is_not_listed_and_not_found_by_id,
        the_name_of_an_expired_token_can_be_used_again,
        one_of_several_servers_removes_each_expired_token_with_an_audit_entry,
        a_minted_token_expires_no_later_than_the_token_that_mints_it,
        a_restricted_token_is_accepted_only_from_its_addresses,
        a_token_minted_with_a_restricted_token_is_accepted_only_from_its_addresses,
        expired_tokens_stay_refused_if_the_clock_is_set_back,
        a_refused_expired_token_is_removed;
        [Backend::Postgres],
        a_locked_place_delays_no_sweep_of_another_one,
    )
}

/// Mints a token that expires in half an hour.
async fn short_lived(stage: &Stage, with: &Credential, token: &str) -> (Credential, TokenId) {
    let request = request(token, &json!({"expiration": "30m"}));
    let minted = create(&stage.here, with, request).await.expect("a token").minted;
    (credential(&minted.token), minted.id)
}

async fn a_token_is_refused_after_its_expiry(backend: Backend) {
    let stage = Stage::new(backend).await;
    let created = create(&stage.here, &stage.owner, request("ci", &json!({"expiration": "30m"})));
    let created = created.await.expect("a token");
    let (token, expiry) = (credential(&created.minted.token), created.expires_at.expect("a time"));
    let shown = details(&stage.there, &stage.owner, created.minted.id).await.expect("details");
    assert_eq!(shown.expires_at, Some(expiry));
    assert_eq!(expiry - shown.created_at, chrono::TimeDelta::minutes(30));
    for service in [&stage.here, &stage.there] {
        assert_eq!(service.validate(&token).await.expect("alive"), Some(expiry));
    }
    an_hour_later(&stage).await;
    let fresh = Service::new(Store::open(&stage.database.url).await.expect("the database"));
    fresh.store().clock().advance(HOUR);
    for service in [&stage.here, &stage.there, &fresh] {
        let again = credential(&created.minted.token);
        assert!(is_dead(&service.validate(&again).await));
        assert!(is_dead(&list_tokens(service, &again, None).await));
        let minted = service.mint_token(&again, &name("other"), &bound()).await;
        assert!(is_dead(&minted), "{minted:?}");
    }
}

async fn an_expired_token_is_not_listed_and_not_found_by_id(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (_, id) = short_lived(&stage, &stage.owner, "ci").await;
    stage.here.mint_token(&stage.owner, &name("stays"), &bound()).await.expect("a token");
    if backend == Backend::Sqlite {
        // The text of this list is cached until its first token expires.
        let listed = list_tokens(&stage.here, &stage.owner, None).await.expect("a list").items;
        assert_eq!(listed.len(), 2);
    }
    an_hour_later(&stage).await;
    for service in [&stage.here, &stage.there] {
        let listed = list_tokens(service, &stage.owner, None).await.expect("a list").items;
        assert_eq!(listed.len(), 1, "{listed:?}");
        let own = all(async |after| service.list_own_tokens(&stage.owner, after).await).await;
        assert!(own.iter().all(|token| token.id != id), "{own:?}");
        let found = details(service, &stage.owner, id).await;
        assert!(matches!(found, Err(Error::NotFound(_))), "{found:?}");
        let slug = acme();
        let revoked = service.within(&stage.owner, &slug).revoke_token(id).await;
        assert!(matches!(revoked, Err(Error::NotFound(_))), "{revoked:?}");
        let revoked = service.revoke_own_token(&stage.owner, &name("ci")).await;
        assert!(matches!(revoked, Err(Error::NotFound(_))), "{revoked:?}");
    }
    assert_eq!(stage.here.store().count_live_tokens().await.expect("a count"), 2);
}

async fn the_name_of_an_expired_token_can_be_used_again(backend: Backend) {
    let stage = Stage::new(backend).await;
    short_lived(&stage, &stage.owner, "ci").await;
    let taken = create(&stage.here, &stage.owner, request("ci", &json!({}))).await;
    assert!(matches!(taken, Err(Error::Conflict(_))), "{taken:?}");
    an_hour_later(&stage).await;
    // The new token is unrestricted, so it belongs to another audit chain than the expired one.
    let minted = stage.here.mint_token(&stage.owner, &name("ci"), &MintRequest::default()).await;
    minted.expect("a token");
    let newest = audit_log(&stage).await.remove(0);
    assert_eq!(
        (newest.code.as_str(), &newest.data["cause"]),
        ("user-token-revoke", &json!("expired"))
    );
    let taken = create(&stage.there, &stage.owner, request("ci", &json!({}))).await;
    assert!(matches!(taken, Err(Error::Conflict(_))), "{taken:?}");
}

async fn one_of_several_servers_removes_each_expired_token_with_an_audit_entry(backend: Backend) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Member).await;
    for number in 0..7 {
        short_lived(&stage, [&stage.owner, &bob][number % 2], &format!("ci-{number}")).await;
    }
    let (short, _) = short_lived(&stage, &stage.owner, "plain").await;
    stage.here.mint_token(&stage.owner, &name("stays"), &bound()).await.expect("a token");
    assert_eq!(stage.here.sweep().await.expect("nothing yet"), 0);
    an_hour_later(&stage).await;
    let swept = join_all([&stage.here, &stage.there].map(Service::sweep)).await;
    let swept: usize = swept.into_iter().map(|swept| swept.expect("swept")).sum();
    assert_eq!(swept, 8);
    let log = audit_log(&stage).await;
    let expired: Vec<_> =
        log.iter().filter(|entry| entry.data.get("cause") == Some(&json!("expired"))).collect();
    assert_eq!(expired.len(), 8);
    for entry in expired {
        assert_eq!((entry.code.as_str(), entry.author.as_str()), ("user-token-revoke", "expiry"));
        assert!(entry.message.ends_with("(expired)"), "{}", entry.message);
    }
    require_intact_audit_log(&stage.here).await;
    assert!(is_dead(&stage.here.validate(&short).await));
    assert_eq!(stage.bound_tokens().await, 1);
}

async fn a_minted_token_expires_no_later_than_the_token_that_mints_it(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (token, id) = short_lived(&stage, &stage.owner, "ci").await;
    let expiry = details(&stage.here, &stage.owner, id).await.expect("details").expires_at;
    for (child, request) in [
        ("a", request("a", &json!({}))),
        ("b", request("b", &json!({"expiration": "never"}))),
        ("c", request("c", &json!({"expiration": "10w"}))),
    ] {
        let created = create(&stage.here, &token, request).await.expect("a token");
        assert_eq!(created.expires_at, expiry, "{child}");
    }
    let shorter = create(&stage.here, &token, request("d", &json!({"expiration": "1m"}))).await;
    assert!(shorter.expect("a token").expires_at < expiry);
    let minted = stage.here.mint_token(&token, &name("e"), &bound()).await.expect("a token");
    let shown = details(&stage.here, &stage.owner, minted.id).await.expect("details");
    assert_eq!(shown.expires_at, expiry);
    an_hour_later(&stage).await;
    assert!(is_dead(&stage.here.validate(&credential(&minted.token)).await));
}

fn from(token: &Credential, address: &str) -> Credential {
    token.clone().with_address(address.parse::<IpAddr>().expect("an address"))
}

/// Mints a token that may be used from these addresses.
async fn restricted(stage: &Stage, addresses: &[&str]) -> Credential {
    let request = request("ci", &json!({"allowed_ips": addresses}));
    credential(&create(&stage.here, &stage.owner, request).await.expect("a token").minted.token)
}

async fn a_restricted_token_is_accepted_only_from_its_addresses(backend: Backend) {
    let stage = Stage::new(backend).await;
    let token = restricted(&stage, &["10.0.0.0/8", "2001:db8::1/128"]).await;
    for service in [&stage.here, &stage.there] {
        for address in ["10.1.2.3", "2001:db8::1"] {
            // A cached answer for one address is not used for another one.
            assert!(is_dead(&service.validate(&from(&token, "192.0.2.1")).await));
            service.validate(&from(&token, address)).await.expect("accepted");
            assert!(is_dead(&service.validate(&from(&token, "192.0.2.1")).await));
            list_tokens(service, &from(&token, address), None).await.expect("a list");
            assert!(is_dead(&list_tokens(service, &from(&token, "::1"), None).await));
            assert!(is_dead(&service.validate(&token).await), "its address is unknown");
        }
    }
}

async fn a_token_minted_with_a_restricted_token_is_accepted_only_from_its_addresses(
    backend: Backend,
) {
    let stage = Stage::new(backend).await;
    let token = from(&restricted(&stage, &["10.0.0.0/8", "192.0.2.7"]).await, "10.0.0.1");
    let minted = stage.here.mint_token(&token, &name("a"), &bound()).await.expect("a token");
    let shown = details(&stage.here, &stage.owner, minted.id).await.expect("details");
    assert_eq!(json!(shown.allowed_ips), json!(["10.0.0.0/8", "192.0.2.7"]));
    for (child, asked, given) in [
        ("b", json!(["10.1.0.0/16", "::1"]), json!(["10.1.0.0/16"])),
        ("c", json!(["0.0.0.0/0"]), json!(["10.0.0.0/8", "192.0.2.7"])),
    ] {
        let created = create(&stage.here, &token, request(child, &json!({"allowed_ips": asked})));
        let id = created.await.expect("a token").minted.id;
        let shown = details(&stage.here, &stage.owner, id).await.expect("details");
        assert_eq!(json!(shown.allowed_ips), given);
    }
    let none = create(&stage.here, &token, request("d", &json!({"allowed_ips": ["::1"]}))).await;
    assert!(matches!(none, Err(Error::TokenTooNarrow(_))), "{none:?}");
}

async fn a_refused_expired_token_is_removed(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (token, _) = short_lived(&stage, &stage.owner, "ci").await;
    short_lived(&stage, &stage.owner, "other").await;
    // It must not need a second connection while it has one.
    let store = Store::open_pooled(&stage.database.url, 1.try_into().expect("not 0"));
    let small = Service::new(store.await.expect("the same database"));
    small.sweep_refused(&token.digest).await;
    assert_eq!(stage.bound_tokens().await, 2);
    an_hour_later(&stage).await;
    small.store().clock().advance(HOUR);
    small.sweep_refused(&token.digest).await;
    let newest = audit_log(&stage).await.remove(0);
    assert_eq!(
        (newest.author.as_str(), &newest.data["cause"], &newest.data["token"]["name"]),
        ("expiry", &json!("expired"), &json!("ci"))
    );
    let restarted = restarted_an_hour_earlier(&stage).await;
    assert!(is_dead(&restarted.validate(&token).await));
    assert_eq!(stage.here.sweep().await.expect("swept"), usize::from(backend == Backend::Sqlite));
}

async fn a_locked_place_delays_no_sweep_of_another_one(backend: Backend) {
    let stage = Stage::new(backend).await;
    stage.member("bob", Role::Member).await;
    let database = connect(&stage.database.url).await;
    let run = async |statements: &str| database.batch_execute(statements).await.expect("success");
    let expired = async || {
        let expired = "SELECT count(*) FROM tokens WHERE expires_at = 1000";
        database.query_one(expired, &[]).await.expect("a count").get::<_, i64>(0)
    };
    // With one of the two locks, the sweep waits for the lock before it removes the other token.
    for lock in ["users WHERE username = 'bob'", "organizations"] {
        let (token, _) = short_lived(&stage, &stage.owner, "ci").await;
        run("UPDATE tokens SET expires_at = 1000 WHERE name = 'ci'
             OR user_id = (SELECT id FROM users WHERE username = 'bob')")
        .await;
        assert_eq!(expired().await, 2);
        run(&format!("BEGIN; SELECT 1 FROM {lock} FOR UPDATE")).await;
        let failure = stage.here.sweep().await;
        assert!(matches!(failure, Err(Error::Unavailable(_))), "{failure:?}");
        assert_eq!(expired().await, 1, "{lock}");
        // A refusal does not wait for the lock either. Its sweep goes on in the background.
        stage.here.sweep_refused(&token.digest).await;
        assert_eq!(expired().await, 1);
        run("ROLLBACK").await;
        stage.here.sweep_refused(&token.digest).await;
    }
    assert_eq!(expired().await, 0);
}

async fn expired_tokens_stay_refused_if_the_clock_is_set_back(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (token, _) = short_lived(&stage, &stage.owner, "ci").await;
    // The newest audit entry is ahead of the clock.
    let ahead = "UPDATE audit_log SET created_at = created_at + 3600000
                 WHERE id = (SELECT max(id) FROM audit_log)";
    execute(&stage.database, ahead).await;
    let restarted = Service::new(Store::open(&stage.database.url).await.expect("the database"));
    assert!(is_dead(&restarted.validate(&token).await));
    let kept = restarted.mint_token(&stage.owner, &name("later"), &bound()).await.expect("a token");
    let shown = details(&restarted, &stage.owner, kept.id).await.expect("details");
    let log = audit_log(&stage).await;
    assert!(shown.created_at >= log[1].created_at, "{log:?}");
    assert_eq!(shown.created_at, log[0].created_at);
}
