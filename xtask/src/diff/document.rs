//! One document: its value, where everything in it is written, and `$ref` followed.
//!
//! Whoever walks a document does it through `Node`, so that no reference is seen beyond this file.
//! What could not be walked at all is refused here; nothing here knows what a schema means.

use std::collections::HashMap;
use std::fmt;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::yaml::{self, Position};

/// More references one after the other are a circle, or might as well be.
const MAX_STEPS: usize = 32;

/// A document that can be compared.
#[derive(Debug)]
pub struct Document {
    /// How people call it: a file's name, or "the server".
    pub name: String,
    root: Value,
    positions: HashMap<String, Position>,
}

impl Document {
    /// Reads YAML or JSON text; the error is a sentence that says why it cannot be compared.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let (root, positions) = yaml::read(text).map_err(|why| format!("{name} {why}"))?;
        Self { name: name.to_owned(), root, positions }.checked()
    }

    /// Takes a document that has been read already, and so has no lines.
    pub fn new(name: &str, root: Value) -> Result<Self, String> {
        Self { name: name.to_owned(), root, positions: HashMap::new() }.checked()
    }

    /// Without lines, where nobody could look them up.
    #[must_use]
    pub fn without_lines(self) -> Self {
        Self { positions: HashMap::new(), ..self }
    }

    /// The document as it was read.
    pub fn value(&self) -> &Value {
        &self.root
    }

    /// The whole document.
    pub fn root(&self) -> Node<'_> {
        Node { document: self, at: String::new(), pointer: String::new(), value: &self.root }
    }

    /// Line and column of what a JSON pointer leads to, or of the nearest thing around it.
    pub fn position(&self, pointer: &str) -> Option<Position> {
        let mut pointer = pointer;
        loop {
            if let Some(position) = self.positions.get(pointer) {
                return Some(*position);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    fn checked(self) -> Result<Self, String> {
        self.check().map_err(|why| format!("{} {why}", self.name))?;
        Ok(self)
    }

    fn check(&self) -> Result<(), String> {
        match self.root.get("openapi").map(|version| (version, version.as_str())) {
            Some((_, Some(version))) if version == "3.0" || version.starts_with("3.0.") => {}
            Some((version, _)) => {
                return Err(format!("says `openapi: {version}`, and only 3.0.x can be compared"));
            }
            None => return Err("is not an OpenAPI document: it has no `openapi` version".into()),
        }
        if !self.root.get("paths").is_some_and(Value::is_object) {
            return Err("has no `paths` object, so there is nothing to compare".into());
        }
        self.check_references()
    }

    fn check_references(&self) -> Result<(), String> {
        let mut open = vec![(&self.root, false)];
        while let Some((value, named)) = open.pop() {
            match (reference(value), value.get("$ref")) {
                (Some(reference), _) => drop(self.target(reference)?),
                (None, Some(other)) if !named => {
                    return Err(format!("holds the `$ref` {other}, which is no text: mend it"));
                }
                (None, _) => {}
            }
            let members = value.as_object().into_iter().flatten();
            open.extend(
                members
                    .filter(|(key, _)| named || !is_data(key))
                    .map(|(key, value)| (value, !named && NAMED.contains(&key.as_str()))),
            );
            open.extend(value.as_array().into_iter().flatten().map(|value| (value, false)));
        }
        Ok(())
    }

    /// Where a reference ends, after the references to which it leads.
    fn target(&self, first: &str) -> Result<(String, &Value), String> {
        let mut reference = first.to_owned();
        for _ in 0..MAX_STEPS {
            let pointer = reference.strip_prefix('#').ok_or_else(|| {
                format!("refers to `{reference}`, outside of the document: bring it in")
            })?;
            let pointer = percent_decode_str(pointer).decode_utf8_lossy().into_owned();
            let value = self.root.pointer(&pointer).ok_or_else(|| {
                format!("refers to `{reference}`, which is not there: define it or mend the `$ref`")
            })?;
            let Some(next) = self::reference(value) else { return Ok((pointer, value)) };
            next.clone_into(&mut reference);
        }
        Err(format!("refers to `{first}`, which leads to no definition in {MAX_STEPS} steps"))
    }
}

/// Maps whose keys are names that the author chose, so that `default` there is no keyword.
const NAMED: [&str; 9] = [
    "properties",
    "schemas",
    "responses",
    "parameters",
    "headers",
    "requestBodies",
    "content",
    "paths",
    "securitySchemes",
];

/// Keys that hold data: a `$ref` in them is only a member.
fn is_data(key: &str) -> bool {
    matches!(key, "example" | "examples" | "default" | "enum") || key.starts_with("x-")
}

fn reference(value: &Value) -> Option<&str> {
    value.get("$ref")?.as_str()
}

/// A name as one step of a JSON pointer.
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A place in a document, with `$ref` already followed.
#[derive(Clone)]
pub struct Node<'d> {
    /// The document that it is in.
    pub document: &'d Document,
    /// Where it is used: what a reader looks for.
    pub at: String,
    /// Where it is written: the same cause has the same pointer.
    pub pointer: String,
    /// What is written there.
    pub value: &'d Value,
}

impl<'d> Node<'d> {
    /// The member of that name.
    pub fn get(&self, key: &str) -> Option<Self> {
        self.value.get(key).map(|value| self.step(key, value))
    }

    /// Every member, by name; none where it is no object.
    pub fn members(&self) -> impl Iterator<Item = (&'d str, Self)> + use<'_, 'd> {
        let members = self.value.as_object().into_iter().flatten();
        members.map(|(key, value)| (key.as_str(), self.step(key, value)))
    }

    /// Every element; none where it is no array.
    pub fn elements(&self) -> impl Iterator<Item = Self> + use<'_, 'd> {
        let elements = self.value.as_array().into_iter().flatten().enumerate();
        elements.map(|(index, value)| self.step(&index.to_string(), value))
    }

    /// The text of that name.
    pub fn text(&self, key: &str) -> Option<&'d str> {
        self.value.get(key)?.as_str()
    }

    /// Whether the member of that name is `true`.
    pub fn flag(&self, key: &str) -> bool {
        self.value.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    fn step(&self, key: &str, value: &'d Value) -> Self {
        let key = escape(key);
        let here = Self {
            document: self.document,
            at: format!("{}/{key}", self.pointer),
            pointer: format!("{}/{key}", self.pointer),
            value,
        };
        match reference(value).map(|reference| self.document.target(reference)) {
            Some(Ok((pointer, value))) => Self { pointer, value, ..here },
            _ => here,
        }
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.pointer)
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.pointer == other.pointer && std::ptr::eq(self.document, other.document)
    }
}
