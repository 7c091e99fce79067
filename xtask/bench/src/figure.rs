//! The table of figures: what is measured, against what, and which value is to be reached. How a
//! contender is measured is in `contender`.

use crate::contender::{Ask, Contender, Host, Metric};
use crate::peers;
use crate::world::Workshop;
use Contender::{
    Commits, ListsWhileChanging, ListsWhileReading, MintRows, Mints, Paced, Pgbench, Requests,
    Start,
};
use Goal::{AtLeast, AtMost};
use Measured::{Ratio, Value};

/// A line of the table.
#[derive(Debug)]
pub struct Figure {
    /// What `--only` calls it.
    pub name: &'static str,
    pub what: &'static str,
    /// Which figures are measured together, contender after contender.
    pub group: Group,
    pub measured: Measured,
    pub goal: Goal,
}

/// Figures that share their contenders. One group is measured after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Reading from SQLite.
    Lists,
    /// Writing to SQLite.
    Mints,
    /// With a million tokens more.
    Million,
    /// Reading from and writing to PostgreSQL.
    Postgres,
    /// Against other programs.
    Peers,
}

/// How the value of a figure follows from what its contenders did in the same round.
#[derive(Clone, Copy, Debug)]
pub enum Measured {
    /// The rate of the first one divided by that of the second one.
    Ratio(Contender, Contender),
    /// What one contender did.
    Value(Contender, Metric),
}

#[derive(Clone, Copy, Debug)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// The figure is for information.
    None,
}

const DROPSHOT: Contender = Requests(Host::Dropshot, Ask::List);
const DROPSHOT_BYTES: Contender = Requests(Host::DropshotBytes, Ask::List);
const HYPER: Contender = Requests(Host::Hyper, Ask::List);
const LIST: Contender = Requests(Host::Sqlite, Ask::List);
const LIST_MILLION: Contender = Requests(Host::SqliteMillion, Ask::List);
const POSTGRES_LIST: Contender = Requests(Host::Postgres, Ask::List);
const POSTGRES_VALIDATE: Contender = Requests(Host::Postgres, Ask::Validate);
const VALIDATE: Contender = Requests(Host::Sqlite, Ask::Validate);

/// Declares figures: a name, what it is, its group, what is measured, its goal.
macro_rules! figures {
    ($($name:literal, $what:literal, $group:ident, $measured:expr, $goal:expr;)+) => {
        /// Every figure. Those of a group are printed in this order.
        pub const FIGURES: &[Figure] = &[$(Figure {
            name: $name,
            what: $what,
            group: Group::$group,
            measured: $measured,
            goal: $goal,
        }),+];
    };
}

