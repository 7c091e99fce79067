//! Responses: successes by status, documented errors by the declared responses that cover them.
//! An error that only the server declares is no difference. `content` compares the bodies.

use std::collections::{BTreeMap, BTreeSet};

use super::{Operation, content, parameter};
use crate::contain::Shared;
use crate::document::Node;
use crate::finding::{Effect, Finding, Rule, said};
use crate::location::Location;
use crate::pair::{Direction, Pair, Question};

/// Responses by status: `200`, `4XX` or `default`.
pub type Responses<'d> = BTreeMap<String, Node<'d>>;

/// Compares the responses of one operation.
pub fn compare(operations: &Pair<Operation<'_>>, shared: &Shared) -> Vec<Finding> {
    let responses = operations.as_ref().map(responses);
    let exchange = Exchange { operations, responses: &responses, shared };
    let mut findings = exchange.successes();
    let errors = responses.documented.keys().filter(|status| exchange.is_error(status));
    findings.extend(errors.flat_map(|status| exchange.error(status)));
    findings.extend(exchange.new_errors());
    findings
}

/// Returns the documented responses by status.
pub fn responses<'d>(operation: &Operation<'d>) -> Responses<'d> {
    let Some(responses) = operation.node.get("responses") else { return Responses::new() };
    let members = responses.members().filter(|(status, _)| !status.starts_with("x-"));
    members.map(|(status, node)| (normalize(status), node)).collect()
}

fn normalize(status: &str) -> String {
    if status == "default" { status.into() } else { status.to_ascii_uppercase() }
}

/// Returns the statuses that are not errors. `default` is a success if there is no other.
fn successes<'a>(responses: &'a Responses<'_>) -> BTreeSet<&'a str> {
    let statuses = || responses.keys().map(String::as_str);
    let is_success = |status: &&str| *status != "default" && !is_error_code(status);
    let successes: BTreeSet<_> = statuses().filter(is_success).collect();
    if successes.is_empty() {
        return statuses().filter(|status| *status == "default").collect();
    }
    successes
}

/// Returns the range of a status: `4XX` for `404`.
fn range(status: &str) -> String {
    status.chars().take(1).chain("XX".chars()).collect()
}

