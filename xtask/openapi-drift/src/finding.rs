//! One difference, with every place where it shows. Facts only: `report` lays them out, and `code` says what they mean for people.

use std::fmt::Display;
use std::sync::Arc;

use crate::code::Code;
use crate::document::Node;
use crate::files;
use crate::location::Location;
use crate::operation::shape;
use crate::pair::{Direction, Pair, Question};
use crate::value::Position;

/// The kind of a difference, the most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A documented operation is not served.
    MissingOperation,
    /// An operation is served at another path or method.
    Path,
    /// A documented status is not declared.
    MissingStatus,
    /// A documented body or media type is not declared.
    MissingMediaType,
    /// A documented parameter is not declared.
    MissingParameter,
    /// Credentials that were enough no longer are. Only between two versions of a contract.
    Security,
    /// A value is required on one side only.
    Required,
    /// Null is allowed on one side only.
    Null,
    /// The kinds of values differ.
    Type,
    /// The enumerated values differ.
    Enum,
    /// The ranges of numbers differ.
    Range,
    /// The lengths of strings differ.
    Length,
    /// The numbers of elements or properties differ.
    Count,
    /// Only one side has a pattern.
    Pattern,
    /// The formats differ.
    Format,
    /// `multipleOf` differs.
    Multiple,
    /// Only one side forbids equal elements.
    Unique,
    /// Only one side allows additional properties.
    AdditionalProperties,
    /// A value may fit two variants of a `oneOf` of the other side.
    Overlap,
    /// A documented property is not declared.
    MissingProperty,
    /// A documented header is not declared.
    MissingHeader,
    /// The operationIds differ.
    OperationId,
    /// A parameter is serialized in another way.
    Style,
    /// The defaults differ.
    Default,
    /// A served operation is not documented.
    UndocumentedOperation,
    /// A success status is not documented.
    UndocumentedStatus,
    /// A body or media type is not documented.
    UndocumentedMediaType,
    /// A parameter is not documented.
    UndocumentedParameter,
    /// A property is not documented.
    UndocumentedProperty,
    /// An error status is not documented. Only between two versions of a contract.
    UndocumentedError,
    /// A header of a response is not documented. Only between two versions of a contract.
    UndocumentedHeader,
    /// A documented error status is declared only by its range. Only about a server, and a note.
    ErrorRange,
    /// The two sides cannot be compared, which counts as a difference.
    Undecided,
}

impl Rule {
    /// Every rule, the most severe first.
    pub const ALL: [Self; Self::Undecided as usize + 1] = [
        Self::MissingOperation,
        Self::Path,
        Self::MissingStatus,
        Self::MissingMediaType,
        Self::MissingParameter,
        Self::Security,
        Self::Required,
        Self::Null,
        Self::Type,
        Self::Enum,
        Self::Range,
        Self::Length,
        Self::Count,
        Self::Pattern,
        Self::Format,
        Self::Multiple,
        Self::Unique,
        Self::AdditionalProperties,
        Self::Overlap,
        Self::MissingProperty,
        Self::MissingHeader,
        Self::OperationId,
        Self::Style,
        Self::Default,
        Self::UndocumentedOperation,
        Self::UndocumentedStatus,
        Self::UndocumentedMediaType,
        Self::UndocumentedParameter,
        Self::UndocumentedProperty,
        Self::UndocumentedError,
        Self::UndocumentedHeader,
        Self::ErrorRange,
        Self::Undecided,
    ];

    /// Whether it matters who sends the value.
    pub(crate) fn has_direction(self) -> bool {
        matches!(
            self,
            Self::Required
                | Self::Null
                | Self::Type
                | Self::Enum
                | Self::Range
                | Self::Length
                | Self::Count
                | Self::Pattern
                | Self::Format
                | Self::Multiple
                | Self::Unique
                | Self::AdditionalProperties
                | Self::Overlap
        )
    }
}

/// One side of a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The file of the use, if it is not the document itself but one that it refers to.
    pub file: Option<String>,
    /// JSON pointer of the use.
    pub used_at: String,
    /// JSON pointer of the definition, if the use is a reference. In another file than the document
    /// its path and `#` come first.
    pub defined_at: String,
    /// Line and column of the use, if the document was read from text.
    pub position: Option<Position>,
    /// The file, unless it is the document itself, and line and column of the definition.
    pub definition: (Option<String>, Option<Position>),
    /// What this side says there.
    pub says: String,
}

/// Returns where a node is defined, without the file if that is the one of the use.
fn definition(node: &Node<'_>) -> String {
    let [used, defined] = [&node.used_at, &node.defined_at].map(|place| files::split(place));
    if used.0 == defined.0 { defined.1.to_owned() } else { node.defined_at.to_string() }
}

