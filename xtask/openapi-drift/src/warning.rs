//! What is not OpenAPI: a keyword that has no meaning at its place, and a value that its keyword cannot
//! have. Every reader ignores these, and most are misspelled. Without an object that must be there, the
//! document cannot be read at all.
//!
//! `keywords.txt` has a line for each kind of object: its name, then its keywords, each with the shape of
//! its value. `[x]` is a list of `x`, `{x}` a map with free names, and `x/y` one of two shapes. `+` and
//! `-` mean only 3.1 and only 3.0, and `!` that it must be there. A line with `=` lists words. `routes`
//! has the rules that several objects keep together.

mod routes;

use std::collections::{HashMap, HashSet};

use crate::document::{Document, Version};
use crate::files;
use crate::number::Number;
use crate::value::{Position, Value};
use crate::yaml::escape;

/// Something that is not OpenAPI, and that readers ignore.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// What kind it is.
    pub rule: &'static WarningRule,
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

/// The kind of a warning.
#[derive(Debug, PartialEq, Eq)]
pub struct WarningRule {
    /// What identifies it.
    pub code: &'static str,
    /// What it means.
    pub summary: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// The usual fix.
    pub help: &'static str,
    /// A fragment that gives this warning.
    pub example: &'static str,
}

impl WarningRule {
    /// Every rule.
    pub const ALL: [&Self; 2] = [&Self::UNKNOWN_KEYWORD, &Self::INVALID_VALUE];
    /// A keyword has no meaning at its place.
    pub const UNKNOWN_KEYWORD: Self = Self {
        code: "unknown-keyword",
        summary: "a keyword is unknown, or belongs to another version of OpenAPI",
        why: "readers ignore an unknown keyword, so what it was meant to say is lost",
        help: "correct its spelling, or begin its name with `x-` if it is an extension",
        example: "{type: object, requird: [title]}",
    };
    /// A value is not one that OpenAPI allows.
    pub const INVALID_VALUE: Self = Self {
        code: "invalid-value",
        summary: "a value is not one that OpenAPI allows at its place, or is missing",
        why: "one reader ignores it, another refuses the document",
        help: "write what is expected",
        example: "{type: objct, required: [title]}",
    };
}

/// A keyword in `keywords.txt`.
struct Keyword {
    name: &'static str,
    is_known: bool,
    is_needed: bool,
    shape: &'static str,
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
    let (name, shape) = word.split_once(':').unwrap_or((word, ANY));
    let (needed, is_known) = (name.strip_suffix('!'), only.is_none_or(|only| only == version));
    Keyword { name: needed.unwrap_or(name), is_known, is_needed: needed.is_some(), shape }
}

/// Longer texts are cut in a sentence.
const MAX_SHOWN: usize = 60;
/// The shape of every value.
const ANY: &str = "any";

/// The shape of values without keywords, what sentences call it, and whether a value has it.
type Plain = (&'static str, &'static str, fn(&Value) -> bool);
const PLAIN: [Plain; 6] = [
    (ANY, "anything", |_| true),
    ("string", "a text", |it| it.as_str().is_some()),
    ("boolean", "true or false", |it| it.as_bool().is_some()),
    ("number", "a number", |it| it.as_number().is_some()),
    ("count", "a whole number of at least 0", |it| it.as_number().is_some_and(is_count)),
    ("pattern", "a regular expression", |it| it.as_str().is_some_and(is_pattern)),
];

fn is_count(number: Number) -> bool {
    number.is_whole() && number >= Number::Whole(0)
}

fn is_pattern(text: &str) -> bool {
    regress::Regex::new(text).is_ok()
}

