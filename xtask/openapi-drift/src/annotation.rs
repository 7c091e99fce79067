//! What schemas say apart from the values that they allow: defaults, `readOnly`, `writeOnly` and
//! the discriminators of unions.
//!
//! They are read through `$ref` and `allOf`, which is how the generator writes them, but not
//! through a choice.

use std::collections::{HashSet, VecDeque};

use crate::case::Schema;
use crate::document::Node;
use crate::finding::{Finding, Rule, said};
use crate::location::Location;
use crate::pair::Pair;
use crate::value::Value;

/// Whether any of the schemas sets the flag.
pub fn flag(schema: &Schema<'_>, keyword: &str) -> bool {
    find_all(schema, keyword).iter().any(|node| node.value.as_bool() == Some(true))
}

/// Whether both sides have a discriminator, and the two differ.
pub fn discriminators_differ(schemas: &Pair<Schema<'_>>) -> bool {
    let found = schemas.as_ref().map(|schema| find_all(schema, "discriminator").into_iter().next());
    let both = found.documented.zip(found.served);
    both.is_some_and(|(one, two)| one.value != two.value)
}

/// Compares the defaults of both sides.
pub fn compare_defaults(schemas: &Pair<Schema<'_>>, location: &Location) -> Option<Finding> {
    let defaults = schemas.as_ref().map(default);
    let agree = match (&defaults.documented, &defaults.served) {
        (Some(one), Some(two)) => one.value == two.value,
        (one, two) => one.is_none() && two.is_none(),
    };
    if agree {
        return None;
    }
    let is_new = defaults.documented.is_none();
    let says = defaults.as_ref().map(|node| match node {
        Some(node) => format!("default {}", node.value),
        None => "no default".to_owned(),
    });
    let (subject, one, two) = (location.subject(), &says.documented, &says.served);
    let title = location.question.words(
        format!("{subject} has {one} in the document, and {two} on the server"),
        format!("{subject} had {one}, and now has {two}"),
    );
    let code = (location.question, Rule::Default);
    let shown = schemas.as_ref().map(|schema| &schema.shown);
    let sides = said(
        (defaults.documented.as_ref().unwrap_or(shown.documented), says.documented),
        (defaults.served.as_ref().unwrap_or(shown.served), says.served),
    );
    Some(Finding::new(code, title, sides, location).adds_if(is_new))
}

/// Returns the outermost default. Null is none: an absent property is null already.
fn default<'d>(schema: &Schema<'d>) -> Option<Node<'d>> {
    find_all(schema, "default").into_iter().next().filter(|node| !node.value.is_null())
}

/// Returns every value of a keyword, the outermost first.
fn find_all<'d>(schema: &Schema<'d>, keyword: &str) -> Vec<Node<'d>> {
    // Most schemas combine no others, so that nothing is put in here.
    let mut known = HashSet::new();
    let mut found: Vec<_> = schema.all.iter().filter_map(|node| node.get(keyword)).collect();
    let mut pending: VecDeque<_> = schema.all.iter().flat_map(always_applied).collect();
    while let Some(node) = pending.pop_front() {
        if known.insert(std::ptr::from_ref(node.value)) {
            found.extend(node.get(keyword));
            pending.extend(always_applied(&node));
        }
    }
    found
}

/// Returns the subschemas that every value satisfies: a union of one schema is not a choice.
fn always_applied<'d>(node: &Node<'d>) -> Vec<Node<'d>> {
    let is_single = |keyword: &&str| {
        let branches = node.value.get(keyword).and_then(Value::as_array);
        branches.is_some_and(|branches| branches.len() == 1)
    };
    let single = ["oneOf", "anyOf"].into_iter().filter(is_single);
    single.flat_map(|keyword| node.list(keyword)).chain(node.conjuncts()).collect()
}