impl Side {
    /// Describes a node.
    pub(crate) fn new(node: &Node<'_>, says: impl Into<String>) -> Self {
        Self {
            file: node.document.file(&node.used_at),
            used_at: files::split(&node.used_at).1.to_owned(),
            defined_at: definition(node),
            position: node.position(),
            definition: (node.document.file(&node.defined_at), node.definition()),
            says: says.into(),
        }
    }

    /// Describes a node of the contract, and one of the server.
    pub(crate) fn pair(
        documented: (&Node<'_>, impl Into<String>),
        served: (&Node<'_>, impl Into<String>),
    ) -> Pair<Self> {
        Pair {
            documented: Self::new(documented.0, documented.1),
            served: Self::new(served.0, served.1),
        }
    }
}

/// What a difference does to callers and clients that rely on the documented side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// A promise is broken. If the question is about a server, every difference breaks one.
    Breaks,
    /// The later version of a contract only adds something.
    Adds,
    /// Both agree, and the server says less about it than the contract.
    Notes,
}

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The kind of difference.
    pub rule: Rule,
    /// The question that it answers.
    pub question: Question,
    /// What it does to callers and clients.
    pub effect: Effect,
    /// Who sends the value, if that matters.
    pub direction: Option<Direction>,
    /// One line that says it.
    pub title: String,
    /// What the contract says.
    pub documented: Arc<Side>,
    /// What the server says.
    pub served: Arc<Side>,
    /// Every operation and location in it where this shows.
    pub places: Vec<String>,
}

impl Finding {
    /// A finding for which it does not matter who sends the value.
    pub(crate) fn new(
        (question, rule): (Question, Rule),
        title: String,
        sides: Pair<Side>,
        place: &impl Display,
    ) -> Self {
        let Pair { documented, served } = sides.map(Arc::new);
        let (effect, places) = (Effect::Breaks, vec![place.to_string()]);
        Self { rule, question, effect, direction: None, title, documented, served, places }
    }

    /// Says that a change of the contract only adds something, if that is so.
    pub(crate) fn adds_if(self, adds: bool) -> Self {
        let adds = adds && self.question == Question::Change;
        Self { effect: if adds { Effect::Adds } else { Effect::Breaks }, ..self }
    }

    /// A finding if one side may leave a value out that the other side requires.
    pub(crate) fn required(
        nodes: &Pair<&Node<'_>>,
        required: Pair<bool>,
        location: &Location,
    ) -> Option<Self> {
        let (sent, expected) = required.ordered(location.direction);
        if *sent || !*expected {
            return None;
        }
        let title = match location.direction {
            Direction::Request => location.question.words(
                "is required by the server, and documented as optional",
                "is required now, and was optional",
            ),
            Direction::Response => location.question.words(
                "may be absent, and is documented as required",
                "may be absent now, and was required",
            ),
        };
        let title = format!("{} {title}", location.subject());
        let says = required.map(|required| if required { "required" } else { "optional" });
        let sides = Side::pair((nodes.documented, says.documented), (nodes.served, says.served));
        let finding = Self::new((location.question, Rule::Required), title, sides, location);
        Some(Self { direction: Some(location.direction), ..finding })
    }

    /// Returns the finding with its first place relative to a location.
    pub(crate) fn relative_to(&self, location: &Location) -> Self {
        let place = self.places.first().and_then(|place| location.relative(place));
        Self { places: place.map(str::to_owned).into_iter().collect(), ..self.clone() }
    }

    /// Returns the finding at a location, to which its places are relative.
    pub(crate) fn moved(&self, location: &Location) -> Self {
        let places = self.places.iter().map(|place| location.joined(place)).collect();
        Self { places, ..self.clone() }
    }

    /// Returns what identifies this kind of finding.
    pub fn code(&self) -> Code {
        let direction = self.direction.filter(|_| self.rule.has_direction());
        Code { rule: self.rule, question: self.question, direction }
    }

    /// Returns who breaks, and how.
    pub fn why(&self) -> &'static str {
        if self.rule == Rule::Path && shape(&self.documented.says) == shape(&self.served.says) {
            return "the path matches the same: only a generated client names a parameter in another way";
        }
        self.code().why()
    }

    /// Returns the likely fix.
    pub fn help(&self) -> &'static str {
        if self.question == Question::Server
            && self.rule == Rule::Required
            && self.title.starts_with("the request body")
        {
            return "let the server accept an absent body, and say so in the document that it emits";
        }
        self.code().help()
    }
}
