//! Bodies: media types by name, and the schema of each.
//!
//! Media types are names, compared without case and without the charset that
//! JSON has anyway. What a schema means is not known here, but in `expand`.

use std::collections::BTreeMap;

use super::super::case::{Schema, same};
use super::super::contain::Containment;
use super::super::document::Node;
use super::super::finding::{Finding, Pair, Rule, Side};
use super::super::place::Place;

/// Whether `node` has a body at all: one without media types is none.
pub fn is_present(node: &Node<'_>) -> bool {
    node.get("content").is_some_and(|content| content.members().next().is_some())
}

/// Compares the bodies of two nodes with `content`.
pub fn compare(owners: &Pair<Node<'_>>, place: &Place) -> Vec<Finding> {
    let media = owners.as_ref().map(media_types);
    let mut findings = Vec::new();
    for (name, documented) in &media.documented {
        match media.served.get(name) {
            Some(served) => {
                let pair = Pair { documented: documented.clone(), served: served.clone() };
                findings.extend(media_type(&pair, &place.in_media_type(name)));
            }
            None => findings.push(missing(name, documented, &owners.served, place)),
        }
    }
    let extra = media.served.iter().filter(|(name, _)| !media.documented.contains_key(*name));
    findings.extend(extra.map(|(name, node)| undocumented(name, node, &owners.documented, place)));
    findings
}

fn media_types<'d>(owner: &Node<'d>) -> BTreeMap<String, Node<'d>> {
    let Some(content) = owner.get("content") else { return BTreeMap::new() };
    content.members().map(|(name, node)| (normal(name), node)).collect()
}

/// `application/json; charset=utf-8` is `application/json` in more words.
fn normal(name: &str) -> String {
    let mut pieces: Vec<_> =
        name.split(';').map(|piece| piece.trim().to_ascii_lowercase()).collect();
    if pieces[0] == "application/json" || pieces[0].ends_with("+json") {
        pieces.retain(|piece| !matches!(piece.as_str(), "charset=utf-8" | "charset=\"utf-8\""));
    }
    pieces.join("; ")
}

fn media_type(pair: &Pair<Node<'_>>, place: &Place) -> Vec<Finding> {
    let schemas = pair.as_ref().map(|media| Schema::member(media, "schema"));
    let mut findings = Containment::default().schemas(&schemas, place);
    let encodings = pair.as_ref().map(|media| media.get("encoding"));
    let agree = match (&encodings.documented, &encodings.served) {
        (Some(one), Some(two)) => same(one.value, two.value),
        (None, None) => true,
        _ => false,
    };
    if !agree {
        let title = format!("{}: another `encoding` cannot be compared", place.subject());
        let sides = pair.as_ref().map(|media| Side::new(media, "see `encoding`"));
        findings.push(Finding::new(Rule::Undecided, title, sides, &place.to_string()));
    }
    findings
}

fn missing(name: &str, documented: &Node<'_>, served: &Node<'_>, place: &Place) -> Finding {
    let subject = place.subject();
    let title = format!("{subject} is documented as `{name}`, which the server does not declare");
    let sides =
        Pair { documented: Side::new(documented, name), served: Side::new(served, known(served)) };
    Finding::new(Rule::MissingMediaType, title, sides, &place.to_string())
}

fn undocumented(name: &str, served: &Node<'_>, documented: &Node<'_>, place: &Place) -> Finding {
    let subject = place.subject();
    let title = format!("{subject} is declared by the server as `{name}`, which is not documented");
    let sides = Pair {
        documented: Side::new(documented, known(documented)),
        served: Side::new(served, name),
    };
    Finding::new(Rule::UndocumentedMediaType, title, sides, &place.to_string())
}

fn known(owner: &Node<'_>) -> String {
    let names: Vec<_> = media_types(owner).into_keys().collect();
    if names.is_empty() { "no body".into() } else { names.join(", ") }
}
