//! Expands schemas into plain cases. Only this module knows what their keywords mean.
//!
//! A condition that cannot be read is kept and compared for equality, never dropped. This module
//! must not compare.

mod disjoint;
mod keyword;
mod variant;

use std::rc::Rc;

use crate::case::{Case, Kind, Opaque, Schema};
use crate::document::{Node, Version};
use crate::number::{Number, Range};
use crate::value::Value;
pub use disjoint::are_disjoint;
use keyword::own_cases;
pub use keyword::{integer_format, lists_nothing, types};

/// More cases than any schema that a person can read.
const MAX_CASES: usize = 200;
/// More schemas in one value than any document holds.
const MAX_SCHEMAS: usize = 2000;
/// Deeper than any value that a person reads.
const MAX_DEPTH: usize = 100;

/// Returns everything that a schema allows.
pub fn expand<'d>(schema: &Schema<'d>) -> Vec<Case<'d>> {
    Expansion::default().finish(schema)
}

/// Returns everything that a schema allows, and what its `oneOf` forbids because it fits twice.
pub fn expand_roughly<'d>(schema: &Schema<'d>) -> Vec<Case<'d>> {
    Expansion { is_rough: true, ..Expansion::default() }.finish(schema)
}
fn every_case<'d>(node: &Node<'d>) -> Vec<Case<'d>> {
    Kind::ALL.iter().map(|kind| Case::any(*kind, node)).collect()
}

/// Applies what is known only after all conditions are combined.
fn restrict_numbers(case: &mut Case<'_>) {
    if case.is_integer {
        if !case.has_integer_format {
            case.range = case.range.intersect(Range::whole(i64::MIN.into(), i64::MAX.into()));
        }
        case.range = case.range.of_integers();
    }
    if case.kind == Kind::Number {
        let (range, is_integer) = (case.range, case.is_integer);
        let fits = |number: Number| range.contains(number) && (!is_integer || number.is_whole());
        let fits = |value: &Value| value.as_number().is_some_and(fits);
        if let Some(values) = case.values.as_mut().filter(|values| !values.iter().all(fits)) {
            Rc::make_mut(values).retain(fits);
        }
    }
}

/// The expansion of one value.
#[derive(Default)]
struct Expansion {
    /// The schemas that are being expanded: the end of recursion.
    in_progress: Vec<*const Value>,
    count: usize,
    /// Whether `oneOf` is read as `anyOf`.
    is_rough: bool,
}

impl Expansion {
    fn finish<'d>(mut self, schema: &Schema<'d>) -> Vec<Case<'d>> {
        let mut cases = match &schema.all[..] {
            [] => every_case(&schema.shown),
            [first, rest @ ..] => {
                let cases = self.schema(first);
                self.all(rest, cases)
            }
        };
        cases.iter_mut().for_each(restrict_numbers);
        cases.retain(Case::is_possible);
        cases
    }

    /// Restricts `cases` by every schema.
    fn all<'d>(&mut self, schemas: &[Node<'d>], mut cases: Vec<Case<'d>>) -> Vec<Case<'d>> {
        for node in schemas {
            let more = self.schema(node);
            cases = intersect(node, &cases, &more);
        }
        cases
    }

    fn schema<'d>(&mut self, node: &Node<'d>) -> Vec<Case<'d>> {
        self.count += 1;
        let this = std::ptr::from_ref(node.value);
        let is_recursive = self.in_progress.contains(&this) || self.in_progress.len() > MAX_DEPTH;
        if let (Version::V3_1, Some(allows)) = (node.version(), node.value.as_bool()) {
            return if allows { every_case(node) } else { Vec::new() };
        }
        if is_recursive || self.count > MAX_SCHEMAS {
            return unreadable(node, (!is_recursive).then_some(node));
        }
        self.in_progress.push(this);
        let cases = self.combine(node);
        self.in_progress.pop();
        cases
    }

    /// Combines the schema's own keywords with the schemas in it.
    fn combine<'d>(&mut self, node: &Node<'d>) -> Vec<Case<'d>> {
        let all = node.conjuncts();
        let mut cases = self.all(&all, own_cases(node));
        if all.len() > 1 {
            for case in &mut cases {
                case.origin = node.clone();
            }
        }
        for keyword in ["oneOf", "anyOf"] {
            let schemas = node.list(keyword);
            if !schemas.is_empty() {
                let mut variants: Vec<_> = schemas.iter().map(|one| self.schema(one)).collect();
                variant::add_tags(node, &schemas, &mut variants);
                if keyword == "oneOf" && !self.is_rough {
                    variant::add_rivals(node, &schemas, &mut variants);
                }
                let variants: Vec<_> = variants.into_iter().flatten().collect();
                cases = intersect(node, &cases, &variants);
            }
        }
        if keyword::is_nullable(node) && !cases.iter().any(|case| case.kind == Kind::Null) {
            cases.push(Case::any(Kind::Null, node));
        }
        cases
    }
}

/// Returns every case, with the condition that the unread schemas are equal.
fn unreadable<'d>(node: &Node<'d>, unread: Option<&Node<'d>>) -> Vec<Case<'d>> {
    let mut cases = every_case(node);
    for case in &mut cases {
        case.opaque.push(Opaque { keyword: "schema", node: unread.cloned() });
    }
    cases
}

/// Intersects every case of `one` with every case of `two`.
fn intersect<'d>(node: &Node<'d>, one: &[Case<'d>], two: &[Case<'d>]) -> Vec<Case<'d>> {
    let mut cases: Vec<Case<'d>> = Vec::new();
    for case in one.iter().flat_map(|a| two.iter().filter_map(|b| a.intersect(b))) {
        if cases.len() == MAX_CASES {
            return unreadable(node, Some(node));
        }
        match cases.iter_mut().find(|known| known.equals_except_values(&case)) {
            Some(known) => add_values(known, case),
            None => cases.push(case),
        }
    }
    cases
}

/// Merges two enumerations, because a union of constants is an enumeration.
fn add_values<'d>(known: &mut Case<'d>, case: Case<'d>) {
    let (Some(values), Some(more)) = (&mut known.values, case.values) else {
        known.values = None;
        return;
    };
    if !more.is_subset(values) {
        Rc::make_mut(values).extend(more.iter().cloned());
    }
}
