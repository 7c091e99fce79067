//! The keywords of each kind of object, and the shapes of their values.
//!
//! `keywords.txt` has a line for each kind of object: its name, then its keywords, each with the shape of
//! its value. `[x]` is a list of `x`, `{x}` a map with free names, and `x/y` one of two shapes. `+` and
//! `-` mean only 3.1 and only 3.0, and `!` that it must be there. A line with `=` lists words.

use std::collections::HashMap;

use crate::document::Version;
use crate::number::Number;
use crate::value::Value;

/// A keyword in `keywords.txt`.
pub struct Keyword {
    pub name: &'static str,
    pub is_known: bool,
    pub is_needed: bool,
    pub shape: &'static str,
}

/// Returns the keywords by kind of object.
pub fn keywords(version: Version) -> HashMap<&'static str, Vec<Keyword>> {
    let lines = include_str!("keywords.txt").lines();
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

/// The shape of every value.
pub const ANY: &str = "any";

/// The shape of values without keywords, what sentences call it, and whether a value has it.
pub type Plain = (&'static str, &'static str, fn(&Value) -> bool);
pub const PLAIN: [Plain; 7] = [
    (ANY, "anything", |_| true),
    ("string", "a text", |it| it.as_str().is_some()),
    ("boolean", "true or false", |it| it.as_bool().is_some()),
    ("number", "a number", |it| it.as_number().is_some()),
    ("step", "a number above 0", |it| it.as_number().is_some_and(is_step)),
    ("count", "a whole number of at least 0", |it| it.as_number().is_some_and(is_count)),
    ("pattern", "a regular expression", |it| it.as_str().is_some_and(is_pattern)),
];

fn is_step(number: Number) -> bool {
    number > Number::Whole(0)
}

fn is_count(number: Number) -> bool {
    number.is_whole() && number >= Number::Whole(0)
}

fn is_pattern(text: &str) -> bool {
    regress::Regex::new(text).is_ok()
}

/// Returns the shape of the elements or the members of such a value.
pub fn inner(shape: &'static str, marks: [char; 2]) -> Option<&'static str> {
    shape.strip_prefix(marks[0])?.strip_suffix(marks[1])
}
