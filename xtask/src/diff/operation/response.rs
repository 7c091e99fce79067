//! Responses: successes by name, documented errors by whatever answers for
//! them. An error that only the server declares is no drift; bodies are
//! compared elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::super::document::Node;
use super::super::finding::{Direction, Finding, Pair, Rule, Side};
use super::super::place::Place;
use super::{Operation, content, parameter};

/// Responses by status, as `200`, `4XX` or `default`.
type Responses<'d> = BTreeMap<String, Node<'d>>;

/// Compares the responses of one operation.
pub fn compare(operations: &Pair<Operation<'_>>) -> Vec<Finding> {
    let responses = operations.as_ref().map(responses);
    let exchange = Exchange { operations, responses: &responses };
    let mut findings = exchange.successes();
    let errors = responses.documented.keys().filter(|status| exchange.is_error(status));
    findings.extend(errors.flat_map(|status| exchange.error(status)));
    findings
}

fn responses<'d>(operation: &Operation<'d>) -> Responses<'d> {
    let Some(responses) = operation.node.get("responses") else { return Responses::new() };
    let members = responses.members().filter(|(status, _)| !status.starts_with("x-"));
    members.map(|(status, node)| (normal(status), node)).collect()
}

fn normal(status: &str) -> String {
    if status == "default" { status.into() } else { status.to_ascii_uppercase() }
}

/// The statuses that are no errors; `default` is one where there is no other.
fn successes<'a>(responses: &'a Responses<'_>) -> Vec<&'a str> {
    let all = responses.keys().map(String::as_str);
    let is_success = |status: &&str| *status != "default" && !is_error_code(status);
    let stated: Vec<_> = all.filter(is_success).collect();
    let default = responses.get_key_value("default").map(|(status, _)| status.as_str());
    if stated.is_empty() { default.into_iter().collect() } else { stated }
}

/// The wildcard that covers a status.
fn class(status: &str) -> String {
    status.chars().take(1).chain("XX".chars()).collect()
}

