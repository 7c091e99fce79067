//! Checks a response: its status, its headers and its body.

use super::coverage;
use super::exchange::Exchange;
use super::finding::{Problem, TrafficRule};
use super::redact::Sent;
use super::request::{content, parameter};
use super::value::{Fit, Values, missing};
use crate::document::Node;
use crate::finding::Side;
use crate::location::Location;
use crate::operation::{Operation, content, response};
use crate::pair::{Direction, Question};

/// Returns what is wrong with a response.
pub fn check<'d>(values: &mut Values<'d>, operation: &Operation<'d>, exchange: &Exchange) -> Fit {
    let Some((status, node)) = documented(operation, exchange.status) else {
        return undocumented(operation, exchange.status).into();
    };
    let mut fit = Fit::default();
    fit.seen.extend([coverage::operation(operation), coverage::status(operation, &status)]);
    for (name, header) in node.get("headers").iter().flat_map(Node::members) {
        // OpenAPI describes this one by the media types.
        if name.eq_ignore_ascii_case("content-type") {
            continue;
        }
        let at = self::header(operation, &status, name);
        match exchange.response.header(&name.to_ascii_lowercase()) {
            Some(value) => {
                fit.seen.push(coverage::member(&header, Direction::Response));
                fit.extend(parameter(values, &[value], (name, &header), &at));
            }
            None if header.flag("required") => fit.problems.push(missing(&header, &at)),
            None => {}
        }
    }
    fit.extend(body(values, (operation, &status), &node, exchange));
    fit
}

fn header(operation: &Operation<'_>, status: &str, name: &str) -> Location {
    let (part, subject) = (format!("{status} header `{name}`"), format!("header `{name}`"));
    let of = (Question::Server, &*operation.name());
    Location::new(of, Direction::Response, &part, &subject)
}

/// Returns the documented response for a status, with its name: `404`, `4XX` or `default`.
pub fn documented<'d>(operation: &Operation<'d>, status: u16) -> Option<(String, Node<'d>)> {
    let mut known = response::responses(operation);
    let names = [status.to_string(), format!("{}XX", status / 100), "default".to_owned()];
    names.into_iter().find_map(|name| known.remove_entry(&name))
}

fn undocumented(operation: &Operation<'_>, status: u16) -> Problem {
    let name = operation.name();
    let known: Vec<_> = response::responses(operation).into_keys().collect();
    Problem {
        rule: TrafficRule::Status,
        title: format!("{name} answered with {status}, which is not documented"),
        contract: Side::new(&operation.node, known.join(", ")),
        sent: Sent::fact(status.to_string()),
        place: format!("{name} {status}"),
    }
}

/// The response to HEAD has no body, and 304 none of its own.
fn body<'d>(
    values: &mut Values<'d>,
    (operation, status): (&Operation<'d>, &str),
    node: &Node<'d>,
    exchange: &Exchange,
) -> Fit {
    if exchange.method == "HEAD" || exchange.status == 304 {
        return Fit::default();
    }
    let of = (Question::Server, &*operation.name());
    let at = Location::new(of, Direction::Response, status, "the response body");
    let response = &exchange.response;
    match &response.body {
        Some(body) if body.is_empty() && content::is_present(node) => missing(node, &at).into(),
        Some(body) if body.is_empty() => Fit::default(),
        body => content(values, (node, response.media_type()), body.as_deref(), &at),
    }
}
