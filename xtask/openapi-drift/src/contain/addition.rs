//! What a later version of a contract takes in addition: values of an enumeration, and variants. Other
//! wider requests, such as a larger maximum, are not listed.

use super::{Containment, Value, breaks};
use crate::case::Case;
use crate::finding::{Finding, Rule};
use crate::pair::{Direction, Question};

impl Containment {
    /// Lists what the later version of a request takes in addition, if nothing breaks: what the reverse
    /// comparison finds.
    pub(super) fn additions(
        &mut self,
        value: &Value<'_, '_>,
        findings: &[Finding],
    ) -> Vec<Finding> {
        let location = value.location;
        let is_request_of_change =
            (location.question, location.direction) == (Question::Change, Direction::Request);
        let is_larger = size(&value.cases.documented) < size(&value.cases.served);
        if !is_request_of_change || !is_larger || breaks(findings) {
            return Vec::new();
        }
        let reversed = location.reversed();
        let here = reversed.to_string();
        let value = Value::new(value.schemas, value.cases, &reversed);
        let mut new = self.value(&value);
        new.retain(|it| it.rule == Rule::Enum || it.rule == Rule::Type && it.places[0] == here);
        let place = |finding: Finding| {
            let direction = Some(Direction::Request);
            Finding { direction, ..finding }.adds_if(true)
        };
        new.into_iter().map(place).collect()
    }
}

/// Returns how many cases and listed values there are.
fn size(cases: &[Case<'_>]) -> usize {
    cases.iter().map(|case| 1 + case.values.as_ref().map_or(0, |values| values.len())).sum()
}
