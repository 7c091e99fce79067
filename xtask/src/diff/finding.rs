//! What a comparison finds: one finding for one cause, with every place where it shows.
//!
//! Facts only; how they are laid out is the report's business, and what they mean for people
//! stands in `advice`.

use super::document::Node;
use super::yaml::Position;

/// Who sends the value: it decides which side has to contain which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A caller sends what the document allows, and the server has to take it.
    Request,
    /// The server sends what it declares, and the document has to allow it.
    Response,
}

/// The same thing on both sides; there is no old and no new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<T> {
    /// What the contract says.
    pub documented: T,
    /// What the server says.
    pub served: T,
}

impl<T> Pair<T> {
    /// The side that must be contained, then the side that must contain it.
    pub fn ordered(&self, direction: Direction) -> (&T, &T) {
        match direction {
            Direction::Request => (&self.documented, &self.served),
            Direction::Response => (&self.served, &self.documented),
        }
    }

    /// Puts the smaller and the larger side back where they came from.
    pub fn of(direction: Direction, small: T, large: T) -> Self {
        match direction {
            Direction::Request => Self { documented: small, served: large },
            Direction::Response => Self { documented: large, served: small },
        }
    }

    /// Both sides by reference.
    pub fn as_ref(&self) -> Pair<&T> {
        Pair { documented: &self.documented, served: &self.served }
    }

    /// The same made of both sides.
    pub fn map<U>(self, mut make: impl FnMut(T) -> U) -> Pair<U> {
        Pair { documented: make(self.documented), served: make(self.served) }
    }
}

/// What kind of promise is broken, the most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A documented operation is not served.
    MissingOperation,
    /// An operation is served at another path or method.
    Path,
    /// A documented status is not declared.
    MissingStatus,
    /// A documented body or media type is not declared.
    MissingMediaType,
    /// A documented parameter is not declared.
    MissingParameter,
    /// Something must be there, or may be absent, against the document.
    Required,
    /// Null, against the document.
    Null,
    /// Another kind of value.
    Type,
    /// Other values than the enumerated ones.
    Enum,
    /// Another range of numbers.
    Range,
    /// Another length of strings.
    Length,
    /// Another count of elements or members.
    Count,
    /// A pattern on one side only.
    Pattern,
    /// Another format.
    Format,
    /// Another step between numbers.
    Multiple,
    /// Equal elements, against the document.
    Unique,
    /// Other members than the named ones.
    Further,
    /// A documented property is not declared.
    MissingProperty,
    /// A documented header is not declared.
    MissingHeader,
    /// Another operationId.
    OperationId,
    /// Another way to write a parameter down.
    Style,
    /// Another default, or one on one side only.
    Default,
    /// An operation that is not documented.
    UndocumentedOperation,
    /// A success that is not documented.
    UndocumentedStatus,
    /// A body or media type that is not documented.
    UndocumentedMediaType,
    /// A parameter that is not documented.
    UndocumentedParameter,
    /// A property that is not documented.
    UndocumentedProperty,
    /// What cannot be decided, and so is not passed.
    Undecided,
}

/// One side of a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// JSON pointer of the place to look at.
    pub pointer: String,
    /// JSON pointer of the definition behind it.
    pub origin: String,
    /// Line and column, where the document was read from text with lines.
    pub position: Option<Position>,
    /// What is said there.
    pub says: String,
}

impl Side {
    /// What `node` says, in words.
    pub fn new(node: &Node<'_>, says: impl Into<String>) -> Self {
        Self {
            pointer: node.at.clone(),
            origin: node.pointer.clone(),
            position: node.document.position(&node.at),
            says: says.into(),
        }
    }
}

/// One drift.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which promise.
    pub rule: Rule,
    /// Who sends the value, where that matters.
    pub direction: Option<Direction>,
    /// One line that says it.
    pub title: String,
    /// What the contract says.
    pub documented: Side,
    /// What the server says.
    pub served: Side,
    /// Every operation and place in it where this shows.
    pub places: Vec<String>,
}

impl Finding {
    /// A finding about names, where nobody is the sender.
    pub fn new(rule: Rule, title: String, sides: Pair<Side>, place: &str) -> Self {
        let Pair { documented, served } = sides;
        Self { rule, direction: None, title, documented, served, places: vec![place.to_owned()] }
    }

    /// Whether both have the same cause: the same words about the same definition.
    fn is_one_with(&self, other: &Self) -> bool {
        let same = |one: &Side, two: &Side| one.origin == two.origin && one.says == two.says;
        (self.rule, self.direction, &self.title) == (other.rule, other.direction, &other.title)
            && (same(&self.documented, &other.documented) || same(&self.served, &other.served))
    }
}

/// One finding a cause, the most severe first, then in the order of the contract.
pub fn merge(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        match merged.iter_mut().find(|known| known.is_one_with(&finding)) {
            Some(known) => {
                let places = finding.places.into_iter();
                let new: Vec<_> = places.filter(|place| !known.places.contains(place)).collect();
                known.places.extend(new);
            }
            None => merged.push(finding),
        }
    }
    merged.sort_by_key(|finding| (finding.rule, finding.documented.position));
    merged
}
