//! One document: its value, the position of everything in it, and `$ref` followed.
//!
//! Others walk a document only through `Node`, and so never see a reference. A document that
//! cannot be walked is refused here. This module must not know what a schema means.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::yaml::{self, Position, Positions, escape};

/// Longer chains of references are taken for circles.
const MAX_STEPS: usize = 32;

/// Why a text cannot be compared: a sentence that begins with the name of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError(pub(crate) String);

impl fmt::Display for ParseError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for ParseError {}

/// A document that can be compared.
#[derive(Debug)]
pub struct Document {
    /// The name in messages: a file name, or "the server".
    pub name: String,
    root: Value,
    positions: Positions,
    /// How many values it holds.
    size: usize,
}

impl Document {
    /// Parses YAML or JSON.
    pub fn parse(name: &str, text: &str) -> Result<Self, ParseError> {
        let read = yaml::read(text).map_err(|why| ParseError(format!("{name} {why}")));
        let (root, positions) = read?;
        Self { name: name.to_owned(), root, positions, size: 0 }.checked()
    }

    /// Takes a parsed document, which has no line numbers.
    pub fn new(name: &str, root: Value) -> Result<Self, ParseError> {
        Self { name: name.to_owned(), root, positions: Positions::default(), size: 0 }.checked()
    }

    /// The version of OpenAPI, which decides what the keywords of a schema mean.
    pub(crate) fn version(&self) -> Version {
        let text = self.root.get("openapi").and_then(Value::as_str);
        text.and_then(version).unwrap_or(Version::V3_0)
    }

    /// Drops the line numbers, for a text that the reader does not have.
    #[must_use]
    pub fn without_lines(self) -> Self {
        Self { positions: Positions::default(), ..self }
    }

    /// The document as it was read.
    pub fn value(&self) -> &Value {
        &self.root
    }

    /// The node of the whole document.
    pub(crate) fn root(&self) -> Node<'_> {
        let (used_at, defined_at) = (String::new(), String::new());
        Node { document: self, used_at, defined_at, value: &self.root, is_schema: false }
    }

    /// Returns line and column of a JSON pointer, or of the nearest parent that has them.
    pub(crate) fn position(&self, pointer: &str) -> Option<Position> {
        self.positions.get(pointer)
    }

    /// How many values it holds.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    fn checked(self) -> Result<Self, ParseError> {
        let size = self.check().map_err(|why| ParseError(format!("{} {why}", self.name)))?;
        Ok(Self { size, ..self })
    }

    /// Returns how many values there are.
    fn check(&self) -> Result<usize, String> {
        match self.root.get("openapi").map(|version| (version, version.as_str())) {
            Some((_, Some(text))) if version(text).is_some() => {}
            Some((version, _)) => {
                return Err(format!(
                    "says `openapi: {version}`, and only 3.0.x and 3.1.x can be compared"
                ));
            }
            None => return Err("is not an OpenAPI document: it has no `openapi` version".into()),
        }
        if !self.root.get("paths").is_some_and(Value::is_object) {
            return Err("has no `paths` object, so there is nothing to compare".into());
        }
        self.check_references()
    }

    fn check_references(&self) -> Result<usize, String> {
        let mut size = 0;
        let mut pending = vec![(&self.root, false)];
        while let Some((value, has_free_keys)) = pending.pop() {
            size += 1;
            match (reference(value), value.get("$ref")) {
                (Some(reference), _) => drop(self.target(reference)?),
                (None, Some(other)) if !has_free_keys => {
                    return Err(format!("holds the `$ref` {other}, which is not a string: fix it"));
                }
                (None, _) => {}
            }
            let members = value.as_object().into_iter().flatten();
            pending.extend(
                members
                    .filter(|(key, _)| has_free_keys || !is_data(key))
                    .map(|(key, value)| (value, !has_free_keys && FREE_KEYS.contains(&&**key))),
            );
            pending.extend(value.as_array().into_iter().flatten().map(|value| (value, false)));
        }
        Ok(size)
    }

    /// Follows a chain of references to its end.
    fn target(&self, first: &str) -> Result<(String, &Value), String> {
        let mut reference = first.to_owned();
        for _ in 0..MAX_STEPS {
            let pointer = reference.strip_prefix('#').ok_or_else(|| {
                format!("refers to `{reference}`, outside of the document: copy it into this one")
            })?;
            let pointer = percent_decode_str(pointer).decode_utf8_lossy().into_owned();
            let value = self.root.pointer(&pointer).ok_or_else(|| {
                format!("refers to `{reference}`, which is not there: define it or fix the `$ref`")
            })?;
            let Some(next) = self::reference(value) else { return Ok((pointer, value)) };
            next.clone_into(&mut reference);
        }
        Err(format!("refers to `{first}`, which leads to no definition in {MAX_STEPS} steps"))
    }
}

