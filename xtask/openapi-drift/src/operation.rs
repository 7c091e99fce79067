//! Operations: which operation of one side matches which of the other, and their differences.
//!
//! This file compares only routes and names. Its submodules compare what is sent.

pub(crate) mod content;
pub(crate) mod parameter;
pub(crate) mod response;
mod security;

use std::collections::HashMap;
use std::thread;

use crate::contain::{Containment, MAX_DEPTH, Shared};
use crate::document::{Document, Node};
use crate::finding::{Effect, Finding, Merged, Rule, Side, Unlisted, said};
use crate::location::Location;
use crate::pair::{Direction, Pair, Question};
use crate::warning::Warning;

/// The stack of a comparison: enough for `MAX_DEPTH` in a build without optimizations.
const STACK: usize = 1 << 28;
/// How deep a value may be nested on the stack of the caller.
const SHALLOW: usize = 100;

/// The methods that a path can have.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The result of a comparison.
#[derive(Debug)]
pub struct Outcome {
    /// What was asked.
    pub question: Question,
    /// The names of the documents.
    pub names: Pair<String>,
    /// How many operations are documented.
    pub operations: usize,
    /// Every difference that breaks a promise.
    pub findings: Vec<Finding>,
    /// What a later version of a contract only adds.
    pub additions: Vec<Finding>,
    /// What breaks nothing, and is good to know about a server.
    pub notes: Vec<Finding>,
    /// How many more of these there are, by their code.
    pub unlisted: Vec<Unlisted>,
    /// Keywords without a meaning, in both documents. They fail nothing.
    pub warnings: Vec<Warning>,
}

impl Outcome {
    /// Returns how many differences break a promise, listed or not.
    pub fn count(&self) -> usize {
        let unlisted = self.unlisted.iter().filter(|it| it.effect == Effect::Breaks);
        self.findings.len() + unlisted.map(|it| it.count).sum::<usize>()
    }

    /// Returns the side of the contract that is edited, with its document's name: the contract itself,
    /// or its later version. Then the other side.
    pub(crate) fn sides<'a>(&'a self, finding: &'a Finding) -> [(&'a Side, &'a str); 2] {
        let documented = (&*finding.documented, self.names.documented.as_str());
        let served = (&*finding.served, self.names.served.as_str());
        self.question.words([documented, served], [served, documented])
    }
}

/// What the same operation has on both sides: its operationId, its route or both.
type Key = Option<(String, String)>;

/// Compares what the contract documents with what the server declares, or an earlier version of a
/// contract with a later one.
pub fn compare(question: Question, documents: &Pair<Document>) -> Outcome {
    // References lead deeper than the stack of any thread; only what is used of it takes memory.
    let thread = thread::Builder::new().stack_size(STACK);
    thread::scope(|scope| {
        let work = || compare_within(question, documents, MAX_DEPTH);
        let result = thread.spawn_scoped(scope, work).map(thread::ScopedJoinHandle::join);
        match result {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => compare_within(question, documents, SHALLOW),
        }
    })
}

