//! Failures of a PostgreSQL server: lost connections, commits that are not confirmed, and errors
//! that must not show the password. The server is real: nothing is mocked.

use crate::database::{connect, server};
use crate::stage::{Backend, Stage, acme, name, trials};
use futures::future::join;
use libtest_mimic::Trial;
use orgtokens_server::caller::{Role, UserId};
use orgtokens_server::name::Name;
use orgtokens_server::records::MintRequest;
use orgtokens_server::service::Operator;
use orgtokens_server::store::{Error, Purpose, Result, Store, Transaction, View, WriteLock};
use std::time::{Duration, Instant};

/// How long to wait for an event that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn trials() -> Vec<Trial> {
    trials!(
        [Backend::Postgres],
        no_error_shows_the_password,
        a_url_that_selects_a_standby_is_refused,
        an_exhausted_pool_is_unavailable_and_recovers,
        terminated_connections_are_replaced,
        a_deadlock_fails_exactly_one_transaction_as_contended,
        a_commit_whose_connection_is_lost_has_an_unknown_outcome,
        a_commit_with_a_warning_has_an_unknown_outcome,
        a_commit_that_takes_too_long_has_an_unknown_outcome_and_is_not_cancelled,
        a_commit_whose_request_is_dropped_is_not_cancelled,
        a_cascade_has_time_for_any_number_of_tokens,
        a_cascade_of_a_server_that_is_gone_ends,
    )
}

/// Installs a trigger that runs `body` at every commit that adds a user.
async fn at_commit(stage: &Stage, body: &str) {
    let statements = format!(
        "CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN {body}; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON users
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()"
    );
    connect(&stage.database.url).await.batch_execute(&statements).await.expect("a trigger");
}

async fn store(stage: &Stage, pool: usize) -> Store {
    let pool = pool.try_into().expect("not 0");
    Store::open_pooled(&stage.database.url, pool).await.expect("the same database")
}

async fn add_user(store: &Store, username: &Name) -> Result<UserId> {
    let mut change = store.write(&WriteLock::None, Purpose::Change).await?;
    let email = "eve@example.com".parse().expect("an address");
    let user = change.insert_user(username, &email).await?;
    change.commit().await.map(|()| user.id)
}

async fn is_there(store: &Store, username: &Name) -> Result<bool> {
    Ok(store.read(View::Snapshot).await?.user(username).await?.is_some())
}

/// Waits until `holds` is true. Panics after `PATIENCE`.
pub async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "it did not happen within {PATIENCE:?}");
        tokio::task::yield_now().await;
    }
}

