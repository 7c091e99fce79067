//! The operator's changes to users, while tokens make other changes. An organization always keeps
//! an enabled owner, and a removed user keeps no token.

use crate::stage::{Backend, Stage, acme, bound, credential, is_a_refusal, name, trials};
use futures::future::{join, join3};
use libtest_mimic::Trial;
use orgtokens_server::caller::Role;
use orgtokens_server::records::MintRequest;
use orgtokens_server::service::Operator;

const ROUNDS: usize = 20;

pub fn trials() -> Vec<Trial> {
    trials!(
        Backend::BOTH,
        if_two_owners_are_disabled_at_once_one_stays_enabled,
        if_one_owner_is_disabled_and_another_removed_at_once_one_stays,
        a_removed_user_leaves_no_token_even_if_mints_race,
    )
}

async fn if_two_owners_are_disabled_at_once_one_stays_enabled(backend: Backend) {
    let stage = Stage::new(backend).await;
    stage.member("other", Role::Owner).await;
    let (one, two) = (name("owner"), name("other"));
    for _ in 0..ROUNDS {
        let (first, second) = join(
            Operator(&stage.here).disable_user(&one),
            Operator(&stage.there).disable_user(&two),
        )
        .await;
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        for refusal in [first.err(), second.err()].into_iter().flatten() {
            assert!(is_a_refusal(&refusal), "{refusal:?}");
        }
        for username in [&one, &two] {
            Operator(&stage.here).enable_user(username).await.expect("an owner again");
        }
    }
}

async fn if_one_owner_is_disabled_and_another_removed_at_once_one_stays(backend: Backend) {
    let stage = Stage::new(backend).await;
    stage.member("other", Role::Owner).await;
    let (slug, one, two) = (acme(), name("owner"), name("other"));
    for _ in 0..ROUNDS {
        let (disabled, removed) = join(
            Operator(&stage.here).disable_user(&two),
            stage.there.within(&stage.owner, &slug).remove_member(&one),
        )
        .await;
        assert!(disabled.is_ok() != removed.is_ok(), "{disabled:?} {removed:?}");
        for refusal in [disabled.err(), removed.err()].into_iter().flatten() {
            assert!(is_a_refusal(&refusal), "{refusal:?}");
        }
        let operator = Operator(&stage.here);
        operator.enable_user(&two).await.expect("an owner again");
        operator.set_member(&slug, &one, Role::Owner).await.expect("an owner again");
    }
}

async fn a_removed_user_leaves_no_token_even_if_mints_race(backend: Backend) {
    let stage = Stage::new(backend).await;
    let operator = Operator(&stage.here);
    let (slug, username, email) =
        (acme(), name("bob"), "bob@example.com".parse().expect("an address"));
    for _ in 0..ROUNDS {
        operator.add_user(&username, &email).await.expect("a new user");
        operator.set_member(&slug, &username, Role::Member).await.expect("a new member");
        let token = operator.mint_token(&username, &name("first")).await.expect("a token");
        let bob = credential(&token);
        let (plain, request, tokens) = (MintRequest::default(), bound(), [name("a"), name("b")]);
        let (removed, unrestricted, in_acme) = join3(
            Operator(&stage.there).remove_user(&username),
            stage.here.mint_token(&bob, &tokens[0], &plain),
            stage.here.mint_token(&bob, &tokens[1], &request),
        )
        .await;
        removed.expect("bob is removed");
        for refusal in [unrestricted.err(), in_acme.err()].into_iter().flatten() {
            assert!(is_a_refusal(&refusal), "{refusal:?}");
        }
        let left = operator.list_tokens(None, None).await.expect("a list");
        assert_eq!(left.len(), 1, "only the owner has a token: {left:?}");
        assert_eq!(operator.list_members(&slug).await.expect("a list").len(), 1);
    }
}
