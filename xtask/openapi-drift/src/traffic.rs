//! Does recorded traffic keep the contract?
//!
//! Every exchange is matched to its operation (`route`). Its request and its response are checked by
//! submodules of these names, and what a value may be is decided by `value`. An invalid request that
//! the server refuses is no finding: that is what errors are for. `coverage` counts what was seen.
//! Nothing here reads or writes a file.

mod coverage;
mod exchange;
mod finding;
mod object;
mod redact;
mod request;
mod response;
mod route;
mod value;

pub use coverage::{Coverage, Item};
pub use exchange::{Exchange, read_traffic};
pub use finding::{TrafficFinding, TrafficRule};
pub use redact::REDACTED;
pub use route::Routes;

use std::sync::Arc;

use coverage::Seen;
use finding::{Findings, Problem};
use redact::Sent;
use route::Target;
use value::Values;

use crate::finding::Side;
use crate::warning::Warning;

/// The result of a check of traffic.
#[derive(Debug)]
pub struct TrafficOutcome {
    /// The name of the contract.
    pub contract: String,
    /// How many exchanges were checked.
    pub exchanges: usize,
    /// How many were not: they went elsewhere, were preflights of a browser, or had no response.
    pub skipped: usize,
    /// What breaks the contract, the most severe first.
    pub findings: Vec<TrafficFinding>,
    /// What was seen.
    pub coverage: Coverage,
    /// What is not OpenAPI in the contract. It fails nothing.
    pub warnings: Vec<Warning>,
}

/// Checks exchanges against the contract.
pub fn check_traffic<'a>(
    routes: &Routes<'_>,
    exchanges: impl IntoIterator<Item = &'a Exchange>,
) -> TrafficOutcome {
    let mut check = Check::default();
    check.values.keys = Arc::clone(&routes.keys);
    let (mut checked, mut skipped) = (0, 0);
    for exchange in exchanges {
        let is_checked = check.exchange(routes, exchange);
        *(if is_checked { &mut checked } else { &mut skipped }) += 1;
    }
    TrafficOutcome {
        contract: routes.document.name.clone(),
        exchanges: checked,
        skipped,
        findings: check.findings.sorted(),
        coverage: Coverage::of(routes, &mut check.values, &check.seen),
        warnings: routes.document.warnings.clone(),
    }
}

#[derive(Default)]
struct Check<'d> {
    values: Values<'d>,
    findings: Findings,
    seen: Seen,
}

impl<'d> Check<'d> {
    /// Returns whether the exchange can be checked.
    fn exchange(&mut self, routes: &Routes<'d>, exchange: &Exchange) -> bool {
        if exchange.status == 0 || exchange.is_preflight() {
            return false;
        }
        let target = match routes.find(&exchange.method, &exchange.url) {
            Target::Operation(route) => route,
            Target::Elsewhere => return false,
            // A server that refuses what it does not know keeps the contract.
            Target::Nothing if (400..500).contains(&exchange.status) => return true,
            Target::Nothing => {
                self.findings.add(undocumented(routes, exchange), exchange);
                return true;
            }
        };
        let request = request::check(&mut self.values, &target, exchange);
        let response = response::check(&mut self.values, &target.route.operation, exchange);
        if exchange.status < 400 {
            self.seen.extend(request.seen);
            request.problems.into_iter().for_each(|it| self.findings.add(it, exchange));
        }
        self.seen.extend(response.seen);
        response.problems.into_iter().for_each(|it| self.findings.add(it, exchange));
        true
    }
}

fn undocumented(routes: &Routes<'_>, exchange: &Exchange) -> Problem {
    let route = format!("{} {}", exchange.method, exchange.path());
    Problem {
        rule: TrafficRule::Operation,
        title: format!("{route} is served, and not documented"),
        contract: Side::new(&routes.paths(), "no such operation"),
        sent: Sent::fact(exchange.status.to_string()),
        place: route,
    }
}