async fn no_error_shows_the_password(_: Backend) {
    let server = server().expect("ignored without a server");
    let address = server.rsplit_once('@').expect("a URL with a password").1;
    for url in [
        format!("postgres://orgtokens:hunter2@{address}"),
        "postgres://orgtokens:hunter2@127.0.0.1:1/orgtokens".to_owned(),
        "postgres://orgtokens:hunter2@127.0.0.1:hunter2/orgtokens".to_owned(),
        "postgres://orgtokens:?hunter2=hunter2@127.0.0.1/orgtokens".to_owned(),
        "postgres://orgtokens:hunter2@127.0.0.1/orgtokens?sslmode=hunter2".to_owned(),
        "postgres://orgtokens:hunter2@127.0.0.1/orgtokens?sslmode=verify-full&sslrootcert=/"
            .to_owned(),
        "mysql://orgtokens:hunter2@127.0.0.1/orgtokens".to_owned(),
    ] {
        let error = Store::open(&url).await.expect_err(&url);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    let opened = Stage::new(Backend::Postgres).await;
    let shown = format!("{:?}", opened.here);
    assert!(!shown.contains("p@ss") && !shown.contains("p%40ss"), "{shown}");
}

async fn a_url_that_selects_a_standby_is_refused(_: Backend) {
    let url = format!("{}?target_session_attrs=read-only", server().expect("a server"));
    let refusal = Store::open(&url).await.expect_err("a standby").to_string();
    assert!(refusal.contains("leave it out"), "{refusal}");
}

async fn an_exhausted_pool_is_unavailable_and_recovers(backend: Backend) {
    let stage = Stage::new(backend).await;
    let store = store(&stage, 2).await;
    let mut views = Vec::new();
    for _ in 0..2 {
        let mut view = store.read(View::Snapshot).await.expect("a view");
        view.user(&name("owner")).await.expect("an answer");
        views.push(view);
    }
    let refused = store.read(View::Snapshot).await.expect_err("a third");
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    drop(views);
    assert!(is_there(&store, &name("owner")).await.expect("an answer"));
}

async fn terminated_connections_are_replaced(backend: Backend) {
    let stage = Stage::new(backend).await;
    let store = store(&stage, 2).await;
    assert!(is_there(&store, &name("owner")).await.expect("an answer"));
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    connect(&stage.database.url).await.batch_execute(end).await.expect("ended");
    eventually(async || is_there(&store, &name("owner")).await.is_ok()).await;
    add_user(&store, &name("eve")).await.expect("a new user");
}

async fn a_deadlock_fails_exactly_one_transaction_as_contended(backend: Backend) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Viewer).await;
    let store = store(&stage, 4).await;
    let mut one = store.write(&WriteLock::None, Purpose::Change).await.expect("a transaction");
    let mut two = store.write(&WriteLock::None, Purpose::Change).await.expect("a transaction");
    let lock = async |change: &mut Transaction, username: &str| {
        change.lock_user_as_operator(&name(username));
        change.flush().await
    };
    lock(&mut one, "owner").await.expect("a lock");
    lock(&mut two, "bob").await.expect("a lock");
    let (first, second) = join(lock(&mut one, "bob"), lock(&mut two, "owner")).await;
    let contended = [first, second].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert!(matches!(contended[..], [Error::Contended(_)]), "{contended:?}");
    drop((one, two));
    stage.here.mint_token(&bob, &name("after"), &MintRequest::default()).await.expect("a token");
    assert!(stage.here.within(&bob, &acme()).get().await.is_ok());
}

async fn a_commit_whose_connection_is_lost_has_an_unknown_outcome(backend: Backend) {
    let stage = Stage::new(backend).await;
    at_commit(&stage, "PERFORM pg_terminate_backend(pg_backend_pid())").await;
    let outcome = add_user(&store(&stage, 1).await, &name("eve")).await;
    assert!(matches!(outcome, Err(Error::Unknown(_))), "{outcome:?}");
}

async fn a_commit_with_a_warning_has_an_unknown_outcome(backend: Backend) {
    let stage = Stage::new(backend).await;
    at_commit(&stage, "RAISE WARNING 'not waiting any more'").await;
    let store = store(&stage, 1).await;
    let outcome = add_user(&store, &name("eve")).await;
    assert!(matches!(outcome, Err(Error::Unknown(_))), "{outcome:?}");
    // The connection's slot in the pool is free again.
    assert!(is_there(&store, &name("owner")).await.expect("an answer"));
}

async fn a_commit_that_takes_too_long_has_an_unknown_outcome_and_is_not_cancelled(
    backend: Backend,
) {
    let stage = Stage::new(backend).await;
    at_commit(&stage, "SET LOCAL statement_timeout = 0; PERFORM pg_sleep(5.5)").await;
    let store = store(&stage, 2).await;
    let outcome = add_user(&store, &name("eve")).await;
    assert!(matches!(outcome, Err(Error::Unknown(_))), "{outcome:?}");
    eventually(async || is_there(&store, &name("eve")).await.expect("an answer")).await;
}

