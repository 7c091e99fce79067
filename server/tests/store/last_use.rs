//! The last use of tokens: what is written, how often, and what a write must not affect.

use crate::database::connect;
use crate::stage::{
    Backend, Stage, acme, bound, create, credential, list_tokens, name, request, trials,
};
use chrono::{DateTime, Utc};
use libtest_mimic::Trial;
use orgtokens_server::caller::{Credential, Role};
use orgtokens_server::error::{Error, Result};
use orgtokens_server::records::{PageQuery, TokenDetails};
use orgtokens_server::service::{Flush, Service};
use orgtokens_server::store::Store;
use orgtokens_server::token::TokenId;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

const SECOND: Duration = Duration::from_secs(1);

/// How many writes there are in a minute.
const WRITES: u32 = 12;

pub fn trials() -> Vec<Trial> {
    trials!(
        Backend::BOTH,
        a_use_is_shown_after_the_next_write,
        a_use_has_the_time_of_the_clock_that_tokens_expire_by,
        a_token_is_written_once_a_minute_and_its_last_use_is_not_lost,
        a_later_use_is_never_replaced_by_an_earlier_one,
        the_use_of_a_token_that_was_revoked_meanwhile_is_dropped,
        the_tokens_of_several_batches_are_all_written,
        a_write_adds_no_audit_entry_and_invalidates_no_cache,
        a_service_without_last_use_writes_nothing,
        tokens_are_selected_by_their_last_use;
        [Backend::Sqlite],
        a_failed_write_is_retried;
        [Backend::Postgres],
        a_write_skips_a_locked_token_and_updates_it_later,
    )
}

/// The service of a server that records uses.
async fn recording(stage: &Stage) -> Service {
    let store = Store::open(&stage.database.url).await.expect("the same database");
    Service::new(store).with_last_use()
}

async fn minted(stage: &Stage, token: &str) -> TokenId {
    stage.here.mint_token(&stage.owner, &name(token), &bound()).await.expect("a token").id
}

