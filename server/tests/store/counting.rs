//! The cost of each operation: statements on SQLite, round trips on PostgreSQL. A number in these
//! tests may only grow on purpose.

use crate::database::connect;
use crate::failing::eventually;
use crate::stage::{
    Backend, Stage, acme, bound, create, credential, grouped, list_tokens, name, request,
    require_intact_audit_log, trials, unrelated_change,
};
use libtest_mimic::Trial;
use orgtokens_server::caller::{Credential, Origin, Role};
use orgtokens_server::records::{
    LeakReport, MintRequest, MintedToken, PageQuery, RotateTokenRequest,
};
use orgtokens_server::service::{Flush, MintPolicy, Operator, Service};
use orgtokens_server::store::{Store, TokenKey};
use serde_json::json;
use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;

/// Returns the sum of a counter of PostgreSQL for these tables. It waits until all other connections
/// are closed: they report what they counted then.
async fn sum(watcher: &tokio_postgres::Client, counter: &str, view: &str, tables: &str) -> i64 {
    let statement = format!(
        "SELECT sum({counter})::bigint FROM {view} WHERE relname IN ({tables}) AND NOT EXISTS
         (SELECT FROM pg_stat_activity WHERE datname = current_database()
         AND backend_type = 'client backend' AND pid <> pg_backend_pid())"
    );
    let mut sum = None;
    eventually(async || {
        let row = watcher.query_one(&statement, &[]).await.expect("a row");
        sum = row.get::<_, Option<i64>>(0);
        sum.is_some()
    })
    .await;
    sum.expect("it is there")
}

pub fn trials() -> Vec<Trial> {
    trials!(
        [Backend::Postgres],
        requests_use_indexes_even_of_small_tables,
        lists_read_no_tokens_of_other_users;
        Backend::BOTH,
        each_read_costs_the_listed_statements_and_round_trips,
        cached_access_costs_no_statement_or_one_round_trip,
        each_change_costs_the_listed_statements_and_round_trips,
        quotas_add_one_statement_and_one_round_trip_to_a_mint,
        a_cascade_of_many_tokens_costs_as_much_as_of_one,
    )
}

async fn requests_use_indexes_even_of_small_tables(backend: Backend) {
    let Stage { here, there, owner, database } = Stage::new(backend).await;
    drop((here, there));
    let watcher = connect(&database.url).await;
    // From now on the planner knows that the tables are small.
    watcher.batch_execute("ANALYZE").await.expect("statistics");
    let tables = "'tokens', 'audit_log', 'members', 'organization_groups'";
    let sequential_scans = || sum(&watcher, "seq_scan", "pg_stat_user_tables", tables);
    let before = sequential_scans().await;
    let service = Service::new(Store::open(&database.url).await.expect("the same database"));
    let service = service.with_last_use();
    let request = request("ci", &json!({"expiration": "1d"}));
    let MintedToken { id, token, .. } =
        create(&service, &owner, request).await.expect("a token").minted;
    list_tokens(&service, &owner, None).await.expect("a list");
    service.validate(&owner).await.expect("it is accepted");
    let slug = acme();
    let within = || service.within(&owner, &slug);
    within().get_token(id).await.expect("a token");
    within().rotate_token(id, RotateTokenRequest::default()).await.expect("a secret");
    service.note_reuse(&credential(&token).digest, Origin::Web).await.expect("it is noted");
    assert!(service.note_use(id, Ipv4Addr::LOCALHOST.into()));
    service.write_uses(Flush::All).await.expect("it is written");
    within().list_member_tokens(&name("owner"), None).await.expect("a list");
    within().list_members(None).await.expect("a list");
    within().list_groups(None).await.expect("a list");
    within().list_audit_logs(PageQuery::default(), None).await.expect("a page");
    service.list_organizations(&owner, None).await.expect("a list");
    for selection in [json!({"filter": {"owner": "owner"}, "dry_run": true}), json!({"ids": [id]})]
    {
        let selection = serde_json::from_value(selection).expect("a selection");
        assert_eq!(within().revoke_tokens(selection).await.expect("tokens").tokens.len(), 1);
    }
    let credentials = vec![token.reveal().to_owned()];
    service.revoke_leaked(&LeakReport { credentials }).await.expect("nothing to revoke");
    assert_eq!(service.sweep().await.expect("nothing to sweep"), 0);
    within().revoke_token(id).await.expect_err("it is revoked");
    drop(service);
    assert_eq!(sequential_scans().await, before);
}

