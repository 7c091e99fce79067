//! One document: its value, the position of everything in it, and `$ref` followed.
//!
//! Others walk a document only through `Node`, and so never see a reference. A document that
//! cannot be walked is refused here. This module must not know what a schema means.

mod reference;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::files::{self, Files};
use crate::value::{Position, Value};
use crate::warning::{self, Warning};
use crate::yaml::{self, escape};
pub use reference::FREE_KEYS;
use reference::{Targets, reference};

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
    targets: Targets,
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
        let mut document = Self::unchecked(name, yaml::read(text).map_err(about)?, true);
        document.read_files(read).map_err(about)?;
        document.checked()
    }

    /// Takes a parsed document, which has no line numbers.
    pub fn new(name: &str, root: serde_json::Value) -> Result<Self, ParseError> {
        Self::unchecked(name, root.into(), false).checked()
    }

    fn unchecked(name: &str, root: Value, has_lines: bool) -> Self {
        Self {
            name: name.to_owned(),
            root,
            version: Version::V3_0,
            has_lines,
            files: Files::default(),
            size: 0,
            anchors: OnceLock::new(),
            targets: Targets::default(),
            warnings: Vec::new(),
        }
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
        let (used, value) = (&self.root, &self.root);
        Node { document: self, used_at, used, defined_at, value, is_schema: false }
    }

    /// Returns line and column of a place, or of the nearest parent that has them.
    pub(crate) fn position(&self, place: &str) -> Option<Position> {
        let (path, pointer) = files::split(place);
        self.file_root(path)?.position(pointer).filter(|_| self.shows_lines(place))
    }

    /// Whether there are line numbers. Other files are always read from text.
    fn shows_lines(&self, place: &str) -> bool {
        self.has_lines || !files::split(place).0.is_empty()
    }

    /// Returns the document itself, which has no path, or one of its files.
    fn file_root(&self, path: &str) -> Option<&Value> {
        if path.is_empty() { Some(&self.root) } else { self.files.value(path) }
    }

    /// Returns the name in messages of the file that a place is in, unless it is the document itself.
    pub(crate) fn file(&self, place: &str) -> Option<String> {
        let (path, _) = files::split(place);
        if path.is_empty() {
            return None;
        }
        let folder = self.name.rfind(['/', ':']).map_or("", |end| &self.name[..=end]);
        Some(format!("{folder}{path}"))
    }

    /// Reads the files that it refers to, and those that these refer to.
    fn read_files(&mut self, read: &mut files::Read<'_>) -> Result<(), String> {
        let mut pending = reference::to_files(&self.root, "")?;
        while let Some((from, file)) = pending.pop() {
            let path = files::resolve(&from, &file)?;
            if self.files.add(&path, read)? {
                let new = self.files.value(&path);
                pending.extend(new.map_or(Ok(Vec::new()), |it| reference::to_files(it, &path))?);
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
        let version = self.checked_version().map_err(about)?;
        let targets = self.targets().map_err(about)?;
        let size = self.roots().map(|(_, root)| count(root)).sum();
        let document = Self { version, size, targets, ..self };
        match warning::check(&document) {
            Ok(warnings) => Ok(Self { warnings, ..document }),
            Err(why) => Err(ParseError(format!("{} {why}", document.name))),
        }
    }

    fn checked_version(&self) -> Result<Version, String> {
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
        Ok(version)
    }

    /// The document itself and its files, by their path.
    fn roots(&self) -> impl Iterator<Item = (&str, &Value)> {
        std::iter::once(("", &self.root)).chain(self.files.iter())
    }
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

/// A value in a document, with `$ref` already followed.
#[derive(Clone)]
pub struct Node<'d> {
    /// The document that it is in.
    pub document: &'d Document,
    /// JSON pointer of the use, which a reader looks for.
    pub used_at: Arc<str>,
    /// The value there: a reference, or the definition itself.
    used: &'d Value,
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
        let target = self.value.get("$ref").and_then(|used| {
            let target = self.document.target(&self.defined_at, used.as_str()?).ok();
            let used_at = format!("{}/$ref", self.defined_at).into();
            target.map(|(defined_at, value)| Self { used_at, used, defined_at, value, ..*self })
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
        let used_at: Arc<str> = [&self.defined_at, "/", &escape(key)].concat().into();
        let followed = self.followed(value);
        let target = followed.and_then(|it| self.document.target(&self.defined_at, it).ok());
        let (defined_at, definition) = target.unwrap_or_else(|| (Arc::clone(&used_at), value));
        Self { used_at, used: value, defined_at, value: definition, ..*self }
    }

    /// Returns the node at its definition, without its use.
    pub fn as_defined(&self) -> Self {
        Self { used_at: Arc::clone(&self.defined_at), used: self.value, ..self.clone() }
    }

    /// Returns line and column of the use.
    pub fn position(&self) -> Option<Position> {
        self.used.own_position().filter(|_| self.document.shows_lines(&self.used_at))
    }

    /// Returns line and column of the definition.
    pub fn definition(&self) -> Option<Position> {
        self.value.own_position().filter(|_| self.document.shows_lines(&self.defined_at))
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
