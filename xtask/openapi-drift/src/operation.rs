//! Operations: which operation of one side matches which of the other, and their differences.
//!
//! This file compares only routes and names. Its submodules compare what is sent.

mod content;
mod parameter;
mod response;

use crate::document::{Document, Node};
use crate::finding::{Finding, Rule, Side, merge};
use crate::location::Location;
use crate::pair::{Direction, Pair};

/// The methods that a path can have.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The result of a comparison.
#[derive(Debug)]
pub struct Outcome {
    /// The names of the documents.
    pub names: Pair<String>,
    /// How many operations are documented.
    pub operations: usize,
    /// Every difference.
    pub findings: Vec<Finding>,
}

/// Compares what the contract documents with what the server declares.
pub fn compare(documents: &Pair<Document>) -> Outcome {
    let mut unmatched = documents.as_ref().map(operations);
    let operations = unmatched.documented.len();
    let mut findings = Vec::new();
    for is_match in [Operation::has_route_of, Operation::has_id_of] {
        for pair in take_pairs(&mut unmatched, is_match) {
            findings.extend(pair.findings());
        }
    }
    let Pair { documented: missing, served: undocumented } = unmatched;
    findings.extend(missing.iter().map(|one| one.missing(&documents.served)));
    findings.extend(undocumented.iter().map(|one| one.undocumented(&documents.documented)));
    let names = documents.as_ref().map(|document| document.name.clone());
    Outcome { names, operations, findings: merge(findings) }
}

/// One method of one path.
#[derive(Clone, Debug)]
struct Operation<'d> {
    method: &'static str,
    path: &'d str,
    item: Node<'d>,
    node: Node<'d>,
}

fn operations(document: &Document) -> Vec<Operation<'_>> {
    let mut operations = Vec::new();
    for (path, item) in paths(document).members().filter(|(path, _)| !path.starts_with("x-")) {
        operations.extend(METHODS.into_iter().filter_map(|method| {
            Some(Operation { method, path, node: item.get(method)?, item: item.clone() })
        }));
    }
    operations
}

fn paths(document: &Document) -> Node<'_> {
    document.root().get("paths").unwrap_or_else(|| document.root())
}

/// Removes and returns the pairs that match.
fn take_pairs<'d>(
    unmatched: &mut Pair<Vec<Operation<'d>>>,
    is_match: fn(&Operation<'d>, &Operation<'d>) -> bool,
) -> Vec<Pair<Operation<'d>>> {
    let Pair { documented, served } = unmatched;
    let mut pairs = Vec::new();
    documented.retain(|operation| {
        let index = served.iter().position(|other| is_match(operation, other));
        let pair =
            index.map(|index| Pair { documented: operation.clone(), served: served.remove(index) });
        let is_unmatched = pair.is_none();
        pairs.extend(pair);
        is_unmatched
    });
    pairs
}

impl Operation<'_> {
    fn has_route_of(&self, other: &Self) -> bool {
        self.path == other.path && self.method == other.method
    }

    /// Whether it is the same operation on another route.
    fn has_id_of(&self, other: &Self) -> bool {
        self.id().is_some() && self.id() == other.id()
    }

    fn id(&self) -> Option<&str> {
        self.node.text("operationId")
    }

    fn route(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    fn name(&self) -> String {
        self.id().map_or_else(|| self.route(), str::to_owned)
    }

    /// Returns the route, with the operationId if there is one.
    fn full_name(&self) -> String {
        self.id().map_or_else(|| self.route(), |id| format!("{} ({id})", self.route()))
    }

    fn missing(&self, served: &Document) -> Finding {
        let title = format!("{} is documented, and not served", self.full_name());
        let sides = Side::pair((&self.node, "an operation"), (&paths(served), "no such operation"));
        Finding::new(Rule::MissingOperation, title, sides, &self.name())
    }

    fn undocumented(&self, documented: &Document) -> Finding {
        let title = format!("{} is served, and not documented", self.full_name());
        let sides =
            Side::pair((&paths(documented), "no such operation"), (&self.node, "an operation"));
        Finding::new(Rule::UndocumentedOperation, title, sides, &self.name())
    }
}

impl Pair<Operation<'_>> {
    fn findings(&self) -> Vec<Finding> {
        let mut findings = self.names();
        findings.extend(parameter::compare(self));
        findings.extend(self.body());
        findings.extend(response::compare(self));
        findings
    }

    fn name(&self) -> String {
        self.documented.name()
    }

    fn names(&self) -> Vec<Finding> {
        let id = |operation: &Operation<'_>| {
            operation.id().map_or("missing".to_owned(), |id| format!("`{id}`"))
        };
        let routes = self.as_ref().map(Operation::route);
        let route = self.renamed(Rule::Path, "the route", &routes);
        let id = self.renamed(Rule::OperationId, "the operationId", &self.as_ref().map(id));
        route.into_iter().chain(id).collect()
    }

    fn renamed(&self, rule: Rule, what: &str, names: &Pair<String>) -> Option<Finding> {
        let Pair { documented, served } = names;
        let name = self.name();
        let title =
            format!("{name}: {what} is {documented} in the document, and {served} on the server");
        let sides = Side::pair((&self.documented.node, documented), (&self.served.node, served));
        (documented != served).then(|| Finding::new(rule, title, sides, &name))
    }

    fn body(&self) -> Vec<Finding> {
        let (direction, subject) = (Direction::Request, "the request body");
        let location = Location::new(&self.name(), direction, "request", subject);
        let bodies = self.as_ref().map(|operation| {
            let body = operation.node.get("requestBody");
            body.filter(content::is_present).unwrap_or_else(|| operation.node.clone())
        });
        let mut findings = content::compare(&bodies, &location);
        if content::is_present(&bodies.documented) {
            let required =
                bodies.as_ref().map(|body| content::is_present(body) && body.flag("required"));
            findings.extend(Finding::required(&bodies.as_ref(), required, &location));
        }
        findings
    }
}