async fn lists_read_no_tokens_of_other_users(backend: Backend) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Member).await;
    stage.here.mint_token(&bob, &name("ci"), &bound()).await.expect("a token");
    let Stage { here, there, owner, database } = stage;
    drop((here, there));
    let watcher = connect(&database.url).await;
    let add_tokens =
        "INSERT INTO tokens (id, digest, name, user_id, organization_id, scopes, created_at)
         SELECT substr(digest, 1, 16), digest, 't' || number, user_id, organization_id, 0, 0
         FROM members, (SELECT number, sha256(number::text::bytea) AS digest
         FROM generate_series(1, 200000) AS number) AS n WHERE username = 'owner'";
    watcher.batch_execute(add_tokens).await.expect("tokens");
    // From now on the planner knows that most tokens belong to one of few users.
    watcher.batch_execute("VACUUM ANALYZE").await.expect("statistics");
    let rows_read = || sum(&watcher, "idx_tup_read", "pg_stat_user_indexes", "'tokens'");
    let before = rows_read().await;
    let service = Service::new(Store::open(&database.url).await.expect("the same database"));
    let (slug, username) = (acme(), name("bob"));
    let tokens = service.within(&owner, &slug).list_member_tokens(&username, None).await;
    assert_eq!(tokens.expect("a list").items.len(), 1);
    assert_eq!(list_tokens(&service, &bob, None).await.expect("a list").items.len(), 1);
    let tokens = service.list_own_tokens(&bob, None).await;
    assert_eq!(tokens.expect("a list").items.len(), 2);
    drop(service);
    let read = rows_read().await - before;
    assert!(read < 100, "{read} rows");
}

/// A service whose store counts only its own work.
struct Counted {
    service: Service,
    backend: Backend,
}

impl Counted {
    async fn new(stage: &Stage, backend: Backend) -> Self {
        let store = Store::open(&stage.database.url).await.expect("the same database");
        Self { service: Service::new(store), backend }
    }

    /// Requires that `work` costs this number of statements on SQLite, and of round trips on
    /// PostgreSQL.
    async fn costs<T, E: Debug>(
        &self,
        what: &str,
        [statements, round_trips]: [u64; 2],
        work: impl Future<Output = Result<T, E>>,
    ) -> T {
        let counts = || {
            let counts = self.service.store().counts();
            let count = match self.backend {
                Backend::Sqlite => &counts.statements,
                Backend::Postgres => &counts.round_trips,
            };
            count.get()
        };
        let before = counts();
        let value = work.await.expect(what);
        let expected = if self.backend == Backend::Sqlite { statements } else { round_trips };
        assert_eq!(counts() - before, expected, "{what}");
        value
    }
}

/// Mints like a request with a body: first it checks the credential.
async fn mint(
    service: &Service,
    with: &Credential,
    token: &str,
    request: &MintRequest,
) -> orgtokens_server::error::Result<Credential> {
    service.require_may_mint(with).await?;
    let minted = service.mint_token(with, &name(token), request).await?;
    Ok(credential(&minted.token))
}

async fn with_a_group(backend: Backend) -> (Stage, Counted) {
    let stage = Stage::new(backend).await;
    stage.create_group().await;
    stage.member("bob", Role::Member).await;
    mint(&stage.here, &stage.owner, "bound", &bound()).await.expect("a token");
    let counted = Counted::new(&stage, backend).await;
    (stage, counted)
}

async fn each_read_costs_the_listed_statements_and_round_trips(backend: Backend) {
    let (stage, counted) = with_a_group(backend).await;
    let (service, owner, slug) = (&counted.service, &stage.owner, &acme());
    let within = service.within(owner, slug);
    counted.costs("validate", [1, 1], service.validate(owner)).await;
    unrelated_change(&stage.here).await;
    counted.costs("user", [1, 1], service.get_user(owner)).await;
    unrelated_change(&stage.here).await;
    let list = list_tokens(service, owner, None);
    let page = counted.costs("organization tokens", [2, 1], list).await;
    assert_eq!(page.items.len(), 1);
    unrelated_change(&stage.here).await;
    let page = counted.costs("own tokens", [2, 1], service.list_own_tokens(owner, None)).await;
    assert_eq!(page.items.len(), 2);
    unrelated_change(&stage.here).await;
    counted.costs("organizations", [1, 1], service.list_organizations(owner, None)).await;
    counted.costs("organization", [1, 1], within.get()).await;
    unrelated_change(&stage.here).await;
    counted.costs("members", [1, 1], within.list_members(None)).await;
    unrelated_change(&stage.here).await;
    counted.costs("member", [1, 1], within.get_member(&name("bob"))).await;
    unrelated_change(&stage.here).await;
    let bob = name("bob");
    counted.costs("tokens of a member", [1, 1], within.list_member_tokens(&bob, None)).await;
    unrelated_change(&stage.here).await;
    counted.costs("groups", [1, 1], within.list_groups(None)).await;
    unrelated_change(&stage.here).await;
    counted.costs("group", [1, 1], within.get_group(&name("default"))).await;
    unrelated_change(&stage.here).await;
    let page = within.list_audit_logs(PageQuery::default(), None);
    counted.costs("audit logs", [1, 1], page).await;
}

