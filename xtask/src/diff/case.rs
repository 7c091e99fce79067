//! Plain cases: what a schema allows, one kind of JSON value at a time.
//!
//! A schema means a list of cases. No `$ref`, `allOf`, `oneOf`, `anyOf`, `nullable` or implied
//! type is left in them, so nothing that reads them needs to know that these exist.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::Node;
use super::number::{End, Number, Range};

/// The kinds of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` and `false`.
    Boolean,
    /// Numbers, integers among them.
    Number,
    /// Strings.
    String,
    /// Arrays.
    Array,
    /// Objects.
    Object,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Null, Self::Boolean, Self::Number, Self::String, Self::Array, Self::Object];

    /// No length and no count is below zero.
    fn least(self) -> Option<End> {
        let counted = matches!(self, Self::String | Self::Array | Self::Object);
        counted.then_some(End::closed(Number::Whole(0)))
    }

    /// The kind of a value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }
}

/// Where a value is declared: the place to show, and every schema that it must satisfy.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema<'d> {
    /// The place to show.
    pub here: Node<'d>,
    /// The schemas; none means that anything goes.
    pub all: Vec<Node<'d>>,
}

impl<'d> Schema<'d> {
    /// What the member `key` of `node` declares; anything goes where there is none.
    pub fn member(node: &Node<'d>, key: &str) -> Self {
        let schema = node.get(key);
        Self {
            here: schema.clone().unwrap_or_else(|| node.clone()),
            all: schema.into_iter().collect(),
        }
    }

    /// Several schemas at once; `owner` is shown where there is none.
    pub fn all_of(owner: &Node<'d>, all: &[Node<'d>]) -> Self {
        Self { here: all.first().unwrap_or(owner).clone(), all: all.to_vec() }
    }

    /// What tells this schema from all others of its document.
    pub fn key(&self) -> String {
        self.all.iter().map(|node| node.pointer.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// What an object may hold beside the properties that it names.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Further<'d> {
    /// Nothing is said: none if it names properties, anything if it names none.
    #[default]
    Unsaid,
    /// None.
    Closed,
    /// Anything that satisfies all of these schemas.
    Open(Vec<Node<'d>>),
}

/// A condition that is only compared for equality.
#[derive(Clone, Debug, PartialEq)]
pub struct Opaque<'d> {
    /// The keyword.
    pub keyword: &'d str,
    /// Its value.
    pub value: &'d Value,
}

impl Opaque<'_> {
    /// Whether both say the same, wherever they stand.
    pub fn is_same(&self, other: &Opaque<'_>) -> bool {
        self.keyword == other.keyword && same(self.value, other.value)
    }
}

/// All values of one kind that satisfy every condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Case<'d> {
    /// Which kind.
    pub kind: Kind,
    /// The schema that first stated it.
    pub from: Node<'d>,
    /// The only values, if they are enumerated.
    pub values: Option<Vec<Value>>,
    /// Of a number its value, of a string its length, of the others their count.
    pub range: Range,
    /// Whether numbers are whole.
    pub integer: bool,
    /// Whether a format fixed the width of an integer.
    pub sized: bool,
    /// What numbers are multiples of.
    pub multiples: Vec<Number>,
    /// Formats, of which none implies another.
    pub formats: BTreeSet<&'d str>,
    /// Patterns of a string.
    pub patterns: BTreeSet<&'d str>,
    /// Whether elements differ from each other.
    pub unique: bool,
    /// Schemas of every element.
    pub items: Vec<Node<'d>>,
    /// Schemas of every named property.
    pub properties: BTreeMap<&'d str, Vec<Node<'d>>>,
    /// Properties that must be there.
    pub required: BTreeSet<&'d str>,
    /// What else an object may hold.
    pub further: Further<'d>,
    /// Schemas that no value satisfies.
    pub not: Vec<Node<'d>>,
    /// Conditions that nothing here understands.
    pub opaque: Vec<Opaque<'d>>,
}

