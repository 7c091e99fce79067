//! Changes that share a COMMIT on SQLite. There is one sync for all of them, but each succeeds or
//! fails on its own. They queue while another connection writes.

use crate::faults::{Call, with_faults};
use crate::stage::{
    Backend, Stage, all, bound, credential, name, require_intact_audit_log, trials,
};
use futures::future::{LocalBoxFuture, join, join_all};
use libtest_mimic::Trial;
use orgtokens_server::caller::Credential;
use orgtokens_server::error::{Error, Result};
use orgtokens_server::records::MintRequest;
use orgtokens_server::store::{Purpose, Store, View, WriteLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub fn trials() -> Vec<Trial> {
    trials!(
        [Backend::Sqlite],
        twenty_queued_mints_share_one_sync,
        a_refused_change_does_not_undo_the_rest_of_its_batch,
        a_token_that_is_revoked_in_a_batch_cannot_mint_later_in_it,
        a_dropped_change_does_not_undo_the_rest_of_its_batch,
        a_failed_batch_runs_again_with_its_revocations_first,
        a_refusal_in_a_failed_batch_is_decided_again,
        on_a_full_disk_the_revocation_of_a_batch_succeeds_and_its_mints_fail,
        an_unknown_outcome_applies_to_every_change_of_the_batch,
    )
}

type Change<'a> = LocalBoxFuture<'a, Result<()>>;

fn mint<'a>(
    stage: &'a Stage,
    with: &'a Credential,
    token: &str,
    request: MintRequest,
) -> Change<'a> {
    let token = name(token);
    Box::pin(async move { stage.here.mint_token(with, &token, &request).await.map(drop) })
}

fn revoke<'a>(stage: &'a Stage, token: &str) -> Change<'a> {
    let token = name(token);
    Box::pin(async move { stage.here.revoke_own_token(&stage.owner, &token).await })
}

/// Runs changes in one batch, in this order.
async fn batch(stage: &Stage, changes: Vec<Change<'_>>) -> Vec<Result<()>> {
    let other = rusqlite::Connection::open(stage.path()).expect("a connection");
    other.execute_batch("BEGIN IMMEDIATE").expect("the write lock");
    let release = async { other.execute_batch("ROLLBACK").expect("an end") };
    // Each change runs until it waits in the queue. Then the other connection lets the first one
    // begin.
    join(join_all(changes), release).await.0
}

/// Requires that the owner's tokens, except the first one, have these names, and that the audit log
/// is intact.
async fn require_tokens(stage: &Stage, expected: &[&str]) {
    let tokens = all(async |after| stage.there.list_own_tokens(&stage.owner, after).await).await;
    let names: Vec<_> = tokens.iter().skip(1).map(|token| token.name.as_str()).collect();
    assert_eq!(names, expected);
    require_intact_audit_log(&stage.there).await;
}

