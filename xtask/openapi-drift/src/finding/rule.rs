//! The kinds of differences, and the keywords that state them. `code` has their names, and `advice` says
//! what they mean.

use crate::value::Value;

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

    /// Returns the pointer of what differs from the other value: a keyword of this rule, or the element
    /// of it that is new.
    pub(crate) fn keyword(self, value: &Value, other: &Value) -> Option<String> {
        let (keyword, value, other) = self.keywords().iter().find_map(|keyword| {
            let (value, other) = (value.get(keyword)?, other.get(keyword));
            (Some(value) != other).then_some((keyword, value, other))
        })?;
        let known = other.and_then(Value::as_array).unwrap_or_default();
        let mut elements = value.as_array().into_iter().flatten();
        Some(match elements.position(|element| !known.contains(element)) {
            Some(index) if other.is_some() => format!("{keyword}/{index}"),
            _ => (*keyword).to_owned(),
        })
    }

    /// Returns the keywords that state what the rule is about.
    fn keywords(self) -> &'static [&'static str] {
        match self {
            Self::Null | Self::Type => &["type", "nullable", "oneOf", "anyOf"],
            Self::Enum => &["enum", "const"],
            Self::Range => {
                &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"]
            }
            Self::Length => &["minLength", "maxLength"],
            Self::Count => &["minItems", "maxItems", "minProperties", "maxProperties"],
            Self::Pattern => &["pattern"],
            Self::Format => &["format", "contentEncoding", "contentMediaType"],
            Self::Multiple => &["multipleOf"],
            Self::Unique => &["uniqueItems"],
            Self::AdditionalProperties => &["additionalProperties"],
            Self::Overlap => &["oneOf"],
            Self::Style => &["style", "explode", "allowReserved", "allowEmptyValue"],
            Self::Undecided => &["pattern", "not", "discriminator", "encoding"],
            _ => &[],
        }
    }
}
