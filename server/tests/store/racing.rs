//! Concurrent changes on two servers. The assertions hold for every order of the changes, and no
//! test sleeps.

use crate::stage::{
    Backend, Stage, acme, bound, credential, grouped, is_a_refusal, list_tokens, name, trials,
};
use futures::future::{join, join_all};
use libtest_mimic::Trial;
use orgtokens_server::caller::Role;
use orgtokens_server::error::Error;
use orgtokens_server::name::Slug;
use orgtokens_server::records::MintRequest;
use orgtokens_server::service::Operator;
use orgtokens_server::store::{Membership, Purpose, Store, WriteLock};

/// How many times each race runs.
const ROUNDS: usize = 15;

pub fn trials() -> Vec<Trial> {
    trials!(
        [Backend::Postgres],
        a_locked_organization_delays_no_other_organization_and_no_read,
        a_locked_user_delays_no_other_user;
        Backend::BOTH,
        tokens_are_listed_in_the_order_in_which_servers_minted_them,
        exactly_one_of_twelve_mints_with_the_same_name_succeeds,
        a_removed_member_leaves_no_bound_token_even_if_a_mint_races,
        a_mint_that_waited_for_the_removal_of_its_user_is_refused,
        a_deleted_group_leaves_no_token_even_if_a_mint_races,
        two_owners_who_demote_each_other_leave_one_owner,
        two_tokens_that_revoke_each_other_leave_one_token,
        a_revoked_token_cannot_mint,
        the_audit_chain_stays_intact_under_concurrent_writers,
    )
}

async fn exactly_one_of_twelve_mints_with_the_same_name_succeeds(backend: Backend) {
    let stage = Stage::new(backend).await;
    for round in 0..ROUNDS {
        let name = &name(&format!("token-{round}"));
        let services = [&stage.here, &stage.there].into_iter().cycle().take(12);
        let mints = services.map(|service| async {
            service.mint_token(&stage.owner, name, &MintRequest::default()).await
        });
        let (minted, refused): (Vec<_>, Vec<_>) =
            join_all(mints).await.into_iter().partition(Result::is_ok);
        assert_eq!(minted.len(), 1);
        for refusal in refused {
            assert!(matches!(refusal, Err(Error::Conflict(_))), "{refusal:?}");
        }
    }
}

async fn a_removed_member_leaves_no_bound_token_even_if_a_mint_races(backend: Backend) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Member).await;
    let key = stage.here.mint_token(&bob, &name("key"), &bound()).await.expect("a token");
    let mut key = credential(&key.token);
    for round in 0..ROUNDS {
        let token = name(&format!("token-{round}"));
        let author = if round % 2 == 0 { &bob } else { &key };
        let request = bound();
        let (username, slug) = (name("bob"), acme());
        let (minted, removed) = join(
            stage.here.mint_token(author, &token, &request),
            stage.there.within(&stage.owner, &slug).remove_member(&username),
        )
        .await;
        removed.expect("bob removed");
        if let Err(refusal) = minted {
            assert!(is_a_refusal(&refusal), "{refusal:?}");
        }
        assert_eq!(stage.bound_tokens().await, 0);
        Operator(&stage.here)
            .set_member(&slug, &username, Role::Member)
            .await
            .expect("bob is back");
        assert_eq!(stage.bound_tokens().await, 0);
        let again = stage.here.mint_token(&bob, &name("key"), &bound()).await.expect("a token");
        key = credential(&again.token);
    }
}

