//! Plain cases: what a schema allows, one kind of JSON value at a time.
//!
//! `expand` turns a schema into a list of cases. Their readers need not know `$ref`, `allOf`,
//! `oneOf`, `anyOf`, `nullable` or implied types, because none of these is left.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use indexmap::IndexSet;

use crate::document::{FREE_KEYS, Node};
use crate::number::{Bound, Number, Range};
use crate::pair::Pair;
use crate::value::{Data, Member, Value};

/// Listed values, in the order of the document.
pub type Values = IndexSet<Value>;

/// The kinds of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` and `false`.
    Boolean,
    /// Numbers, including integers.
    Number,
    /// Strings.
    String,
    /// Arrays.
    Array,
    /// Objects.
    Object,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Null, Self::Boolean, Self::Number, Self::String, Self::Array, Self::Object];

    /// Returns the kind of a value.
    pub fn of(value: &Value) -> Self {
        match value.data {
            Data::Null => Self::Null,
            Data::Bool(_) => Self::Boolean,
            Data::Number(_) => Self::Number,
            Data::String(_) => Self::String,
            Data::Array(_) => Self::Array,
            Data::Object(_) => Self::Object,
        }
    }

    /// Returns the range that holds without any keyword: a length or a count is at least 0.
    pub fn range(self) -> Range {
        let is_counted = matches!(self, Self::String | Self::Array | Self::Object);
        let low = is_counted.then_some(Bound::inclusive(Number::Whole(0)));
        Range { low, high: None }
    }
}

/// The declaration of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema<'d> {
    /// The node that a finding shows.
    pub shown: Node<'d>,
    /// The schemas that the value must satisfy; an empty list allows every value.
    pub all: Vec<Node<'d>>,
}

impl<'d> Schema<'d> {
    /// The schema in the member `key` of `node`; a missing one allows every value.
    pub fn member(node: &Node<'d>, key: &str) -> Self {
        let schema = node.schema(key);
        Self {
            shown: schema.clone().unwrap_or_else(|| node.clone()),
            all: schema.into_iter().collect(),
        }
    }

    /// Several schemas at once; an empty list shows `owner`.
    pub fn all_of(owner: &Node<'d>, all: &[Node<'d>]) -> Self {
        Self { shown: all.first().unwrap_or(owner).clone(), all: all.to_vec() }
    }

    /// Returns what is unique for these schemas while their document lives.
    pub fn key(&self) -> Vec<*const Value> {
        self.all.iter().map(|node| std::ptr::from_ref(node.value)).collect()
    }
}

impl Pair<Schema<'_>> {
    /// Whether both are the same text without references, and so need no comparison.
    pub fn are_identical(&self) -> bool {
        let both = [&self.documented.all[..], &self.served.all[..]];
        let [[one], [two]] = both else { return false };
        one.version() == two.version() && one.value == two.value && !has_reference(one.value)
    }
}

fn has_reference(value: &Value) -> bool {
    value.get("$ref").is_some() || value.children().any(has_reference)
}

/// The values of the properties that an object does not name.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AdditionalProperties<'d> {
    /// The schema does not say: forbidden if it names properties, else allowed.
    #[default]
    Unspecified,
    /// Additional properties are forbidden.
    Forbidden,
    /// Additional properties must satisfy all of these schemas.
    Allowed(Vec<Node<'d>>),
}

/// A keyword that is compared only for equality.
#[derive(Clone, Debug, PartialEq)]
pub struct Opaque<'d> {
    /// The keyword.
    pub keyword: &'d str,
    /// Its value; a recursive schema has none.
    pub node: Option<Node<'d>>,
}

impl Opaque<'_> {
    /// Whether both have the same keyword and the same value.
    pub fn is_same(&self, other: &Opaque<'_>) -> bool {
        let is_same = match (&self.node, &other.node) {
            (Some(one), Some(two)) => says_the_same(one, two),
            (one, two) => one.is_none() && two.is_none(),
        };
        self.keyword == other.keyword && is_same
    }
}