async fn a_commit_whose_request_is_dropped_is_not_cancelled(backend: Backend) {
    let stage = Stage::new(backend).await;
    at_commit(&stage, "PERFORM pg_advisory_lock(1)").await;
    let mut holder = connect(&stage.database.url).await;
    let lock = holder.transaction().await.expect("a transaction");
    lock.batch_execute("SELECT pg_advisory_xact_lock(1)").await.expect("a lock");
    let store = std::sync::Arc::new(store(&stage, 2).await);
    let eve = std::sync::Arc::clone(&store);
    let request = tokio::spawn(async move { add_user(&eve, &name("eve")).await });
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'
                   AND datname = current_database()";
    let watcher = connect(&stage.database.url).await;
    eventually(async || !watcher.query(waiting, &[]).await.expect("an answer").is_empty()).await;
    request.abort();
    assert!(request.await.is_err_and(|error| error.is_cancelled()));
    lock.commit().await.expect("the lock given back");
    eventually(async || is_there(&store, &name("eve")).await.expect("an answer")).await;
}

async fn a_cascade_has_time_for_any_number_of_tokens(_: Backend) {
    let stage = Stage::new(Backend::Postgres).await;
    let (service, slug, bob) = (&stage.here, &acme(), &name("bob"));
    let database = connect(&stage.database.url).await;
    let add_tokens = async |count: u32| {
        let add = format!(
            "INSERT INTO tokens (id, digest, name, user_id, organization_id, scopes, created_at)
             SELECT substr(digest, 1, 16), digest, 't' || number, user_id, organization_id, 0, 0
             FROM members, (SELECT number, sha256(number::text::bytea) AS digest
             FROM generate_series(1, {count}) AS number) AS n WHERE username = 'bob'"
        );
        database.batch_execute(&add).await.expect("tokens");
    };
    let require_time = "CREATE FUNCTION require_time() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF current_setting('statement_timeout') NOT IN ('0', '1min') OR
         current_setting('idle_in_transaction_session_timeout') NOT IN ('0', '1min')
         THEN RAISE 'no time'; END IF; RETURN NULL; END $$;
         CREATE TRIGGER tokens AFTER DELETE ON tokens EXECUTE FUNCTION require_time();
         CREATE TRIGGER entries AFTER INSERT ON audit_log EXECUTE FUNCTION require_time()";
    stage.member("bob", Role::Member).await;
    database.batch_execute(require_time).await.expect("triggers");
    // It has more entries than one statement inserts.
    add_tokens(100_001).await;
    let organization = service.within(&stage.owner, slug);
    organization.remove_member(bob).await.expect("removed");
    database.batch_execute("ALTER TABLE audit_log DISABLE TRIGGER entries").await.expect("off");
    organization.add_member(bob, Role::Member).await.expect("a member again");
    database.batch_execute("ALTER TABLE audit_log ENABLE TRIGGER entries").await.expect("on");
    add_tokens(2).await;
    assert_eq!(Operator(service).remove_member(slug, bob).await.expect("removed"), 2);
    let report = service.store().verify_audit(&[]).await.expect("a report");
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

async fn a_cascade_of_a_server_that_is_gone_ends(_: Backend) {
    let stage = Stage::new(Backend::Postgres).await;
    stage.member("bob", Role::Member).await;
    let database = connect(&stage.database.url).await;
    let never_end = "CREATE FUNCTION never_end() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_sleep(3600); RETURN NULL; END $$;
         CREATE TRIGGER tokens AFTER DELETE ON tokens EXECUTE FUNCTION never_end()";
    database.batch_execute(never_end).await.expect("a trigger");
    let are_running = async |count: i64| {
        let running = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'
             AND datname = current_database()";
        let row = database.query_one(running, &[]).await.expect("a row");
        row.get::<_, i64>(0) == count
    };
    let (slug, bob) = (acme(), name("bob"));
    // Dropping the request closes its connection, as the end of the process does.
    tokio::select! {
        _ = stage.here.within(&stage.owner, &slug).remove_member(&bob) => panic!("it ended"),
        () = eventually(async || are_running(1).await) => {}
    }
    eventually(async || are_running(0).await).await;
}
