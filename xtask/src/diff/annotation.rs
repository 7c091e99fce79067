//! What schemas say beside the values that they allow: defaults, `readOnly`, `writeOnly` and the
//! discriminators of unions.
//!
//! They are read through `$ref` and `allOf`, where the generator puts them, never from a choice.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;

use super::case::{Schema, same};
use super::document::Node;
use super::finding::{Finding, Pair, Rule, Side};
use super::place::Place;

/// What it means that a side states no default.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unsaid {
    /// There is none, and the other side must state none either.
    Counts,
    /// Nothing: the generator drops the defaults of parameters.
    IsNothing,
}

/// Whether any of the schemas sets the flag.
pub fn flag(schema: &Schema<'_>, keyword: &str) -> bool {
    stated(schema, keyword).iter().any(|node| node.value == &Value::Bool(true))
}

/// Whether both sides tell the branches of a union apart, and not in the same words.
pub fn discriminators_differ(schemas: &Pair<Schema<'_>>) -> bool {
    let stated = schemas.as_ref().map(|schema| stated(schema, "discriminator").into_iter().next());
    let both = stated.documented.zip(stated.served);
    both.is_some_and(|(one, two)| !same(one.value, two.value))
}

/// Compares the defaults of both sides.
pub fn defaults(schemas: &Pair<Schema<'_>>, place: &Place, unsaid: Unsaid) -> Option<Finding> {
    let stated = schemas.as_ref().map(default);
    let holds = match (&stated.documented, &stated.served) {
        (Some(one), Some(two)) => same(one.value, two.value),
        (None, None) => true,
        _ => unsaid == Unsaid::IsNothing,
    };
    let side = |node: &Option<Node<'_>>, schema: &Schema<'_>| match node {
        Some(node) => Side::new(node, format!("default {}", node.value)),
        None => Side::new(&schema.here, "no default"),
    };
    let documented = side(&stated.documented, &schemas.documented);
    let served = side(&stated.served, &schemas.served);
    let (subject, one, two) = (place.subject(), &documented.says, &served.says);
    let title = format!("{subject} has {one} in the document, and {two} on the server");
    let sides = Pair { documented, served };
    (!holds).then(|| Finding::new(Rule::Default, title, sides, &place.to_string()))
}

/// The outermost default; null is what an absent property is anyway.
fn default<'d>(schema: &Schema<'d>) -> Option<Node<'d>> {
    stated(schema, "default").into_iter().next().filter(|node| !node.value.is_null())
}

/// The schemas that a value satisfies for certain: a union of one is no choice.
fn parts<'d>(node: &Node<'d>) -> Vec<Node<'d>> {
    let of = |keyword| node.get(keyword).map_or(Vec::new(), |all| all.elements().collect());
    let unions = ["oneOf", "anyOf"].map(of).into_iter().filter(|branches| branches.len() == 1);
    unions.flatten().chain(of("allOf")).collect()
}

/// Every value of a keyword, the outermost first.
fn stated<'d>(schema: &Schema<'d>, keyword: &str) -> Vec<Node<'d>> {
    let mut seen = BTreeSet::new();
    let mut open: VecDeque<_> = schema.all.iter().cloned().collect();
    let mut found = Vec::new();
    while let Some(node) = open.pop_front() {
        if seen.insert(node.pointer.clone()) {
            found.extend(node.get(keyword));
            open.extend(parts(&node));
        }
    }
    found
}