/// Compares, with room on the stack for values that are nested as deep as this.
fn compare_within(question: Question, documents: &Pair<Document>, max_depth: usize) -> Outcome {
    let size = documents.documented.size() + documents.served.size();
    let shared = Shared::new(Containment::new(size, max_depth));
    let mut unmatched = documents.as_ref().map(|document| operations(question, document));
    let operations = unmatched.documented.len();
    let mut findings = Merged::default();
    // An operation keeps its operationId when it moves, even if another takes its route.
    let keys: [fn(&Operation<'_>) -> Key; 4] = [
        |it| Some((it.id()?.to_owned(), it.route())),
        |it| Some((it.id()?.to_owned(), String::new())),
        |it| Some((String::new(), it.route())),
        |it| Some((String::new(), it.shape())),
    ];
    for key in keys {
        for pair in take_pairs(&mut unmatched, key) {
            findings.extend(pair.findings(&shared));
        }
    }
    let Pair { documented: missing, served: undocumented } = unmatched;
    findings.extend(missing.iter().map(|one| one.missing(&documents.served)));
    findings.extend(undocumented.iter().map(|one| one.undocumented(&documents.documented)));
    let names = documents.as_ref().map(|document| document.name.clone());
    let (findings, unlisted) = findings.sorted();
    let (findings, others): (_, Vec<_>) =
        findings.into_iter().partition(|finding| finding.effect == Effect::Breaks);
    let (additions, notes) = others.into_iter().partition(|it| it.effect == Effect::Adds);
    let Pair { documented, served } = documents.as_ref().map(|document| document.warnings.clone());
    let warnings = [documented, served].concat();
    Outcome { question, names, operations, findings, additions, notes, unlisted, warnings }
}

/// One method of one path.
#[derive(Clone, Debug)]
pub(crate) struct Operation<'d> {
    question: Question,
    pub method: &'static str,
    pub path: &'d str,
    pub item: Node<'d>,
    pub node: Node<'d>,
}

pub(crate) fn operations(question: Question, document: &Document) -> Vec<Operation<'_>> {
    let mut operations = Vec::new();
    for (path, item) in paths(document).members().filter(|(path, _)| !path.starts_with("x-")) {
        operations.extend(METHODS.into_iter().filter_map(|method| {
            let node = item.get(method)?;
            Some(Operation { question, method, path, node, item: item.clone() })
        }));
    }
    operations
}

/// Returns a route without the names of its parameters.
pub fn shape(route: &str) -> String {
    let part = |part: &str| part.split_once('}').map_or(part, |(_, rest)| rest).to_owned();
    route.split('{').map(part).collect::<Vec<_>>().join("{}")
}

fn paths(document: &Document) -> Node<'_> {
    document.root().get("paths").unwrap_or_else(|| document.root())
}

/// Removes and returns the pairs that have the same key. The first of several goes first.
fn take_pairs<'d>(
    unmatched: &mut Pair<Vec<Operation<'d>>>,
    key: fn(&Operation<'d>) -> Key,
) -> Vec<Pair<Operation<'d>>> {
    let Pair { documented, served } = unmatched;
    let mut by_key = HashMap::<_, Vec<usize>>::new();
    for (index, operation) in served.iter().enumerate().rev() {
        by_key.entry(key(operation)).or_default().push(index);
    }
    by_key.remove(&None);
    let mut taken = vec![false; served.len()];
    let mut pairs = Vec::new();
    documented.retain(|operation| {
        let index = by_key.get_mut(&key(operation)).and_then(Vec::pop);
        pairs.extend(index.map(|index| {
            taken[index] = true;
            Pair { documented: operation.clone(), served: served[index].clone() }
        }));
        index.is_none()
    });
    let mut taken = taken.into_iter();
    served.retain(|_| !taken.next().unwrap_or_default());
    pairs
}

impl Operation<'_> {
    /// Returns the route without the names of its parameters.
    pub fn shape(&self) -> String {
        shape(&self.route())
    }

    fn id(&self) -> Option<&str> {
        self.node.text("operationId")
    }

    pub fn route(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    pub fn name(&self) -> String {
        self.id().map_or_else(|| self.route(), str::to_owned)
    }

    /// Returns the route, with the operationId if there is one.
    fn full_name(&self) -> String {
        self.id().map_or_else(|| self.route(), |id| format!("{} ({id})", self.route()))
    }

    fn missing(&self, served: &Document) -> Finding {
        let name = self.full_name();
        let title = self
            .question
            .words(format!("{name} is documented, and not served"), format!("{name} is gone"));
        let paths = paths(served);
        let sides = said((&self.node, "an operation"), (&paths, "no such operation"));
        Finding::new((self.question, Rule::MissingOperation), title, sides, &self.name())
    }

    fn undocumented(&self, documented: &Document) -> Finding {
        let name = self.full_name();
        let title = self
            .question
            .words(format!("{name} is served, and not documented"), format!("{name} is new"));
        let paths = paths(documented);
        let sides = said((&paths, "no such operation"), (&self.node, "an operation"));
        let code = (self.question, Rule::UndocumentedOperation);
        Finding::new(code, title, sides, &self.name()).adds_if(true)
    }
}

