//! One server that has too little, or no, database. It counts what clients hear
//! and how late; it is no benchmark, and never reads the database.

use super::instance::{Instance, init};
use super::{Figure, Result};
use crate::postgres::Cluster;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 64;
const POOL: u32 = 4;
const LASTS: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(2);

/// What many clients heard.
#[derive(Default)]
struct Heard {
    statuses: BTreeMap<u16, usize>,
    slowest: Duration,
}

/// Reads and writes from many clients at once. In the middle the tokens are locked twice, as a
/// migration or a careless administrator would, so that there is no connection to be had.
pub fn crowd() -> Result<Figure> {
    let cluster = Cluster::start()?;
    let owner = init(&cluster.url())?;
    let server = Instance::start(&cluster.url(), POOL)?;
    let heard = Mutex::new(Heard::default());
    let until = Instant::now() + LASTS;
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, owner, heard) = (&server, &owner, &heard);
            scope.spawn(move || visit(server, owner, client, until, heard));
        }
        thread::sleep(LASTS / 4);
        let lock =
            "BEGIN; LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.1); COMMIT";
        cluster.run(&[lock])?;
        thread::sleep(LASTS / 4);
        cluster.run(&[lock])
    })?;
    let Heard { statuses, slowest } = heard.into_inner().unwrap_or_default();
    let holds = slowest <= LIMIT && statuses.keys().all(|status| [200, 503].contains(status));
    Ok(Figure { counted: format!("answers {statuses:?}, the slowest in {slowest:.2?}"), holds })
}

fn visit(server: &Instance, owner: &str, client: usize, until: Instant, heard: &Mutex<Heard>) {
    let mut round = 0;
    while Instant::now() < until {
        round += 1;
        let name = format!("client-{client}-{round}");
        let asked: [&dyn Fn() -> u16; 3] =
            [&|| server.mint(owner, &name).0, &|| server.validate(owner), &|| server.list(owner)];
        for ask in asked {
            let started = Instant::now();
            let status = ask();
            let took = started.elapsed();
            if let Ok(mut heard) = heard.lock() {
                *heard.statuses.entry(status).or_default() += 1;
                heard.slowest = heard.slowest.max(took);
            }
        }
        server.revoke(owner, &name);
    }
}

/// The database is killed and started again under a server that goes on.
pub fn restart() -> Result<Figure> {
    let mut cluster = Cluster::start()?;
    let owner = init(&cluster.url())?;
    let server = Instance::start(&cluster.url(), POOL)?;
    server.wait_for(&owner, 200)?;
    cluster.kill()?;
    let without = server.validate(&owner);
    cluster.resume()?;
    let back = server.wait_for(&owner, 200)?;
    let counted = format!("{without} without it, 200 again {back:.2?} after it was back");
    Ok(Figure { counted, holds: without == 503 })
}
