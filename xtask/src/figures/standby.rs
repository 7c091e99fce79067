//! A primary with a synchronous standby, which freezes, or takes over. Only
//! what was acknowledged is looked for; what got no clear answer counts for
//! nothing.

use super::instance::{Instance, init};
use super::{Figure, Result, failed};
use crate::postgres::Cluster;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const WRITERS: usize = 8;
/// How long is written before the primary is killed, and after its standby has taken over.
const LASTS: Duration = Duration::from_secs(3);

/// A primary that acknowledges what its standby has, a server that knows both, and its owner.
struct Pair {
    primary: Cluster,
    standby: Cluster,
    server: Instance,
    owner: String,
}

impl Pair {
    fn start() -> Result<Self> {
        let primary = Cluster::start()?;
        let owner = init(&primary.url())?;
        let standby = Cluster::standby_of(&primary, "second")?;
        primary.run(&[
            "ALTER SYSTEM SET synchronous_standby_names = 'second'",
            "SELECT pg_reload_conf()",
        ])?;
        let deadline = Instant::now() + Duration::from_secs(30);
        while primary.run(&["SELECT sync_state FROM pg_stat_replication"])?.trim() != "sync" {
            if Instant::now() > deadline {
                return Err(failed("the standby", "it does not follow"));
            }
            thread::sleep(Duration::from_millis(50));
        }
        let url = Cluster::url_of(&[&primary, &standby], "postgres");
        Ok(Self { server: Instance::start(&url, 16)?, primary, standby, owner })
    }
}

/// While the standby is frozen no change can be confirmed, and everything else goes on.
pub fn freeze() -> Result<Figure> {
    let pair = Pair::start()?;
    pair.standby.signal("-STOP")?;
    let started = Instant::now();
    let frozen = pair.server.mint(&pair.owner, "frozen").0;
    let (took, read) = (started.elapsed(), pair.server.validate(&pair.owner));
    pair.standby.signal("-CONT")?;
    let thawed = pair.server.mint(&pair.owner, "thawed").0;
    let counted = format!(
        "a mint {frozen} after {took:.1?}, a read meanwhile {read}, a mint afterwards {thawed}"
    );
    Ok(Figure { counted, holds: (frozen, read, thawed) == (503, 200, 200) })
}

/// What the writers were told.
#[derive(Default)]
struct Told {
    minted: Vec<String>,
    revoked: Vec<String>,
    refused: usize,
}

/// What one round, or all of them, counted.
#[derive(Default)]
struct Count {
    minted: usize,
    lost: usize,
    revoked: usize,
    undone: usize,
    refused: usize,
    outage: Duration,
}

/// The primary dies with everything that it did not send; whatever was acknowledged is there.
pub fn fail_over() -> Result<Figure> {
    let mut sum = Count::default();
    for _ in 0..ROUNDS {
        let round = fail_over_once()?;
        sum.minted += round.minted;
        sum.lost += round.lost;
        sum.revoked += round.revoked;
        sum.undone += round.undone;
        sum.refused += round.refused;
        sum.outage = sum.outage.max(round.outage);
    }
    let Count { minted, lost, revoked, undone, refused, outage } = sum;
    let counted = format!(
        "{ROUNDS} rounds, {minted} acknowledged mints, {lost} lost; {revoked} acknowledged \
         revokes, {undone} undone; {refused} refused; 200 again {outage:.2?} after the promotion \
         at the latest"
    );
    Ok(Figure { counted, holds: minted > 0 && revoked > 0 && lost == 0 && undone == 0 })
}

fn fail_over_once() -> Result<Count> {
    let Pair { mut primary, standby, server, owner } = Pair::start()?;
    let is_over = AtomicBool::new(false);
    let (told, outage) = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn({
                    let (server, owner, is_over) = (&server, &owner, &is_over);
                    move || write(server, owner, writer, is_over)
                })
            })
            .collect();
        let outage = take_over(&mut primary, &standby, &server, &owner);
        is_over.store(true, Ordering::SeqCst);
        let told: Vec<_> = writers.into_iter().filter_map(|writer| writer.join().ok()).collect();
        outage.map(|outage| (told, outage))
    })?;
    Ok(verify(&server, &told, outage))
}

fn take_over(
    primary: &mut Cluster,
    standby: &Cluster,
    server: &Instance,
    owner: &str,
) -> Result<Duration> {
    thread::sleep(LASTS);
    primary.kill()?;
    standby.promote()?;
    let outage = server.wait_for(owner, 200)?;
    thread::sleep(LASTS);
    Ok(outage)
}

/// Mints, and revokes every other token. What got no clear answer counts for nothing.
fn write(server: &Instance, owner: &str, writer: usize, is_over: &AtomicBool) -> Told {
    let (mut told, mut number) = (Told::default(), 0);
    while !is_over.load(Ordering::SeqCst) {
        number += 1;
        let name = format!("writer-{writer}-{number}");
        let Some(token) = server.mint(owner, &name).1 else {
            told.refused += 1;
            continue;
        };
        if number % 2 == 0 {
            told.minted.push(token);
        } else if server.revoke(owner, &name) == 200 {
            told.revoked.push(token);
        } else {
            told.refused += 1;
        }
    }
    told
}

fn verify(server: &Instance, told: &[Told], outage: Duration) -> Count {
    let mut count = Count { outage, ..Count::default() };
    for Told { minted, revoked, refused } in told {
        count.minted += minted.len();
        count.lost += minted.iter().filter(|token| server.validate(token) != 200).count();
        count.revoked += revoked.len();
        count.undone += revoked.iter().filter(|token| server.validate(token) != 401).count();
        count.refused += refused;
    }
    count
}
