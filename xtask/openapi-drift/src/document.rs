//! One document: its value, the position of everything in it, and `$ref` followed.
//!
//! Others walk a document only through `Node`, and so never see a reference. A document that
//! cannot be walked is refused here. This module must not know what a schema means.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use percent_encoding::percent_decode_str;

use crate::files::{self, Files};
use crate::value::{Position, Value};
use crate::warning::{self, Warning};
use crate::yaml::{self, escape};

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
    version: Version,
    has_lines: bool,
    files: Files,
    /// How many values it holds.
    size: usize,
    anchors: OnceLock<HashMap<String, String>>,
    /// What is not OpenAPI in it.
    pub(crate) warnings: Vec<Warning>,
}

impl Document {
    /// Parses YAML or JSON that refers to no other file.
    pub fn parse(name: &str, text: &str) -> Result<Self, ParseError> {
        Self::parse_with_files(name, text, &mut |_| {
            Err("outside of the document: copy it into this one".to_owned())
        })
    }

    /// Parses YAML or JSON that may refer to files below its folder. `read` returns the text of a file,
    /// by its path below that folder; it must not lead out of it.
    pub fn parse_with_files(
        name: &str,
        text: &str,
        read: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<Self, ParseError> {
        let about = |why| ParseError(format!("{name} {why}"));
        let root = yaml::read(text).map_err(about)?;
        let (name, files) = (name.to_owned(), Files::default());
        let (version, warnings, anchors) = (Version::V3_0, Vec::new(), OnceLock::new());
        let mut document =
            Self { name, root, version, has_lines: true, files, size: 0, anchors, warnings };
        document.read_files(read).map_err(|why| ParseError(format!("{} {why}", document.name)))?;
        document.checked()
    }

    /// Takes a parsed document, which has no line numbers.
    pub fn new(name: &str, root: serde_json::Value) -> Result<Self, ParseError> {
        let (name, root, files) = (name.to_owned(), root.into(), Files::default());
        let (version, warnings, anchors) = (Version::V3_0, Vec::new(), OnceLock::new());
        Self { name, root, version, has_lines: false, files, size: 0, anchors, warnings }.checked()
    }

    /// The version of OpenAPI, which decides what the keywords of a schema mean.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Drops the line numbers, for a text that the reader does not have.
    #[must_use]
    pub fn without_lines(mut self) -> Self {
        self.warnings.iter_mut().for_each(|warning| warning.position = None);
        Self { has_lines: false, ..self }
    }

    /// Returns the document as it was read.
    pub fn value(&self) -> serde_json::Value {
        self.root.to_json()
    }

    /// The node of the whole document.
    pub(crate) fn root(&self) -> Node<'_> {
        let (used_at, defined_at) = ("".into(), "".into());
        Node { document: self, used_at, defined_at, value: &self.root, is_schema: false }
    }

    /// Returns line and column of a place, or of the nearest parent that has them.
    pub(crate) fn position(&self, place: &str) -> Option<Position> {
        match files::split(place) {
            ("", pointer) => self.root.position(pointer).filter(|_| self.has_lines),
            (path, pointer) => self.files.value(path)?.position(pointer),
        }
    }

    /// Returns the name in messages of the file that a place is in, unless it is the document itself.
    pub(crate) fn file(&self, place: &str) -> Option<String> {
        let (path, _) = files::split(place);
        let folder = self.name.rfind(['/', ':']).map_or("", |end| &self.name[..=end]);
        (!path.is_empty()).then(|| format!("{folder}{path}"))
    }

    /// Reads the files that it refers to, and those that these refer to.
    fn read_files(&mut self, read: &mut files::Read<'_>) -> Result<(), String> {
        let mut pending = references(&self.root, "")?;
        while let Some((from, reference)) = pending.pop() {
            let (path, _) = reference.split_once('#').unwrap_or((&reference, ""));
            if path.is_empty() {
                continue;
            }
            let path = files::resolve(files::split(&from).0, &decode(path))?;
            if self.files.add(&path, read)? {
                pending.extend(
                    self.files.value(&path).map_or(Ok(Vec::new()), |it| references(it, &path))?,
                );
            }
        }
        Ok(())
    }

