//! Operations: which of the one side is which of the other, and what each of them holds.
//!
//! Only paths and names are compared here; what travels is compared by the files beside it.

mod content;
mod parameter;
mod response;

use super::document::{Document, Node};
use super::finding::{Direction, Finding, Pair, Rule, Side, merge};
use super::place::Place;

/// The methods that a path can have.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The result of a comparison.
#[derive(Debug)]
pub struct Outcome {
    /// How many operations are documented.
    pub operations: usize,
    /// Every drift.
    pub findings: Vec<Finding>,
}

/// Whether the server keeps what the document promises, and promises nothing else.
pub fn compare(documents: &Pair<Document>) -> Outcome {
    let mut lonely = documents.as_ref().map(operations);
    let operations = lonely.documented.len();
    let mut findings = Vec::new();
    for same in [Operation::has_route_of, Operation::has_id_of] {
        for pair in take_pairs(&mut lonely, same) {
            findings.extend(pair.findings());
        }
    }
    findings.extend(lonely.documented.iter().map(|one| one.missing(&documents.served)));
    findings.extend(lonely.served.iter().map(|one| one.undocumented(&documents.documented)));
    Outcome { operations, findings: merge(findings) }
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
    let Some(paths) = document.root().get("paths") else { return Vec::new() };
    let mut operations = Vec::new();
    for (path, item) in paths.members().filter(|(path, _)| !path.starts_with("x-")) {
        operations.extend(METHODS.into_iter().filter_map(|method| {
            Some(Operation { method, path, node: item.get(method)?, item: item.clone() })
        }));
    }
    operations
}

type Sameness<'d> = fn(&Operation<'d>, &Operation<'d>) -> bool;

fn take_pairs<'d>(
    lonely: &mut Pair<Vec<Operation<'d>>>,
    same: Sameness<'d>,
) -> Vec<Pair<Operation<'d>>> {
    let mut pairs = Vec::new();
    lonely.documented.retain(|documented| {
        let Some(index) = lonely.served.iter().position(|served| same(documented, served)) else {
            return true;
        };
        pairs.push(Pair { documented: documented.clone(), served: lonely.served.remove(index) });
        false
    });
    pairs
}

impl Operation<'_> {
    fn has_route_of(&self, other: &Self) -> bool {
        self.path == other.path && self.method == other.method
    }

    /// The same operation, moved.
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

    /// The route with the operationId, where there is one.
    fn full_name(&self) -> String {
        self.id().map_or_else(|| self.route(), |id| format!("{} ({id})", self.route()))
    }

    fn missing(&self, served: &Document) -> Finding {
        let title = format!("{} is documented, and not served", self.full_name());
        let sides = Pair {
            documented: Side::new(&self.node, "an operation"),
            served: Side::new(&paths(served), "no such operation"),
        };
        Finding::new(Rule::MissingOperation, title, sides, &self.name())
    }

    fn undocumented(&self, documented: &Document) -> Finding {
        let title = format!("{} is served, and not documented", self.full_name());
        let sides = Pair {
            documented: Side::new(&paths(documented), "no such operation"),
            served: Side::new(&self.node, "an operation"),
        };
        Finding::new(Rule::UndocumentedOperation, title, sides, &self.name())
    }
}

fn paths(document: &Document) -> Node<'_> {
    document.root().get("paths").unwrap_or_else(|| document.root())
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
        let mut findings = Vec::new();
        let mut differ = |rule, what: &str, says: Pair<String>| {
            if says.documented != says.served {
                let (one, two) = (&says.documented, &says.served);
                let title = format!(
                    "{}: {what} is {one} in the document, and {two} on the server",
                    self.name()
                );
                let sides = Pair {
                    documented: Side::new(&self.documented.node, one),
                    served: Side::new(&self.served.node, two),
                };
                findings.push(Finding::new(rule, title, sides, &self.name()));
            }
        };
        let id = |operation: &Operation<'_>| {
            operation.id().map_or("missing".to_owned(), |id| format!("`{id}`"))
        };
        differ(Rule::Path, "the route", self.as_ref().map(Operation::route));
        differ(Rule::OperationId, "the operationId", self.as_ref().map(id));
        findings
    }

    fn body(&self) -> Vec<Finding> {
        let place = Place::new(&self.name(), Direction::Request, "request", "the request body");
        let bodies = self.as_ref().map(|operation| {
            let body = operation.node.get("requestBody");
            body.filter(content::is_present).unwrap_or_else(|| operation.node.clone())
        });
        let required =
            bodies.as_ref().map(|body| content::is_present(body) && body.flag("required"));
        let optional = content::is_present(&bodies.documented) && !required.documented;
        let mut findings = content::compare(&bodies, &place);
        if optional && required.served {
            let title = "the request body is required by the server, and documented as optional";
            let sides = Pair {
                documented: Side::new(&bodies.documented, "optional"),
                served: Side::new(&bodies.served, "required"),
            };
            let finding = Finding::new(Rule::Required, title.into(), sides, &place.to_string());
            findings.push(Finding { direction: Some(Direction::Request), ..finding });
        }
        findings
    }
}
