//! Which parts of the contract were seen in traffic: operations, statuses and optional members. A gap
//! can have a written reason, which must be needed.

use std::collections::{BTreeMap, HashSet};

use super::finding::{TrafficFinding, TrafficRule};
use super::route::Routes;
use super::value::Values;
use crate::case::{AdditionalProperties, Kind, Schema};
use crate::contain::visible;
use crate::document::{Document, Node, ParseError};
use crate::finding::Side;
use crate::location::Location;
use crate::operation::{Operation, content, parameter, response};
use crate::pair::{Direction, Question};
use crate::value::Value;

/// What was seen, each part by a text that is unique in the document.
pub type Seen = HashSet<String>;

/// One part of the contract.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name, such as `getBook 404`.
    pub name: String,
    /// Whether it was seen.
    pub is_seen: bool,
    /// What the contract says.
    pub contract: Side,
}

/// What was seen of a contract.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// The operations. One is seen if it answered with a documented status.
    pub operations: Vec<Item>,
    /// The documented statuses of each operation.
    pub statuses: Vec<Item>,
    /// The optional parameters, members and headers. Those of requests count if they were accepted. A
    /// member of a shared schema counts once, and has the name of one place.
    pub members: Vec<Item>,
}

/// Returns the name of an operation.
pub fn operation(operation: &Operation<'_>) -> String {
    operation.name()
}

/// Returns what identifies an optional parameter, member or header.
pub fn member(node: &Node<'_>, direction: Direction) -> String {
    format!("{direction:?} {}", node.used_at)
}

/// Returns the name of a documented status.
pub fn status(operation: &Operation<'_>, status: &str) -> String {
    format!("{} {status}", operation.name())
}

impl Coverage {
    /// Counts what is documented, and what of it was seen.
    pub(super) fn of<'d>(routes: &Routes<'d>, values: &mut Values<'d>, seen: &Seen) -> Self {
        let mut coverage = Self::default();
        let mut members = Members { values, found: BTreeMap::new(), known: HashSet::new() };
        let item = |name: String, key: &str, node: &Node<'_>| {
            let (contract, is_seen) = (Side::new(node, "documented"), seen.contains(key));
            Item { name, is_seen, contract }
        };
        for operation in routes.all.iter().map(|route| &route.operation) {
            let name = self::operation(operation);
            coverage.operations.push(item(name.clone(), &name, &operation.node));
            for (status, node) in response::responses(operation) {
                let name = self::status(operation, &status);
                coverage.statuses.push(item(name.clone(), &name, &node));
            }
            members.operation(operation);
        }
        let members = members.found.iter();
        coverage.members.extend(members.map(|(key, (name, node))| item(name.clone(), key, node)));
        for all in [&mut coverage.operations, &mut coverage.statuses, &mut coverage.members] {
            all.sort_by(|one, other| one.name.cmp(&other.name));
        }
        coverage
    }

    /// Returns a finding for each operation and status that was not seen, unless `reasons` has a
    /// reason, and one for each reason that is not needed. A line of `reasons` is
    /// `operation status: reason`, with `*` for every operation. Lines that begin with `#` are
    /// comments.
    pub fn gaps(
        &self,
        contract: &Document,
        (file, reasons): (&str, &str),
    ) -> Result<Vec<TrafficFinding>, ParseError> {
        let mut known = read_reasons(file, reasons)?;
        let mut findings = Vec::new();
        for item in self.operations.iter().chain(&self.statuses).filter(|item| !item.is_seen) {
            match known.iter_mut().find(|reason| explains(reason.name, &item.name)) {
                Some(reason) => reason.is_needed = true,
                None => findings.push(finding(
                    TrafficRule::Uncovered,
                    format!("`{}` is documented, and was not seen", item.name),
                    (item.contract.clone(), "nothing"),
                    &item.name,
                )),
            }
        }
        for Reason { name, line, .. } in known.iter().filter(|reason| !reason.is_needed) {
            findings.push(finding(
                TrafficRule::UnneededReason,
                format!("{file}:{line} explains `{name}`, which is no gap"),
                (Side::new(&contract.root(), "no gap"), "a reason"),
                name,
            ));
        }
        Ok(findings)
    }
}

