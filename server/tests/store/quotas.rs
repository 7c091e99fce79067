//! Quotas: the maximum number of live tokens of a user and of an organization.

use crate::stage::{Backend, Stage, acme, bound, credential, grouped, name, trials};
use libtest_mimic::Trial;
use orgtokens_server::caller::{Credential, Role};
use orgtokens_server::error::{Error, Result};
use orgtokens_server::records::{MintRequest, MintedToken};
use orgtokens_server::service::{MintPolicy, Operator, Service};
use orgtokens_server::store::Store;
use std::num::NonZeroU32;

pub fn trials() -> Vec<Trial> {
    trials!(
        Backend::BOTH,
        the_quota_of_a_user_counts_tokens_of_every_binding,
        the_quota_of_an_organization_counts_tokens_of_every_user,
        each_quota_is_checked_without_the_other,
        the_operator_may_exceed_a_quota,
        concurrent_mints_exceed_a_quota_by_no_more_than_their_own_number,
    )
}

/// Returns a service on the database of the stage, with these quotas. 0 means no quota.
async fn with_quotas(stage: &Stage, [per_user, per_organization]: [u32; 2]) -> Service {
    let store = Store::open(&stage.database.url).await.expect("the same database");
    Service::new(store).with_mint_policy(MintPolicy {
        max_tokens_per_user: NonZeroU32::new(per_user),
        max_tokens_per_organization: NonZeroU32::new(per_organization),
        ..MintPolicy::default()
    })
}

async fn mint(
    service: &Service,
    with: &Credential,
    token: &str,
    request: &MintRequest,
) -> Result<MintedToken> {
    service.mint_token(with, &name(token), request).await
}

/// Requires that a mint was refused, and that the error has these words.
fn assert_refused(minted: Result<MintedToken>, words: &[&str]) {
    let Err(Error::Conflict(sentence)) = minted else { panic!("no conflict: {minted:?}") };
    for word in words {
        assert!(sentence.contains(word), "{word}: {sentence}");
    }
}

async fn the_quota_of_a_user_counts_tokens_of_every_binding(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (service, owner) = (&with_quotas(&stage, [4, 0]).await, &stage.owner);
    stage.create_group().await;
    let (plain, grouped) = (MintRequest::default(), grouped());
    // The owner's first token counts too.
    for (token, request) in [("one", &plain), ("two", &bound()), ("three", &grouped)] {
        mint(service, owner, token, request).await.expect("a token below the quota");
    }
    for request in [&plain, &bound(), &grouped] {
        let words = ["a user is 4,", "revoke", "operator"];
        assert_refused(mint(service, owner, "four", request).await, &words);
    }
    // Another user has a quota of their own.
    let bob = stage.member("bob", Role::Member).await;
    mint(service, &bob, "one", &plain).await.expect("a token of another user");

    service.revoke_own_token(owner, &name("two")).await.expect("revoked");
    mint(service, owner, "four", &plain).await.expect("a token in the place of another");
    assert_refused(mint(service, owner, "five", &plain).await, &["a user is 4,"]);
}

async fn the_quota_of_an_organization_counts_tokens_of_every_user(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (service, owner) = (&with_quotas(&stage, [0, 3]).await, &stage.owner);
    stage.create_group().await;
    let grouped = grouped();
    let bob = stage.member("bob", Role::Member).await;
    mint(service, owner, "one", &grouped).await.expect("a token below the quota");
    mint(service, owner, "two", &bound()).await.expect("a token below the quota");
    let minted = mint(service, &bob, "three", &bound()).await.expect("a token below the quota");
    for (with, request) in [(owner, &grouped), (owner, &bound()), (&bob, &bound())] {
        let words = ["an organization is 3,", "revoke", "operator"];
        assert_refused(mint(service, with, "four", request).await, &words);
    }
    // Unrestricted tokens are bound to no organization.
    mint(service, owner, "plain", &MintRequest::default()).await.expect("an unrestricted token");

    let acme = acme();
    service.within(owner, &acme).revoke_token(minted.id).await.expect("revoked");
    mint(service, owner, "four", &grouped).await.expect("a token in the place of another");
    service.within(owner, &acme).delete_group(&name("default")).await.expect("deleted");
    mint(service, &bob, "five", &bound()).await.expect("a token in the place of a group's");
}

async fn each_quota_is_checked_without_the_other(backend: Backend) {
    let stage = Stage::new(backend).await;
    let both = &with_quotas(&stage, [2, 1]).await;
    mint(both, &stage.owner, "one", &bound()).await.expect("a token below both quotas");
    let per_organization = &with_quotas(&stage, [0, 1]).await;
    let refused = mint(per_organization, &stage.owner, "two", &bound()).await;
    assert_refused(refused, &["an organization is 1,"]);
    let per_user = &with_quotas(&stage, [2, 0]).await;
    let refused = mint(per_user, &stage.owner, "two", &bound()).await;
    assert_refused(refused, &["a user is 2,"]);
    let none = &with_quotas(&stage, [0, 0]).await;
    mint(none, &stage.owner, "two", &bound()).await.expect("a token without a quota");
    // A lower quota revokes no token.
    both.authenticate(&stage.owner).await.expect("a live token");
}

async fn the_operator_may_exceed_a_quota(backend: Backend) {
    let stage = Stage::new(backend).await;
    let service = &with_quotas(&stage, [1, 1]).await;
    let token = Operator(service).mint_token(&name("owner"), &name("spare")).await;
    let owner = credential(&token.expect("a token above the quota"));
    let refused = mint(service, &owner, "one", &MintRequest::default()).await;
    assert_refused(refused, &["a user is 1,"]);
}

async fn concurrent_mints_exceed_a_quota_by_no_more_than_their_own_number(backend: Backend) {
    let stage = Stage::new(backend).await;
    let service = &with_quotas(&stage, [5, 0]).await;
    let request = &MintRequest::default();
    let names: Vec<_> = (0..8).map(|number| format!("t{number}")).collect();
    let mints = names.iter().map(|name| mint(service, &stage.owner, name, request));
    let minted = futures::future::join_all(mints).await.into_iter().flatten().count();
    // The first token of the owner is one of the five.
    assert!((4..=8).contains(&minted), "{minted}");
    assert_refused(mint(service, &stage.owner, "late", request).await, &["a user is 5,"]);
}