/// All values of one kind that satisfy every condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Case<'d> {
    /// The kind.
    pub kind: Kind,
    /// The schema that declares the case.
    pub origin: Node<'d>,
    /// The only values, if they are enumerated.
    pub values: Option<Rc<Values>>,
    /// The range of a number, of the length of a string, or of the count of the others.
    pub range: Range,
    /// Whether numbers are integers.
    pub is_integer: bool,
    /// Whether a format such as `int32` sets the range of an integer.
    pub has_integer_format: bool,
    /// The numbers of which a number is a multiple.
    pub multiples: Vec<Number>,
    /// The formats.
    pub formats: BTreeSet<&'d str>,
    /// The patterns of a string.
    pub patterns: BTreeSet<&'d str>,
    /// Whether the elements of an array are distinct.
    pub is_unique: bool,
    /// The schemas of every element.
    pub items: Vec<Node<'d>>,
    /// The schemas of every named property.
    pub properties: BTreeMap<&'d str, Vec<Node<'d>>>,
    /// The required properties.
    pub required: BTreeSet<&'d str>,
    /// The properties without a name.
    pub additional: AdditionalProperties<'d>,
    /// The schemas that no value satisfies.
    pub not: Vec<Node<'d>>,
    /// The other variants of a `oneOf` that a value of this one may fit too, which `oneOf` forbids.
    pub rivals: Vec<Node<'d>>,
    /// The property by which a `discriminator` selects this variant, and its values.
    pub tag: Option<(&'d str, Rc<Values>)>,
    /// The keywords that the checker does not understand.
    pub opaque: Vec<Opaque<'d>>,
}

impl<'d> Case<'d> {
    /// Every value of a kind.
    pub fn any(kind: Kind, origin: &Node<'d>) -> Self {
        let booleans = || Rc::new([false, true].map(Value::from).into());
        Self {
            kind,
            origin: origin.clone(),
            values: (kind == Kind::Boolean).then(booleans),
            range: kind.range(),
            is_integer: false,
            has_integer_format: false,
            multiples: Vec::new(),
            formats: BTreeSet::new(),
            patterns: BTreeSet::new(),
            is_unique: false,
            items: Vec::new(),
            properties: BTreeMap::new(),
            required: BTreeSet::new(),
            additional: AdditionalProperties::Unspecified,
            not: Vec::new(),
            rivals: Vec::new(),
            tag: None,
            opaque: Vec::new(),
        }
    }

    /// Returns the values that are in both, or `None` if there cannot be any.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        if self.kind != other.kind {
            return None;
        }
        let mut both = Self { origin: other.origin.clone(), ..self.clone() };
        both.values = common_values(self.values.as_ref(), other.values.as_ref());
        both.range = self.range.intersect(other.range);
        both.is_integer |= other.is_integer;
        both.has_integer_format |= other.has_integer_format;
        both.is_unique |= other.is_unique;
        both.formats.extend(&other.formats);
        both.patterns.extend(&other.patterns);
        both.required.extend(&other.required);
        add_new(&mut both.multiples, &other.multiples);
        add_new(&mut both.items, &other.items);
        add_new(&mut both.not, &other.not);
        add_new(&mut both.rivals, &other.rivals);
        both.tag = self.tag.clone().or_else(|| other.tag.clone());
        add_new(&mut both.opaque, &other.opaque);
        for (name, all) in &other.properties {
            add_new(both.properties.entry(name).or_default(), all);
        }
        both.additional = self.additional.intersect(&other.additional);
        both.is_possible().then_some(both)
    }

    /// Whether it lists a value, or lists none because it allows others.
    pub fn is_possible(&self) -> bool {
        self.values.as_ref().is_none_or(|values| !values.is_empty())
    }

    /// Whether all conditions are equal, except the enumerated values.
    pub fn equals_except_values(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.range == other.range
            && self.is_integer == other.is_integer
            && self.has_integer_format == other.has_integer_format
            && self.multiples == other.multiples
            && self.formats == other.formats
            && self.patterns == other.patterns
            && self.is_unique == other.is_unique
            && self.items == other.items
            && self.properties == other.properties
            && self.required == other.required
            && self.additional == other.additional
            && self.not == other.not
            && self.rivals == other.rivals
            && self.tag == other.tag
            && self.opaque == other.opaque
    }

    /// Whether both are declared by the same text, after every reference in it is followed.
    pub fn says_the_same(&self, other: &Case<'_>) -> bool {
        self.kind == other.kind && says_the_same(&self.origin, &other.origin)
    }

    /// Whether it is an object that neither names nor forbids properties.
    pub fn is_free_form(&self) -> bool {
        self.properties.is_empty() && self.additional != AdditionalProperties::Forbidden
    }

    /// Returns the schemas of additional properties, or `None` if those are forbidden.
    pub fn additional_schemas(&self) -> Option<&[Node<'d>]> {
        match &self.additional {
            AdditionalProperties::Allowed(all) => Some(all),
            AdditionalProperties::Unspecified if self.properties.is_empty() => Some(&[]),
            AdditionalProperties::Unspecified | AdditionalProperties::Forbidden => None,
        }
    }
}