/// Returns the shape of the elements or the members of such a value.
fn inner(shape: &'static str, marks: [char; 2]) -> Option<&'static str> {
    shape.strip_prefix(marks[0])?.strip_suffix(marks[1])
}

/// Returns everything that is not OpenAPI, in the order of the document.
///
/// # Errors
/// A sentence, if something is there in place of an object or a list of objects.
pub(crate) fn check(document: &Document) -> Result<Vec<Warning>, String> {
    let mut walk = Walk {
        document,
        kinds: keywords(document.version()),
        place: String::new(),
        warnings: Vec::new(),
        pending: vec![(document.root().value, "document", String::new())],
    };
    let mut known = HashSet::new();
    while let Some((value, shape, place)) = walk.pending.pop() {
        if known.insert((place.clone(), shape)) {
            walk.place = place;
            walk.value(value, shape)?;
        }
    }
    let mut warnings = walk.warnings;
    warnings.extend(routes::check(document));
    warnings.sort_by(|a, b| (a.position, &a.pointer).cmp(&(b.position, &b.pointer)));
    warnings.dedup();
    Ok(warnings)
}

/// Returns the known word that this one was meant to be, unless all are too far from it.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let ranked = known.map(|known| (strsim::damerau_levenshtein(word, known), known));
    let is_near = |(distance, _): &(usize, _)| *distance <= 2.max(word.chars().count() / 4);
    ranked.min().filter(is_near).map(|(_, known)| known)
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// A warning about a value.
fn invalid(document: &Document, place: &str, title: String) -> Warning {
    let (rule, pointer) = (&WarningRule::INVALID_VALUE, files::split(place).1.to_owned());
    let (position, help) = (document.position(place), rule.help.to_owned());
    let document = document.file(place).unwrap_or_else(|| document.name.clone());
    Warning { rule, document, pointer, position, title, help }
}

struct Walk<'d> {
    document: &'d Document,
    kinds: HashMap<&'static str, Vec<Keyword>>,
    /// The place of the value.
    place: String,
    warnings: Vec<Warning>,
    /// Values with their shapes and places, to which references lead.
    pending: Vec<(&'d Value, &'static str, String)>,
}

impl<'d> Walk<'d> {
    fn value(&mut self, value: &'d Value, shapes: &'static str) -> Result<(), String> {
        let Some(shape) = shapes.split('/').find(|shape| self.is_of(value, shape)) else {
            return self.wrong(value, shapes);
        };
        let reference = value.get("$ref").and_then(Value::as_str);
        if let Some(reference) = reference.filter(|_| self.is_structure(shape)) {
            self.follow(reference, shape)?;
        }
        let members = || value.as_object().into_iter().flatten();
        if let Some(inner) = inner(shape, ['[', ']']).filter(|inner| *inner != ANY) {
            for (index, element) in value.as_array().into_iter().flatten().enumerate() {
                self.part(&index.to_string(), element, inner)?;
            }
        } else if let Some(inner) = inner(shape, ['{', '}']) {
            let is_name =
                |key: &str| reference.is_none() && (inner == "schema" || !key.starts_with("x-"));
            for (key, member) in members().filter(|(key, _)| is_name(key)) {
                self.part(key, member, inner)?;
            }
        } else if self.is_structure(shape) {
            let is_missing =
                |it: &&Keyword| it.is_needed && reference.is_none() && value.get(it.name).is_none();
            for keyword in self.kinds[shape].iter().filter(is_missing) {
                let title = format!("{} object has no `{}`", with_article(shape), keyword.name);
                self.warnings.push(invalid(self.document, &self.place, title));
            }
            for (key, member) in members() {
                match self.keyword(shape, key) {
                    Some(Keyword { is_known: true, shape, .. }) => self.part(key, member, shape)?,
                    found => self.unknown(value, (shape, key), found.is_some()),
                }
            }
        }
        Ok(())
    }

    fn part(&mut self, key: &str, value: &'d Value, shapes: &'static str) -> Result<(), String> {
        let length = self.place.len();
        self.place.extend(["/", &escape(key)]);
        self.value(value, shapes)?;
        self.place.truncate(length);
        Ok(())
    }

    /// Returns the keyword, in the version of the document if it is known there.
    fn keyword(&self, kind: &str, key: &str) -> Option<&Keyword> {
        self.kinds[kind].iter().filter(|it| it.name == key).max_by_key(|it| it.is_known)
    }

    /// Whether a value has the outer shape.
    fn is_of(&self, value: &Value, shape: &str) -> bool {
        match PLAIN.iter().find(|(name, ..)| *name == shape) {
            Some((.., is_of)) => is_of(value),
            None if shape.starts_with('[') => value.as_array().is_some(),
            None if shape.starts_with('{') => value.is_object(),
            None if self.is_structure(shape) => {
                let is_later = self.document.version() == Version::V3_1;
                value.is_object() || (is_later && shape == "schema" && value.as_bool().is_some())
            }
            None => value.as_str().is_some_and(|text| self.words(shape).any(|word| word == text)),
        }
    }

    /// Whether objects, lists or maps of them are expected, without which nothing can be compared.
    fn is_structure(&self, shape: &str) -> bool {
        let kind = self.kinds.get(shape.trim_matches(['[', ']', '{', '}']));
        kind.is_some_and(|keywords| keywords[0].name != "=")
    }

