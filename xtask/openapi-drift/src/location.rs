//! Where in an operation a value is, in words for the reader of a finding, and who sends it.
//! It must not compare, and it holds no part of a document.

use std::fmt;
use std::rc::Rc;

use crate::pair::{Direction, Question};

/// A value in one operation.
#[derive(Clone, Debug)]
pub struct Location {
    /// What is asked about it.
    pub question: Question,
    /// Who sends the value.
    pub direction: Direction,
    operation: Rc<str>,
    part: Rc<str>,
    path: Option<Rc<Step>>,
    subject: String,
}

/// The last step of a path. Deep paths share their beginning, or they would take more memory than the
/// documents.
#[derive(Debug)]
struct Step {
    parent: Option<Rc<Step>>,
    text: String,
}

impl Location {
    /// The root of a value: `part` of the operation, which sentences call `subject`.
    pub fn new(
        (question, operation): (Question, &str),
        direction: Direction,
        part: &str,
        subject: &str,
    ) -> Self {
        Self {
            question,
            direction,
            operation: operation.into(),
            part: part.into(),
            path: None,
            subject: subject.to_owned(),
        }
    }

    /// The body in one of its media types. JSON is not named, because it is the usual one.
    #[must_use]
    pub fn in_media_type(&self, name: &str) -> Self {
        let suffix = if name == "application/json" { String::new() } else { format!(" {name}") };
        Self { part: format!("{}{suffix}", self.part).into(), ..self.clone() }
    }

    /// A property of this object.
    #[must_use]
    pub fn property(&self, name: &str) -> Self {
        Self {
            path: Some(self.step(format!(".{name}"))),
            subject: format!("`{name}`"),
            ..self.clone()
        }
    }

    /// The elements of this array.
    #[must_use]
    pub fn items(&self) -> Self {
        self.with_suffix("[]")
    }

    /// The additional properties of this object.
    #[must_use]
    pub fn additional_properties(&self) -> Self {
        self.with_suffix(".*")
    }

    fn with_suffix(&self, suffix: &str) -> Self {
        let subject = match self.subject.strip_suffix('`') {
            Some(name) => format!("{name}{suffix}`"),
            None => format!("`{suffix}` of {}", self.subject),
        };
        Self { path: Some(self.step(suffix.to_owned())), subject, ..self.clone() }
    }

    fn step(&self, text: String) -> Rc<Step> {
        Rc::new(Step { parent: self.path.clone(), text })
    }

    /// The same value, sent in the other direction.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let direction = match self.direction {
            Direction::Request => Direction::Response,
            Direction::Response => Direction::Request,
        };
        Self { direction, ..self.clone() }
    }

    /// Returns the rest of a place that is inside of this value.
    pub fn relative<'p>(&self, place: &'p str) -> Option<&'p str> {
        let this = self.to_string();
        let rest = place.strip_prefix(this.strip_suffix('`').unwrap_or(&this))?;
        Some(rest.strip_prefix(" `").unwrap_or(rest).strip_suffix('`').unwrap_or(rest))
    }

    /// Returns the place of such a rest.
    pub fn joined(&self, rest: &str) -> String {
        let this = if rest.is_empty() { self.clone() } else { self.with_suffix(rest) };
        this.to_string()
    }

    /// What sentences call the value.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.operation, self.part)?;
        let mut steps: Vec<_> =
            std::iter::successors(self.path.as_deref(), |step| step.parent.as_deref())
                .map(|step| step.text.as_str())
                .collect();
        steps.reverse();
        if steps.is_empty() { Ok(()) } else { write!(out, " `{}`", steps.concat()) }
    }
}