async fn twenty_queued_mints_share_one_sync(backend: Backend) {
    let stage = &Stage::new(backend).await;
    let syncs = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&syncs);
    let count = move |_, call| {
        counter.fetch_add(u32::from(call == Call::Sync), Ordering::Relaxed);
        false
    };
    let names: Vec<_> = (0..20).map(|number| format!("token-{number}")).collect();
    let request = |number| if number % 2 == 0 { bound() } else { MintRequest::default() };
    let mints = names.iter().enumerate();
    let mints = mints.map(|(number, name)| mint(stage, &stage.owner, name, request(number)));
    let minted = with_faults(stage.path(), count, batch(stage, mints.collect())).await;
    assert!(minted.iter().all(Result::is_ok), "{minted:?}");
    assert_eq!(syncs.load(Ordering::Relaxed), 1);
    require_tokens(stage, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

async fn a_refused_change_does_not_undo_the_rest_of_its_batch(backend: Backend) {
    let stage = &Stage::new(backend).await;
    let elsewhere =
        MintRequest { organization: Some("globex".parse().expect("a slug")), ..bound() };
    // The first change, which begins the transaction, is refused too.
    let refused = mint(stage, &stage.owner, "none", elsewhere);
    let tokens = ["a", "a", "b", "a", "c"];
    let mints = tokens.map(|token| mint(stage, &stage.owner, token, bound()));
    let outcomes = batch(stage, [refused].into_iter().chain(mints).collect()).await;
    let [Err(Error::NotFound(_)), Ok(()), Err(again), Ok(()), Err(_), Ok(())] = &outcomes[..]
    else {
        panic!("{outcomes:?}")
    };
    assert!(matches!(again, Error::Conflict(_)), "{again:?}");
    require_tokens(stage, &["a", "b", "c"]).await;
}

async fn with_a_key(backend: Backend) -> (Stage, Credential) {
    let stage = Stage::new(backend).await;
    let key = stage.here.mint_token(&stage.owner, &name("key"), &MintRequest::default()).await;
    let key = credential(&key.expect("a token").token);
    (stage, key)
}

async fn a_token_that_is_revoked_in_a_batch_cannot_mint_later_in_it(backend: Backend) {
    let (stage, key) = &with_a_key(backend).await;
    let before = mint(stage, key, "before", bound());
    let after = mint(stage, key, "after", bound());
    let outcomes = batch(stage, vec![before, revoke(stage, "key"), after]).await;
    let is_expected = matches!(outcomes[..], [Ok(()), Ok(()), Err(Error::DeadCredential)]);
    assert!(is_expected, "{outcomes:?}");
    require_tokens(stage, &["before"]).await;
}

async fn a_dropped_change_does_not_undo_the_rest_of_its_batch(backend: Backend) {
    let stage = &Stage::new(backend).await;
    let store = Store::open(&stage.database.url).await.expect("the same database");
    let email = "eve@example.com".parse().expect("an address");
    let (kept, dropped) = (name("kept"), name("dropped"));
    let mut first = store.write(&WriteLock::None, Purpose::Change).await.expect("a transaction");
    first.insert_user(&kept, &email).await.expect("a user");
    let second = async {
        let change = store.write(&WriteLock::None, Purpose::Change).await;
        change.expect("a transaction").insert_user(&dropped, &email).await.expect("a user");
    };
    // The second change is in the queue when the first one commits.
    let ((), committed) = join(second, first.commit()).await;
    committed.expect("committed");
    let mut view = store.read(View::Snapshot).await.expect("a view");
    assert!(view.user(&kept).await.expect("an answer").is_some());
    assert!(view.user(&dropped).await.expect("an answer").is_none());
}

async fn a_failed_batch_runs_again_with_its_revocations_first(backend: Backend) {
    let (stage, key) = &with_a_key(backend).await;
    let mints = [mint(stage, key, "a", bound()), mint(stage, &stage.owner, "b", bound())];
    let changes = mints.into_iter().chain([revoke(stage, "key")]).collect();
    let once = |number, _| number == 0;
    let outcomes = with_faults(stage.path(), once, batch(stage, changes)).await;
    let is_expected = matches!(outcomes[..], [Err(Error::DeadCredential), Ok(()), Ok(())]);
    assert!(is_expected, "{outcomes:?}");
    require_tokens(stage, &["b"]).await;
}

async fn a_refusal_in_a_failed_batch_is_decided_again(backend: Backend) {
    let stage = &Stage::new(backend).await;
    let mints = ["a", "a"].map(|token| mint(stage, &stage.owner, token, bound())).into();
    let always = |_, call| call == Call::Write;
    let outcomes = with_faults(stage.path(), always, batch(stage, mints)).await;
    let is_expected = matches!(outcomes[..], [Err(Error::Full(_)), Err(Error::Full(_))]);
    assert!(is_expected, "{outcomes:?}");
    require_tokens(stage, &[]).await;
}

async fn on_a_full_disk_the_revocation_of_a_batch_succeeds_and_its_mints_fail(backend: Backend) {
    let (stage, _) = &with_a_key(backend).await;
    let mints = ["a", "b"].map(|token| mint(stage, &stage.owner, token, bound()));
    let mut changes = Vec::from(mints);
    changes.insert(1, revoke(stage, "key"));
    let mut reserve = stage.path().as_os_str().to_owned();
    reserve.push("-reserve");
    let full = move |_, call| call == Call::Write && std::path::Path::new(&reserve).exists();
    let outcomes = with_faults(stage.path(), full, batch(stage, changes)).await;
    let is_expected = matches!(outcomes[..], [Err(Error::Full(_)), Ok(()), Err(Error::Full(_))]);
    assert!(is_expected, "{outcomes:?}");
    require_tokens(stage, &[]).await;
}

async fn an_unknown_outcome_applies_to_every_change_of_the_batch(backend: Backend) {
    let (stage, _) = &with_a_key(backend).await;
    let mints = ["a", "b", "a"].map(|token| mint(stage, &stage.owner, token, bound()));
    let changes = mints.into_iter().chain([revoke(stage, "key")]).collect();
    let never_synced = |_, call| call == Call::Sync;
    let outcomes = with_faults(stage.path(), never_synced, batch(stage, changes)).await;
    let is_unknown = |outcome: &Result<()>| matches!(outcome, Err(Error::OutcomeUnknown(_)));
    assert!(outcomes.iter().all(is_unknown), "{outcomes:?}");
    // None of the changes ran again.
    require_tokens(stage, &["key"]).await;
}