impl Pair<Operation<'_>> {
    fn findings(&self, shared: &Shared) -> Vec<Finding> {
        let mut findings = self.names();
        if self.question() == Question::Change {
            findings.extend(security::compare(self));
        }
        findings.extend(parameter::compare(self, shared));
        findings.extend(self.body(shared));
        findings.extend(response::compare(self, shared));
        findings
    }

    fn question(&self) -> Question {
        self.documented.question
    }

    fn name(&self) -> String {
        self.documented.name()
    }

    fn names(&self) -> Vec<Finding> {
        let id = |operation: &Operation<'_>| {
            operation.id().map_or("missing".to_owned(), |id| format!("`{id}`"))
        };
        let nodes = self.as_ref().map(|operation| operation.node.clone());
        let shapes = self.as_ref().map(Operation::shape);
        let routes = if shapes.documented == shapes.served {
            self.renamed_parameters()
        } else {
            let routes = self.as_ref().map(Operation::route);
            Vec::from_iter(self.renamed(Rule::Path, "the route", &routes, &nodes))
        };
        let ids = nodes.map(|node| node.get("operationId").unwrap_or(node));
        let names = self.as_ref().map(id);
        let id = self.renamed(Rule::OperationId, "the operationId", &names, &ids);
        routes.into_iter().chain(id).collect()
    }

    /// Reports every parameter of the path that has another name.
    fn renamed_parameters(&self) -> Vec<Finding> {
        let Pair { documented, served } =
            self.as_ref().map(|operation| parameter::placeholders(operation.path));
        let renamed = documented.into_iter().zip(served).filter(|(one, two)| one != two);
        let finding = |(one, two): (&str, &str)| {
            let title = self.question().words(
                format!("the path parameter `{one}` is documented, and the server declares `{two}` instead"),
                format!("the path parameter `{one}` is now `{two}`"),
            );
            let items = self.as_ref().map(|operation| &operation.item);
            let sides = said(
                (items.documented, format!("{{{one}}}")),
                (items.served, format!("{{{two}}}")),
            );
            Finding::new((self.question(), Rule::Path), title, sides, &self.name())
        };
        renamed.map(finding).collect()
    }

    fn renamed(
        &self,
        rule: Rule,
        what: &str,
        names: &Pair<String>,
        nodes: &Pair<Node<'_>>,
    ) -> Option<Finding> {
        let Pair { documented, served } = names;
        if documented == served {
            return None;
        }
        let name = self.name();
        let title = self.question().words(
            format!("{name}: {what} is {documented} in the document, and {served} on the server"),
            format!("{name}: {what} was {documented}, and is now {served}"),
        );
        let sides = said((&nodes.documented, documented), (&nodes.served, served));
        Some(Finding::new((self.question(), rule), title, sides, &name))
    }

    fn body(&self, shared: &Shared) -> Vec<Finding> {
        let (direction, subject) = (Direction::Request, "the request body");
        let location =
            Location::new((self.question(), &self.name()), direction, "request", subject);
        let bodies = self.as_ref().map(|operation| {
            let body = operation.node.get("requestBody");
            body.filter(content::is_present).unwrap_or_else(|| operation.node.clone())
        });
        let mut findings = content::compare(&bodies, &location, shared);
        findings.extend(parameter::unreadable(&bodies.as_ref(), &location));
        if content::is_present(&bodies.documented) {
            let required = bodies.as_ref().map(|body| body.flag("required"));
            findings.extend(Finding::required(&bodies.as_ref(), required, &location));
        }
        findings
    }
}
