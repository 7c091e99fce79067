//! References: to which files they lead, and to which value each of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::Document;
use crate::files;
use crate::value::Value;
use crate::yaml::escape;

/// Longer chains of references are taken for circles.
const MAX_STEPS: usize = 32;

/// Objects whose keys the author chooses, so that a key `default` in them is not a keyword.
pub const FREE_KEYS: [&str; 15] = [
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

/// Where references lead. Each is looked for once, because that takes long in a list of many schemas.
pub type Targets = HashMap<Arc<str>, Target>;

/// Where a reference leads.
#[derive(Debug)]
pub struct Target {
    place: Arc<str>,
    /// The steps from the root of its file.
    path: Box<[u32]>,
}

impl Document {
    /// Follows every reference once.
    pub(super) fn targets(&self) -> Result<Targets, String> {
        let mut targets = Targets::new();
        for (path, root) in self.roots() {
            for reference in references(root)? {
                let key = key(path, reference);
                if !targets.contains_key(&*key) {
                    let place = self.follow(path, reference)?.0;
                    let (file, pointer) = files::split(&place);
                    let path = self.file_root(file).map_or(Box::default(), |it| it.path(pointer));
                    targets.insert(key.into(), Target { place: place.into(), path });
                }
            }
        }
        Ok(targets)
    }

    /// Returns the place and the value to which a reference leads, from a place.
    pub fn target(&self, from: &str, reference: &str) -> Result<(Arc<str>, &Value), String> {
        let file = files::split(from).0;
        if let Some(Target { place, path }) = self.targets.get(&*key(file, reference)) {
            let root = self.file_root(files::split(place).0);
            if let Some(value) = root.and_then(|root| root.at_path(path)) {
                return Ok((Arc::clone(place), value));
            }
        }
        self.follow(file, reference).map(|(place, value)| (place.into(), value))
    }

    /// Follows a chain of references to its end, from a file.
    fn follow(&self, file: &str, first: &str) -> Result<(String, &Value), String> {
        let (mut path, mut reference) = (file.to_owned(), first.to_owned());
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
            let root = self.file_root(&path);
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

    /// Returns the pointers of the schemas that have an `$anchor`, by its place.
    fn anchors(&self) -> &HashMap<String, String> {
        self.anchors.get_or_init(|| {
            let mut anchors = HashMap::new();
            for (path, root) in self.roots() {
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
}

/// What identifies a reference in a file.
fn key<'r>(file: &str, reference: &'r str) -> Cow<'r, str> {
    if file.is_empty() { reference.into() } else { files::join(file, reference).into() }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Returns the files to which a file refers, each with its own path.
pub fn to_files(root: &Value, path: &str) -> Result<Vec<(String, String)>, String> {
    let files = references(root)?.into_iter().map(|it| it.split_once('#').map_or(it, |it| it.0));
    let files = files.filter(|file| !file.is_empty());
    Ok(files.map(|file| (path.to_owned(), decode(file))).collect())
}

/// Returns every reference in a file.
fn references(root: &Value) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    let mut pending = vec![(root, false)];
    while let Some((value, has_free_keys)) = pending.pop() {
        match (reference(value), value.get("$ref")) {
            (Some(reference), _) => found.push(reference),
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

/// Whether the key holds data, in which `$ref` is not a reference.
fn is_data(key: &str) -> bool {
    matches!(key, "example" | "examples" | "default" | "enum" | "const") || key.starts_with("x-")
}

pub fn reference(value: &Value) -> Option<&str> {
    value.get("$ref")?.as_str()
}