/// The versions of OpenAPI that give keywords another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A schema is an own dialect: `nullable`, and no keyword next to `$ref`.
    V3_0,
    /// A schema is JSON Schema, draft 2020-12.
    V3_1,
}

fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split('.');
    match (numbers.next()?, numbers.next()?) {
        ("3", "0") => Some(Version::V3_0),
        ("3", "1") => Some(Version::V3_1),
        _ => None,
    }
}

/// What stands next to `$ref` without a meaning for values.
const PROSE: [&str; 5] = ["$ref", "description", "summary", "title", "$comment"];

/// Objects whose keys the author chooses, so that a key `default` in them is not a keyword.
const FREE_KEYS: [&str; 15] = [
    "properties",
    "schemas",
    "responses",
    "parameters",
    "headers",
    "requestBodies",
    "content",
    "paths",
    "securitySchemes",
    "$defs",
    "callbacks",
    "definitions",
    "dependentSchemas",
    "pathItems",
    "patternProperties",
];

/// Whether the key holds data, in which `$ref` is not a reference.
fn is_data(key: &str) -> bool {
    matches!(key, "example" | "examples" | "default" | "enum" | "const") || key.starts_with("x-")
}

fn reference(value: &Value) -> Option<&str> {
    value.get("$ref")?.as_str()
}

/// A value in a document, with `$ref` already followed.
#[derive(Clone)]
pub struct Node<'d> {
    /// The document that it is in.
    pub document: &'d Document,
    /// JSON pointer of the use, which a reader looks for.
    pub used_at: String,
    /// JSON pointer of the definition, which all uses share.
    pub defined_at: String,
    /// The value of the definition.
    pub value: &'d Value,
    /// Whether it is a schema, or a part of one.
    is_schema: bool,
}

impl<'d> Node<'d> {
    /// Returns the member with this name.
    pub fn get(&self, key: &str) -> Option<Self> {
        self.value.get(key).map(|value| self.child(key, value))
    }

    /// Returns the schema with this name. Only in a schema of 3.1 a keyword next to `$ref` means
    /// something.
    pub fn schema(&self, key: &str) -> Option<Self> {
        Self { is_schema: true, ..self.clone() }.get(key)
    }

    /// Returns the schemas that every value must satisfy too: those of `allOf`, and the target of a
    /// `$ref` that has other keywords next to it.
    pub fn conjuncts(&self) -> Vec<Self> {
        let target = reference(self.value).map(|reference| self.document.target(reference));
        let target = target.and_then(Result::ok).map(|(defined_at, value)| Self {
            used_at: format!("{}/$ref", self.defined_at),
            defined_at,
            value,
            ..self.clone()
        });
        target.into_iter().chain(self.list("allOf")).collect()
    }

    /// The version of OpenAPI that it is written in.
    pub fn version(&self) -> Version {
        self.document.version()
    }

    /// Returns every member with its name; there are none if this is not an object.
    pub fn members(&self) -> impl Iterator<Item = (&'d str, Self)> + use<'_, 'd> {
        let members = self.value.as_object().into_iter().flatten();
        members.map(|(key, value)| (key.as_str(), self.child(key, value)))
    }

    /// Returns the elements of the array with this name; there are none if it is not an array.
    pub fn list(&self, key: &str) -> Vec<Self> {
        self.get(key).map_or(Vec::new(), |list| list.elements())
    }

    /// Returns the elements; there are none if this is not an array.
    pub fn elements(&self) -> Vec<Self> {
        let elements = self.value.as_array().into_iter().flatten().enumerate();
        elements.map(|(index, value)| self.child(&index.to_string(), value)).collect()
    }

    /// Returns the string with this name.
    pub fn text(&self, key: &str) -> Option<&'d str> {
        self.value.get(key)?.as_str()
    }

    /// Whether the member with this name is `true`.
    pub fn flag(&self, key: &str) -> bool {
        self.value.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    fn child(&self, key: &str, value: &'d Value) -> Self {
        let used_at = format!("{}/{}", self.defined_at, escape(key));
        let Self { document, is_schema, .. } = *self;
        match self.followed(value).map(|reference| document.target(reference)) {
            Some(Ok((defined_at, value))) => {
                Self { document, used_at, defined_at, value, is_schema }
            }
            _ => Self { document, defined_at: used_at.clone(), used_at, value, is_schema },
        }
    }

    /// Returns the reference, unless the value says more than its target.
    fn followed(&self, value: &'d Value) -> Option<&'d str> {
        let is_prose = |key: &String| PROSE.contains(&key.as_str()) || key.starts_with("x-");
        let reference = reference(value)?;
        let says_more = self.is_schema
            && self.version() == Version::V3_1
            && !value.as_object()?.keys().all(is_prose);
        (!says_more).then_some(reference)
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.defined_at)
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.defined_at == other.defined_at && std::ptr::eq(self.document, other.document)
    }
}