impl<'d> Case<'d> {
    /// Every value of a kind.
    pub fn any(kind: Kind, from: &Node<'d>) -> Self {
        let both = || vec![Value::Bool(false), Value::Bool(true)];
        Self {
            kind,
            from: from.clone(),
            values: (kind == Kind::Boolean).then(both),
            range: Range { low: kind.least(), high: None },
            integer: false,
            sized: false,
            multiples: Vec::new(),
            formats: BTreeSet::new(),
            patterns: BTreeSet::new(),
            unique: false,
            items: Vec::new(),
            properties: BTreeMap::new(),
            required: BTreeSet::new(),
            further: Further::Unsaid,
            not: Vec::new(),
            opaque: Vec::new(),
        }
    }

    /// The values that are in both; `None` where no value can be.
    pub fn and(&self, other: &Self) -> Option<Self> {
        if self.kind != other.kind {
            return None;
        }
        let mut both = Self { from: other.from.clone(), ..self.clone() };
        both.values = common(self.values.as_deref(), other.values.as_deref());
        both.range = self.range.and(other.range);
        both.integer |= other.integer;
        both.sized |= other.sized;
        both.unique |= other.unique;
        both.formats.extend(&other.formats);
        both.patterns.extend(&other.patterns);
        both.required.extend(&other.required);
        extend(&mut both.multiples, &other.multiples);
        extend(&mut both.items, &other.items);
        extend(&mut both.not, &other.not);
        extend(&mut both.opaque, &other.opaque);
        for (name, all) in &other.properties {
            extend(both.properties.entry(name).or_default(), all);
        }
        both.further = self.further.and(&other.further);
        (both.values != Some(Vec::new())).then_some(both)
    }

    /// The same conditions, whatever the values and wherever they are stated.
    pub fn differs_only_in_values(&self, other: &Self) -> bool {
        let scalar = |case: &Self| (case.kind, case.range, case.integer, case.sized, case.unique);
        let text =
            |case: &Self| (case.multiples.clone(), case.formats.clone(), case.patterns.clone());
        scalar(self) == scalar(other)
            && text(self) == text(other)
            && self.items == other.items
            && self.properties == other.properties
            && self.required == other.required
            && self.further == other.further
            && self.not == other.not
            && self.opaque == other.opaque
    }

    /// Whether it names no property and forbids none.
    pub fn is_free(&self) -> bool {
        self.properties.is_empty() && self.further != Further::Closed
    }

    /// The schemas of what it does not name, or `None` where there is nothing else.
    pub fn further(&self) -> Option<&[Node<'d>]> {
        match &self.further {
            Further::Open(all) => Some(all),
            Further::Unsaid if self.properties.is_empty() => Some(&[]),
            Further::Unsaid | Further::Closed => None,
        }
    }
}

impl Further<'_> {
    fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Unsaid, said) | (said, Self::Unsaid) => said.clone(),
            (Self::Closed, _) | (_, Self::Closed) => Self::Closed,
            (Self::Open(one), Self::Open(two)) => {
                let mut all = one.clone();
                extend(&mut all, two);
                Self::Open(all)
            }
        }
    }
}

/// Whether no value is left out.
pub fn is_anything(cases: &[Case<'_>]) -> bool {
    let is_plain = |case: &Case<'_>| *case == Case::any(case.kind, &case.from);
    cases.len() == Kind::ALL.len() && cases.iter().all(is_plain)
}

/// JSON equality, in which `1` is `1.0`.
pub fn same(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Number(_), Value::Number(_)) => Number::of(one) == Number::of(two),
        (Value::Array(one), Value::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two))
        }
        (Value::Object(one), Value::Object(two)) => {
            let other = |(key, value)| two.get(key).is_some_and(|two| same(value, two));
            one.len() == two.len() && one.iter().all(other)
        }
        _ => one == two,
    }
}

/// Whether one of the values is the same as `value`.
pub fn contains(values: &[Value], value: &Value) -> bool {
    values.iter().any(|one| same(one, value))
}

fn common(one: Option<&[Value]>, two: Option<&[Value]>) -> Option<Vec<Value>> {
    let (Some(a), Some(b)) = (one, two) else { return one.or(two).map(<[Value]>::to_vec) };
    Some(a.iter().filter(|value| contains(b, value)).cloned().collect())
}

fn extend<T: Clone + PartialEq>(all: &mut Vec<T>, more: &[T]) {
    for one in more {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
}