fn is_error_code(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

struct Exchange<'a, 'd> {
    operations: &'a Pair<Operation<'d>>,
    responses: &'a Pair<Responses<'d>>,
}

impl Exchange<'_, '_> {
    fn is_error(&self, status: &str) -> bool {
        !successes(&self.responses.documented).contains(&status)
    }

    fn place(&self, status: &str) -> Place {
        Place::new(&self.operations.name(), Direction::Response, status, "the response body")
    }

    fn successes(&self) -> Vec<Finding> {
        let names = self.responses.as_ref().map(successes);
        let lonely = |of: &[&'_ str], other: &[&str]| {
            of.iter()
                .filter(|name| !other.contains(name))
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        let missing = lonely(&names.documented, &names.served);
        let extra = lonely(&names.served, &names.documented);
        let both = names.documented.iter().filter(|name| names.served.contains(name));
        let mut findings: Vec<_> = both.flat_map(|name| self.response(name, name)).collect();
        if let ([one], [two]) = (missing.as_slice(), extra.as_slice()) {
            findings.push(self.status(one, Some(two)));
            findings.extend(self.response(one, two));
            return findings;
        }
        findings.extend(missing.iter().map(|status| self.status(status, None)));
        findings.extend(extra.iter().map(|status| self.undocumented(status)));
        findings
    }

    /// A documented status that the server does not declare, or declares as another.
    fn status(&self, status: &str, instead: Option<&str>) -> Finding {
        let other =
            instead.map_or("does not declare it".into(), |it| format!("declares {it} instead"));
        let title =
            format!("{}: {status} is documented, and the server {other}", self.operations.name());
        let served = instead.and_then(|status| self.responses.served.get(status));
        let node = &self.operations.served.node;
        let sides = Pair {
            documented: Side::new(&self.responses.documented[status], status),
            served: Side::new(served.unwrap_or(node), declared(&self.responses.served)),
        };
        Finding::new(Rule::MissingStatus, title, sides, &self.place(status).to_string())
    }

    fn undocumented(&self, status: &str) -> Finding {
        let title = format!(
            "{}: the server declares {status}, which is not documented",
            self.operations.name()
        );
        let node = &self.operations.documented.node;
        let sides = Pair {
            documented: Side::new(node, declared(&self.responses.documented)),
            served: Side::new(&self.responses.served[status], status),
        };
        Finding::new(Rule::UndocumentedStatus, title, sides, &self.place(status).to_string())
    }

    fn error(&self, status: &str) -> Vec<Finding> {
        let answers = self.answers(status);
        let mut findings = Vec::new();
        if answers.is_empty() {
            findings.push(self.status(status, None));
        }
        // A documented error without a body allows any.
        findings.extend(answers.iter().flat_map(|answer| self.response(status, answer)));
        findings
    }

    /// The served statuses that may come where the document says `status`; none where some that
    /// the document means would not be declared.
    fn answers(&self, status: &str) -> BTreeSet<String> {
        let served = &self.responses.served;
        let known = |name: &String| served.contains_key(name);
        let range = class(status);
        let by = |names: &[&String]| names.iter().copied().find(|name| known(name)).cloned();
        let default = "default".to_owned();
        if status != "default" && status != range {
            return by(&[&status.to_owned(), &range, &default]).into_iter().collect();
        }
        let ranges = ["4XX", "5XX"].map(str::to_owned);
        let mut answers: BTreeSet<_> = match status {
            "default" if ranges.iter().all(known) => ranges.into_iter().collect(),
            "default" => by(&[&default]).into_iter().collect(),
            _ => by(&[&range, &default]).into_iter().collect(),
        };
        if !answers.is_empty() {
            answers.extend(served.keys().filter(|name| self.stands_for(status, name)).cloned());
        }
        answers
    }

    /// Whether a served error has no closer name in the document than `status`.
    fn stands_for(&self, status: &str, served: &str) -> bool {
        let documented = &self.responses.documented;
        let range = class(served);
        let closer = documented.contains_key(served) || documented.contains_key(&range);
        match status {
            "default" => is_error_code(served) && !closer,
            _ => range == status && served != status && !documented.contains_key(served),
        }
    }

    /// Compares the body and the headers of two responses that stand for each other.
    fn response(&self, documented: &str, served: &str) -> Vec<Finding> {
        let place = self.place(documented);
        let pair = Pair {
            documented: self.responses.documented[documented].clone(),
            served: self.responses.served[served].clone(),
        };
        let mut findings = self.headers(&pair, documented);
        if !self.is_error(documented) || content::is_present(&pair.documented) {
            findings.extend(content::compare(&pair, &place));
        }
        findings
    }

    /// Documented headers; the server may send more.
    fn headers(&self, pair: &Pair<Node<'_>>, status: &str) -> Vec<Finding> {
        let headers = pair.as_ref().map(headers);
        let mut findings = Vec::new();
        for (key, (name, documented)) in headers.documented {
            let part = format!("{status} header `{name}`");
            let subject = format!("header `{name}`");
            let place = Place::new(&self.operations.name(), Direction::Response, &part, &subject);
            if let Some((_, served)) = headers.served.get(&key) {
                let served = served.clone();
                findings.extend(header(&Pair { documented, served }, &place));
            } else {
                findings.push(missing_header(&documented, &pair.served, &place));
            }
        }
        findings
    }
}

fn missing_header(documented: &Node<'_>, response: &Node<'_>, place: &Place) -> Finding {
    let title = format!("{} is documented, and the server does not declare it", place.subject());
    let sides = Pair {
        documented: Side::new(documented, "a header"),
        served: Side::new(response, "no such header"),
    };
    Finding::new(Rule::MissingHeader, title, sides, &place.to_string())
}

fn declared(responses: &Responses<'_>) -> String {
    let names: Vec<_> = responses.keys().map(String::as_str).collect();
    if names.is_empty() { "no responses".into() } else { names.join(", ") }
}

/// Headers by name, which has no case; the content type is described by the content.
fn headers<'d>(response: &Node<'d>) -> BTreeMap<String, (&'d str, Node<'d>)> {
    let Some(headers) = response.get("headers") else { return BTreeMap::new() };
    let members = headers.members().map(|(name, node)| (name.to_ascii_lowercase(), (name, node)));
    members.filter(|(key, _)| key != "content-type").collect()
}

fn header(pair: &Pair<Node<'_>>, place: &Place) -> Vec<Finding> {
    let mut findings = parameter::value(pair, place);
    findings.extend(parameter::style(pair, "header", place));
    if pair.documented.flag("required") && !pair.served.flag("required") {
        let title = format!("{} may be absent, and is documented as required", place.subject());
        let sides = Pair {
            documented: Side::new(&pair.documented, "required"),
            served: Side::new(&pair.served, "optional"),
        };
        let finding = Finding::new(Rule::Required, title, sides, &place.to_string());
        findings.push(Finding { direction: Some(place.direction), ..finding });
    }
    findings
}
