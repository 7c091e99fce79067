//! What can be measured: each contender is measured for a short time in each round, and gives a
//! sample. How is in `measure`; which of them are compared is in `figure`.

use crate::measure::{big, lists, mints};
use crate::postgres;
use crate::world::World;
use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// As many requests as `wrk` can send.
    Requests(Host, Ask),
    /// Lists at 80 % of the rate that the same client reaches.
    Paced(Host),
    /// As many lists as `wrk` can send, while tokens are minted and revoked elsewhere.
    ListsWhileChanging(Host),
    /// Small lists while others read the list of a million tokens.
    ListsWhileReading,
    /// The time from the start of `serve` to its first answer.
    Start(Host),
    /// Commits of one row each, without a server.
    Commits,
    /// Commits of the rows of so many mints each, without a server.
    MintRows(u32),
    /// As many mints as this number of clients can send.
    Mints(Host, usize),
    /// As many times the statements of a mint as this number of clients can send to PostgreSQL.
    Pgbench(usize),
}

/// A server that answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// The reference that serializes its list for each request.
    Dropshot,
    /// The reference that sends bytes with dropshot.
    DropshotBytes,
    /// The reference that sends bytes.
    Hyper,
    /// This project's, on SQLite.
    Sqlite,
    /// This project's, on SQLite with `--no-last-use`.
    SqliteNoLastUse,
    /// This project's, on SQLite with a million tokens more.
    SqliteMillion,
    /// This project's, on PostgreSQL.
    Postgres,
    /// Stoplight Prism, which mocks the contract.
    Prism,
    /// A server on Node with better-auth's api-key plugin.
    BetterAuth,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The tokens of an organization.
    List,
    /// When the token expires.
    Validate,
}

/// What a sample says. The names are those of the JSON output, with the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    PerSecond,
    /// User and system time of the server, per request.
    CpuMicroseconds,
    /// Requests without a line in the access log.
    LostLogLines,
    P99Milliseconds,
    /// Resident memory above that of the idle server, at its highest.
    MemoryMebibytes,
    /// Until the first byte of a long list, for the slowest of its readers.
    FirstByteMilliseconds,
    StartSeconds,
}

/// What one measurement of a contender found.
pub type Sample = BTreeMap<Metric, f64>;

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requests(host, ask) => write!(f, "{host:?}: {ask:?}"),
            Self::Mints(host, clients) => write!(f, "{host:?}: Mints of {clients}"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl Host {
    /// Returns whether it writes a line for each request.
    pub fn has_access_log(self) -> bool {
        matches!(self, Self::Sqlite | Self::SqliteNoLastUse | Self::SqliteMillion | Self::Postgres)
    }
}

impl Ask {
    /// Returns the path, in which `SLUG` stands for the token's organization.
    pub fn path(self) -> &'static str {
        match self {
            Self::List => "/v1/organizations/SLUG/api-tokens",
            Self::Validate => "/v1/auth/validate",
        }
    }
}

impl Contender {
    /// Measures for about this many seconds.
    pub fn measure(self, world: &mut World<'_>, seconds: u64) -> Result<Sample> {
        match self {
            Self::Requests(host, ask) => lists::requests(world, host, ask, seconds),
            Self::Paced(host) => lists::paced(world, host, seconds),
            Self::ListsWhileChanging(host) => lists::while_changing(world, host, seconds),
            Self::ListsWhileReading => big::lists_while_reading(world, seconds),
            Self::Start(host) => big::start(world, host),
            Self::Commits => mints::commits(world, seconds),
            Self::MintRows(per_commit) => mints::rows(world, per_commit, seconds),
            Self::Mints(host, clients) => mints::mints(world, host, clients, seconds),
            Self::Pgbench(clients) => postgres::pgbench(world, clients, seconds),
        }
    }

    /// Returns whether `--quick` leaves it out, because what it needs takes long to prepare.
    pub fn is_slow_to_prepare(self) -> bool {
        match self {
            Self::Requests(host, _)
            | Self::Paced(host)
            | Self::ListsWhileChanging(host)
            | Self::Start(host)
            | Self::Mints(host, _) => {
                matches!(host, Host::SqliteMillion | Host::Prism | Host::BetterAuth)
            }
            Self::ListsWhileReading => true,
            Self::Commits | Self::MintRows(_) | Self::Pgbench(_) => false,
        }
    }
}
