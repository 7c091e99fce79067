//! Mints, each durable before it is answered, and what they are compared with: bare commits.

use super::throughput;
use crate::contender::{Host, Sample};
use crate::database::BoundToken;
use crate::load::client::Load;
use crate::process;
use crate::world::World;
use anyhow::Result;
use rusqlite::Connection;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Counts the runs, so that each mints tokens with names of its own.
static RUN: AtomicUsize = AtomicUsize::new(0);

/// Measures as many mints as some clients can send. Each mints in one organization after the other.
pub fn mints(world: &mut World<'_>, host: Host, clients: usize, seconds: u64) -> Result<Sample> {
    let work = world.database(host)?.work.clone();
    let server = world.server(host)?;
    let load = Load {
        address: server.address,
        connections: clients,
        rate: None,
        duration: Duration::from_secs(seconds),
    };
    let mut turns = Turns::new(&work, clients);
    let before = server.process.cpu()?;
    let answers = load.run(|client, request| {
        let (name, bound) = turns.next(client, 1);
        mint(request, &name, bound);
    })?;
    let cpu = server.process.cpu()? - before;
    Ok(throughput(answers.per_second(), cpu, answers.count()))
}

/// Returns a writer of changes: each client mints a token, then revokes it.
pub fn mint_and_revoke(
    work: &[BoundToken],
    clients: usize,
) -> impl FnMut(usize, &mut Vec<u8>) + use<'_> {
    let mut turns = Turns::new(work, clients);
    move |client, request| {
        let is_mint = turns.counts[client].is_multiple_of(2);
        let (name, bound) = turns.next(client, 2);
        if is_mint { mint(request, &name, bound) } else { revoke(request, &name, bound) }
    }
}

/// What each client does next.
struct Turns<'a> {
    work: &'a [BoundToken],
    run: usize,
    counts: Vec<usize>,
}

impl<'a> Turns<'a> {
    fn new(work: &'a [BoundToken], clients: usize) -> Self {
        Self { work, run: RUN.fetch_add(1, Ordering::Relaxed), counts: vec![0; clients] }
    }

    /// Returns a name, and a token of an organization. Both change every `times` calls.
    fn next(&mut self, client: usize, times: usize) -> (String, &'a BoundToken) {
        let turn = self.counts[client] / times;
        self.counts[client] += 1;
        let organization = (turn * self.counts.len() + client) % self.work.len();
        (format!("m{}-{client}-{turn}", self.run), &self.work[organization])
    }
}

fn mint(request: &mut Vec<u8>, name: &str, BoundToken { slug, token }: &BoundToken) {
    let body = format!(r#"{{"organization":"{slug}"}}"#);
    let _ = write!(
        request,
        "POST /v1/auth/api-tokens/{name} HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
}

fn revoke(request: &mut Vec<u8>, name: &str, BoundToken { token, .. }: &BoundToken) {
    let _ = write!(
        request,
        "DELETE /v1/auth/api-tokens/{name} HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
}

/// Measures commits of one row each by one writer, as durable as the service's.
pub fn commits(world: &World<'_>, seconds: u64) -> Result<Sample> {
    let connection = Connection::open(world.path("commits.db"))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute("CREATE TABLE IF NOT EXISTS texts (text TEXT NOT NULL) STRICT", [])?;
    let mut insert = connection.prepare("INSERT INTO texts (text) VALUES (?1)")?;
    let (before, start, mut count) = (process::own_cpu()?, Instant::now(), 0_u32);
    while start.elapsed() < Duration::from_secs(seconds) {
        insert.execute(["a row of some length, such as that of a token in its table"])?;
        count += 1;
    }
    let per_second = f64::from(count) / start.elapsed().as_secs_f64();
    Ok(throughput(per_second, process::own_cpu()? - before, count.into()))
}
