//! What each code means, what breaks, and the usual fix.
//!
//! Only words, so that they can be read and corrected together. `change` has those for changes of a
//! contract, if they differ. `examples.txt` has the examples.

mod change;

use crate::code::Code;
use crate::finding::Rule;
use crate::pair::{Direction, Question};

impl Code {
    /// Returns what the code means.
    pub fn summary(self) -> &'static str {
        self.of_change(change::summary).unwrap_or_else(|| self.summary_of_server())
    }

    /// Returns who breaks, and how.
    pub fn why(self) -> &'static str {
        self.of_change(change::why).unwrap_or_else(|| self.why_of_server())
    }

    /// Returns the likely fix.
    pub fn help(self) -> &'static str {
        self.of_change(|rule| Some(change::help(rule))).unwrap_or_else(|| self.help_of_server())
    }

    fn of_change(self, words: fn(Rule) -> Option<&'static str>) -> Option<&'static str> {
        words(self.rule).filter(|_| self.question == Question::Change)
    }

    fn summary_of_server(self) -> &'static str {
        match self.rule {
            Rule::MissingOperation => "a documented operation is not served",
            Rule::Path => "an operation is served at another path or method",
            Rule::MissingStatus => "a documented status is not declared",
            Rule::MissingMediaType => "a documented body or media type is not declared",
            Rule::MissingParameter => "a documented parameter is not declared",
            Rule::Required => "a value is required on one side only",
            Rule::Null => "null is allowed on one side only",
            Rule::Type => "the types of values differ",
            Rule::Enum => "the enumerated values differ",
            Rule::Range => "the ranges of numbers differ",
            Rule::Length => "the lengths of strings differ",
            Rule::Count => "the numbers of elements or members differ",
            Rule::Pattern => "only one side has a pattern",
            Rule::Format => "the formats differ",
            Rule::Multiple => "`multipleOf` differs",
            Rule::Unique => "only one side forbids equal elements",
            Rule::AdditionalProperties => "only one side allows additional properties",
            Rule::Overlap => "a value may fit two variants of a `oneOf`, which allows only one",
            Rule::MissingProperty => "a documented property is not declared",
            Rule::MissingHeader => "a documented header is not declared",
            Rule::OperationId => "the operationIds differ",
            Rule::Style => "a parameter is serialized in another way",
            Rule::Default => "the defaults differ",
            Rule::UndocumentedOperation => "a served operation is not documented",
            Rule::UndocumentedStatus => "a success status is not documented",
            Rule::UndocumentedMediaType => "a body or media type is not documented",
            Rule::UndocumentedParameter => "a parameter is not documented",
            Rule::UndocumentedProperty => "a property is not documented",
            Rule::Security | Rule::UndocumentedError | Rule::UndocumentedHeader => {
                "only the versions of a contract have it"
            }
            Rule::ErrorRange => "a documented error status is declared only by its range",
            Rule::Undecided => "the two sides cannot be compared, which counts as a difference",
        }
    }

    fn why_of_server(self) -> &'static str {
        match self.rule {
            Rule::MissingOperation => "a caller that uses it receives 404 or 405",
            Rule::Path => "a caller of the documented route receives 404 or 405",
            Rule::MissingStatus => {
                "a client that waits for the documented status takes another for an error"
            }
            Rule::MissingMediaType => {
                "a client that reads, or a caller that sends, the documented body fails"
            }
            Rule::MissingParameter => "the server ignores it if a caller sends it",
            Rule::MissingProperty => match self.direction {
                Some(Direction::Request) => "the server ignores it if a caller sends it",
                Some(Direction::Response) => "a client that reads it finds nothing",
                None => {
                    "the server ignores it if a caller sends it, and a client that reads it finds \
                     nothing"
                }
            },
            Rule::MissingHeader => "a client that reads the header may find none",
            Rule::OperationId => "a generated client calls it by another name",
            Rule::Style => "the server misreads a caller that writes it as documented",
            Rule::Default => {
                "a caller that leaves it out gets another value than the document says"
            }
            Rule::UndocumentedOperation => {
                "no generated client can call it, and no review covers it"
            }
            Rule::UndocumentedStatus => {
                "a client that knows only the documented statuses takes it for an error"
            }
            Rule::UndocumentedMediaType => {
                "a client that knows only the documented body cannot read this one"
            }
            Rule::UndocumentedParameter => {
                "no generated client can send it, and a required one rejects every caller"
            }
            Rule::UndocumentedProperty => {
                "no generated client can see it, and a strict one rejects it"
            }
            Rule::ErrorRange => {
                "nothing breaks: the bodies agree, but only a test can prove that the server sends it"
            }
            Rule::Undecided => "the two documents do not say whether anything breaks",
            _ => self.why_of_value(),
        }
    }

    fn why_of_value(self) -> &'static str {
        match (self.rule, self.is_request()) {
            (Rule::Required, true) => {
                "a caller that leaves it out, as the document allows, is rejected"
            }
            (Rule::Required, false) => "a client that relies on it fails if it is absent",
            (Rule::Null, true) => "a caller that sends null, as the document allows, is rejected",
            (Rule::Null, false) => "a client that reads the documented type fails on null",
            (Rule::AdditionalProperties, true) => {
                "a caller that sends other members, as the document allows, is rejected"
            }
            (Rule::AdditionalProperties, false) => {
                "a client that knows only the documented members receives others"
            }
            (_, true) => "a caller that sends what the document allows is rejected",
            (_, false) => "a client that accepts only what the document allows fails on more",
        }
    }

    fn help_of_server(self) -> &'static str {
        let is_request = self.is_request();
        match self.rule {
            Rule::Null if !is_request => {
                "if None is skipped, say so: #[serde(default, skip_serializing_if = \"Option::is_none\")] \
             #[schemars(with = \"T\")]; if null is meant, document `nullable: true`"
            }
            Rule::Required if is_request => {
                "take it as an Option on the server, or document it as required"
            }
            Rule::Required => "serve it always (no Option, no skip), or document it as optional",
            Rule::MissingOperation => "add it to the server's API, or remove it from the document",
            Rule::MissingStatus
            | Rule::MissingMediaType
            | Rule::MissingParameter
            | Rule::MissingProperty => "declare it on the server, or remove it from the document",
            Rule::Path => "route it as documented; the names of path parameters count",
            Rule::OperationId => "name it on the server: #[endpoint { operation_id = \"...\" }]",
            Rule::Default => {
                "state the same default on both sides: #[serde(default = \"...\")], and for a query \
             parameter the constant that the server's document states"
            }
            Rule::MissingHeader => "declare it on the server: HttpResponseHeaders",
            Rule::AdditionalProperties => "write the same `additionalProperties` on both sides",
            Rule::Overlap => {
                "write the union as `anyOf`, or give each variant a required property with one value"
            }
            Rule::UndocumentedOperation => {
                "document it, or leave it out of what the server emits: unpublished = true"
            }
            Rule::UndocumentedStatus
            | Rule::UndocumentedMediaType
            | Rule::UndocumentedParameter
            | Rule::UndocumentedProperty => "document it, or remove it from the server",
            Rule::ErrorRange => "nothing to fix: test that the server sends it",
            Rule::Style | Rule::Undecided => "write the same on both sides",
            _ if is_request => {
                "let the server accept everything that is documented, or document less"
            }
            _ => "let the server declare no more than is documented, or document more",
        }
    }
}
