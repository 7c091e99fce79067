//! One server with too few database connections, or none. Not a benchmark: it checks the statuses of
//! the answers and how long the slowest one takes.

use super::{Server, start_cluster, under_load};
use crate::support::{PATIENCE, eventually};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const CLIENTS: usize = 64;
const SMALL_POOL: u32 = 4;
const DEFAULT_POOL: u32 = 16;
/// How many answers the clients receive before, between and after the locks.
const ANSWERS: usize = 500;
const LIMIT: Duration = Duration::from_secs(2);
/// Locks the table of tokens, as a migration would. Until it ends, no connection becomes free.
const LOCK: &str =
    "BEGIN; LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.1); COMMIT";

/// The answers to the clients.
#[derive(Default)]
struct Answers {
    statuses: BTreeMap<u16, usize>,
    slowest: Duration,
}

#[test]
#[ignore = "takes minutes: cargo nextest run -p orgtokens-server --run-ignored only -j1 failover"]
fn with_a_pool_of_4_and_locked_tokens_64_clients_receive_200_or_503_within_2_seconds() {
    ask_while_tokens_are_locked(SMALL_POOL);
}

#[test]
#[ignore = "takes minutes: cargo nextest run -p orgtokens-server --run-ignored only -j1 failover"]
fn with_a_pool_of_16_and_locked_tokens_64_clients_receive_200_or_503_within_2_seconds() {
    ask_while_tokens_are_locked(DEFAULT_POOL);
}

fn ask_while_tokens_are_locked(pool_size: u32) {
    let (cluster, owner) = start_cluster();
    let server = Server::start(&cluster.url(), &owner, pool_size);
    let answers = Mutex::new(Answers::default());
    let call = |client, round| call_all(&server, &format!("client-{client}-{round}"), &answers);
    under_load(CLIENTS, call, || {
        wait_for_more(&answers);
        for _ in 0..2 {
            cluster.execute(&[LOCK]).unwrap();
            wait_for_more(&answers);
        }
    });
    let Answers { statuses, slowest } = answers.into_inner().unwrap();
    println!("answers {statuses:?}, the slowest in {slowest:.2?}");
    assert!(statuses.keys().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert!(slowest <= LIMIT, "{slowest:?}");
}

/// Mints, validates and lists, each timed, and revokes what was minted.
fn call_all(server: &Server, name: &str, answers: &Mutex<Answers>) {
    let calls: [&dyn Fn() -> u16; 3] = [
        &|| server.mint(name).map_or_else(|status| status, |_| 200),
        &|| server.validate(&server.owner),
        &|| server.list(),
    ];
    for call in calls {
        let started = Instant::now();
        let status = call();
        let elapsed = started.elapsed();
        let mut answers = answers.lock().unwrap();
        *answers.statuses.entry(status).or_default() += 1;
        answers.slowest = answers.slowest.max(elapsed);
    }
    server.revoke(name);
}

fn wait_for_more(answers: &Mutex<Answers>) {
    let count = || answers.lock().unwrap().statuses.values().sum::<usize>();
    let enough = count() + ANSWERS;
    assert!(eventually(PATIENCE, || count() >= enough), "the clients receive too few answers");
}

#[test]
#[ignore = "takes minutes: cargo nextest run -p orgtokens-server --run-ignored only -j1 failover"]
fn a_server_without_its_database_answers_503_until_the_database_is_back() {
    let (mut cluster, owner) = start_cluster();
    let server = Server::start(&cluster.url(), &owner, SMALL_POOL);
    server.wait_until_ready();
    cluster.kill().unwrap();
    let without = server.validate(&owner);
    cluster.restart().unwrap();
    let recovery = server.wait_until_ready();
    println!("{without} without the database, 200 again {recovery:.2?} after it was back");
    assert_eq!(without, 503);
}
