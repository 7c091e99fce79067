//! Whether a value is one that a schema allows.
//!
//! `expand` knows what schemas mean. A value must fit one of the cases; otherwise it is compared with
//! the case that it comes closest to. What the contract says in a way that cannot be decided is a
//! problem, never a silent pass.

mod format;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use regex::Regex;

use super::coverage;
use super::finding::{Problem, TrafficRule};
use super::redact::{self, Sent};
use crate::case::{AdditionalProperties, Case, Kind, Opaque, Schema};
use crate::contain::visible;
use crate::describe;
use crate::document::Node;
use crate::expand::expand;
use crate::finding::{Rule, Side};
use crate::location::Location;
use crate::number::Number;
use crate::pair::Direction;
use crate::value::{Data, Value};

/// What a value is, by a schema.
#[derive(Clone, Default)]
pub struct Fit {
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// The members that it has, by what `coverage` calls them.
    pub seen: Vec<String>,
    /// How many constants say that this is not the schema that was meant.
    wrong_constants: usize,
}

impl Fit {
    /// Adds what is known about a part.
    pub fn extend(&mut self, part: Self) {
        self.problems.extend(part.problems);
        self.seen.extend(part.seen);
    }

    /// Hides every value in the problems.
    fn hidden(mut self) -> Self {
        self.problems.iter_mut().for_each(|it| it.sent.hide());
        self
    }

    /// Whether the schema allows the value, apart from members that it does not name.
    fn is_allowed(&self) -> bool {
        self.problems.iter().all(|it| is_member(it.rule))
    }

    /// Whether only what cannot be decided speaks against the value.
    fn is_undecided(&self) -> bool {
        let mut invalid = self.problems.iter().filter(|it| !is_member(it.rule));
        invalid.all(|it| it.rule == TrafficRule::Undecided)
    }

    fn distance(&self) -> (usize, usize, usize) {
        let invalid = self.problems.iter().filter(|it| !is_member(it.rule)).count();
        (self.wrong_constants, invalid, self.problems.len())
    }
}

fn is_member(rule: TrafficRule) -> bool {
    matches!(rule, TrafficRule::RequestMember | TrafficRule::ResponseMember)
}

/// Checks values, and remembers what was expanded.
#[derive(Default)]
pub struct Values<'d> {
    /// The names of the credentials of the document.
    pub keys: Arc<[&'d str]>,
    cases: HashMap<Vec<*const Value>, Rc<Vec<Case<'d>>>>,
    patterns: HashMap<String, Option<Regex>>,
    /// The schemas and values that are being checked: the end of recursion.
    open: Vec<(Vec<*const Value>, *const Value)>,
}