/// Why something cannot be seen.
struct Reason<'r> {
    name: &'r str,
    line: usize,
    is_needed: bool,
}

fn read_reasons<'r>(file: &str, reasons: &'r str) -> Result<Vec<Reason<'r>>, ParseError> {
    let lines = reasons.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let read = |(line, text): (usize, &'r str)| match text.split_once(": ") {
        Some((name, _)) => Ok(Reason { name: name.trim(), line, is_needed: false }),
        None => Err(ParseError(format!(
            "{file} has no reason in line {line}: write `operation status: reason`"
        ))),
    };
    lines.map(read).collect()
}

/// Whether a reason is about this gap. That of `*` is about every operation.
fn explains(reason: &str, gap: &str) -> bool {
    let of_all = reason.strip_prefix("* ");
    reason == gap || of_all.is_some_and(|it| gap.split_once(' ').is_some_and(|(_, gap)| gap == it))
}

fn finding(
    rule: TrafficRule,
    title: String,
    (contract, sent): (Side, &str),
    place: &str,
) -> TrafficFinding {
    let (sent, places) = (sent.to_owned(), vec![place.to_owned()]);
    TrafficFinding { rule, title, contract, sent, places, count: 0, exchanges: Vec::new() }
}

/// Finds every optional part of an operation.
struct Members<'v, 'd> {
    values: &'v mut Values<'d>,
    /// A name and the declaration of each.
    found: BTreeMap<String, (String, Node<'d>)>,
    /// The schemas that were walked: the end of recursion.
    known: HashSet<(Direction, Vec<*const Value>)>,
}

impl<'d> Members<'_, 'd> {
    fn operation(&mut self, operation: &Operation<'d>) {
        let name = operation.name();
        let of = (Question::Server, name.as_str());
        for (key, node) in parameter::of_operation(operation) {
            let is_checked = matches!(key.within, "query" | "header");
            if is_checked && !parameter::is_required(&node, key.within) {
                self.add(&parameter::location(of, &node), node);
            }
        }
        if let Some(body) = operation.node.get("requestBody") {
            self.content(&body, &Location::new(of, Direction::Request, "request", ""));
        }
        for (status, node) in response::responses(operation) {
            for (name, header) in node.get("headers").iter().flat_map(Node::members) {
                let part = format!("{status} header `{name}`");
                let at = Location::new(of, Direction::Response, &part, "");
                if !header.flag("required") && !name.eq_ignore_ascii_case("content-type") {
                    self.add(&at, header);
                }
            }
            self.content(&node, &Location::new(of, Direction::Response, &status, ""));
        }
    }

    fn content(&mut self, owner: &Node<'d>, at: &Location) {
        for (name, media) in content::media_types(owner) {
            self.schema(&Schema::member(&media, "schema"), &at.in_media_type(&name));
        }
    }

    fn schema(&mut self, schema: &Schema<'d>, at: &Location) {
        if !self.known.insert((at.direction, schema.key())) {
            return;
        }
        for case in self.values.cases(schema).iter() {
            match case.kind {
                Kind::Array => {
                    self.schema(&Schema::all_of(&case.origin, &case.items), &at.items());
                }
                Kind::Object => {
                    for (name, schema) in visible(case, at.direction) {
                        let at = at.property(name);
                        if !case.required.contains(name) {
                            self.add(&at, schema.shown.clone());
                        }
                        self.schema(&schema, &at);
                    }
                    if let AdditionalProperties::Allowed(all) = &case.additional {
                        let schema = Schema::all_of(&case.origin, all);
                        self.schema(&schema, &at.additional_properties());
                    }
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, at: &Location, node: Node<'d>) {
        let key = member(&node, at.direction);
        self.found.entry(key).or_insert_with(|| (at.to_string(), node));
    }
}