figures! {
    "list", "list of 20, against dropshot from memory",
        Lists, Ratio(LIST, DROPSHOT), AtLeast(1.2);
    "list-hyper", "list of 20, against hyper alone",
        Lists, Ratio(LIST, HYPER), AtLeast(0.55);
    "list-bound", "list of 20, against dropshot sending bytes: what dropshot itself takes",
        Lists, Ratio(LIST, DROPSHOT_BYTES), Goal::None;
    "validate", "validate, against dropshot from memory",
        Lists, Ratio(VALIDATE, DROPSHOT), AtLeast(1.2);
    "list-last-use", "list of 20, against without last use",
        Lists, Ratio(LIST, Requests(Host::SqliteNoLastUse, Ask::List)), AtLeast(0.95);
    "validate-last-use", "validate, against without last use",
        Lists, Ratio(VALIDATE, Requests(Host::SqliteNoLastUse, Ask::Validate)), AtLeast(0.95);
    "latency", "p99 of the list at 80 % of its peak, ms",
        Lists, Value(Paced(Host::Sqlite), Metric::P99Milliseconds), AtMost(2.0);
    "changes", "list during 100 mints/s and 100 revocations/s, against without",
        Lists, Ratio(ListsWhileChanging(Host::Sqlite), LIST), AtLeast(0.8);
    "log", "lines missing in the access log at full load",
        Lists, Value(LIST, Metric::LostLogLines), AtMost(0.0);
    "mints-1", "durable mints of 1 client, against bare commits",
        Mints, Ratio(Mints(Host::Sqlite, 1), Commits), Goal::None;
    "mints-16", "durable mints of 16 clients, against bare commits",
        Mints, Ratio(Mints(Host::Sqlite, 16), Commits), AtLeast(1.0);
    "mints-64", "durable mints of 64 clients, against bare commits",
        Mints, Ratio(Mints(Host::Sqlite, 64), Commits), AtLeast(1.2);
    "mints-16-bound", "the rows of a mint without a server, 16 in a commit, against bare commits",
        Mints, Ratio(MintRows(16), Commits), Goal::None;
    "mints-64-bound", "the rows of a mint without a server, 64 in a commit, against bare commits",
        Mints, Ratio(MintRows(64), Commits), Goal::None;
    "growth", "time of a list with 1,020,000 tokens in the database, against 20,000",
        Lists, Ratio(LIST, LIST_MILLION), AtMost(1.15);
    "start", "start of `serve` on 1,000,000 tokens, s",
        Million, Value(Start(Host::SqliteMillion), Metric::StartSeconds), AtMost(0.3);
    "readers-latency", "p99 of lists during 8 reads of 1,000,000 tokens, ms",
        Million, Value(ListsWhileReading, Metric::P99Milliseconds), AtMost(15.0);
    "readers-memory", "memory above idle of 8 such readers, MiB",
        Million, Value(ListsWhileReading, Metric::MemoryMebibytes), AtMost(32.0);
    "readers-first-byte", "first byte for the slowest of them, ms",
        Million, Value(ListsWhileReading, Metric::FirstByteMilliseconds), AtMost(10.0);
    "postgres-list", "PostgreSQL: list of 20, against dropshot from memory",
        Postgres, Ratio(POSTGRES_LIST, DROPSHOT), AtLeast(0.45);
    "postgres-statement", "the same against validate, which is its authentication statement alone",
        Postgres, Ratio(POSTGRES_LIST, POSTGRES_VALIDATE), AtLeast(0.8);
    "postgres-mints", "PostgreSQL: durable mints of 64 clients, against pgbench",
        Postgres, Ratio(Mints(Host::Postgres, 64), Pgbench(64)), AtLeast(0.7);
    "prism", "list of 20, against Stoplight Prism with a mock of openapi.yaml",
        Peers, Ratio(LIST, Requests(Host::Prism, Ask::List)), AtLeast(25.0);
    "better-auth", "list of 20, against 20 keys of better-auth on Node and SQLite",
        Peers, Ratio(LIST, Requests(Host::BetterAuth, Ask::List)), AtLeast(25.0);
}

impl Group {
    /// Every group, in the order in which they are measured.
    pub const ALL: &[Self] =
        &[Self::Lists, Self::Mints, Self::Million, Self::Postgres, Self::Peers];

    /// Installs what the group needs, or returns why it cannot be measured and what to do.
    pub fn prepare(self, workshop: &Workshop) -> Result<(), String> {
        match self {
            Self::Postgres if !postgres_cluster::is_installed() => {
                Err(postgres_cluster::NOT_INSTALLED.to_owned())
            }
            Self::Peers => peers::install(&workshop.peers()).map_err(|error| format!("{error:#}")),
            _ => Ok(()),
        }
    }
}

impl Goal {
    /// Returns whether a value reaches the goal, if there is one.
    pub fn is_reached(self, value: f64) -> Option<bool> {
        match self {
            AtLeast(goal) => Some(value >= goal),
            AtMost(goal) => Some(value <= goal),
            Self::None => None,
        }
    }
}

impl Measured {
    /// Returns what must be measured in each round. The first one is what the figure is about.
    pub fn contenders(self) -> Vec<Contender> {
        match self {
            Ratio(one, other) => vec![one, other],
            Value(one, _) => vec![one],
        }
    }
}
