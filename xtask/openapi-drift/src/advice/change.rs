//! The words for changes of a contract that differ from those for a server.

use crate::finding::Rule;

/// Returns what the rule means.
pub fn summary(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::MissingOperation => "an operation is gone",
        Rule::MissingStatus => "a status is gone",
        Rule::MissingMediaType => "a body or media type is gone",
        Rule::MissingParameter => "a parameter is gone",
        Rule::MissingProperty => "a property is gone",
        Rule::MissingHeader => "a header of a response is gone",
        Rule::Security => "credentials that were enough no longer are, or others are enough too",
        Rule::UndocumentedOperation => "an operation is new",
        Rule::UndocumentedStatus => "a success status is new",
        Rule::UndocumentedMediaType => "a body or media type is new",
        Rule::UndocumentedParameter => "a parameter is new",
        Rule::UndocumentedProperty => "a property is new",
        Rule::UndocumentedError => "an error status is new",
        Rule::UndocumentedHeader => "a header of a response is new",
        _ => return None,
    })
}

/// Returns who breaks, and how.
pub fn why(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::Security => "a caller with the earlier credentials receives 401 or 403",
        Rule::UndocumentedOperation | Rule::UndocumentedHeader => {
            "nothing breaks: earlier clients do not know it"
        }
        Rule::UndocumentedError => "nothing breaks: a client expects errors that it does not know",
        Rule::UndocumentedMediaType => {
            "a client that knows only the earlier body cannot read this one, and a caller that sends \
             none is rejected if one is required; an optional body of a request breaks nothing"
        }
        Rule::UndocumentedParameter => {
            "a required one rejects every earlier caller; an optional one breaks nothing"
        }
        Rule::UndocumentedProperty => {
            "a required one rejects earlier requests, and a client that forbids other members fails; \
             else nothing breaks"
        }
        _ => return None,
    })
}

/// Returns the likely fix.
pub fn help(rule: Rule) -> &'static str {
    match rule {
        Rule::MissingOperation
        | Rule::MissingStatus
        | Rule::MissingMediaType
        | Rule::MissingParameter
        | Rule::MissingProperty
        | Rule::MissingHeader => "keep it and mark it as deprecated, or announce the break",
        Rule::Path | Rule::OperationId => "keep the earlier name, or announce the break",
        Rule::Security => "let the earlier credentials in, or announce the break",
        Rule::UndocumentedParameter => "make it optional, or announce the break",
        Rule::UndocumentedProperty => {
            "make it optional for callers, leave it out of responses that forbid it, or announce the break"
        }
        Rule::AdditionalProperties => {
            "accept other members as before and send none that were forbidden, or announce the break"
        }
        Rule::Overlap => {
            "keep `oneOf` where it was, give each variant a required property with one value, or \
             announce the break"
        }
        Rule::UndocumentedOperation | Rule::UndocumentedError | Rule::UndocumentedHeader => {
            "nothing to fix: tell users about it"
        }
        Rule::UndocumentedStatus | Rule::UndocumentedMediaType => {
            "keep the earlier response for earlier callers, or announce the break"
        }
        _ => {
            "accept all that was allowed and send no more than was promised, or announce the break"
        }
    }
}