fn is_error_code(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

/// Both sides of one operation with their responses.
struct Exchange<'a, 'd> {
    operations: &'a Pair<Operation<'d>>,
    responses: &'a Pair<Responses<'d>>,
    shared: &'a Shared,
}

impl Exchange<'_, '_> {
    fn question(&self) -> Question {
        self.operations.question()
    }

    fn is_error(&self, status: &str) -> bool {
        !successes(&self.responses.documented).contains(status)
    }

    fn location(&self, part: &str, subject: &str) -> Location {
        let operation = (self.question(), &*self.operations.name());
        Location::new(operation, Direction::Response, part, subject)
    }

    fn body(&self, status: &str) -> Location {
        self.location(status, "the response body")
    }

    fn successes(&self) -> Vec<Finding> {
        let Pair { documented, served } = self.responses.as_ref().map(successes);
        let missing: Vec<_> = documented.difference(&served).collect();
        let extra: Vec<_> = served.difference(&documented).collect();
        let both = documented.intersection(&served);
        let mut findings: Vec<_> = both.flat_map(|status| self.response(status, status)).collect();
        if let ([one], [two]) = (missing.as_slice(), extra.as_slice()) {
            findings.push(self.missing(one, Some(two)));
            findings.extend(self.response(one, two));
            return findings;
        }
        findings.extend(missing.iter().map(|status| self.missing(status, None)));
        findings
            .extend(extra.iter().map(|status| self.undocumented(Rule::UndocumentedStatus, status)));
        findings
    }

    /// A documented status that the server does not declare, or declares as another.
    fn missing(&self, status: &str, instead: Option<&str>) -> Finding {
        let other =
            instead.map_or("does not declare it".into(), |it| format!("declares {it} instead"));
        let name = self.operations.name();
        let title = self.question().words(
            format!("{name}: {status} is documented, and the server {other}"),
            instead.map_or(format!("{name}: {status} is gone"), |it| {
                format!("{name}: {status} is now {it}")
            }),
        );
        let served = instead.and_then(|status| self.responses.served.get(status));
        let node = &self.operations.served.node;
        let sides = said(
            (&self.responses.documented[status], status),
            (served.unwrap_or(node), statuses(&self.responses.served)),
        );
        Finding::new((self.question(), Rule::MissingStatus), title, sides, &self.body(status))
    }

    fn undocumented(&self, rule: Rule, status: &str) -> Finding {
        let name = self.operations.name();
        let title = self.question().words(
            format!("{name}: the server declares {status}, which is not documented"),
            format!("{name}: {status} is new"),
        );
        let node = &self.operations.documented.node;
        let sides = said(
            (node, statuses(&self.responses.documented)),
            (&self.responses.served[status], status),
        );
        let finding = Finding::new((self.question(), rule), title, sides, &self.body(status));
        finding.adds_if(rule == Rule::UndocumentedError)
    }

    fn error(&self, status: &str) -> Vec<Finding> {
        let served = self.covering(status);
        if served.is_empty() {
            return vec![self.missing(status, None)];
        }
        let differences = served.iter().flat_map(|served| self.response(status, served));
        differences.chain(self.declared_by_range(status)).collect()
    }

    /// A note about a documented status for which the server has only a range.
    fn declared_by_range(&self, status: &str) -> Option<Finding> {
        let (range, served) = (range(status), &self.responses.served);
        let node = served.get(&range).filter(|_| !served.contains_key(status))?;
        let title = format!("{status} is documented, and the server declares only {range}");
        let sides = said((&self.responses.documented[status], status), (node, &*range));
        let rule = (self.question(), Rule::ErrorRange);
        let finding = Finding::new(rule, title, sides, &self.body(status));
        (self.question() == Question::Server)
            .then_some(Finding { effect: Effect::Notes, ..finding })
    }

    /// Returns the errors that an earlier contract promised under no name.
    fn new_errors(&self) -> Vec<Finding> {
        let Pair { documented, served } = self.responses;
        let is_promised = |status: &str| {
            [status, &range(status), "default"].iter().any(|name| documented.contains_key(*name))
        };
        let successes = successes(served);
        let errors = served.keys().filter(|status| !successes.contains(status.as_str()));
        let new =
            errors.filter(|status| self.question() == Question::Change && !is_promised(status));
        new.map(|status| self.undocumented(Rule::UndocumentedError, status)).collect()
    }

    /// Returns the declared statuses that the server may send if the document says `status`. There
    /// are none if the server leaves a part of `status` undeclared.
    fn covering(&self, status: &str) -> BTreeSet<String> {
        let served = &self.responses.served;
        let first_of = |names: &[&str]| {
            names.iter().find(|name| served.contains_key(**name)).map(ToString::to_string)
        };
        let range = range(status);
        if status != "default" && status != range {
            return first_of(&[status, &range, "default"]).into_iter().collect();
        }
        let ranges = ["4XX", "5XX"];
        let mut covering: BTreeSet<_> = match status {
            "default" if ranges.iter().all(|range| served.contains_key(*range)) => {
                ranges.map(str::to_owned).into()
            }
            _ => first_of(&[&range, "default"]).into_iter().collect(),
        };
        if !covering.is_empty() {
            covering.extend(served.keys().filter(|name| self.is_covered(status, name)).cloned());
        }
        covering
    }

    /// Whether `status` is the closest name in the document for a declared error.
    fn is_covered(&self, status: &str, served: &str) -> bool {
        let documented = &self.responses.documented;
        let range = range(served);
        match status {
            "default" => {
                let is_closer = documented.contains_key(served) || documented.contains_key(&range);
                is_error_code(served) && !is_closer
            }
            _ => range == status && !documented.contains_key(served),
        }
    }

    /// Compares the bodies and the headers of two responses.
    fn response(&self, documented: &str, served: &str) -> Vec<Finding> {
        let nodes = Pair {
            documented: self.responses.documented[documented].clone(),
            served: self.responses.served[served].clone(),
        };
        let mut findings = self.headers(&nodes, documented);
        // A documented error without a body allows any.
        if !self.is_error(documented) || content::is_present(&nodes.documented) {
            findings.extend(content::compare(&nodes, &self.body(documented), self.shared));
        }
        findings
    }

    /// Compares the documented headers. The server may send more.
    fn headers(&self, responses: &Pair<Node<'_>>, status: &str) -> Vec<Finding> {
        let headers = responses.as_ref().map(headers);
        let location = |name: &str| {
            let subject = format!("header `{name}`");
            self.location(&format!("{status} {subject}"), &subject)
        };
        let mut findings = Vec::new();
        for (_, pair) in headers.matched() {
            let ((name, documented), (_, served)) = (pair.documented, pair.served);
            findings.extend(header(&Pair { documented, served }, &location(name), self.shared));
        }
        for (_, (name, documented)) in headers.only_documented() {
            findings.push(missing_header(documented, &responses.served, &location(name)));
        }
        let is_change = self.question() == Question::Change;
        for (_, (name, served)) in headers.only_served().filter(|_| is_change) {
            findings.push(new_header(&responses.documented, served, &location(name)));
        }
        findings
    }
}

fn new_header(response: &Node<'_>, served: &Node<'_>, location: &Location) -> Finding {
    let title = format!("{} is new", location.subject());
    let sides = said((response, "no such header"), (served, "a header"));
    let code = (location.question, Rule::UndocumentedHeader);
    Finding::new(code, title, sides, location).adds_if(true)
}

fn missing_header(documented: &Node<'_>, response: &Node<'_>, location: &Location) -> Finding {
    let subject = location.subject();
    let title = location.question.words(
        format!("{subject} is documented, and the server does not declare it"),
        format!("{subject} is gone"),
    );
    let sides = said((documented, "a header"), (response, "no such header"));
    Finding::new((location.question, Rule::MissingHeader), title, sides, location)
}

/// Returns the headers by lower-case name. `content` describes the content type.
fn headers<'d>(response: &Node<'d>) -> BTreeMap<String, (&'d str, Node<'d>)> {
    let Some(headers) = response.get("headers") else { return BTreeMap::new() };
    let members = headers.members().map(|(name, node)| (name.to_ascii_lowercase(), (name, node)));
    members.filter(|(key, _)| key != "content-type").collect()
}

fn header(nodes: &Pair<&Node<'_>>, location: &Location, shared: &Shared) -> Vec<Finding> {
    let mut findings = parameter::value(nodes, location, shared);
    findings.extend(parameter::style(nodes, "header", location));
    let required = nodes.map(|node| node.flag("required"));
    findings.extend(Finding::required(nodes, required, location));
    findings
}

fn statuses(responses: &Responses<'_>) -> String {
    let statuses: Vec<_> = responses.keys().map(String::as_str).collect();
    if statuses.is_empty() { "no responses".into() } else { statuses.join(", ") }
}
