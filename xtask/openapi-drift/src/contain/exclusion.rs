//! What a `not`, or a `oneOf`, excludes from a case: a value of the smaller side must not be excluded
//! on the larger side.

use std::rc::Rc;

use super::{Containment, Fit, Value, breaks};
use crate::case::{Case, Kind, Schema};
use crate::document::Node;
use crate::expand::{are_disjoint, expand};
use crate::finding::Finding;
use crate::pair::Question;
use crate::value::Value as Json;

impl Containment {
    /// Reports a `not` that only one side has, and that may exclude a value of the smaller one.
    /// Between two versions the smaller side may have more.
    pub(super) fn exclusions(&mut self, fit: &Fit<'_, '_>) -> Option<Finding> {
        let Fit { value, small, large, .. } = fit;
        let mut is_same = |one: &Node<'_>, two: &Node<'_>| {
            let schemas = fit.part(std::slice::from_ref(one), std::slice::from_ref(two));
            self.are_equal(&schemas, value.location)
        };
        let mut is_only = |one: &Node<'_>, others: &[Node<'_>]| {
            !is_outside(small, one) && !others.iter().any(|two| is_same(one, two))
        };
        let is_change = value.location.question == Question::Change;
        let differ = large.not.iter().any(|one| is_only(one, &small.not))
            || (!is_change && small.not.iter().any(|one| is_only(one, &large.not)));
        differ.then(|| value.undecided("a `not`"))
    }

    /// Reports a value that a `not` or a `oneOf` may exclude from each case that has it.
    pub(super) fn excluded_value(
        &mut self,
        value: &Value<'_, '_>,
        case: &Case<'_>,
        larger: &[&Case<'_>],
    ) -> Option<Finding> {
        let is_plain = |case: &&Case<'_>| case.not.is_empty() && case.rivals.is_empty();
        if case.not.is_empty() && larger.iter().all(is_plain) {
            return None;
        }
        let rest = Case { values: None, ..case.clone() };
        let one = |value: &Json| {
            let values = Some(Rc::new([value.clone()].into()));
            Case { values, ..rest.clone() }
        };
        let values = case.values.iter().flat_map(|values| values.iter());
        let mut cases: Vec<_> = values.map(one).collect();
        if cases.is_empty() {
            cases.push(rest);
        }
        cases.iter().find_map(|small| {
            let having = larger.iter().filter(|other| !are_disjoint(small, other));
            let fit = |large| Fit { value, small, large, covered: &[] };
            let mut excluded = |fit| self.exclusions(&fit).or_else(|| self.overlap(&fit));
            let found = having.map(|large| excluded(fit(large))).collect::<Option<Vec<_>>>();
            found?.into_iter().next()
        })
    }

    /// Reports a case that may fit another variant of the larger side too, which its `oneOf`
    /// forbids, unless the smaller side forbids the same.
    pub(super) fn overlap(&mut self, fit: &Fit<'_, '_>) -> Option<Finding> {
        let Fit { value, small, large, .. } = fit;
        let mut is_possible = |rival: &Node<'_>| {
            let rival = std::slice::from_ref(rival);
            let cases = expand(&Schema::all_of(&large.origin, rival));
            let mut forbidden = small.rivals.iter().map(std::slice::from_ref);
            !cases.iter().all(|case| are_disjoint(small, case))
                && !forbidden.any(|known| {
                    let location = value.location.reversed();
                    !breaks(&self.compare(&fit.part(known, rival), &location))
                })
        };
        let is_possible = large.rivals.iter().any(&mut is_possible);
        is_possible.then(|| value.overlap())
    }
}

/// Whether no value of the case fits the schema. Objects are not decided: a `not` also excludes
/// objects with members that its schema does not name.
fn is_outside(case: &Case<'_>, schema: &Node<'_>) -> bool {
    let cases = expand(&Schema::all_of(schema, std::slice::from_ref(schema)));
    !matches!(case.kind, Kind::Array | Kind::Object)
        && cases.iter().all(|excluded| are_disjoint(case, excluded))
}
