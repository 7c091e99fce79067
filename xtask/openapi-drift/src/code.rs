//! What identifies a kind of finding. Scripts, suppressions and `--explain` depend on the names, so they
//! never change. `advice` says what a code means.

use std::fmt;

use crate::finding::Rule;
use crate::pair::{Direction, Pair};

/// What identifies a kind of finding. It is displayed as `response-null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The kind of difference.
    pub rule: Rule,
    /// Who sends the value, if that matters.
    pub direction: Option<Direction>,
}

impl Code {
    /// Returns every code, the most severe first.
    pub fn all() -> impl Iterator<Item = Self> {
        Rule::ALL.into_iter().flat_map(|rule| {
            let directions: &[_] = if rule.has_direction() {
                &[Some(Direction::Request), Some(Direction::Response)]
            } else {
                &[None]
            };
            directions.iter().map(move |&direction| Self { rule, direction })
        })
    }

    /// Finds a code by its name.
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|code| code.to_string() == name)
    }

    /// Whether callers send the value.
    pub(crate) fn is_request(self) -> bool {
        self.direction == Some(Direction::Request)
    }

    /// Returns what both sides say in an example: a fragment of a document in YAML.
    pub fn example(self) -> Pair<&'static str> {
        let name = self.to_string();
        let mut lines = include_str!("examples.txt").lines();
        lines.find(|line| *line == name);
        let mut side = |label| lines.next().and_then(|line| line.trim().strip_prefix(label));
        let sides = Pair { documented: side("contract: "), served: side("server: ") };
        sides.map(|side| side.map(str::trim).unwrap_or_default())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.direction {
            Some(Direction::Request) => out.write_str("request-")?,
            Some(Direction::Response) => out.write_str("response-")?,
            None => {}
        }
        out.write_str(self.rule.name())
    }
}

impl Rule {
    /// Returns the part of the code that does not depend on the direction.
    fn name(self) -> &'static str {
        match self {
            Self::MissingOperation => "missing-operation",
            Self::Path => "path",
            Self::MissingStatus => "missing-status",
            Self::MissingMediaType => "missing-media-type",
            Self::MissingParameter => "missing-parameter",
            Self::Required => "required",
            Self::Null => "null",
            Self::Type => "type",
            Self::Enum => "enum",
            Self::Range => "range",
            Self::Length => "length",
            Self::Count => "count",
            Self::Pattern => "pattern",
            Self::Format => "format",
            Self::Multiple => "multiple",
            Self::Unique => "unique",
            Self::AdditionalProperties => "further-members",
            Self::MissingProperty => "missing-property",
            Self::MissingHeader => "missing-header",
            Self::OperationId => "operation-id",
            Self::Style => "style",
            Self::Default => "default",
            Self::UndocumentedOperation => "undocumented-operation",
            Self::UndocumentedStatus => "undocumented-status",
            Self::UndocumentedMediaType => "undocumented-media-type",
            Self::UndocumentedParameter => "undocumented-parameter",
            Self::UndocumentedProperty => "undocumented-property",
            Self::Undecided => "undecided",
        }
    }
}
