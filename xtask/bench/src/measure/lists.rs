//! Lists of 20 tokens and other reading requests: as many as possible, at a rate, and while others
//! write.

use super::{mints, throughput};
use crate::contender::{Ask, Host, Metric, Sample};
use crate::database::BoundToken;
use crate::load::client::Load;
use crate::load::wrk;
use crate::world::World;
use anyhow::{Context, Result, ensure};
use std::io::Write;
use std::thread;
use std::time::Duration;

/// How many connections there are, as with `wrk`.
const CONNECTIONS: usize = 32;

/// The path of the list of the keys of a session's user.
const BETTER_AUTH: &str = "/api/auth/api-key/list";

/// Which part of its peak rate a paced client asks for.
const PART_OF_PEAK: f64 = 0.8;

/// How many changes are made per second during the lists: half of them mints, half revocations.
const CHANGES: f64 = 200.0;

/// How long `wrk` takes to start.
const WRK_START: Duration = Duration::from_millis(500);

/// Measures as many requests as `wrk` can send. Of this project's server it counts the log, too.
pub fn requests(world: &mut World<'_>, host: Host, ask: Ask, seconds: u64) -> Result<Sample> {
    let (script, tokens) = (world.script()?, world.database(host)?.list_file.clone());
    world.server(host)?;
    let cookie = world.cookie(host)?;
    let server = world.server(host)?;
    server.clear_log()?;
    let path = if host == Host::BetterAuth { BETTER_AUTH } else { ask.path() };
    let before = server.process.cpu()?;
    let done = wrk::run(&script, server.address, path, &tokens, cookie.as_deref(), seconds)?;
    let mut sample = throughput(done.per_second, server.process.cpu()? - before, done.requests);
    if host.has_access_log() {
        // `wrk` does not count the answers that were under way when it ended.
        let lines = server.count_log_lines()? as f64;
        sample.insert(Metric::LostLogLines, (done.requests as f64 - lines).max(0.0));
    }
    Ok(sample)
}

/// Finds the rate that a client reaches, and then asks at a part of it.
pub fn paced(world: &mut World<'_>, host: Host, seconds: u64) -> Result<Sample> {
    let tokens = world.database(host)?.list.clone();
    let server = world.server(host)?;
    let mut load = Load {
        address: server.address,
        connections: CONNECTIONS,
        rate: None,
        duration: Duration::from_secs(seconds).div_f64(2.0),
    };
    let peak = load.run(each(&tokens))?.per_second();
    load.rate = Some(peak * PART_OF_PEAK);
    load.duration = Duration::from_secs(seconds);
    let before = server.process.cpu()?;
    let mut answers = load.run(each(&tokens))?;
    let cpu = server.process.cpu()? - before;
    let mut sample = throughput(answers.per_second(), cpu, answers.count());
    sample.insert(Metric::P99Milliseconds, answers.percentile(0.99));
    Ok(sample)
}

/// Returns a writer of list requests, each with the next token.
pub fn each(tokens: &[BoundToken]) -> impl FnMut(usize, &mut Vec<u8>) + use<'_> {
    let mut tokens = tokens.iter().cycle();
    move |_, request| {
        let Some(BoundToken { slug, token }) = tokens.next() else { return };
        let path = format_args!("/v1/organizations/{slug}/api-tokens");
        let _ = write!(
            request,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
    }
}

/// Measures lists like [`requests`] while tokens are minted and revoked in other organizations. The
/// CPU time is that of all requests.
pub fn while_changing(world: &mut World<'_>, host: Host, seconds: u64) -> Result<Sample> {
    let (script, database) = (world.script()?, world.database(host)?);
    let (tokens, work) = (database.list_file.clone(), database.work.clone());
    let server = world.server(host)?;
    let load = Load {
        address: server.address,
        connections: CONNECTIONS,
        rate: Some(CHANGES),
        duration: Duration::from_secs(seconds) + WRK_START,
    };
    let before = server.process.cpu()?;
    let (lists, changes) = thread::scope(|scope| {
        let changes = scope.spawn(|| load.run(mints::mint_and_revoke(&work, CONNECTIONS)));
        let lists = wrk::run(&script, server.address, Ask::List.path(), &tokens, None, seconds);
        (lists, changes.join())
    });
    let cpu = server.process.cpu()? - before;
    let changes = changes.ok().context("the client that changes has panicked")??.per_second();
    ensure!(changes > 0.9 * CHANGES, "only {changes:.0} changes were made per second");
    let lists = lists?;
    Ok(throughput(lists.per_second, cpu, lists.requests))
}