async fn cached_access_costs_no_statement_or_one_round_trip(backend: Backend) {
    let (stage, counted) = with_a_group(backend).await;
    let (service, owner) = (&counted.service, &stage.owner);
    list_tokens(service, owner, None).await.expect("a page");
    counted.costs("the same list", [0, 1], list_tokens(service, owner, None)).await;
    unrelated_change(service).await;
    counted.costs("after another change", [2, 1], list_tokens(service, owner, None)).await;
    // On SQLite a commit of another process may have changed a list without its version.
    unrelated_change(&stage.here).await;
    counted.costs("after one elsewhere", [2, 1], list_tokens(service, owner, None)).await;
    mint(service, owner, "own", &bound()).await.expect("a token");
    counted
        .costs("a list that this server changed", [2, 1], list_tokens(service, owner, None))
        .await;
    mint(&stage.here, owner, "other", &bound()).await.expect("a token");
    counted
        .costs("a list that another server changed", [2, 2], list_tokens(service, owner, None))
        .await;
    service.validate(owner).await.expect("live");
    counted.costs("the same validation", [0, 1], service.validate(owner)).await;
    let (bob, token) = (name("bob"), name("second"));
    Operator(service).mint_token(&bob, &token).await.expect("a token");
    counted.costs("after the mint of another user", [0, 1], service.validate(owner)).await;
    Operator(service).revoke_token(TokenKey::Name(&bob, &token)).await.expect("revoked");
    counted.costs("after the revocation", [0, 1], service.validate(owner)).await;
    mint(service, owner, "third", &bound()).await.expect("a token");
    service.validate(owner).await.expect("live");
    service.revoke_own_token(owner, &name("third")).await.expect("revoked");
    counted.costs("after the revocation of a bound token", [0, 1], service.validate(owner)).await;
}

async fn each_change_costs_the_listed_statements_and_round_trips(backend: Backend) {
    let (stage, counted) = with_a_group(backend).await;
    let (service, owner, slug) = (&counted.service, &stage.owner, &acme());
    let plain = MintRequest::default();
    counted.costs("unrestricted mint", [5, 3], mint(service, owner, "one", &plain)).await;
    let request = bound();
    let key = counted.costs("bound mint", [5, 3], mint(service, owner, "two", &request)).await;
    // The access is cached: a bound mint does not invalidate the user.
    counted.costs("group mint", [4, 3], mint(service, owner, "three", &grouped())).await;

    let (one, two) = (name("one"), service.authenticate(&key).await.expect("live").token);
    counted.costs("revoke own", [5, 3], service.revoke_own_token(owner, &one)).await;
    let revoke = service.within(owner, slug).revoke_token(two);
    counted.costs("revoke by id", [4, 2], revoke).await;

    stage.member("carol", Role::Member).await;
    let carol = &name("carol");
    let update = service.within(owner, slug).update_member(carol, Role::Admin);
    counted.costs("update member", [4, 2], update).await;
    counted.costs("remove member", [5, 3], service.within(owner, slug).remove_member(carol)).await;
    let add = service.within(owner, slug).add_member(carol, Role::Viewer);
    counted.costs("add member", [4, 2], add).await;

    let create = service.within(owner, slug).create_group(name("other"), name("lhr"));
    counted.costs("create group", [4, 2], create).await;
    counted
        .costs("delete group", [5, 3], service.within(owner, slug).delete_group(&name("other")))
        .await;
}

async fn quotas_add_one_statement_and_one_round_trip_to_a_mint(backend: Backend) {
    let (stage, mut counted) = with_a_group(backend).await;
    let (most, owner, request) = (NonZeroU32::new(9), &stage.owner, &bound());
    for (token, per_user, per_organization) in
        [("one", most, None), ("two", None, most), ("three", most, most)]
    {
        counted.service = counted.service.with_mint_policy(MintPolicy {
            max_tokens_per_user: per_user,
            max_tokens_per_organization: per_organization,
            ..MintPolicy::default()
        });
        let minted = mint(&counted.service, owner, token, request);
        counted.costs("bound mint", [6, 4], minted).await;
    }
}

async fn a_cascade_of_many_tokens_costs_as_much_as_of_one(backend: Backend) {
    let (stage, counted) = with_a_group(backend).await;
    let (service, owner, slug) = (&counted.service, &stage.owner, &acme());
    let carol = stage.member("carol", Role::Admin).await;
    for number in 0..300 {
        let request = if number % 2 == 0 { bound() } else { grouped() };
        mint(&stage.here, &carol, &format!("t{number}"), &request).await.expect("a token");
    }
    assert_eq!(stage.bound_tokens().await, 301);
    let group = &name("default");
    counted.costs("delete group", [5, 3], service.within(owner, slug).delete_group(group)).await;
    assert_eq!(stage.bound_tokens().await, 151);
    let carol = &name("carol");
    counted.costs("remove member", [5, 3], service.within(owner, slug).remove_member(carol)).await;
    assert_eq!(stage.bound_tokens().await, 1);

    let all = PageQuery { page_size: 303, ..PageQuery::default() };
    let logged = Operator(service).list_audit_logs(Some(slug), all).await.expect("a page");
    let messages: Vec<_> =
        logged.audit_logs.iter().rev().map(|entry| entry.message.as_str()).collect();
    assert_eq!(messages[1], "revoked token t1 of carol (group-delete)");
    assert_eq!(messages[150], "revoked token t299 of carol (group-delete)");
    assert_eq!(messages[151], "deleted group default");
    assert_eq!(messages[152], "revoked token t0 of carol (org-member-rm)");
    assert_eq!(messages[302], "removed carol");
    require_intact_audit_log(service).await;
}
