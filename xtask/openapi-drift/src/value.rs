//! A value of a document: what JSON can say, with its place in the text, in little memory.
//!
//! An object is a sorted list, and texts that occur often are shared. The maps of `serde_json` take
//! over 600 bytes for one member, and most objects of a document have few.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::Value as Json;

use crate::number::Number;

/// Line and column, both counted from 1.
pub type Position = (usize, usize);

/// A name and its value.
pub type Member = (Arc<str>, Value);

/// A value. Two are equal if they say the same, in any place; `1` equals `1.0`.
#[derive(Clone, Debug, Default)]
pub struct Value {
    /// What it is.
    pub data: Data,
    /// Its line and column, or zeros if it was not read from text.
    at: (u32, u32),
}

/// What a value is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Data {
    #[default]
    Null,
    Bool(bool),
    Number(Numeral),
    String(Arc<str>),
    Array(Box<[Value]>),
    /// Sorted by name.
    Object(Box<[Member]>),
}

/// A number as it was written.
#[derive(Clone, Debug)]
pub struct Numeral(serde_json::Number);

impl Value {
    /// A value that was read at a line and column.
    pub fn at(data: Data, (line, column): Position) -> Self {
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { data, at: (number(line), number(column)) }
    }

    pub fn get(&self, name: &str) -> Option<&Self> {
        self.nth(self.member(name)?)
    }

    fn member(&self, name: &str) -> Option<usize> {
        self.as_object()?.binary_search_by(|(known, _)| (**known).cmp(name)).ok()
    }

    /// Returns the value at a JSON pointer.
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        if !(pointer.is_empty() || pointer.starts_with('/')) {
            return None;
        }
        pointer.split('/').skip(1).try_fold(self, Self::step)
    }

    /// Returns the index of each step of a JSON pointer, which `at_path` follows without a search.
    pub fn path(&self, pointer: &str) -> Box<[u32]> {
        let mut value = self;
        let step = |step| {
            let index = value.index(step)?;
            value = value.nth(index)?;
            u32::try_from(index).ok()
        };
        pointer.split('/').skip(1).map_while(step).collect()
    }

    /// Returns the value at a path.
    pub fn at_path(&self, path: &[u32]) -> Option<&Self> {
        path.iter().try_fold(self, |value, index| value.nth(*index as usize))
    }

    /// Returns line and column of the value at a JSON pointer, or of the nearest parent.
    pub fn position(&self, pointer: &str) -> Option<Position> {
        let mut nearest = self;
        for step in pointer.split('/').skip(1) {
            let Some(value) = nearest.step(step) else { break };
            nearest = value;
        }
        nearest.own_position()
    }

    /// Returns the line and column of this value.
    pub fn own_position(&self) -> Option<Position> {
        let (line, column) = self.at;
        (line > 0).then_some((line as usize, column as usize))
    }

    fn step(&self, step: &str) -> Option<&Self> {
        self.nth(self.index(step)?)
    }

    fn index(&self, step: &str) -> Option<usize> {
        if self.as_array().is_some() {
            return step.parse::<usize>().ok().filter(|index| index.to_string() == step);
        }
        self.member(&step.replace("~1", "/").replace("~0", "~"))
    }

    fn nth(&self, index: usize) -> Option<&Self> {
        match &self.data {
            Data::Array(elements) => elements.get(index),
            Data::Object(members) => members.get(index).map(|(_, value)| value),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Data::String(text) = &self.data { Some(text) } else { None }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Data::Bool(is) = self.data { Some(is) } else { None }
    }

    pub fn as_number(&self) -> Option<Number> {
        if let Data::Number(Numeral(number)) = &self.data { Number::of(number) } else { None }
    }

    pub fn as_array(&self) -> Option<&[Self]> {
        if let Data::Array(elements) = &self.data { Some(elements) } else { None }
    }

    pub fn as_object(&self) -> Option<&[Member]> {
        if let Data::Object(members) = &self.data { Some(members) } else { None }
    }

    pub fn is_object(&self) -> bool {
        self.as_object().is_some()
    }

    pub fn is_null(&self) -> bool {
        self.data == Data::Null
    }

    /// Returns the elements, or the values of the members.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        let members = self.as_object().into_iter().flatten().map(|(_, value)| value);
        self.as_array().into_iter().flatten().chain(members)
    }

    /// Returns the same as plain JSON.
    pub fn to_json(&self) -> Json {
        match &self.data {
            Data::Null => Json::Null,
            Data::Bool(is) => Json::Bool(*is),
            Data::Number(Numeral(number)) => Json::Number(number.clone()),
            Data::String(text) => Json::from(&**text),
            Data::Array(elements) => elements.iter().map(Self::to_json).collect(),
            Data::Object(members) => {
                members.iter().map(|(name, value)| (&**name, value.to_json())).collect()
            }
        }
    }
}

impl<T: Into<Json>> From<T> for Value {
    fn from(json: T) -> Self {
        let data = match json.into() {
            Json::Null => Data::Null,
            Json::Bool(is) => Data::Bool(is),
            Json::Number(number) => Data::Number(Numeral(number)),
            Json::String(text) => Data::String(text.into()),
            Json::Array(elements) => Data::Array(elements.into_iter().map(Self::from).collect()),
            // Its map is sorted, unless a feature that another crate enables changes that.
            Json::Object(map) => {
                let members = map.into_iter().map(|(name, value)| (name.into(), value.into()));
                let mut members: Vec<Member> = members.collect();
                members.sort_by(|(one, _), (two, _)| one.cmp(two));
                Data::Object(members.into())
            }
        };
        Self { data, at: (0, 0) }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_json().fmt(out)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.data.hash(hasher);
    }
}

impl PartialEq for Numeral {
    fn eq(&self, other: &Self) -> bool {
        Number::of(&self.0) == Number::of(&other.0)
    }
}

impl Eq for Numeral {}

impl Hash for Numeral {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match Number::of(&self.0) {
            Some(Number::Whole(whole)) => whole.hash(hasher),
            Some(Number::Real(real)) => real.to_bits().hash(hasher),
            None => {}
        }
    }
}