    /// Returns the words of a list in `keywords.txt`.
    fn words(&self, list: &str) -> impl Iterator<Item = &'static str> + use<'_, 'd> {
        let listed = self.kinds.get(list).into_iter().flatten().skip(1);
        listed.filter(|it| it.is_known).map(|it| it.name)
    }

    fn describe(&self, shapes: &str) -> String {
        let describe = |shape: &str| match PLAIN.iter().find(|(name, ..)| *name == shape) {
            Some((_, words, _)) => vec![(*words).to_owned()],
            None if shape.starts_with('[') => vec!["a list".into()],
            None if shape.starts_with('{') => vec!["an object".into()],
            None if self.is_structure(shape) => vec![format!("{} object", with_article(shape))],
            None => self.words(shape).map(|word| format!("`{word}`")).collect(),
        };
        shapes.split('/').flat_map(describe).collect::<Vec<_>>().join(" or ")
    }

    /// Reports a value of another shape.
    fn wrong(&mut self, value: &Value, shapes: &str) -> Result<(), String> {
        let mut names = self.place.rsplit('/').filter(|step| step.parse::<usize>().is_err());
        let name = names.next().unwrap_or_default();
        let found: String = value.to_string().chars().take(MAX_SHOWN).collect();
        if shapes.split('/').any(|shape| self.is_structure(shape)) {
            return Err(self.misplaced(&format!("has `{found}`"), shapes));
        }
        let title = format!("`{name}` is `{found}`, and must be {}", self.describe(shapes));
        let mut warning = invalid(self.document, &self.place, title);
        let known = shapes.split('/').flat_map(|shape| self.words(shape));
        if let Some(word) = value.as_str().and_then(|text| nearest(text, known)) {
            warning.help = did_you_mean(word);
        } else if name == "required" && value.as_bool().is_some() {
            warning.help = "list the required properties in `required` of their object".into();
        }
        self.warnings.push(warning);
        Ok(())
    }

    /// Says that something is there in place of an object.
    fn misplaced(&self, what: &str, shapes: &str) -> String {
        let (place, expected) = (&self.place, self.describe(shapes));
        let hash = if place.starts_with('/') { "#" } else { "" };
        let position = self.document.position(place);
        let position = position.map(|(line, column)| format!(" (line {line}, column {column})"));
        format!("{what} in place of {expected} at {hash}{place}{}", position.unwrap_or_default())
    }

    /// Checks that a reference leads to what is expected at its place.
    fn follow(&mut self, to: &str, shape: &'static str) -> Result<(), String> {
        let is_in_document = files::split(&self.place).0.is_empty();
        let component = to.strip_prefix("#/components/").filter(|_| is_in_document);
        let section = component.and_then(|rest| rest.split_once('/'));
        let section = section.filter(|(_, name)| !name.contains('/'));
        match section.and_then(|(section, _)| self.keyword("components", section)) {
            Some(section) if inner(section.shape, ['{', '}']) == Some(shape) => Ok(()),
            Some(_) => Err(self.misplaced(&format!("refers to `{to}`"), shape)),
            None => {
                // What leads nowhere was refused before, except in data.
                let target = self.document.target(&self.place, to).ok();
                self.pending.extend(target.map(|(place, value)| (value, shape, place.to_string())));
                Ok(())
            }
        }
    }

    /// Reports a keyword that this version does not know.
    fn unknown(&mut self, object: &Value, (kind, key): (&str, &str), is_of_other: bool) {
        // A reference may have a summary and a description of its own in every place.
        let is_of_reference =
            ["$ref", "summary", "description"].contains(&key) && object.get("$ref").is_some();
        if key.starts_with("x-") || is_of_reference {
            return;
        }
        let is_later = self.document.version() == Version::V3_1;
        let version = if is_later { "3.1" } else { "3.0" };
        let known = self.kinds[kind].iter().filter(|it| it.is_known).map(|it| it.name);
        let (rule, place) =
            (&WarningRule::UNKNOWN_KEYWORD, format!("{}/{}", self.place, escape(key)));
        let help = match nearest(key, known) {
            _ if is_of_other => {
                format!("OpenAPI {version} ignores it: remove it, or change `openapi`")
            }
            Some(name) => did_you_mean(name),
            None => rule.help.to_owned(),
        };
        let (key, kind) = (key.escape_debug(), with_article(kind));
        let title = format!("`{key}` is no keyword of {kind} object in OpenAPI {version}");
        self.warnings.push(Warning { rule, help, ..invalid(self.document, &place, title) });
    }
}

fn with_article(noun: &str) -> String {
    format!("{} {noun}", if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" })
}
