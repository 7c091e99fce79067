//! The code of each rule, what breaks if it is violated, and the usual fix.
//!
//! Only words, so that they can be read and corrected together.

use crate::finding::{Finding, Rule};
use crate::pair::Direction;

impl Finding {
    /// Returns the code, which identifies the kind of self.
    pub fn code(&self) -> String {
        let name = match self.rule {
            Rule::MissingOperation => "missing-operation",
            Rule::Path => "path",
            Rule::MissingStatus => "missing-status",
            Rule::MissingMediaType => "missing-media-type",
            Rule::MissingParameter => "missing-parameter",
            Rule::Required => "required",
            Rule::Null => "null",
            Rule::Type => "type",
            Rule::Enum => "enum",
            Rule::Range => "range",
            Rule::Length => "length",
            Rule::Count => "count",
            Rule::Pattern => "pattern",
            Rule::Format => "format",
            Rule::Multiple => "multiple",
            Rule::Unique => "unique",
            Rule::AdditionalProperties => "further-members",
            Rule::MissingProperty => "missing-property",
            Rule::MissingHeader => "missing-header",
            Rule::OperationId => "operation-id",
            Rule::Style => "style",
            Rule::Default => "default",
            Rule::UndocumentedOperation => "undocumented-operation",
            Rule::UndocumentedStatus => "undocumented-status",
            Rule::UndocumentedMediaType => "undocumented-media-type",
            Rule::UndocumentedParameter => "undocumented-parameter",
            Rule::UndocumentedProperty => "undocumented-property",
            Rule::Undecided => return "undecided".into(),
        };
        match self.direction {
            Some(Direction::Request) => format!("request-{name}"),
            Some(Direction::Response) => format!("response-{name}"),
            None => name.into(),
        }
    }

    /// Returns who breaks, and how.
    pub fn why(&self) -> &'static str {
        let is_request = self.direction == Some(Direction::Request);
        match self.rule {
            Rule::MissingOperation => "a caller that uses it receives 404 or 405",
            Rule::Path => "a caller of the documented route receives 404 or 405",
            Rule::MissingStatus => {
                "a client that waits for the documented status takes another for an error"
            }
            Rule::MissingMediaType if is_request => {
                "a caller that sends the documented body is rejected"
            }
            Rule::MissingMediaType => {
                "a client that reads, or a caller that sends, the documented body fails"
            }
            Rule::MissingParameter => "the server ignores it if a caller sends it",
            Rule::Required if is_request => {
                "a caller that leaves it out, as the document allows, is rejected"
            }
            Rule::Required => "a client that relies on it fails if it is absent",
            Rule::Null if is_request => {
                "a caller that sends null, as the document allows, is rejected"
            }
            Rule::Null => "a client that reads the documented type fails on null",
            Rule::AdditionalProperties if is_request => {
                "a caller that sends other members, as the document allows, is rejected"
            }
            Rule::AdditionalProperties => {
                "a client that knows only the documented members receives others"
            }
            Rule::MissingProperty => {
                "the server ignores it if a caller sends it, and a client that reads it finds nothing"
            }
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
            Rule::Undecided => "the two documents do not say whether anything breaks",
            _ if is_request => "a caller that sends what the document allows is rejected",
            _ => "a client that accepts only what the document allows fails on more",
        }
    }

    /// Returns the likely fix.
    pub fn help(&self) -> &'static str {
        let is_request = self.direction == Some(Direction::Request);
        match self.rule {
            Rule::Null if !is_request => {
                "if None is skipped, say so: #[serde(default, skip_serializing_if = \"Option::is_none\")] \
             #[schemars(with = \"T\")]; if null is meant, document `nullable: true`"
            }
            Rule::Required if self.title.starts_with("the request body") => {
                "let the server accept an absent body, and say so in the document that it emits"
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
            Rule::UndocumentedOperation => {
                "document it, or leave it out of what the server emits: unpublished = true"
            }
            Rule::UndocumentedStatus
            | Rule::UndocumentedMediaType
            | Rule::UndocumentedParameter
            | Rule::UndocumentedProperty => "document it, or remove it from the server",
            Rule::Undecided => "write the same on both sides",
            _ if is_request => {
                "let the server accept everything that is documented, or document less"
            }
            _ => "let the server declare no more than is documented, or document more",
        }
    }
}
