//! A primary with a synchronous standby that freezes, or that is promoted. Only acknowledged
//! changes are checked: a change without a clear answer may or may not have happened.

use super::{Server, start_cluster, under_load};
use crate::support::{PATIENCE, eventually};
use postgres_cluster::Cluster;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const WRITERS: usize = 8;
/// How many changes are acknowledged before the primary is killed, and again after the promotion.
const CHANGES: usize = 300;

/// A primary with a synchronous standby, and a server with both in its URL.
struct Replicated {
    primary: Cluster,
    standby: Cluster,
    server: Server,
}

impl Replicated {
    fn start() -> Self {
        let (primary, owner) = start_cluster();
        let standby = Cluster::standby_of(&primary, "second").unwrap();
        primary
            .execute(&[
                "ALTER SYSTEM SET synchronous_standby_names = 'second'",
                "SELECT pg_reload_conf()",
            ])
            .unwrap();
        let state = || primary.execute(&["SELECT sync_state FROM pg_stat_replication"]).unwrap();
        assert!(eventually(PATIENCE, || state().trim() == "sync"), "the standby does not follow");
        let url = Cluster::url_of(&[&primary, &standby], "postgres");
        Self { server: Server::start(&url, &owner, 16), primary, standby }
    }
}

#[test]
#[ignore = "takes minutes: cargo nextest run -p orgtokens-server --run-ignored only -j1 failover"]
fn while_the_standby_is_frozen_a_mint_receives_503_and_reads_still_work() {
    let Replicated { server, standby, primary: _primary } = Replicated::start();
    standby.signal("-STOP").unwrap();
    let started = Instant::now();
    let frozen = server.mint("frozen");
    let (elapsed, read) = (started.elapsed(), server.validate(&server.owner));
    standby.signal("-CONT").unwrap();
    let resumed = server.mint("resumed");
    println!("a mint {frozen:?} after {elapsed:.1?}, a read meanwhile {read}");
    assert_eq!((frozen, read), (Err(503), 200));
    assert!(resumed.is_ok(), "{resumed:?}");
}

/// The answers to the writers: the tokens of acknowledged changes, and the number of other answers.
#[derive(Default)]
struct Changes {
    minted: Vec<String>,
    revoked: Vec<String>,
    refused: usize,
}

impl Changes {
    fn acknowledged(&self) -> usize {
        self.minted.len() + self.revoked.len()
    }
}

#[test]
#[ignore = "takes minutes: cargo nextest run -p orgtokens-server --run-ignored only -j1 failover"]
fn killing_the_primary_under_8_writers_loses_no_acknowledged_mint_or_revocation() {
    for round in 0..ROUNDS {
        let mut replicated = Replicated::start();
        let (Changes { minted, revoked, refused }, outage) = fail_over(&mut replicated);
        let server = &replicated.server;
        let lost = minted.iter().filter(|token| server.validate(token) != 200).count();
        let undone = revoked.iter().filter(|token| server.validate(token) != 401).count();
        println!(
            "round {round}: {} acknowledged mints, {lost} lost; {} acknowledged revocations, \
             {undone} undone; {refused} refused; 200 again {outage:.2?} after the promotion",
            minted.len(),
            revoked.len(),
        );
        assert!(!minted.is_empty() && !revoked.is_empty());
        assert_eq!((lost, undone), (0, 0));
    }
}

/// Kills the primary under writers and promotes its standby. Returns how long no read succeeded.
fn fail_over(replicated: &mut Replicated) -> (Changes, Duration) {
    let Replicated { primary, standby, server } = replicated;
    let changes = Mutex::new(Changes::default());
    let write = |writer, round| write(server, &format!("writer-{writer}-{round}"), round, &changes);
    let outage = under_load(WRITERS, write, || {
        wait_for_more(&changes);
        primary.kill().unwrap();
        standby.promote().unwrap();
        let outage = server.wait_until_ready();
        wait_for_more(&changes);
        outage
    });
    (changes.into_inner().unwrap(), outage)
}

/// Mints a token, and revokes it in every other round.
fn write(server: &Server, name: &str, round: usize, changes: &Mutex<Changes>) {
    let minted = server.mint(name);
    let is_revoked = minted.is_ok() && round % 2 == 1 && server.revoke(name) == 200;
    let mut changes = changes.lock().unwrap();
    match minted {
        Ok(token) if round.is_multiple_of(2) => changes.minted.push(token),
        Ok(token) if is_revoked => changes.revoked.push(token),
        _ => changes.refused += 1,
    }
}

fn wait_for_more(changes: &Mutex<Changes>) {
    let count = || changes.lock().unwrap().acknowledged();
    let enough = count() + CHANGES;
    assert!(eventually(PATIENCE, || count() >= enough), "the writers get too little acknowledged");
}
