//! Visits every object of a document, and compares it with what `keywords.txt` says about its kind.

use std::collections::{HashMap, HashSet};

use super::keyword::{ANY, Keyword, PLAIN, inner, keywords};
use super::{Warning, WarningRule, did_you_mean, invalid, nearest, object, shown, with_article};
use crate::document::{Document, Version};
use crate::files;
use crate::value::Value;
use crate::yaml::escape;

/// Returns what is wrong with every object by itself.
///
/// # Errors
/// A sentence, if something is there in place of an object or a list of objects.
pub fn check(document: &Document) -> Result<Vec<Warning>, String> {
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
    Ok(walk.warnings)
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
            self.warnings.extend(object::check(self.document, &self.place, (shape, value)));
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
        let found = shown(value);
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
