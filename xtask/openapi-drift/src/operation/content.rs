//! Bodies: media types by name, and the schema of each.
//!
//! Media types are compared without case, and JSON without its charset. `expand` knows what a
//! schema means; this module must not.

use std::collections::BTreeMap;

use crate::case::Schema;
use crate::contain::Shared;
use crate::document::Node;
use crate::finding::{Finding, Rule, said};
use crate::location::Location;
use crate::pair::{Direction, Pair};

/// Whether `node` has a body. Without media types it has none.
pub fn is_present(node: &Node<'_>) -> bool {
    node.get("content").is_some_and(|content| content.members().next().is_some())
}

/// Compares the bodies of two nodes with `content`.
pub fn compare(owners: &Pair<Node<'_>>, location: &Location, shared: &Shared) -> Vec<Finding> {
    let media = owners.as_ref().map(media_types);
    let mut findings = Vec::new();
    for (name, nodes) in media.matched() {
        findings.extend(media_type(&nodes, &location.in_media_type(name), shared));
    }
    let (small, large) = media.ordered(location.direction);
    let is_request = location.direction == Direction::Request;
    let gone = |name: &str, node: &Node<'_>| missing(name, node, &owners.served, location);
    let new = |name: &str, node: &Node<'_>| undocumented(name, node, owners, location);
    let mut narrowed = Vec::new();
    for (name, node) in small.iter().filter(|(name, _)| !large.contains_key(*name)) {
        // The more precise range comes later.
        if let Some((range, other)) = large.iter().rfind(|(range, _)| covers(range, name)) {
            let nodes = Pair::from_ordered(location.direction, node, other);
            findings.extend(media_type(&nodes, &location.in_media_type(name), shared));
            narrowed.push(range);
        } else {
            findings.push(if is_request { gone(name, node) } else { new(name, node) });
        }
    }
    for (name, node) in large.iter().filter(|(name, _)| !small.contains_key(*name)) {
        if is_request {
            findings.push(new(name, node));
        } else if !narrowed.contains(&name) {
            findings.push(gone(name, node));
        }
    }
    findings
}

/// Whether a range such as `text/*` has this media type.
fn covers(range: &str, name: &str) -> bool {
    let kind = range.strip_suffix('*').filter(|kind| kind.ends_with('/'));
    range == "*/*" || kind.is_some_and(|kind| name.starts_with(kind))
}

/// Returns the documented media types by their normalized names.
pub fn media_types<'d>(owner: &Node<'d>) -> BTreeMap<String, Node<'d>> {
    let Some(content) = owner.get("content") else { return BTreeMap::new() };
    content.members().map(|(name, node)| (normalize(name), node)).collect()
}

/// `application/json; charset=utf-8` means `application/json`.
pub fn normalize(name: &str) -> String {
    let mut parts: Vec<_> = name.split(';').map(|part| part.trim().to_ascii_lowercase()).collect();
    if parts[0] == "application/json" || parts[0].ends_with("+json") {
        parts.retain(|part| !matches!(part.as_str(), "charset=utf-8" | "charset=\"utf-8\""));
    }
    parts.join("; ")
}

fn media_type(nodes: &Pair<&Node<'_>>, location: &Location, shared: &Shared) -> Vec<Finding> {
    let schemas = nodes.map(|media| Schema::member(media, "schema"));
    let mut findings = shared.borrow_mut().compare(&schemas, location);
    let encodings = nodes.map(|media| media.get("encoding"));
    let agree = match (&encodings.documented, &encodings.served) {
        (Some(one), Some(two)) => one.value == two.value,
        (None, None) => true,
        _ => false,
    };
    if !agree {
        let title = format!("{}: another `encoding` cannot be compared", location.subject());
        let sides = nodes.map(|media| (media, "see `encoding`".to_owned()));
        let code = (location.question, Rule::Undecided);
        findings.push(Finding::new(code, title, sides, location));
    }
    findings
}

fn missing(name: &str, documented: &Node<'_>, served: &Node<'_>, location: &Location) -> Finding {
    let subject = location.subject();
    let title = location.question.words(
        format!("{subject} is documented as `{name}`, which the server does not declare"),
        format!("{subject} can no longer be `{name}`"),
    );
    let sides = said((documented, name), (served, media_type_names(served)));
    Finding::new((location.question, Rule::MissingMediaType), title, sides, location)
}

fn undocumented(
    name: &str,
    served: &Node<'_>,
    owners: &Pair<Node<'_>>,
    location: &Location,
) -> Finding {
    let (subject, documented) = (location.subject(), &owners.documented);
    let is_required = owners.served.flag("required") && !is_present(documented);
    let title = location.question.words(
        format!("{subject} is declared by the server as `{name}`, which is not documented"),
        format!("{subject} {} now be `{name}`", if is_required { "must" } else { "may" }),
    );
    let sides = said((documented, media_type_names(documented)), (served, name));
    let finding =
        Finding::new((location.question, Rule::UndocumentedMediaType), title, sides, location);
    finding.adds_if(location.direction == Direction::Request && !is_required)
}

fn media_type_names(owner: &Node<'_>) -> String {
    let names: Vec<_> = media_types(owner).into_keys().collect();
    if names.is_empty() { "no body".into() } else { names.join(", ") }
}