impl AdditionalProperties<'_> {
    fn intersect(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Unspecified, said) | (said, Self::Unspecified) => said.clone(),
            (Self::Forbidden, _) | (_, Self::Forbidden) => Self::Forbidden,
            (Self::Allowed(one), Self::Allowed(two)) => {
                let mut all = one.clone();
                add_new(&mut all, two);
                Self::Allowed(all)
            }
        }
    }
}

/// Whether the cases allow every value.
pub fn allows_everything(cases: &[Case<'_>]) -> bool {
    let is_plain = |case: &Case<'_>| *case == Case::any(case.kind, &case.origin);
    cases.len() == Kind::ALL.len() && cases.iter().all(is_plain)
}

/// Whether two nodes are the same text after every reference in them is followed.
fn says_the_same(one: &Node<'_>, two: &Node<'_>) -> bool {
    one.version() == two.version() && is_same_text((one, two), false, &mut HashSet::new())
}

/// Keywords that say nothing about values. They are left out if texts are compared for equality.
const PROSE: [&str; 7] =
    ["title", "description", "summary", "example", "examples", "deprecated", "$comment"];

fn is_same_text(
    (one, two): (&Node<'_>, &Node<'_>),
    has_free_keys: bool,
    known: &mut HashSet<(*const Value, *const Value)>,
) -> bool {
    let pair = (std::ptr::from_ref(one.value), std::ptr::from_ref(two.value));
    if !known.insert(pair) {
        return true;
    }
    match (&one.value.data, &two.value.data) {
        (Data::Object(a), Data::Object(b)) => {
            let is_prose = |key: &str| PROSE.contains(&key) || key.starts_with("x-");
            let counts = |key: &str| has_free_keys || !is_prose(key);
            let count = |all: &[Member]| all.iter().filter(|(key, _)| counts(key)).count();
            let mut is_same = |(key, node): (&str, Node<'_>)| {
                let has_free_keys = !has_free_keys && FREE_KEYS.contains(&key);
                let is_same = |other| is_same_text((&node, &other), has_free_keys, known);
                two.get(key).is_some_and(is_same)
            };
            count(a) == count(b) && one.members().filter(|(key, _)| counts(key)).all(&mut is_same)
        }
        (Data::Array(a), Data::Array(b)) => {
            let mut pairs = one.elements().into_iter().zip(two.elements());
            a.len() == b.len() && pairs.all(|(one, two)| is_same_text((&one, &two), false, known))
        }
        (one, two) => one == two,
    }
}

/// Returns the values that are in both; nothing if none are listed.
fn common_values(one: Option<&Rc<Values>>, two: Option<&Rc<Values>>) -> Option<Rc<Values>> {
    match (one, two) {
        (Some(one), Some(two)) if !one.is_subset(two) => {
            Some(Rc::new(one.intersection(two).cloned().collect()))
        }
        _ => one.or(two).cloned(),
    }
}

fn add_new<T: Clone + PartialEq>(all: &mut Vec<T>, more: &[T]) {
    for one in more {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
}
