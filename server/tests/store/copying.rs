//! Copies between databases: every row is copied with its id, and the copy accepts new rows. The
//! tests compare counts and answers, and read no table directly.

use crate::stage::{
    Backend, Stage, acme, all, bound, credential, execute, list_tokens, name,
    require_intact_audit_log, trials,
};
use libtest_mimic::Trial;
use orgtokens_server::caller::Role;
use orgtokens_server::records::{PageQuery, RotateTokenRequest};
use orgtokens_server::service::{Operator, Service};
use orgtokens_server::store::{Store, copy};

pub fn trials() -> Vec<Trial> {
    trials!(
        Backend::BOTH,
        a_copy_answers_like_its_source_and_accepts_new_rows,
        a_target_that_is_not_empty_is_refused_and_unchanged;
        [Backend::Postgres],
        a_copy_to_the_other_backend_and_back_loses_nothing,
    )
}

/// Creates a database with rows in every table, and more tokens than one page of a copy.
async fn full(backend: Backend) -> Stage {
    let stage = Stage::new(backend).await;
    stage.create_group().await;
    stage.member("bob", Role::Viewer).await;
    for number in 0..1_003 {
        let name = name(&format!("t{number}"));
        stage.here.mint_token(&stage.owner, &name, &bound()).await.expect("a token");
    }
    let deliveries = "INSERT INTO webhooks (name, position, announced_at) VALUES ('audit', 1, 2);
        INSERT INTO webhook_deliveries (id, webhook, place, code, body, queued_at, next_at, failure,
        set_aside_at) VALUES ('msg_1', 'audit', 'user owner', 'user-add', '{}', 3, 4, 'why', 5)";
    execute(&stage.database, deliveries).await;
    stage
}

async fn copied(from: &str, to: &str) -> Vec<(&'static str, i64)> {
    let source = Store::open(from).await.expect("the source");
    let target = Store::create(to).await.expect("the target");
    copy(&source, &target, |_| ()).await.expect("a copy")
}

async fn a_copy_answers_like_its_source_and_accepts_new_rows(backend: Backend) {
    let stage = full(backend).await;
    let old = stage.here.mint_token(&stage.owner, &name("key"), &bound()).await.expect("a token");
    let overlap = RotateTokenRequest { overlap: "1d".parse().ok(), expiration: None };
    let slug = acme();
    let rotated = stage.here.within(&stage.owner, &slug).rotate_token(old.id, overlap).await;
    let key = rotated.expect("a new secret").created.minted;
    let target = backend.database().await;
    let counted = copied(&stage.database.url, &target.url).await;
    let is_full = |(table, rows): &(_, _)| *rows > 0 || *table == "closed_chain";
    assert!(counted.iter().all(is_full), "{counted:?}");

    let service = Service::new(Store::open(&target.url).await.expect("the copy"));
    for token in [&key.token, &old.token] {
        service.authenticate(&credential(token)).await.expect("a live token");
    }
    let list = async |service: &Service| {
        all(async |after| list_tokens(service, &stage.owner, after).await).await
    };
    assert_eq!(list(&stage.here).await, list(&service).await);
    let newest = PageQuery { page: 1, page_size: 1_000 };
    let (source, copy) = (
        Operator(&stage.here).list_audit_logs(Some(&acme()), newest).await.expect("a page"),
        Operator(&service).list_audit_logs(Some(&acme()), newest).await.expect("a page"),
    );
    assert_eq!(source, copy);

    let set_aside = Operator(&service).list_messages_set_aside().await.expect("a list");
    assert_eq!((&*set_aside[0].id, &*set_aside[0].failure), ("msg_1", "why"));
    require_intact_audit_log(&service).await;

    // New ids follow the copied ones.
    let operator = Operator(&service);
    let email = "eve@example.com".parse().expect("an address");
    operator.add_user(&name("eve"), &email).await.expect("a new user");
    let other = "other".parse().expect("a slug");
    operator.add_organization(&other, &name("eve")).await.expect("a new organization");
    require_intact_audit_log(&service).await;
}

async fn a_copy_to_the_other_backend_and_back_loses_nothing(_: Backend) {
    for [from, to] in [Backend::BOTH, [Backend::Postgres, Backend::Sqlite]] {
        let stage = full(from).await;
        let (there, back) = (to.database().await, from.database().await);
        let counted = copied(&stage.database.url, &there.url).await;
        assert_eq!(copied(&there.url, &back.url).await, counted);
        let service = Service::new(Store::open(&back.url).await.expect("the copy of the copy"));
        let list = async |service: &Service| {
            all(async |after| service.list_own_tokens(&stage.owner, after).await).await
        };
        assert_eq!(list(&stage.here).await, list(&service).await);
    }
}

async fn a_target_that_is_not_empty_is_refused_and_unchanged(backend: Backend) {
    let (stage, other) = (Stage::new(backend).await, Stage::new(backend).await);
    let source = Store::open(&stage.database.url).await.expect("the source");
    let target = Store::create(&other.database.url).await.expect("the target");
    let refusal = copy(&source, &target, |_| ()).await.expect_err("it is not empty").to_string();
    assert!(refusal.contains("not empty"), "{refusal}");
    let itself = Store::open(&stage.database.url).await.expect("the source");
    copy(&source, &itself, |_| ()).await.expect_err("a database cannot be copied to itself");
    assert_eq!(other.bound_tokens().await, 0);
}
