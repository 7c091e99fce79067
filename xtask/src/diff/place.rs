//! Where in an operation a comparison is, and which way the value travels, in
//! the words of whoever reads about it. It compares nothing and holds no
//! document.

use super::finding::Direction;

/// A value on its way through one operation.
#[derive(Clone, Debug)]
pub struct Place {
    /// The operation's name.
    pub operation: String,
    /// Who sends the value.
    pub direction: Direction,
    part: String,
    path: String,
    subject: String,
}

impl Place {
    /// The root of a value: `part` says which of the operation, `subject` what it is called.
    pub fn new(operation: &str, direction: Direction, part: &str, subject: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            direction,
            part: part.to_owned(),
            path: String::new(),
            subject: subject.to_owned(),
        }
    }

    /// The body in one of its media types; JSON goes without saying.
    #[must_use]
    pub fn in_media_type(&self, name: &str) -> Self {
        let said = if name == "application/json" { String::new() } else { format!(" {name}") };
        Self { part: format!("{}{said}", self.part), ..self.clone() }
    }

    /// A property of this object.
    #[must_use]
    pub fn property(&self, name: &str) -> Self {
        Self { path: format!("{}.{name}", self.path), subject: format!("`{name}`"), ..self.clone() }
    }

    /// The elements of this array.
    #[must_use]
    pub fn items(&self) -> Self {
        self.each("[]")
    }

    /// The members of this object that nobody names.
    #[must_use]
    pub fn members(&self) -> Self {
        self.each(".*")
    }

    fn each(&self, suffix: &str) -> Self {
        let subject = match self.subject.strip_suffix('`') {
            Some(name) => format!("{name}{suffix}`"),
            None => format!("`{suffix}` of {}", self.subject),
        };
        Self { path: format!("{}{suffix}", self.path), subject, ..self.clone() }
    }

    /// The same value, sent the other way.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let direction = match self.direction {
            Direction::Request => Direction::Response,
            Direction::Response => Direction::Request,
        };
        Self { direction, ..self.clone() }
    }

    /// What it is called.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {}", self.operation, self.part)?;
        if self.path.is_empty() { Ok(()) } else { write!(out, " `{}`", self.path) }
    }
}
