//! The token policy of an organization: how it changes mints, and which tokens it refuses.

use crate::stage::{
    Backend, Stage, acme, audit_log, bound, create, credential, details, list_tokens, name,
    request, trials,
};
use libtest_mimic::Trial;
use orgtokens_server::caller::{Credential, Role};
use orgtokens_server::error::{Error, Result};
use orgtokens_server::records::{MintRequest, TokenPolicy};
use orgtokens_server::service::{Operator, Service};
use serde_json::json;

pub fn trials() -> Vec<Trial> {
    trials!(
        Backend::BOTH,
        every_member_may_read_the_policy_and_owners_and_admins_may_change_it,
        a_mint_without_an_expiration_gets_the_default,
        an_expiration_above_the_maximum_is_refused,
        a_default_above_the_maximum_is_refused,
        if_the_policy_forbids_unrestricted_tokens_they_do_not_find_the_organization,
        an_unrestricted_token_cannot_lock_itself_out,
    )
}

async fn set(
    service: &Service,
    with: &Credential,
    (default, maximum): (&str, &str),
    allow_unrestricted: bool,
) -> Result<TokenPolicy> {
    let policy = json!({"default_expiration": default, "maximum_expiration": maximum,
        "allow_unrestricted": allow_unrestricted});
    let policy = serde_json::from_value(policy).expect("a policy");
    service.within(with, &acme()).update_policy(policy).await
}

async fn get(service: &Service, with: &Credential) -> Result<TokenPolicy> {
    service.within(with, &acme()).get_policy().await
}

async fn bound_owner(stage: &Stage) -> Credential {
    let minted = stage.here.mint_token(&stage.owner, &name("bound"), &bound()).await;
    credential(&minted.expect("a token").token)
}

async fn every_member_may_read_the_policy_and_owners_and_admins_may_change_it(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (admin, viewer) =
        (stage.member("adam", Role::Admin).await, stage.member("vera", Role::Viewer).await);
    assert_eq!(
        get(&stage.here, &viewer).await.expect("a policy").maximum_expiration.as_str(),
        "never"
    );
    let refused = set(&stage.here, &viewer, ("1d", "2w1d"), true).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    let policy = set(&stage.here, &admin, ("1d", "2w1d"), true).await.expect("a policy");
    for service in [&stage.here, &stage.there] {
        assert_eq!(get(service, &viewer).await.expect("a policy"), policy);
    }
    let entry = audit_log(&stage).await.remove(0);
    assert_eq!(entry.code, "org-token-policy-update");
    assert_eq!(entry.data["policy"]["maximum_expiration"], "2w1d");
    assert_eq!(entry.data["previous_policy"]["maximum_expiration"], "never");
    // Nothing changes, so nothing is recorded.
    let entries = audit_log(&stage).await.len();
    set(&stage.here, &admin, ("1d", "2w1d"), true).await.expect("a policy");
    assert_eq!(audit_log(&stage).await.len(), entries);
}

async fn a_mint_without_an_expiration_gets_the_default(backend: Backend) {
    let stage = Stage::new(backend).await;
    let before = stage.here.mint_token(&stage.owner, &name("before"), &bound()).await;
    set(&stage.there, &stage.owner, ("1d", "never"), true).await.expect("a policy");
    let minted = stage.here.mint_token(&stage.owner, &name("after"), &bound()).await;
    let shown = details(&stage.here, &stage.owner, minted.expect("a token").id).await;
    let shown = shown.expect("details");
    let life = shown.expires_at.map(|expiry| expiry - shown.created_at);
    assert_eq!(life, Some(chrono::TimeDelta::days(1)));
    let asked = request("asked", &json!({"expiration": "never"}));
    let created = create(&stage.here, &stage.owner, asked).await.expect("a token");
    assert_eq!(created.expires_at, None);
    let id = before.expect("a token").id;
    let shown = details(&stage.here, &stage.owner, id).await.expect("details");
    assert_eq!(shown.expires_at, None, "the policy does not change older tokens");
    let plain = stage.here.mint_token(&stage.owner, &name("plain"), &MintRequest::default()).await;
    let plain = credential(&plain.expect("a token").token);
    assert_eq!(stage.here.validate(&plain).await.expect("alive"), None);
}

async fn an_expiration_above_the_maximum_is_refused(backend: Backend) {
    let stage = Stage::new(backend).await;
    set(&stage.here, &stage.owner, ("1d", "30d"), true).await.expect("a policy");
    for (expiration, is_refused) in
        [("30d", false), ("30d1s", true), ("never", true), ("2999-01-01T00:00:00Z", true)]
    {
        let asked =
            request(expiration.get(..3).expect("a name"), &json!({"expiration": expiration}));
        match create(&stage.here, &stage.owner, asked).await {
            Err(Error::Invalid(sentence)) if is_refused => {
                assert!(sentence.contains("30d"), "{sentence}");
            }
            outcome => assert!(outcome.is_ok() && !is_refused, "{expiration}: {outcome:?}"),
        }
    }
    let minted =
        create(&stage.here, &stage.owner, request("ci", &json!({}))).await.expect("a token");
    let rotate = serde_json::from_value(json!({"expiration": "31d"})).expect("a request");
    let slug = acme();
    let organization = stage.here.within(&stage.owner, &slug);
    let refused = organization.rotate_token(minted.minted.id, rotate).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
}

async fn a_default_above_the_maximum_is_refused(backend: Backend) {
    let stage = Stage::new(backend).await;
    for lifetimes in [("31d", "30d"), ("never", "30d"), ("5w", "30d")] {
        let refused = set(&stage.here, &stage.owner, lifetimes, true).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    set(&stage.here, &stage.owner, ("4w2d", "30d"), true).await.expect("a policy");
}

async fn if_the_policy_forbids_unrestricted_tokens_they_do_not_find_the_organization(
    backend: Backend,
) {
    let stage = Stage::new(backend).await;
    let bound_owner = bound_owner(&stage).await;
    for service in [&stage.here, &stage.there] {
        list_tokens(service, &stage.owner, None).await.expect("a list");
    }
    set(&stage.here, &bound_owner, ("never", "never"), false).await.expect("a policy");
    for service in [&stage.here, &stage.there] {
        let refused = list_tokens(service, &stage.owner, None).await;
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
        let refused = service.mint_token(&stage.owner, &name("other"), &bound()).await;
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
        let listed = service.list_organizations(&stage.owner, None).await.expect("a list");
        assert!(listed.items.is_empty());
        list_tokens(service, &bound_owner, None).await.expect("a list");
        let listed = service.list_organizations(&bound_owner, None).await.expect("a list");
        assert_eq!(listed.items.len(), 1);
    }
    Operator(&stage.here).reset_token_policy(&acme()).await.expect("a reset");
    list_tokens(&stage.there, &stage.owner, None).await.expect("a list");
}

async fn an_unrestricted_token_cannot_lock_itself_out(backend: Backend) {
    let stage = Stage::new(backend).await;
    let refused = set(&stage.here, &stage.owner, ("never", "never"), false).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert!(get(&stage.here, &stage.owner).await.expect("a policy").allow_unrestricted);
}
