//! The files that a document refers to, below its folder. Which text a file has is the caller's
//! business.
//!
//! A place in one of them is its path, `#` and a JSON pointer. A place in the document itself is the
//! pointer alone.

use std::collections::BTreeMap;

use crate::value::Value;
use crate::yaml;

/// More files than any document that a person maintains.
const MAX_FILES: usize = 10_000;

/// Returns the text of a file, by its path below the folder of a document.
pub type Read<'r> = dyn FnMut(&str) -> Result<String, String> + 'r;

/// The files by their path.
#[derive(Debug, Default)]
pub struct Files(BTreeMap<String, Value>);

impl Files {
    /// Reads a file, unless it was read before. Returns whether it was not.
    pub fn add(&mut self, path: &str, read: &mut Read<'_>) -> Result<bool, String> {
        if self.0.contains_key(path) {
            return Ok(false);
        }
        if self.0.len() == MAX_FILES {
            return Err(format!("refers to more than {MAX_FILES} files: put some together"));
        }
        let text = read(path).map_err(|why| format!("refers to `{path}`, {why}"))?;
        let file = yaml::read(&text).map_err(|why| format!("refers to `{path}`, which {why}"))?;
        self.0.insert(path.to_owned(), file);
        Ok(true)
    }

    pub fn value(&self, path: &str) -> Option<&Value> {
        self.0.get(path)
    }

    /// Returns every path with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(path, value)| (path.as_str(), value))
    }
}

/// Splits a place into the path of its file, which is empty for the document itself, and the pointer.
pub fn split(place: &str) -> (&str, &str) {
    if place.starts_with('/') { ("", place) } else { place.split_once('#').unwrap_or(("", place)) }
}

/// Returns the place of a pointer in a file.
pub fn join(path: &str, pointer: &str) -> String {
    if path.is_empty() { pointer.to_owned() } else { format!("{path}#{pointer}") }
}

/// Returns the path of a file that a reference in another file names, both below the folder of the
/// document.
pub fn resolve(from: &str, reference: &str) -> Result<String, String> {
    let refuse =
        |why: &str| Err(format!("refers to `{reference}`, {why}: copy it to a file below"));
    let is_url = reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.len() > 1
            && scheme.chars().all(|it| it.is_ascii_alphanumeric() || "+-.".contains(it))
    });
    if is_url {
        return refuse("which is not a file below the folder of the document");
    }
    if reference.starts_with('/') || reference.contains('\\') {
        return refuse("which is not a path below the folder of the document");
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in reference.split('/') {
        match step {
            ".." if steps.pop().is_none() => {
                return refuse("which is outside of the folder of the document");
            }
            "" | "." | ".." => {}
            step => steps.push(step),
        }
    }
    Ok(steps.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_leads_to_files_below_the_folder_alone() {
        for (from, reference, expected) in [
            ("", "common.yaml", Some("common.yaml")),
            ("", "./a/common.yaml", Some("a/common.yaml")),
            ("a/b.yaml", "c.yaml", Some("a/c.yaml")),
            ("a/b.yaml", "../c.yaml", Some("c.yaml")),
            ("", "../c.yaml", None),
            ("a/b.yaml", "../../c.yaml", None),
            ("", "a/../../c.yaml", None),
            ("", "/etc/passwd", None),
            ("", "https://example.com/a.yaml", None),
            ("", "file:a.yaml", None),
            ("", "s3:a.yaml", None),
            ("", "git+ssh:a.yaml", None),
            ("", "a\\b.yaml", None),
            ("", "c:a.yaml", Some("c:a.yaml")),
            ("", "a_b:c.yaml", Some("a_b:c.yaml")),
            ("", "a//b.yaml", Some("a/b.yaml")),
        ] {
            assert_eq!(resolve(from, reference).ok().as_deref(), expected, "{from} {reference}");
        }
    }

    #[test]
    fn a_place_is_taken_apart_as_it_was_joined() {
        for (path, pointer) in [("", ""), ("", "/a#b"), ("c.yaml", ""), ("a/c.yaml", "/x/y")] {
            assert_eq!(split(&join(path, pointer)), (path, pointer));
        }
        assert_eq!(join("", "/a"), "/a");
    }
}
