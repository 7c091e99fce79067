//! What a union says about its variants: the `discriminator` that selects one, and the overlaps that
//! `oneOf` forbids.
//!
//! `oneOf: [A, B]` allows what is in A and not in B, or in B and not in A. So a variant keeps the
//! schemas of its rivals, like a `not`, unless `disjoint` proves that they have no value in common.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::MAX_CASES;
use super::disjoint::Variant;
use crate::case::{Case, Opaque, Values};
use crate::document::Node;

/// With more rivals the whole union is compared for equality.
const MAX_RIVALS: usize = 6;

/// Notes the value that selects each variant.
pub fn add_tags<'d>(union: &Node<'d>, schemas: &[Node<'d>], variants: &mut [Vec<Case<'d>>]) {
    let Some(discriminator) = union.get("discriminator") else { return };
    let Some(property) = discriminator.text("propertyName") else { return };
    for (schema, cases) in schemas.iter().zip(variants) {
        let values = Rc::new(selectors(&discriminator, schema));
        for case in cases {
            case.tag = Some((property, Rc::clone(&values)));
        }
    }
}

/// Returns the names that `mapping` has for a schema, else the name of its component.
fn selectors(discriminator: &Node<'_>, schema: &Node<'_>) -> Values {
    let component = schema.defined_at.rsplit('/').next().unwrap_or_default();
    let mapping = discriminator.get("mapping");
    let members = mapping.iter().flat_map(Node::members);
    let is_schema =
        |target: &str| target == component || target.strip_prefix('#') == Some(&*schema.defined_at);
    let names = members.filter(|(_, target)| target.value.as_str().is_some_and(is_schema));
    let names: Values = names.map(|(name, _)| name.into()).collect();
    if names.is_empty() { [component.into()].into() } else { names }
}

/// Notes for every case which other variants it may fit too.
pub fn add_rivals<'d>(union: &Node<'d>, schemas: &[Node<'d>], variants: &mut [Vec<Case<'d>>]) {
    if variants.iter().map(Vec::len).sum::<usize>() > MAX_CASES {
        return;
    }
    let cases = variants.iter().enumerate();
    let cases = cases.flat_map(|(at, all)| all.iter().map(move |case| (at, Variant::new(case))));
    let cases: Vec<_> = cases.collect();
    let mut rivals = vec![BTreeSet::new(); cases.len()];
    for (one, (at, case)) in cases.iter().enumerate() {
        for (two, (other, rival)) in cases.iter().enumerate().skip(one + 1) {
            if at != other && case.overlaps(rival) {
                rivals[one].insert(*other);
                rivals[two].insert(*at);
            }
        }
    }
    for (case, rivals) in variants.iter_mut().flatten().zip(rivals) {
        if case.rivals.len() + rivals.len() > MAX_RIVALS {
            case.opaque.push(Opaque { keyword: "oneOf", node: Some(union.clone()) });
        } else {
            case.rivals.extend(rivals.into_iter().map(|at| schemas[at].clone()));
        }
    }
}
