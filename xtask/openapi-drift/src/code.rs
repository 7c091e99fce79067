//! What identifies a kind of finding. Scripts, suppressions and `--explain` depend on the names, so they
//! never change. `advice` says what a code means.

use std::fmt;

use crate::finding::Rule;
use crate::pair::{Direction, Pair, Question};

/// What identifies a kind of finding. It is displayed as `response-null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// The kind of difference.
    pub rule: Rule,
    /// What was asked.
    pub question: Question,
    /// Who sends the value, if that matters.
    pub direction: Option<Direction>,
}

impl Code {
    /// Returns every code: those of differences between a contract and a server, then those that
    /// only a change of the contract has. The most severe come first.
    pub fn all() -> impl Iterator<Item = Self> {
        let server = Rule::ALL.into_iter().filter(|rule| !rule.is_of_change());
        let change = Rule::ALL.into_iter().filter(|rule| rule.change_name().is_some());
        Self::of(Question::Server, server).chain(Self::of(Question::Change, change))
    }

    fn of(question: Question, rules: impl Iterator<Item = Rule>) -> impl Iterator<Item = Self> {
        rules.flat_map(move |rule| {
            let directions: &[_] = if rule.has_direction() {
                &[Some(Direction::Request), Some(Direction::Response)]
            } else {
                &[None]
            };
            directions.iter().map(move |&direction| Self { rule, question, direction })
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
        let labels = self.question.labels();
        let mut side = |label| lines.next()?.trim().strip_prefix(label)?.strip_prefix(':');
        let sides = Pair { documented: side(labels.documented), served: side(labels.served) };
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
        let of_change = self.rule.change_name().filter(|_| self.question == Question::Change);
        out.write_str(of_change.unwrap_or_else(|| self.rule.name()))
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
            Self::Overlap => "overlap",
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
            Self::Security => "security",
            Self::UndocumentedError => "undocumented-error",
            Self::UndocumentedHeader => "undocumented-header",
            Self::ErrorRange => "error-range",
            Self::Undecided => "undecided",
        }
    }

    /// Returns the name that it has only between two versions of a contract.
    fn change_name(self) -> Option<&'static str> {
        Some(match self {
            Self::MissingOperation => "removed-operation",
            Self::MissingStatus => "removed-status",
            Self::MissingMediaType => "removed-media-type",
            Self::MissingParameter => "removed-parameter",
            Self::MissingProperty => "removed-property",
            Self::MissingHeader => "removed-header",
            Self::Security => "security",
            Self::UndocumentedOperation => "added-operation",
            Self::UndocumentedStatus => "added-status",
            Self::UndocumentedMediaType => "added-media-type",
            Self::UndocumentedParameter => "added-parameter",
            Self::UndocumentedProperty => "added-property",
            Self::UndocumentedError => "added-error",
            Self::UndocumentedHeader => "added-header",
            _ => return None,
        })
    }

    /// Whether it is a difference only between two versions of a contract.
    fn is_of_change(self) -> bool {
        matches!(self, Self::Security | Self::UndocumentedError | Self::UndocumentedHeader)
    }
}
