//! Cached answers are the same as answers from the database, after every change of any server.

use crate::stage::{Backend, Stage, acme, bound, credential, list_tokens, name, trials};
use futures::future::join_all;
use libtest_mimic::Trial;
use orgtokens_server::caller::{Credential, Role};
use orgtokens_server::error::Error;
use orgtokens_server::name::Name;
use orgtokens_server::records::MintRequest;
use orgtokens_server::scope::RequestedScope;
use orgtokens_server::service::{Operator, Service};
use orgtokens_server::store::{Store, TokenKey};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

pub fn trials() -> Vec<Trial> {
    let mut trials = trials!(
        Backend::BOTH,
        a_revoked_token_is_refused_at_once_by_every_server,
        each_kind_of_change_is_seen_at_once_by_the_server_that_makes_it,
        cached_answers_are_the_same_as_those_of_a_new_server;
        [Backend::Sqlite],
        a_change_by_hand_is_seen_after_a_transaction_without_a_change,
    );
    // cargo nextest run -p orgtokens-server --test store --run-ignored only rounds
    let long = trials!(Backend::BOTH, no_answer_is_outdated_in_10_000_rounds);
    trials.extend(long.into_iter().map(|trial| trial.with_ignored_flag(true)));
    trials
}

async fn a_revoked_token_is_refused_at_once_by_every_server(backend: Backend) {
    alternate(backend, 200).await;
}

async fn no_answer_is_outdated_in_10_000_rounds(backend: Backend) {
    alternate(backend, 10_000).await;
}

/// Mints, uses and revokes a token in each round, each on one server or the other.
async fn alternate(backend: Backend, rounds: u32) {
    let stage = Stage::new(backend).await;
    let both = [&stage.here, &stage.there];
    let token = name("round");
    for round in 0..rounds {
        let [minting, revoking] = [round, round / 2].map(|bits| both[bits as usize % 2]);
        let minted = minting.mint_token(&stage.owner, &token, &bound()).await.expect("a token");
        for service in both {
            let key = credential(&minted.token);
            service.validate(&key).await.expect("a live token");
            let page = list_tokens(service, &key, None).await.expect("a page");
            let listed = page.items.iter().map(|item| item["id"].clone()).collect::<Vec<_>>();
            assert_eq!(listed, [minted.id.to_string()], "round {round}");
        }
        revoking.revoke_own_token(&stage.owner, &token).await.expect("revoked");
        for service in both {
            let key = credential(&minted.token);
            let refused = service.validate(&key).await;
            assert!(matches!(refused, Err(Error::DeadCredential)), "round {round}: {refused:?}");
            let refused = list_tokens(service, &key, None).await;
            assert!(matches!(refused, Err(Error::DeadCredential)), "round {round}: {refused:?}");
            let page = list_tokens(service, &stage.owner, None).await.expect("a page");
            assert!(page.items.is_empty(), "round {round}");
        }
    }
}

/// A change that affects what bob may do.
#[derive(Clone, Copy, Debug)]
enum Change {
    Mint(u8),
    MintForGroup(u8),
    Revoke(u8),
    SetRole(Role),
    Remove,
    AddGroup,
    DeleteGroup,
    Disable,
    Enable,
    RevokeById,
    RemoveUser,
}

fn grouped() -> MintRequest {
    let scopes = Some(vec![RequestedScope::Read]);
    MintRequest { group: Some(name("group")), scopes, ..bound() }
}

/// A request, and changes after each of which it is sent. Each change has its server and its
/// author.
fn cases() -> impl Strategy<Value = (Request, Vec<(Change, bool, bool)>)> {
    let change = prop_oneof![
        any::<u8>().prop_map(|number| Change::Mint(number % 4)),
        any::<u8>().prop_map(|number| Change::MintForGroup(number % 4)),
        any::<u8>().prop_map(|number| Change::Revoke(number % 4)),
        any::<u8>().prop_map(|number| Change::SetRole(Role::ALL[usize::from(number) % 4])),
        Just(Change::Remove),
        Just(Change::AddGroup),
        Just(Change::DeleteGroup),
        Just(Change::Disable),
        Just(Change::Enable),
    ];
    (select(&Request::ALL), vec((change, any::<bool>(), any::<bool>()), 1..12))
}

async fn cached_answers_are_the_same_as_those_of_a_new_server(backend: Backend) {
    let count = if backend == Backend::Sqlite { 48 } else { 6 };
    let mut runner = TestRunner::new(Config { cases: count, ..Config::default() });
    let compare = |(request, changes): (Request, Vec<(Change, bool, bool)>)| {
        let compared = compare_after(backend, request, &changes);
        block_in_place(|| Handle::current().block_on(compared));
        Ok(())
    };
    runner.run(&cases(), compare).expect("no difference");
}

/// Compares the answers of two servers with the answers of a new server, after each change.
async fn compare_after(backend: Backend, request: Request, changes: &[(Change, bool, bool)]) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Member).await;
    for (change, is_here, is_by_bob) in changes {
        let service = if *is_here { &stage.here } else { &stage.there };
        let author = if *is_by_bob { &bob } else { &stage.owner };
        // Many changes are refused, such as the second of two equal ones.
        let _ = apply(*change, service, author).await;
        let new = Service::new(Store::open(&stage.database.url).await.expect("the database"));
        for caller in [&stage.owner, &bob] {
            let expected = answer(&new, caller, request).await;
            for service in [&stage.here, &stage.there] {
                // The second answer may be cached.
                for _ in 0..2 {
                    assert_eq!(answer(service, caller, request).await, expected, "{change:?}");
                }
            }
        }
    }
}