    /// How many values it holds.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    fn checked(self) -> Result<Self, ParseError> {
        let about = |why| ParseError(format!("{} {why}", self.name));
        let (version, size) = self.check().map_err(about)?;
        let document = Self { version, size, ..self };
        match warning::check(&document) {
            Ok(warnings) => Ok(Self { warnings, ..document }),
            Err(why) => Err(ParseError(format!("{} {why}", document.name))),
        }
    }

    /// Returns the version, and how many values there are.
    fn check(&self) -> Result<(Version, usize), String> {
        let said = self.root.get("openapi");
        let said = said.ok_or("is not an OpenAPI document: it has no `openapi` version")?;
        let version = said.as_str().and_then(version).ok_or_else(|| {
            format!("says `openapi: {said}`, and only 3.0.x and 3.1.x can be compared")
        })?;
        if !self.root.get("paths").is_some_and(Value::is_object) {
            let why = "has no `paths` object, so there is nothing to compare: webhooks are not compared, \
                       and components only if an operation uses them";
            return Err(why.into());
        }
        let mut size = 0;
        for (path, value) in std::iter::once(("", &self.root)).chain(self.files.iter()) {
            for (from, reference) in references(value, path)? {
                self.target(&from, &reference)?;
            }
            size += count(value);
        }
        Ok((version, size))
    }

    /// Returns the pointers of the schemas that have an `$anchor`, by its place.
    fn anchors(&self) -> &HashMap<String, String> {
        self.anchors.get_or_init(|| {
            let mut anchors = HashMap::new();
            for (path, root) in std::iter::once(("", &self.root)).chain(self.files.iter()) {
                let mut pending = vec![(root, String::new())];
                while let Some((value, at)) = pending.pop() {
                    let name = value.get("$anchor").and_then(Value::as_str);
                    anchors.extend(name.map(|name| (files::join(path, name), at.clone())));
                    let members = value.as_object().into_iter().flatten();
                    let elements = value.as_array().into_iter().flatten().enumerate();
                    pending.extend(members.map(|(key, it)| (it, format!("{at}/{}", escape(key)))));
                    pending.extend(elements.map(|(index, it)| (it, format!("{at}/{index}"))));
                }
            }
            anchors
        })
    }

    /// Follows a chain of references to its end, from a place.
    pub(crate) fn target(&self, from: &str, first: &str) -> Result<(String, &Value), String> {
        let (mut path, mut reference) = (files::split(from).0.to_owned(), first.to_owned());
        for _ in 0..MAX_STEPS {
            let (file, pointer) = reference.split_once('#').unwrap_or((&reference, ""));
            if !file.is_empty() {
                path = files::resolve(&path, &decode(file))?;
            }
            let mut pointer = decode(pointer);
            if !pointer.is_empty() && !pointer.starts_with('/') {
                let anchor = self.anchors().get(&files::join(&path, &pointer));
                pointer = anchor.cloned().unwrap_or(pointer);
            }
            let root = if path.is_empty() { Some(&self.root) } else { self.files.value(&path) };
            let value = root.and_then(|root| root.pointer(&pointer)).ok_or_else(|| {
                format!("refers to `{reference}`, which is not there: define it or fix the `$ref`")
            })?;
            let Some(next) = self::reference(value) else {
                return Ok((files::join(&path, &pointer), value));
            };
            next.clone_into(&mut reference);
        }
        Err(format!("refers to `{first}`, which leads to no definition in {MAX_STEPS} steps"))
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Returns every reference in a file, with the place of the file.
fn references(root: &Value, path: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut pending = vec![(root, false)];
    while let Some((value, has_free_keys)) = pending.pop() {
        match (reference(value), value.get("$ref")) {
            (Some(reference), _) => found.push((files::join(path, ""), reference.to_owned())),
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
    Ok(found)
}

/// Counts a value and all that it holds, but for data.
fn count(root: &Value) -> usize {
    let (mut size, mut pending) = (0, vec![root]);
    while let Some(value) = pending.pop() {
        size += 1;
        pending.extend(value.children());
    }
    size
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
    pub used_at: Arc<str>,
    /// JSON pointer of the definition, which all uses share.
    pub defined_at: Arc<str>,
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
        let target = reference(self.value)
            .map(|reference| self.document.target(&self.defined_at, reference));
        let target = target.and_then(Result::ok).map(|(defined_at, value)| Self {
            used_at: format!("{}/$ref", self.defined_at).into(),
            defined_at: defined_at.into(),
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
        members.map(|(key, value)| (&**key, self.child(key, value)))
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

    /// Returns a member, or an element by its index.
    pub fn child(&self, key: &str, value: &'d Value) -> Self {
        let used_at = [&self.defined_at, "/", &escape(key)].concat().into();
        let Self { document, is_schema, .. } = *self;
        let followed = self.followed(value);
        match followed.map(|reference| document.target(&self.defined_at, reference)) {
            Some(Ok((defined_at, value))) => {
                Self { document, used_at, defined_at: defined_at.into(), value, is_schema }
            }
            _ => Self { document, defined_at: Arc::clone(&used_at), used_at, value, is_schema },
        }
    }

    /// Returns the reference, unless the value says more than its target.
    fn followed(&self, value: &'d Value) -> Option<&'d str> {
        let is_prose = |key: &str| PROSE.contains(&key) || key.starts_with("x-");
        let reference = reference(value)?;
        let says_more = self.is_schema
            && self.version() == Version::V3_1
            && !value.as_object()?.iter().all(|(key, _)| is_prose(key));
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
        std::ptr::eq(self.value, other.value)
    }
}
