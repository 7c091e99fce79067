//! The service on PostgreSQL, and pgbench, which runs the statements of a mint without the service.

use crate::contender::{Host, Metric, Sample};
use crate::database::Database;
use crate::process::command;
use crate::world::World;
use anyhow::{Context, Error, Result, ensure};
use postgres_cluster::Cluster;
use std::fs;
use std::path::Path;

/// The tokens with which pgbench mints: their digests can be computed in its script.
const PGBENCH_TOKENS: &str = "INSERT INTO tokens
     (id, digest, name, user_id, organization_id, scopes, created_at)
     SELECT substr(sha256(('id' || number)::bytea), 1, 16), sha256(number::text::bytea),
     'pgbench-' || number, user_id, organization_id, 0, 0
     FROM (SELECT m.user_id, o.id AS organization_id, right(o.slug, 4)::integer + 1 AS number
     FROM organizations o JOIN members m ON m.organization_id = o.id
     WHERE o.slug LIKE 'work-%') AS work";

/// Starts a PostgreSQL server with the contents of a database.
pub fn start(server: &Path, database: &Database) -> Result<Cluster> {
    let cluster = Cluster::start().map_err(Error::new)?;
    let mut copy = command(server);
    copy.arg("copy").env("ORGTOKENS_COPY_FROM", database.url());
    let output = copy.env("ORGTOKENS_COPY_TO", cluster.url()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    cluster.execute(&[PGBENCH_TOKENS, "VACUUM ANALYZE", "CHECKPOINT"]).map_err(Error::new)?;
    Ok(cluster)
}

/// Measures the statements of a mint from this number of connections.
pub fn pgbench(world: &mut World<'_>, clients: usize, seconds: u64) -> Result<Sample> {
    let script = world.path("mint.sql");
    fs::write(&script, include_str!("postgres/mint.sql"))?;
    // The server has run once, and so has what it does at its start.
    world.server(Host::Postgres)?;
    let mut pgbench = command("pgbench");
    pgbench.args(["--no-vacuum", "--protocol=prepared", "--jobs=2"]);
    // It counts the time in which it connects, too.
    pgbench.arg(format!("--client={clients}")).arg(format!("--time={}", seconds + 3));
    pgbench.arg("--file").arg(script).arg(world.postgres()?.url());
    // As the service sets it for each connection.
    pgbench.env("PGOPTIONS", "-c random_page_cost=1.1 -c enable_seqscan=off -c jit=off");
    let output = pgbench.output().context("pgbench cannot start")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && !errors.contains("aborted"), "pgbench: {}", errors.trim());
    let text = String::from_utf8_lossy(&output.stdout);
    let per_second = text.split_once("tps = ").and_then(|(_, rest)| rest.split(' ').next());
    let per_second = per_second.and_then(|number| number.parse().ok());
    let per_second = per_second.with_context(|| format!("pgbench is not understood: {text}"))?;
    Ok(Sample::from([(Metric::PerSecond, per_second)]))
}
