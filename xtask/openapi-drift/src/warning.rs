//! Keywords that OpenAPI does not know, which every reader ignores: most are misspelled.
//!
//! `keywords.txt` has a line for each kind of object: its name, then its keywords, each with the kind
//! of its value. Braces mean a map with free names; `+` and `-` mean only 3.1 and only 3.0.

use std::collections::HashMap;

use crate::document::{Document, Version};
use crate::value::Position;
use crate::yaml::escape;

/// A keyword that has no meaning at its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// The name of the document.
    pub document: String,
    /// JSON pointer of the keyword.
    pub pointer: String,
    /// Line and column of its value, if the document was read from text.
    pub position: Option<Position>,
    /// One line that says it.
    pub title: String,
    /// The likely fix.
    pub help: String,
}

impl Warning {
    /// What identifies a warning.
    pub const CODE: &str = "unknown-keyword";
    /// What the code means.
    pub const SUMMARY: &str = "a keyword is unknown, or belongs to another version of OpenAPI";
    /// Why it matters.
    pub const WHY: &str = "readers ignore an unknown keyword, so what it was meant to say is lost";
    /// The usual fix.
    pub const HELP: &str =
        "correct its spelling, or begin its name with `x-` if it is an extension";
    /// A fragment that gives this warning.
    pub const EXAMPLE: &str = "{type: object, requird: [title]}";
}

/// A keyword in `keywords.txt`.
struct Keyword {
    name: &'static str,
    is_known: bool,
    /// The kind of its value, and whether the value is a map of these.
    kind: Option<(&'static str, bool)>,
}

fn keywords(version: Version) -> HashMap<&'static str, Vec<Keyword>> {
    let lines = include_str!("warning/keywords.txt").lines();
    let kinds = lines.filter_map(|line| line.split_once(' '));
    kinds
        .map(|(kind, words)| (kind, words.split(' ').map(|it| keyword(it, version)).collect()))
        .collect()
}

fn keyword(word: &'static str, version: Version) -> Keyword {
    let (word, only) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
        (Some(word), _) => (word, Some(Version::V3_1)),
        (_, Some(word)) => (word, Some(Version::V3_0)),
        _ => (word, None),
    };
    let (name, kind) = word.split_once(':').map_or((word, None), |(name, kind)| (name, Some(kind)));
    let kind = kind.map(|kind| (kind.trim_matches(['{', '}']), kind.starts_with('{')));
    Keyword { name, is_known: only.is_none_or(|only| only == version), kind }
}

/// Returns a warning for each unknown keyword, in the order of the document.
pub(crate) fn warnings(document: &Document) -> Vec<Warning> {
    let kinds = keywords(document.version());
    let mut warnings = Vec::new();
    let mut pending = vec![(document.root().value, String::new(), "document", false)];
    while let Some((value, place, kind, is_map)) = pending.pop() {
        let elements = value.as_array().into_iter().flatten().enumerate();
        pending.extend(elements.map(|(at, value)| (value, format!("{place}/{at}"), kind, false)));
        for (key, value) in value.as_object().into_iter().flatten() {
            let place = format!("{place}/{}", escape(key));
            if is_map && ["path", "response"].contains(&kind) && key.starts_with("x-") {
                continue;
            }
            if is_map {
                pending.push((value, place, kind, false));
                continue;
            }
            match kinds[kind].iter().find(|it| it.name == &**key) {
                Some(Keyword { is_known: true, kind: Some((kind, is_map)), .. }) => {
                    pending.push((value, place, kind, *is_map));
                }
                Some(Keyword { is_known: true, .. }) => {}
                known => warnings.extend(warning(document, kind, key, place, known, &kinds[kind])),
            }
        }
    }
    warnings.sort_by(|a, b| (a.position, &a.pointer).cmp(&(b.position, &b.pointer)));
    warnings
}

fn warning(
    document: &Document,
    kind: &str,
    key: &str,
    pointer: String,
    other_version: Option<&Keyword>,
    keywords: &[Keyword],
) -> Option<Warning> {
    // A reference may have a summary and a description of its own in every place.
    let is_of_reference = ["$ref", "summary", "description"].contains(&key)
        && document.root().value.pointer(pointer.rsplit_once('/')?.0)?.get("$ref").is_some();
    if key.starts_with("x-") || is_of_reference {
        return None;
    }
    let version = match document.version() {
        Version::V3_0 => "3.0",
        Version::V3_1 => "3.1",
    };
    let known = keywords.iter().filter(|it| it.is_known);
    let nearest = known.map(|it| (strsim::damerau_levenshtein(key, it.name), it.name)).min();
    let help = match nearest {
        _ if other_version.is_some() => {
            format!("OpenAPI {version} ignores it: remove it, or change `openapi`")
        }
        Some((distance, name)) if distance <= 2.max(key.chars().count() / 4) => {
            format!("did you mean `{name}`?")
        }
        _ => Warning::HELP.to_owned(),
    };
    let title =
        format!("`{}` is no keyword of a {kind} object in OpenAPI {version}", key.escape_debug());
    let (document, position) = (document.name.clone(), document.position(&pointer));
    Some(Warning { document, pointer, position, title, help })
}