/// Makes each kind of change on one server. Each must change an answer that this server has cached.
async fn each_kind_of_change_is_seen_at_once_by_the_server_that_makes_it(backend: Backend) {
    for request in Request::ALL {
        make_every_change(&Stage::new(backend).await, request).await;
    }
}

async fn make_every_change(stage: &Stage, request: Request) {
    const LIST: &[Request] = &[Request::Tokens];
    const BUT_VALIDATION: &[Request] = &[Request::Tokens, Request::Organization];
    let bob = stage.member("bob", Role::Admin).await;
    let mint = async |token, request| {
        let minted = stage.here.mint_token(&bob, &name(token), request).await;
        credential(&minted.expect("a token").token)
    };
    let owner = &stage.owner;
    apply(Change::AddGroup, &stage.here, owner).await.expect("a group");
    let callers = [
        owner,
        &bob,
        &mint("first-bound", &bound()).await,
        &mint("bound", &bound()).await,
        &mint("grouped", &grouped()).await,
    ];
    let all = async |service: &Service| {
        join_all(callers.map(|caller| answer(service, caller, request))).await
    };
    for (change, shows_in) in [
        (Change::Mint(0), LIST),
        (Change::Revoke(0), LIST),
        (Change::SetRole(Role::Member), LIST),
        (Change::DeleteGroup, &Request::ALL),
        (Change::Disable, &Request::ALL),
        (Change::Enable, &Request::ALL),
        (Change::RevokeById, &Request::ALL),
        (Change::Remove, &Request::ALL),
        (Change::SetRole(Role::Owner), BUT_VALIDATION),
        (Change::RemoveUser, &Request::ALL),
    ] {
        let before = all(&stage.here).await;
        apply(change, &stage.here, owner).await.expect("a change");
        let after = all(&stage.here).await;
        assert_eq!(after != before, shows_in.contains(&request), "{change:?}");
        let new = Service::new(Store::open(&stage.database.url).await.expect("the database"));
        assert_eq!(after, all(&new).await, "{change:?}");
    }
}

/// A transaction without a change publishes no commit, so it must not hide a commit of another
/// process.
async fn a_change_by_hand_is_seen_after_a_transaction_without_a_change(backend: Backend) {
    let stage = Stage::new(backend).await;
    apply(Change::Mint(0), &stage.here, &stage.owner).await.expect("a token");
    let list = async || list_tokens(&stage.here, &stage.owner, None).await.expect("a page").items;
    assert_eq!(list().await[0]["name"], "token-0");
    let same = Operator(&stage.here).set_member(&acme(), &name("owner"), Role::Owner).await;
    same.expect("the same role");
    let other = rusqlite::Connection::open(stage.path()).expect("a connection");
    other
        .execute("UPDATE tokens SET name = 'by-hand' WHERE name = 'token-0'", [])
        .expect("a change");
    assert_eq!(list().await[0]["name"], "by-hand");
}

/// A request. Only the last answer for a credential is cached, so each test sends only one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Tokens,
    Validation,
    Organization,
}

impl Request {
    const ALL: [Self; 3] = [Self::Tokens, Self::Validation, Self::Organization];
}

async fn answer(service: &Service, caller: &Credential, request: Request) -> String {
    match request {
        Request::Tokens => format!("{:?}", list_tokens(service, caller, None).await),
        Request::Validation => format!("{:?}", service.validate(caller).await),
        Request::Organization => format!("{:?}", service.within(caller, &acme()).get().await),
    }
}

async fn apply(
    change: Change,
    service: &Service,
    author: &Credential,
) -> orgtokens_server::error::Result<()> {
    let (slug, bob, group, operator) = (acme(), name("bob"), name("group"), Operator(service));
    let within = service.within(author, &slug);
    let token = |number: u8| -> Name { name(&format!("token-{number}")) };
    match change {
        Change::Mint(number) => {
            service.mint_token(author, &token(number), &bound()).await.map(drop)
        }
        Change::MintForGroup(number) => {
            service.mint_token(author, &token(number), &grouped()).await.map(drop)
        }
        Change::Revoke(number) => service.revoke_own_token(author, &token(number)).await,
        Change::SetRole(role) => operator.set_member(&slug, &bob, role).await.map(drop),
        Change::Remove => within.remove_member(&bob).await,
        Change::AddGroup => within.create_group(group, name("lhr")).await.map(drop),
        Change::DeleteGroup => within.delete_group(&group).await.map(drop),
        Change::Disable => operator.disable_user(&bob).await.map(drop),
        Change::Enable => operator.enable_user(&bob).await.map(drop),
        Change::RevokeById => {
            operator.revoke_token(TokenKey::Name(&bob, &name("bound"))).await.map(drop)
        }
        Change::RemoveUser => operator.remove_user(&bob).await.map(drop),
    }
}
