//! Mints, each durable before it is answered, and what they are compared with: bare commits.

use super::throughput;
use crate::contender::{Host, Sample};
use crate::database::BoundToken;
use crate::load::client::Load;
use crate::process;
use crate::world::World;
use anyhow::{Context, Result};
use chrono::DateTime;
use orgtokens_server::token::TokenId;
use rusqlite::{Connection, params};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

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
    let connection = connect(&world.path("commits.db"))?;
    connection.execute("CREATE TABLE IF NOT EXISTS texts (text TEXT NOT NULL) STRICT", [])?;
    let mut insert = connection.prepare("INSERT INTO texts (text) VALUES (?1)")?;
    write(seconds, || {
        insert.execute(["a row of some length, such as that of a token in its table"])?;
        Ok(1)
    })
}

/// Measures what one writer without a server writes for mints, with this number in each commit: a
/// token, an audit entry, and the end of the audit chain.
pub fn rows(world: &mut World<'_>, per_commit: u32, seconds: u64) -> Result<Sample> {
    let path = world.path("rows.db");
    if !path.exists() {
        world.copy_database(&path)?;
    }
    let connection = connect(&path)?;
    let mut work = connection.prepare(
        "SELECT o.id, m.user_id FROM organizations o JOIN members m ON m.organization_id = o.id
         WHERE o.slug LIKE 'work-%' ORDER BY o.id",
    )?;
    let work = work.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut work = work.collect::<Result<Vec<(i64, i64)>, _>>()?.into_iter().cycle();
    let mut token = connection.prepare(
        "INSERT INTO tokens (id, digest, name, user_id, organization_id, scopes, created_at)
         VALUES (?1, randomblob(32), ?2, ?3, ?4, 0, ?5)",
    )?;
    let mut head = connection.prepare(
        "UPDATE organizations SET entries = entries + 1, hash = randomblob(32) WHERE id = ?1",
    )?;
    let mut entry = connection.prepare(
        "INSERT INTO audit_log
         (organization_id, origin, author, created_at, sequence, code, message, data, hash)
         SELECT id, 'web', 'user-00', ?2, entries, 'user-token-create', ?3,
         json_object('acting_token', json_object('id', hex(?4), 'name', ?3),
         'token', json_object('id', hex(?4), 'name', ?3, 'organization', slug)), hash
         FROM organizations WHERE id = ?1",
    )?;
    write(seconds, || {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..per_commit {
            let (organization, user) = work.next().context("there is no organization")?;
            let time = DateTime::from(SystemTime::now());
            let (id, millis) = (TokenId::generate(time), time.timestamp_millis());
            let name = format!("m-{id}");
            token.execute(params![id.as_bytes(), name, user, organization, millis])?;
            head.execute([organization])?;
            entry.execute(params![organization, millis, name, id.as_bytes()])?;
        }
        connection.execute_batch("COMMIT")?;
        Ok(per_commit)
    })
}

/// Connects to a database with the settings that the service has for its writer.
fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    Ok(connection)
}

/// Repeats what writes and returns how much, until the time is over.
fn write(seconds: u64, mut work: impl FnMut() -> Result<u32>) -> Result<Sample> {
    let (before, start, mut count) = (process::own_cpu()?, Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        count += work()?;
    }
    let per_second = f64::from(count) / start.elapsed().as_secs_f64();
    Ok(throughput(per_second, process::own_cpu()? - before, count.into()))
}