async fn a_mint_that_waited_for_the_removal_of_its_user_is_refused(backend: Backend) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Member).await;
    let store = Store::open(&stage.database.url).await.expect("the same database");
    let mut removal = store.write(&WriteLock::None, Purpose::Change).await.expect("a transaction");
    let (slug, username) = (acme(), name("bob"));
    removal.lock_organization_as_operator(&slug);
    let found = removal.membership(&slug, &username).await.expect("an answer");
    let Membership { reach, target, .. } = found.expect("acme");
    // Spawned, because on SQLite the mint may block its thread.
    let minting = tokio::spawn({
        let (service, bob) = (stage.here.clone(), bob.clone());
        async move { service.mint_token(&bob, &name("late"), &bound()).await }
    });
    let bob = target.expect("bob").user;
    let revoked = removal.delete_member_tokens(&slug, reach.id, bob).await;
    assert_eq!(revoked.expect("an answer"), []);
    removal.delete_member(reach.id, &username);
    removal.commit().await.expect("committed");
    let minted = minting.await.expect("an answer");
    assert!(matches!(minted, Err(Error::NotFound(_))), "{minted:?}");
}

async fn the_audit_chain_stays_intact_under_concurrent_writers(backend: Backend) {
    let stage = Stage::new(backend).await;
    let stage = &stage;
    for round in 0..ROUNDS {
        let services = [&stage.here, &stage.there].into_iter().cycle().take(8);
        let mints = services.enumerate().map(|(number, service)| async move {
            let request = if number % 4 < 2 { bound() } else { MintRequest::default() };
            let name = name(&format!("token-{round}-{number}"));
            service.mint_token(&stage.owner, &name, &request).await.expect("a token")
        });
        join_all(mints).await;
    }
    let report = stage.there.store().verify_audit(&[]).await.expect("a report");
    assert!(report.faults.is_empty(), "{report:?}");
    assert!(report.entries > 8 * ROUNDS as u64, "{report:?}");
}

async fn a_deleted_group_leaves_no_token_even_if_a_mint_races(backend: Backend) {
    let stage = Stage::new(backend).await;
    let request = grouped();
    for round in 0..ROUNDS {
        let slug = acme();
        stage.create_group().await;
        let (token, group) = (name(&format!("token-{round}")), name("default"));
        let (minted, deleted) = join(
            stage.here.mint_token(&stage.owner, &token, &request),
            stage.there.within(&stage.owner, &slug).delete_group(&group),
        )
        .await;
        deleted.expect("the group deleted");
        if let Err(refusal) = minted {
            assert!(is_a_refusal(&refusal), "{refusal:?}");
        }
        assert_eq!(stage.bound_tokens().await, 0);
    }
}

async fn two_owners_who_demote_each_other_leave_one_owner(backend: Backend) {
    let stage = Stage::new(backend).await;
    let other = stage.member("other", Role::Owner).await;
    for _ in 0..ROUNDS {
        let (slug, one, two) = (acme(), name("owner"), name("other"));
        let (first, second) = join(
            stage.here.within(&stage.owner, &slug).update_member(&two, Role::Viewer),
            stage.there.within(&other, &slug).update_member(&one, Role::Viewer),
        )
        .await;
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        for refusal in [first.err(), second.err()].into_iter().flatten() {
            assert!(is_a_refusal(&refusal), "{refusal:?}");
        }
        for owner in [&one, &two] {
            let restored = Operator(&stage.here).set_member(&slug, owner, Role::Owner).await;
            restored.expect("an owner again");
        }
    }
}

async fn two_tokens_that_revoke_each_other_leave_one_token(backend: Backend) {
    let stage = Stage::new(backend).await;
    for request in [MintRequest::default(), bound()] {
        for _ in 0..ROUNDS {
            let mut keys = Vec::new();
            for key in ["one", "two"] {
                let minted = stage.here.mint_token(&stage.owner, &name(key), &request).await;
                let token = minted.expect("a token").token;
                keys.push(credential(&token));
            }
            let (one, two) = (name("one"), name("two"));
            let (first, second) = join(
                stage.here.revoke_own_token(&keys[0], &two),
                stage.there.revoke_own_token(&keys[1], &one),
            )
            .await;
            assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
            let left = if first.is_ok() { one } else { two };
            stage.here.revoke_own_token(&stage.owner, &left).await.expect("one is left");
        }
    }
}

