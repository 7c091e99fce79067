//! Writing, reading, ordering and paging, the same on every backend. No test here depends on its
//! backend.

use crate::stage::{Backend, Stage, acme, all, bound, credential, list_tokens, name, trials};
use libtest_mimic::Trial;
use orgtokens_server::caller::Role;
use orgtokens_server::error::Error;
use orgtokens_server::records::{PageQuery, PageRange};
use orgtokens_server::store::{Purpose, Store, View, WriteLock};

pub fn trials() -> Vec<Trial> {
    trials!(
        Backend::BOTH,
        a_dropped_transaction_changes_nothing,
        a_revoked_token_is_rejected_by_every_server,
        a_name_is_taken_until_its_token_is_revoked,
        names_are_ordered_by_their_bytes,
        tokens_are_paged_oldest_first,
        a_list_breaks_off_if_the_role_of_its_reader_changes_what_it_shows,
        the_audit_log_is_paged_newest_first,
    )
}

async fn a_dropped_transaction_changes_nothing(backend: Backend) {
    let stage = Stage::new(backend).await;
    let store = Store::open_pooled(&stage.database.url, 1.try_into().expect("not 0"));
    let store = store.await.expect("the same database");
    for _ in 0..5 {
        let mut change =
            store.write(&WriteLock::None, Purpose::Change).await.expect("a transaction");
        let email = "eve@example.com".parse().expect("an address");
        change.insert_user(&name("eve"), &email).await.expect("a new user, every time");
        drop(change);
        let found = store.read(View::Snapshot).await.expect("a view").user(&name("eve")).await;
        assert_eq!(found.expect("an answer"), None);
    }
}

async fn a_revoked_token_is_rejected_by_every_server(backend: Backend) {
    let stage = Stage::new(backend).await;
    let minted = stage.here.mint_token(&stage.owner, &name("ci"), &bound()).await.expect("a token");
    let revoked = credential(&minted.token);
    stage.there.authenticate(&revoked).await.expect("a live token");
    stage.there.revoke_own_token(&stage.owner, &name("ci")).await.expect("revoked");
    for service in [&stage.here, &stage.there] {
        let refused = service.authenticate(&credential(&minted.token)).await;
        assert!(matches!(refused, Err(Error::DeadCredential)), "{refused:?}");
        // A credential that was accepted before the revocation is refused too.
        let refused = service.mint_token(&revoked, &name("late"), &bound()).await;
        assert!(matches!(refused, Err(Error::DeadCredential)), "{refused:?}");
    }
}

async fn a_name_is_taken_until_its_token_is_revoked(backend: Backend) {
    let stage = Stage::new(backend).await;
    let mint = async || stage.here.mint_token(&stage.owner, &name("ci"), &bound()).await;
    mint().await.expect("a token");
    let taken = mint().await.expect_err("a name that is taken");
    assert!(matches!(taken, Error::Conflict(_)), "{taken:?}");
    stage.there.revoke_own_token(&stage.owner, &name("ci")).await.expect("revoked");
    mint().await.expect("a token again");
}

async fn names_are_ordered_by_their_bytes(backend: Backend) {
    let stage = Stage::new(backend).await;
    for username in ["b", "a.b", "B", "a_b", "ab", "a-b", "A"] {
        stage.member(username, Role::Viewer).await;
    }
    let members =
        stage.there.within(&stage.owner, &acme()).list_members(None).await.expect("a list");
    let order: Vec<_> = members.items.iter().map(|member| member.username.as_str()).collect();
    assert_eq!(order, ["A", "B", "a-b", "a.b", "a_b", "ab", "b", "owner"]);
}

async fn tokens_are_paged_oldest_first(backend: Backend) {
    let stage = Stage::new(backend).await;
    let mut minted = Vec::new();
    for number in 0..7 {
        let name = name(&format!("t{number}"));
        minted
            .push(stage.here.mint_token(&stage.owner, &name, &bound()).await.expect("a token").id);
    }
    let store = Store::open(&stage.database.url).await.expect("the same database");
    let mut view = store.read(View::Snapshot).await.expect("a view");
    let slug = acme();
    for sees_all in [|_| true, |_| false] {
        let (mut paged, mut after) = (Vec::new(), Some(0));
        while let Some(position) = after {
            let range = PageRange { after: position, limit: 3 };
            let found = view.organization_tokens(&stage.owner, &slug, sees_all, range).await;
            let (_, page) = found.expect("a page");
            assert!(page.tokens.items.len() <= 3);
            paged.extend(page.tokens.items.iter().map(|item| item.token.id));
            after = page.tokens.next;
        }
        assert_eq!(paged, minted);
    }
    let own = all(async |after| stage.here.list_own_tokens(&stage.owner, after).await).await;
    assert_eq!(own.len(), minted.len() + 1);
}

async fn a_list_breaks_off_if_the_role_of_its_reader_changes_what_it_shows(backend: Backend) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Admin).await;
    for number in 0..300 {
        let name = name(&format!("t{number}"));
        stage.here.mint_token(&bob, &name, &bound()).await.expect("a token");
    }
    let organization = acme();
    for role in [Role::Viewer, Role::Admin] {
        let first = list_tokens(&stage.here, &bob, None).await.expect("a page");
        assert!(first.next.is_some());
        let of_member = async |after| {
            stage.here.within(&bob, &organization).list_member_tokens(&name("bob"), after).await
        };
        let first_of_member = of_member(None).await.expect("a page");
        assert!(first_of_member.next.is_some());
        let owner = stage.here.within(&stage.owner, &organization);
        owner.update_member(&name("bob"), role).await.expect("another role");
        let later = list_tokens(&stage.there, &bob, first.next).await;
        assert!(matches!(later, Err(Error::Forbidden(_))), "{role}");
        let later = of_member(first_of_member.next).await;
        assert!(matches!(later, Err(Error::Forbidden(_))), "{role}");
    }
}

async fn the_audit_log_is_paged_newest_first(backend: Backend) {
    let stage = Stage::new(backend).await;
    for number in 0..5 {
        let name = name(&format!("t{number}"));
        stage.here.mint_token(&stage.owner, &name, &bound()).await.expect("a token");
    }
    let second = PageQuery { page: 2, page_size: 2 };
    let page = stage.there.within(&stage.owner, &acme()).list_audit_logs(second, None).await;
    let (page, next) = page.expect("a page");
    assert!(next.is_none());
    let messages: Vec<_> = page.audit_logs.iter().map(|entry| entry.message.as_str()).collect();
    assert_eq!(messages, ["minted token t2 of owner", "minted token t1 of owner"]);
    assert_eq!((page.pagination.total_rows, page.pagination.total_pages), (6, 3));
}
