//! What each rule is called, whom its breach hurts, and how it is usually mended.
//!
//! Words only, one line a rule, so that they can be read and corrected together.

use super::finding::{Direction, Finding, Rule};

/// The name in brackets, by which a finding can be talked about.
pub fn code(finding: &Finding) -> String {
    let name = match finding.rule {
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
        Rule::Further => "further-members",
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
    match finding.direction {
        Some(Direction::Request) => format!("request-{name}"),
        Some(Direction::Response) => format!("response-{name}"),
        None => name.into(),
    }
}

/// Why it breaks somebody.
pub fn why(finding: &Finding) -> &'static str {
    let request = finding.direction == Some(Direction::Request);
    match finding.rule {
        Rule::MissingOperation => "a caller that uses it is answered 404 or 405",
        Rule::Path => "a caller of the documented route is answered 404 or 405",
        Rule::MissingStatus => {
            "a client that waits for the documented status takes another for an error"
        }
        Rule::MissingMediaType if request => "a caller that sends the documented body is refused",
        Rule::MissingMediaType => {
            "a client that reads, or a caller that sends, the documented body fails"
        }
        Rule::MissingParameter => "a caller that sends it is not heeded",
        Rule::Required if request => {
            "a caller that leaves it out, as the document allows, is refused"
        }
        Rule::Required => "a client that counts on it fails where it is absent",
        Rule::Null if request => "a caller that sends null, as the document allows, is refused",
        Rule::Null => "a client that reads the documented type fails on null",
        Rule::Further if request => {
            "a caller that sends other members, as the document allows, is refused"
        }
        Rule::Further => "a client that knows the documented members meets others",
        Rule::MissingProperty => {
            "a caller that sends it is not heeded, and a client that reads it finds nothing"
        }
        Rule::MissingHeader => "a client that reads the header may find none",
        Rule::OperationId => "a generated client calls it by another name",
        Rule::Style => "a caller that writes it as documented is not understood",
        Rule::Default => "a caller that leaves it out gets something else than the document says",
        Rule::UndocumentedOperation => "no generated client can call it, and nobody reviews it",
        Rule::UndocumentedStatus => {
            "a client that knows only the documented statuses takes it for an error"
        }
        Rule::UndocumentedMediaType => {
            "a client that knows only the documented body cannot read this one"
        }
        Rule::UndocumentedParameter => {
            "no generated client can send it, and a required one refuses every caller"
        }
        Rule::UndocumentedProperty => "no generated client can see it, and a strict one refuses it",
        Rule::Undecided => "whether somebody breaks cannot be told from the two documents",
        _ if request => "a caller that sends what the document allows is refused",
        _ => "a client that accepts what the document allows fails on more",
    }
}

/// The likely mend.
pub fn help(finding: &Finding) -> &'static str {
    let request = finding.direction == Some(Direction::Request);
    match finding.rule {
        Rule::Null if !request => {
            "if None is skipped, say so: #[serde(default, skip_serializing_if = \"Option::is_none\")] \
             #[schemars(with = \"T\")]; if null is meant, document `nullable: true`"
        }
        Rule::Required if finding.title.starts_with("the request body") => {
            "let the server take an absent body, and say so in the document that it emits"
        }
        Rule::Required if request => {
            "take it as an Option on the server, or document it as required"
        }
        Rule::Required => "serve it always (no Option, no skip), or document it as optional",
        Rule::MissingOperation => "add it to the server's API, or drop it from the document",
        Rule::MissingStatus
        | Rule::MissingMediaType
        | Rule::MissingParameter
        | Rule::MissingProperty => "declare it on the server, or take it out of the document",
        Rule::Path => "route it as documented; the names of path parameters count",
        Rule::OperationId => "name it on the server: #[endpoint { operation_id = \"...\" }]",
        Rule::Default => "state the same default on both sides: #[serde(default = \"...\")]",
        Rule::MissingHeader => "declare it on the server: HttpResponseHeaders",
        Rule::Further => "say `additionalProperties` alike on both sides",
        Rule::UndocumentedOperation => {
            "document it, or leave it out of what the server emits: unpublished = true"
        }
        Rule::UndocumentedStatus
        | Rule::UndocumentedMediaType
        | Rule::UndocumentedParameter
        | Rule::UndocumentedProperty => "document it, or take it off the server",
        Rule::Undecided => "write it alike on both sides",
        _ if request => "let the server take all that is documented, or document less",
        _ => "let the server declare no more than is documented, or document more",
    }
}
