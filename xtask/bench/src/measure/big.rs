//! A database of a million tokens: how long its server takes to start, and what readers of a very long
//! list do to the others.

use super::lists::each;
use crate::contender::{Ask, Host, Metric, Sample};
use crate::database::{BoundToken, Database};
use crate::load::client::Load;
use crate::server::Server;
use crate::world::World;
use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many small lists are asked for per second while the long ones are read.
const SMALL_LISTS: f64 = 200.0;

/// Starts a server, and measures the time until it has answered a list.
pub fn start(world: &mut World<'_>, host: Host) -> Result<Sample> {
    let first = world.database(host)?.list[0].clone();
    let start = Instant::now();
    let server = world.start(host)?;
    server.get(&list_path(&first), &authorization(&first))?;
    Ok(Sample::from([(Metric::StartSeconds, start.elapsed().as_secs_f64())]))
}

/// Measures small lists while others read a list of a million tokens, on a new server.
pub fn lists_while_reading(world: &mut World<'_>, seconds: u64) -> Result<Sample> {
    let server = world.start(Host::SqliteMillion)?;
    let database = world.database(Host::SqliteMillion)?;
    let load = Load {
        address: server.address,
        connections: 32,
        rate: Some(SMALL_LISTS),
        duration: Duration::from_secs(seconds),
    };
    load.run(each(&database.list))?;
    server.process.wait_until_idle()?;
    let idle = server.process.memory("VmRSS")?;
    server.process.reset_peak_memory()?;
    let (answers, first_bytes) = read_and_list(&server, database, load)?;
    let above = server.process.memory("VmHWM")? - idle;
    let slowest = first_bytes.iter().max().context("no long list was read")?;
    Ok(Sample::from([
        (Metric::PerSecond, answers.0),
        (Metric::P99Milliseconds, answers.1),
        (Metric::MemoryMebibytes, above.max(0.0)),
        (Metric::FirstByteMilliseconds, slowest.as_secs_f64() * 1e3),
    ]))
}

/// Returns the rate and the 99th percentile of small lists, and the times to the first byte of the
/// long ones that others read at the same time.
fn read_and_list(
    server: &Server,
    database: &Database,
    load: Load,
) -> Result<((f64, f64), Vec<Duration>)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = database
            .big
            .iter()
            .map(|token| scope.spawn(|| read_until(&is_over, server.address, token)))
            .collect();
        let answers = load.run(each(&database.list));
        is_over.store(true, Ordering::Relaxed);
        let mut first_bytes = Vec::new();
        for reader in readers {
            first_bytes.extend(reader.join().ok().context("a reader has panicked")??);
        }
        let mut answers = answers?;
        Ok(((answers.per_second(), answers.percentile(0.99)), first_bytes))
    })
}

/// Reads a list again and again. Returns the times to its first byte.
fn read_until(
    is_over: &AtomicBool,
    address: SocketAddr,
    token: &BoundToken,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while !is_over.load(Ordering::Relaxed) {
        let (path, headers) = (list_path(token), authorization(token));
        let start = Instant::now();
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n")?;
        let count = stream.read(&mut buffer)?;
        times.push(start.elapsed());
        ensure!(
            buffer[..count].starts_with(b"HTTP/1.0 200 "),
            "a long list was not answered with 200"
        );
        while !is_over.load(Ordering::Relaxed) && stream.read(&mut buffer)? > 0 {}
    }
    Ok(times)
}

fn list_path(token: &BoundToken) -> String {
    Ask::List.path().replace("SLUG", &token.slug)
}

fn authorization(BoundToken { token, .. }: &BoundToken) -> String {
    format!("Authorization: Bearer {token}\r\n")
}
