//! Two servers over one database, round by round. Only their answers count:
//! what is in the database is not looked at.

use super::instance::{Instance, init};
use super::{Figure, Result};
use crate::postgres::Cluster;
use std::sync::Barrier;
use std::thread;

const ROUNDS: usize = 50;
const MINTS: usize = 12;

/// Mint here, use there, revoke there, use here; then the other way round.
pub fn alternate() -> Result<Figure> {
    let cluster = Cluster::start()?;
    let owner = init(&cluster.url())?;
    let servers = [Instance::start(&cluster.url(), 16)?, Instance::start(&cluster.url(), 16)?];
    let wrong = (0..ROUNDS).filter(|round| {
        let (here, there) = (&servers[round % 2], &servers[(round + 1) % 2]);
        let name = format!("round-{round}");
        let (minted, token) = here.mint(&owner, &name);
        let token = token.unwrap_or_default();
        let used = there.validate(&token);
        let revoked = there.revoke(&owner, &name);
        [minted, used, revoked, here.validate(&token)] != [200, 200, 200, 401]
    });
    let wrong = wrong.count();
    Ok(Figure { counted: format!("{ROUNDS} rounds, {wrong} wrong"), holds: wrong == 0 })
}

/// Everybody mints the same name at the same moment.
pub fn race() -> Result<Figure> {
    let cluster = Cluster::start()?;
    let owner = init(&cluster.url())?;
    let servers = [Instance::start(&cluster.url(), 16)?, Instance::start(&cluster.url(), 16)?];
    let (mut wrong, mut last) = (0, Vec::new());
    for round in 0..ROUNDS {
        last = mint_at_once(&servers, &owner, &format!("name-{round}"));
        let count = |status| last.iter().filter(|found| **found == status).count();
        wrong += usize::from((count(200), count(409)) != (1, MINTS - 1));
    }
    last.sort_unstable();
    let counted = format!("{ROUNDS} times, {wrong} wrong; the last time {last:?}");
    Ok(Figure { counted, holds: wrong == 0 })
}

fn mint_at_once(servers: &[Instance; 2], owner: &str, name: &str) -> Vec<u16> {
    let start = &Barrier::new(MINTS);
    thread::scope(|scope| {
        let mints: Vec<_> = (0..MINTS)
            .map(|number| {
                scope.spawn(move || {
                    start.wait();
                    servers[number % 2].mint(owner, name).0
                })
            })
            .collect();
        mints.into_iter().map(|mint| mint.join().unwrap_or(0)).collect()
    })
}