impl<'d> Values<'d> {
    /// Returns what the schema allows.
    pub fn cases(&mut self, schema: &Schema<'d>) -> Rc<Vec<Case<'d>>> {
        let cases = self.cases.entry(schema.key()).or_insert_with(|| Rc::new(expand(schema)));
        Rc::clone(cases)
    }

    /// Checks a value.
    pub fn check(&mut self, value: &Value, schema: &Schema<'d>, at: &Location) -> Fit {
        if redact::is_placeholder(value) && redact::is_secret(schema) {
            return Fit::default();
        }
        let this = (schema.key(), std::ptr::from_ref(value));
        if self.open.contains(&this) {
            let what = "a schema that refers to itself";
            return undecided(&schema.shown, at, what).into();
        }
        self.open.push(this);
        let cases = self.cases(schema);
        let of_kind = cases.iter().filter(|case| case.kind == Kind::of(value));
        let fits: Vec<_> = of_kind.map(|case| self.case(value, case, at)).collect();
        let mut fit = fits
            .into_iter()
            .min_by_key(Fit::distance)
            .unwrap_or_else(|| invalid(&schema.shown, &describe::cases(&cases), at).into());
        if fit.is_allowed() {
            fit.problems.extend(self.exactly_one(value, schema, at));
        }
        self.open.pop();
        for problem in &mut fit.problems {
            problem.sent.show(value, &cases);
        }
        if !fit.problems.is_empty() && redact::is_hidden(schema) { fit.hidden() } else { fit }
    }

    /// Checks the value of a member, a parameter or a header.
    pub fn named(
        &mut self,
        value: &Value,
        (name, schema): (&str, &Schema<'d>),
        at: &Location,
    ) -> Fit {
        let is_hidden = redact::is_credential(&self.keys, name);
        if is_hidden && redact::is_placeholder(value) {
            return Fit::default();
        }
        let fit = self.check(value, schema, at);
        if is_hidden { fit.hidden() } else { fit }
    }

    /// Checks that no two variants of a `oneOf` allow the value.
    fn exactly_one(
        &mut self,
        value: &Value,
        schema: &Schema<'d>,
        at: &Location,
    ) -> Option<Problem> {
        let (mut pending, mut known) = (schema.all.clone(), HashSet::new());
        while let Some(node) = pending.pop() {
            if !known.insert(std::ptr::from_ref(node.value)) {
                continue;
            }
            pending.extend(node.conjuncts());
            let variants = node.list("oneOf");
            let mut fitting = Vec::new();
            for variant in variants.iter().filter(|_| variants.len() > 1) {
                let one = Schema::all_of(variant, std::slice::from_ref(variant));
                if self.check(value, &one, at).is_allowed() {
                    fitting.push(variant);
                }
            }
            if let [first, second, ..] = fitting.as_slice() {
                let both = format!("#{} and #{}", first.defined_at, second.defined_at);
                let says = format!("exactly one variant, and not both of {both}");
                return Some(invalid(&node, &says, at));
            }
        }
        None
    }

    fn case(&mut self, value: &Value, case: &Case<'d>, at: &Location) -> Fit {
        let mut fit = Fit::default();
        let broken = self.broken(value, case);
        fit.problems.extend(
            broken
                .into_iter()
                .map(|rule| invalid(&case.origin, &describe::for_rule(rule, case), at)),
        );
        for node in &case.not {
            let excluded = self.check(value, &Schema::all_of(node, std::slice::from_ref(node)), at);
            if excluded.is_allowed() {
                fit.problems.push(invalid(node, "what `not` does not exclude", at));
            } else if excluded.is_undecided() {
                // Members that it does not name are not excluded.
                let problems = excluded.problems.into_iter();
                fit.problems.extend(problems.filter(|it| !is_member(it.rule)));
            }
        }
        // `exactly_one` decides on a `oneOf` with many overlaps.
        let is_union =
            |it: &Opaque<'_>| it.node.as_ref().is_some_and(|it| it.get("oneOf").is_some());
        let opaque = case.opaque.iter().filter(|it| it.keyword != "oneOf" || !is_union(it));
        let opaque = opaque.map(|opaque| format!("`{}`", opaque.keyword));
        let unreadable = case.patterns.iter().filter(|it| self.pattern(it).is_none());
        let unreadable: Vec<_> = unreadable.map(|it| format!("the pattern `{it}`")).collect();
        let undecided = opaque.chain(unreadable).map(|what| undecided(&case.origin, at, &what));
        fit.problems.extend(undecided);
        match &value.data {
            Data::Array(elements) => {
                let schema = Schema::all_of(&case.origin, &case.items);
                for element in elements {
                    fit.extend(self.check(element, &schema, &at.items()));
                }
            }
            Data::Object(_) => fit.extend_object(self.members(value, case, at)),
            _ => {}
        }
        fit
    }

    /// Returns the conditions of the case that the value itself does not keep.
    fn broken(&mut self, value: &Value, case: &Case<'d>) -> Vec<Rule> {
        let number = value.as_number();
        let (size, range_rule) = match &value.data {
            Data::Number(_) => (number, Rule::Range),
            Data::String(text) => (Some(Number::from_count(text.chars().count())), Rule::Length),
            Data::Array(all) => (Some(Number::from_count(all.len())), Rule::Count),
            Data::Object(all) => (Some(Number::from_count(all.len())), Rule::Count),
            _ => (None, Rule::Range),
        };
        let text = value.as_str().unwrap_or_default();
        let is_string = case.kind == Kind::String;
        let mut matches =
            |pattern: &&&str| self.pattern(pattern).is_none_or(|it| it.is_match(text));
        let is_listed = case.values.as_ref().is_none_or(|known| known.contains(value));
        let rules = [
            (is_listed, Rule::Enum),
            (!case.is_integer || number.is_some_and(Number::is_whole), Rule::Type),
            (size.is_none_or(|size| case.range.contains(size)), range_rule),
            (
                number.is_none_or(|it| case.multiples.iter().all(|step| it.is_multiple_of(*step))),
                Rule::Multiple,
            ),
            (!is_string || case.formats.iter().all(|it| format::matches(it, text)), Rule::Format),
            (case.patterns.iter().all(|it| matches(&it)), Rule::Pattern),
            (!case.is_unique || is_unique(value), Rule::Unique),
        ];
        rules.into_iter().filter(|(holds, _)| !holds).map(|(_, rule)| rule).collect()
    }

    /// A pattern that this engine cannot read is `None`.
    fn pattern(&mut self, pattern: &str) -> Option<Regex> {
        let known = self.patterns.entry(pattern.to_owned());
        known.or_insert_with(|| Regex::new(pattern).ok()).clone()
    }

    fn members(&mut self, object: &Value, case: &Case<'d>, parent: &Location) -> Fit {
        let mut fit = Fit::default();
        let visible = visible(case, parent.direction);
        for name in case.required.iter().filter(|name| object.get(name).is_none()) {
            // What is sent only in the other direction is required only there.
            if visible.contains_key(name) || !case.properties.contains_key(name) {
                fit.problems.push(missing(&case.origin, &parent.property(name)));
            }
        }
        for (name, value) in object.as_object().into_iter().flatten() {
            let at = parent.property(name);
            let Some(schema) = visible.get(&**name) else {
                fit.extend(self.unnamed((name, value), case, (parent, &at)));
                continue;
            };
            if !case.required.contains(&**name) {
                fit.seen.push(coverage::member(&schema.shown, at.direction));
            }
            let member = self.named(value, (name, schema), &at);
            if !member.is_allowed() && is_constant(&self.cases(schema)) {
                fit.wrong_constants += 1;
            }
            fit.extend(member);
        }
        fit
    }

    /// A member that the object does not name, or not in this direction.
    fn unnamed(
        &mut self,
        (name, value): (&str, &Value),
        case: &Case<'d>,
        (parent, at): (&Location, &Location),
    ) -> Fit {
        match &case.additional {
            AdditionalProperties::Forbidden => {
                let says = "forbidden (`additionalProperties: false`)";
                Fit::from(invalid(&case.origin, says, at)).hidden()
            }
            AdditionalProperties::Allowed(all) => {
                let schema = Schema::all_of(&case.origin, all);
                self.named(value, (name, &schema), &parent.additional_properties())
            }
            AdditionalProperties::Unspecified if case.properties.is_empty() => Fit::default(),
            AdditionalProperties::Unspecified => {
                let rule = match at.direction {
                    Direction::Request => TrafficRule::RequestMember,
                    Direction::Response => TrafficRule::ResponseMember,
                };
                let title = format!("{} {}, and is not documented", at.subject(), was(at));
                let says = describe::case(case);
                Fit::from(problem(rule, title, &case.origin, &says, at)).hidden()
            }
        }
    }
}

impl Fit {
    fn extend_object(&mut self, members: Self) {
        self.wrong_constants += members.wrong_constants;
        self.extend(members);
    }
}

impl From<Problem> for Fit {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }
}

fn is_constant(cases: &[Case<'_>]) -> bool {
    let has_one = |case: &Case<'_>| case.values.as_ref().is_some_and(|values| values.len() == 1);
    matches!(cases, [case] if has_one(case))
}

fn is_unique(value: &Value) -> bool {
    let mut known = HashSet::new();
    value.as_array().into_iter().flatten().all(|element| known.insert(element))
}

fn was(at: &Location) -> &'static str {
    match at.direction {
        Direction::Request => "was accepted",
        Direction::Response => "was sent",
    }
}

/// A value that the contract does not allow.
pub fn invalid(node: &Node<'_>, says: &str, at: &Location) -> Problem {
    let rule = match at.direction {
        Direction::Request => TrafficRule::RequestValue,
        Direction::Response => TrafficRule::ResponseValue,
    };
    let (subject, was) = (at.subject(), was(at));
    let title = format!("{subject} is documented as {says}, and another value {was}");
    problem(rule, title, node, says, at)
}

/// Something required that is not there.
pub fn missing(node: &Node<'_>, at: &Location) -> Problem {
    let (rule, absent) = match at.direction {
        Direction::Request => (TrafficRule::RequestMissing, "a request without it was accepted"),
        Direction::Response => (TrafficRule::ResponseMissing, "was absent"),
    };
    let title = format!("{} is documented as required, and {absent}", at.subject());
    let problem = problem(rule, title, node, "required", at);
    Problem { sent: Sent::fact("nothing"), ..problem }
}

/// Something that cannot be decided.
pub fn undecided(node: &Node<'_>, at: &Location, what: &str) -> Problem {
    let title = format!("{} cannot be checked against {what}", at.subject());
    problem(TrafficRule::Undecided, title, node, what, at)
}

/// Anything that is wrong with a value, which is not shown yet.
pub fn problem(
    rule: TrafficRule,
    title: String,
    node: &Node<'_>,
    says: &str,
    at: &Location,
) -> Problem {
    let contract = Side::new(node, says);
    Problem { rule, title, contract, sent: Sent::default(), place: at.to_string() }
}