fn address(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

fn note(service: &Service, token: TokenId, from: u8) {
    assert!(service.note_use(token, address(from)), "there is room");
}

fn note_all(service: &Service, tokens: &[TokenId]) {
    for token in tokens {
        note(service, *token, 1);
    }
}

async fn write(service: &Service) {
    service.write_uses(Flush::Due).await.expect("written");
}

async fn details(stage: &Stage, id: TokenId) -> TokenDetails {
    stage.there.within(&stage.owner, &acme()).get_token(id).await.expect("details")
}

async fn last_use(stage: &Stage, id: TokenId) -> Option<(DateTime<Utc>, IpAddr)> {
    let details = details(stage, id).await;
    assert_eq!(details.last_used_at.is_some(), details.last_used_ip.is_some());
    details.last_used_at.zip(details.last_used_ip)
}

async fn last_address(stage: &Stage, id: TokenId) -> Option<IpAddr> {
    last_use(stage, id).await.map(|(_, address)| address)
}

async fn a_use_is_shown_after_the_next_write(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (service, id, unused) =
        (recording(&stage).await, minted(&stage, "ci").await, minted(&stage, "unused").await);
    let before = service.store().clock().now();
    note(&service, id, 7);
    assert_eq!(last_use(&stage, id).await, None);
    write(&service).await;
    let after = service.store().clock().now();
    let (time, from) = last_use(&stage, id).await.expect("a use");
    assert!((before..=after).contains(&time), "{before} {time} {after}");
    assert_eq!(from, address(7));
    assert_eq!(last_use(&stage, unused).await, None);
}

async fn a_use_has_the_time_of_the_clock_that_tokens_expire_by(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (service, id) = (recording(&stage).await, minted(&stage, "ci").await);
    let clock = service.store().clock();
    let now = clock.now();
    clock.advance(600 * SECOND);
    note(&service, id, 1);
    clock.advance(3 * SECOND);
    write(&service).await;
    let (time, _) = last_use(&stage, id).await.expect("a use");
    let [earliest, latest] = [now, SystemTime::now().into()].map(|time| match backend {
        Backend::Sqlite => time + 600 * SECOND,
        // The server's clock only measures how long ago the use was.
        Backend::Postgres => time - 3 * SECOND,
    });
    assert!((earliest..=latest).contains(&time), "{earliest} {time} {latest}");
}

async fn a_token_is_written_once_a_minute_and_its_last_use_is_not_lost(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (service, id) = (recording(&stage).await, minted(&stage, "ci").await);
    let commits = || service.store().counts().commits.sum();
    note(&service, id, 1);
    // Only the first use between two writes is noted.
    note(&service, id, 2);
    write(&service).await;
    let first = last_use(&stage, id).await;
    assert_eq!(first.map(|(_, from)| from), Some(address(1)));
    let before = commits();
    for from in 2..=12 {
        note(&service, id, from);
        write(&service).await;
    }
    assert_eq!((last_use(&stage, id).await, commits()), (first, before), "less than a minute");
    write(&service).await;
    assert_eq!((last_address(&stage, id).await, commits()), (Some(address(12)), before + 1));
    note(&service, id, 20);
    service.write_uses(Flush::All).await.expect("the last write of a server");
    assert_eq!(last_address(&stage, id).await, Some(address(20)));
    for _ in 0..2 * WRITES {
        write(&service).await;
    }
    assert_eq!(commits(), before + 2, "nothing is written twice");
}

async fn a_later_use_is_never_replaced_by_an_earlier_one(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (here, there) = (recording(&stage).await, recording(&stage).await);
    let id = minted(&stage, "ci").await;
    note(&there, id, 1);
    // On SQLite the time of a use is the time of the clock. On PostgreSQL it is the age of the use.
    for service in [&here, &there] {
        service.store().clock().advance(SECOND);
    }
    note(&here, id, 2);
    write(&here).await;
    write(&there).await;
    assert_eq!(last_address(&stage, id).await, Some(address(2)));
    there.store().clock().advance(3 * SECOND);
    note(&there, id, 3);
    there.write_uses(Flush::All).await.expect("written");
    assert_eq!(last_address(&stage, id).await, Some(address(3)));
}

async fn the_use_of_a_token_that_was_revoked_meanwhile_is_dropped(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (service, ids) =
        (recording(&stage).await, [minted(&stage, "ci").await, minted(&stage, "stays").await]);
    note_all(&service, &ids);
    stage.here.within(&stage.owner, &acme()).revoke_token(ids[0]).await.expect("revoked");
    let again = minted(&stage, "ci").await;
    write(&service).await;
    assert_eq!(last_address(&stage, ids[1]).await, Some(address(1)));
    assert_eq!(last_use(&stage, again).await, None, "another token has the name");
    assert_eq!(stage.bound_tokens().await, 2);
}

async fn the_tokens_of_several_batches_are_all_written(backend: Backend) {
    let stage = Stage::new(backend).await;
    let service = recording(&stage).await;
    let mut ids = Vec::new();
    for number in 0..501 {
        ids.push(minted(&stage, &format!("t{number}")).await);
    }
    note_all(&service, &ids);
    let (commits, before) = (&service.store().counts().commits, 0);
    assert_eq!(commits.sum(), before);
    write(&service).await;
    assert_eq!(commits.sum(), 3, "250 tokens a transaction");
    for id in ids {
        assert_eq!(last_address(&stage, id).await, Some(address(1)));
    }
}

async fn a_write_adds_no_audit_entry_and_invalidates_no_cache(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (service, id) = (recording(&stage).await, minted(&stage, "ci").await);
    let slug = acme();
    let log = async || {
        let log =
            stage.there.within(&stage.owner, &slug).list_audit_logs(PageQuery::default(), None);
        log.await.expect("the log").0
    };
    let ask = async || {
        service.validate(&stage.owner).await.expect("alive");
        list_tokens(&service, &stage.owner, None).await.expect("a list")
    };
    let work = || {
        let counts = service.store().counts();
        match backend {
            Backend::Sqlite => counts.statements.get(),
            Backend::Postgres => counts.round_trips.get(),
        }
    };
    let (entries, listed) = (log().await, ask().await);
    let before = work();
    assert_eq!(ask().await, listed);
    let cached = work() - before;
    note(&service, id, 1);
    write(&service).await;
    let before = work();
    assert_eq!(ask().await, listed);
    assert_eq!(work() - before, cached);
    assert_eq!(log().await, entries);
}

async fn a_service_without_last_use_writes_nothing(backend: Backend) {
    let stage = Stage::new(backend).await;
    let id = minted(&stage, "ci").await;
    note(&stage.here, id, 1);
    stage.here.write_uses(Flush::All).await.expect("nothing to do");
    assert_eq!(last_use(&stage, id).await, None);
}

async fn a_failed_write_is_retried(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (service, id) = (recording(&stage).await, minted(&stage, "ci").await);
    let tamper = |statements| {
        let file = rusqlite::Connection::open(stage.path()).expect("the file");
        file.execute_batch(statements).expect("a change of the schema");
    };
    tamper(
        "CREATE TRIGGER refuse BEFORE UPDATE ON tokens BEGIN SELECT RAISE(ABORT, 'not now'); END",
    );
    note(&service, id, 1);
    service.write_uses(Flush::Due).await.expect_err("refused");
    tamper("DROP TRIGGER refuse");
    write(&service).await;
    assert_eq!(last_address(&stage, id).await, Some(address(1)));
}

async fn a_write_skips_a_locked_token_and_updates_it_later(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (service, ids) =
        (recording(&stage).await, [minted(&stage, "ci").await, minted(&stage, "free").await]);
    note_all(&service, &ids);
    let mut other = connect(&stage.database.url).await;
    let lock = other.transaction().await.expect("a transaction");
    lock.batch_execute("SELECT 1 FROM tokens WHERE name = 'ci' FOR UPDATE").await.expect("a lock");
    write(&service).await;
    assert_eq!(last_address(&stage, ids[1]).await, Some(address(1)));
    assert_eq!(last_use(&stage, ids[0]).await, None);
    lock.commit().await.expect("the lock given back");
    write(&service).await;
    assert_eq!(last_address(&stage, ids[0]).await, Some(address(1)));
}

/// Returns the names of the tokens that a filter selects.
async fn select(service: &Service, with: &Credential, filter: &Value) -> Result<Vec<String>> {
    let request = serde_json::from_value(json!({"filter": filter, "dry_run": true}));
    let slug = acme();
    let selected = service.within(with, &slug).revoke_tokens(request.expect("a request")).await?;
    Ok(selected.tokens.into_iter().map(|token| token.name.to_string()).collect())
}

async fn tokens_are_selected_by_their_last_use(backend: Backend) {
    let stage = Stage::new(backend).await;
    let service = recording(&stage).await;
    let (used, _) = (minted(&stage, "used").await, minted(&stage, "unused").await);
    note(&service, used, 1);
    assert_eq!(
        select(&service, &stage.owner, &json!({"never_used": true})).await.expect("a selection"),
        ["unused"]
    );
    write(&service).await;
    assert_eq!(last_address(&stage, used).await, Some(address(1)));
    note(&service, used, 2);
    let before = json!({"last_used_before": "2999-01-01T00:00:00Z"});
    assert!(select(&service, &stage.owner, &before).await.expect("a selection").is_empty());
    assert_eq!(last_address(&stage, used).await, Some(address(1)), "a selection writes nothing");
    service.write_uses(Flush::All).await.expect("written");
    for (filter, expected) in [
        (json!({"never_used": true}), vec!["unused"]),
        (json!({"never_used": false}), vec!["used"]),
        (json!({"last_used_before": "2999-01-01T00:00:00Z"}), vec!["used"]),
        (json!({"last_used_before": "2020-01-01T00:00:00Z"}), vec![]),
        (json!({"last_used_before": "2999-01-01T00:00:00Z", "never_used": true}), vec![]),
    ] {
        let selected = select(&service, &stage.owner, &filter).await.expect("a selection");
        assert_eq!(selected, expected, "{filter}");
    }
    let from_itself = create(&service, &stage.owner, request("caller", &json!({}))).await;
    let caller = credential(&from_itself.expect("a token").minted.token).with_address(address(2));
    assert_eq!(
        select(&service, &caller, &json!({"never_used": true})).await.expect("a selection"),
        ["unused"]
    );
    let outsider = stage.member("eve", Role::Viewer).await;
    stage.here.within(&stage.owner, &acme()).remove_member(&name("eve")).await.expect("removed");
    let hidden = select(&stage.here, &outsider, &json!({"never_used": true})).await;
    assert!(matches!(hidden, Err(Error::NotFound(_))), "{hidden:?}");
    let without = select(&stage.here, &stage.owner, &json!({"never_used": true})).await;
    assert!(matches!(without, Err(Error::Invalid(_))), "{without:?}");
}