async fn a_revoked_token_cannot_mint(backend: Backend) {
    let stage = Stage::new(backend).await;
    for request in [MintRequest::default(), bound()] {
        for _ in 0..ROUNDS {
            let minted = stage.here.mint_token(&stage.owner, &name("key"), &request).await;
            let token = minted.expect("a token").token;
            let key = credential(&token);
            let (child, dead) = (name("child"), name("key"));
            let (minted, revoked) = join(
                stage.here.mint_token(&key, &child, &request),
                stage.there.revoke_own_token(&stage.owner, &dead),
            )
            .await;
            revoked.expect("revoked");
            match minted {
                // The mint was first, so the token exists.
                Ok(_) => stage.there.revoke_own_token(&stage.owner, &child).await.expect("there"),
                Err(refusal) => assert!(matches!(refusal, Error::DeadCredential), "{refusal:?}"),
            }
        }
    }
}

async fn tokens_are_listed_in_the_order_in_which_servers_minted_them(backend: Backend) {
    let stage = Stage::new(backend).await;
    let mut minted = Vec::new();
    for round in 0..40 {
        let service = if round % 2 == 0 { &stage.here } else { &stage.there };
        let name = name(&format!("token-{round}"));
        let token = service.mint_token(&stage.owner, &name, &bound()).await.expect("a token");
        minted.push(token.id.to_string());
    }
    let page = list_tokens(&stage.here, &stage.owner, None).await.expect("a page");
    assert_eq!(
        page.items.iter().map(|item| &item["id"]).collect::<Vec<_>>(),
        minted.iter().collect::<Vec<_>>()
    );
    let own = stage.there.list_own_tokens(&stage.owner, None).await.expect("a page");
    let own = own.items.iter().skip(1).map(|token| token.id.to_string());
    assert_eq!(own.collect::<Vec<_>>(), minted);
}

async fn a_locked_organization_delays_no_other_organization_and_no_read(backend: Backend) {
    let stage = Stage::new(backend).await;
    let globex: Slug = "globex".parse().expect("a slug");
    Operator(&stage.here).add_organization(&globex, &name("owner")).await.expect("globex");
    let store = Store::open(&stage.database.url).await.expect("the same database");
    let mut lock = store.write(&WriteLock::None, Purpose::Change).await.expect("a transaction");
    lock.lock_organization_as_operator(&acme());
    lock.flush().await.expect("a lock");
    // More waiters than the pool has connections for writers.
    let waiters = (0..20).map(|number| {
        let (service, owner) = (stage.here.clone(), stage.owner.clone());
        let token = name(&format!("waiting-{number}"));
        tokio::spawn(async move { service.mint_token(&owner, &token, &bound()).await })
    });
    let waiters: Vec<_> = waiters.collect();
    let elsewhere = MintRequest { organization: Some(globex), ..MintRequest::default() };
    for (number, request) in [elsewhere, MintRequest::default()].iter().enumerate() {
        let token = name(&format!("free-{number}"));
        stage.here.mint_token(&stage.owner, &token, request).await.expect("no wait");
    }
    let page = list_tokens(&stage.here, &stage.owner, None).await;
    assert!(page.expect("no wait").items.is_empty());
    lock.commit().await.expect("the lock released");
    for waiter in join_all(waiters).await {
        waiter.expect("no panic").expect("a token");
    }
}

async fn a_locked_user_delays_no_other_user(backend: Backend) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Member).await;
    let store = Store::open(&stage.database.url).await.expect("the same database");
    let mut lock = store.write(&WriteLock::None, Purpose::Change).await.expect("a transaction");
    lock.lock_user_as_operator(&name("owner"));
    lock.flush().await.expect("a lock");
    let plain = MintRequest::default();
    stage.here.mint_token(&bob, &name("unrestricted"), &plain).await.expect("no wait");
    // Meanwhile the same user can mint in an organization.
    stage.here.mint_token(&stage.owner, &name("bound"), &bound()).await.expect("no wait");
}
