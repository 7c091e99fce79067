//! What is not OpenAPI: a keyword that has no meaning at its place, and a value that its keyword cannot
//! have. Every reader ignores these, and most are misspelled. Without an object that must be there, the
//! document cannot be read at all.
//!
//! `walk` visits every object, and `keyword` knows what each may hold. `object` has the rules that the members
//! of one object keep together, and `routes` those of several objects.

mod keyword;
mod object;
mod routes;
mod walk;

use crate::document::Document;
use crate::files;
use crate::value::{Position, Value};

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

/// Returns everything that is not OpenAPI, in the order of the document.
///
/// # Errors
/// A sentence, if something is there in place of an object or a list of objects.
pub(crate) fn check(document: &Document) -> Result<Vec<Warning>, String> {
    let mut warnings = walk::check(document)?;
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

/// Longer texts are cut in a sentence.
const MAX_SHOWN: usize = 60;

fn shown(value: &Value) -> String {
    value.to_string().chars().take(MAX_SHOWN).collect()
}

fn with_article(noun: &str) -> String {
    format!("{} {noun}", if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" })
}
