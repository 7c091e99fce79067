//! Parameters and headers: by name and place, how they are written, and what
//! they may hold. What a schema means is not known here, but in `expand`.

use std::collections::BTreeMap;

use super::super::annotation::{self, Unsaid};
use super::super::case::{Kind, Schema};
use super::super::contain::Containment;
use super::super::document::Node;
use super::super::expand::expand;
use super::super::finding::{Direction, Finding, Pair, Rule, Side};
use super::super::place::Place;
use super::{Operation, content};

/// Headers that a document describes elsewhere, so that a parameter of that name says nothing.
const IGNORED: [&str; 3] = ["accept", "authorization", "content-type"];

/// What tells a parameter from all others: its place and its name.
type Key<'d> = (&'d str, String);
type Parameters<'d> = BTreeMap<Key<'d>, Node<'d>>;

/// Compares the parameters of one operation.
pub fn compare(operations: &Pair<Operation<'_>>) -> Vec<Finding> {
    let mut parameters = operations.as_ref().map(of_operation);
    if operations.documented.path != operations.served.path {
        // The route has been reported with their names.
        parameters.documented.retain(|(place, _), _| *place != "path");
        parameters.served.retain(|(place, _), _| *place != "path");
    }
    let mut findings = Vec::new();
    for (key, documented) in &parameters.documented {
        let place = place(&operations.name(), documented);
        let Some(served) = parameters.served.get(key) else {
            findings.push(missing(key, documented, operations, &parameters));
            continue;
        };
        let pair = Pair { documented: documented.clone(), served: served.clone() };
        findings.extend(parameter(&pair, key.0, &place));
    }
    for (key, served) in lonely(&parameters.served, &parameters.documented) {
        let mut missing = lonely(&parameters.documented, &parameters.served);
        if !missing.any(|(other, _)| is_moved(key, other)) {
            findings.push(undocumented(key.0, served, operations));
        }
    }
    findings
}

/// The parameters that the other side has not.
fn lonely<'a, 'd>(
    one: &'a Parameters<'d>,
    other: &'a Parameters<'d>,
) -> impl Iterator<Item = (&'a Key<'d>, &'a Node<'d>)> {
    one.iter().filter(|(key, _)| !other.contains_key(*key))
}

/// Whether both have one name, in different places.
fn is_moved(one: &Key<'_>, other: &Key<'_>) -> bool {
    one.0 != other.0 && one.1.eq_ignore_ascii_case(&other.1)
}

/// The operation's own parameters go before those of its path.
fn of_operation<'d>(operation: &Operation<'d>) -> Parameters<'d> {
    let mut parameters = Parameters::new();
    for owner in [&operation.item, &operation.node] {
        let all = owner.get("parameters");
        for node in all.iter().flat_map(Node::elements) {
            let (Some(name), Some(place)) = (node.text("name"), node.text("in")) else {
                // One that cannot be told from others is not passed in silence.
                parameters.insert(("no place", node.pointer.clone()), node);
                continue;
            };
            let header = place == "header";
            let name = if header { name.to_ascii_lowercase() } else { name.to_owned() };
            if !(header && IGNORED.contains(&name.as_str())) {
                parameters.insert((place, name), node);
            }
        }
    }
    parameters
}

fn place(operation: &str, parameter: &Node<'_>) -> Place {
    let [place, name] = ["in", "name"].map(|key| parameter.text(key).unwrap_or_default());
    let (part, subject) = (format!("{place} `{name}`"), format!("parameter `{name}`"));
    Place::new(operation, Direction::Request, &part, &subject)
}

fn missing(
    key: &Key<'_>,
    documented: &Node<'_>,
    operations: &Pair<Operation<'_>>,
    parameters: &Pair<Parameters<'_>>,
) -> Finding {
    let (at, within) = (place(&operations.name(), documented), key.0);
    let mut others = lonely(&parameters.served, &parameters.documented);
    let moved = others.find(|(other, _)| is_moved(key, other));
    let elsewhere = moved.map_or("not declared".into(), |(other, _)| format!("in {}", other.0));
    let subject = at.subject();
    let title = format!("{subject} is documented in {within}, and {elsewhere} on the server");
    let node = moved.map_or(&operations.served.node, |(_, node)| node);
    let sides = Pair {
        documented: Side::new(documented, format!("in {within}")),
        served: Side::new(node, elsewhere),
    };
    Finding::new(Rule::MissingParameter, title, sides, &at.to_string())
}

fn undocumented(within: &str, served: &Node<'_>, operations: &Pair<Operation<'_>>) -> Finding {
    let at = place(&operations.name(), served);
    let needs = if is_required(served, within) { "required" } else { "declared" };
    let subject = at.subject();
    let title = format!("{subject} in {within} is {needs} by the server, and not documented");
    let sides = Pair {
        documented: Side::new(&operations.documented.node, "not documented"),
        served: Side::new(served, format!("in {within}")),
    };
    Finding::new(Rule::UndocumentedParameter, title, sides, &at.to_string())
}

fn is_required(parameter: &Node<'_>, place: &str) -> bool {
    place == "path" || parameter.flag("required")
}

fn parameter(pair: &Pair<Node<'_>>, place: &str, at: &Place) -> Vec<Finding> {
    let mut findings = Vec::new();
    let required = pair.as_ref().map(|node| is_required(node, place));
    if required.served && !required.documented {
        let title =
            format!("{} is required by the server, and documented as optional", at.subject());
        let sides = Pair {
            documented: Side::new(&pair.documented, "optional"),
            served: Side::new(&pair.served, "required"),
        };
        let finding = Finding::new(Rule::Required, title, sides, &at.to_string());
        findings.push(Finding { direction: Some(at.direction), ..finding });
    }
    findings.extend(style(pair, place, at));
    findings.extend(value(pair, at));
    let schemas = pair.as_ref().map(|node| Schema::member(node, "schema"));
    findings.extend(annotation::defaults(&schemas, at, Unsaid::IsNothing));
    findings
}

/// What a parameter or a header holds: by `schema`, or by `content`.
pub fn value(pair: &Pair<Node<'_>>, at: &Place) -> Vec<Finding> {
    let contents = pair.as_ref().map(content::is_present);
    match (contents.documented, contents.served) {
        (true, true) => content::compare(pair, at),
        (false, false) => {
            let schemas = pair.as_ref().map(|node| Schema::member(node, "schema"));
            Containment::default().schemas(&schemas, at)
        }
        _ => {
            let says = |content| if content { "by `content`" } else { "by `schema`" };
            let sides = Pair {
                documented: Side::new(&pair.documented, says(contents.documented)),
                served: Side::new(&pair.served, says(contents.served)),
            };
            let title = format!("{} is described by `content` on one side only", at.subject());
            vec![Finding::new(Rule::Style, title, sides, &at.to_string())]
        }
    }
}

/// How the value is written into the request, with what is left out spelled out.
pub fn style(pair: &Pair<Node<'_>>, place: &str, at: &Place) -> Option<Finding> {
    let compound = pair.as_ref().map(|node| {
        let kinds = expand(&Schema::member(node, "schema"));
        kinds.iter().any(|case| matches!(case.kind, Kind::Array | Kind::Object))
    });
    let either = compound.documented || compound.served;
    let says = pair.as_ref().map(|node| written(node, place, either));
    let allows = |word| !pair.documented.flag(word) || pair.served.flag(word);
    let holds = allows("allowReserved") && allows("allowEmptyValue");
    let title = format!("{} is written in another way", at.subject());
    let sides = Pair {
        documented: Side::new(&pair.documented, &*says.documented),
        served: Side::new(&pair.served, &*says.served),
    };
    (!holds || says.documented != says.served)
        .then(|| Finding::new(Rule::Style, title, sides, &at.to_string()))
}

fn written(node: &Node<'_>, place: &str, compound: bool) -> String {
    let usual = if matches!(place, "query" | "cookie") { "form" } else { "simple" };
    let style = node.text("style").unwrap_or(usual);
    let said = node.value.get("explode").and_then(serde_json::Value::as_bool);
    match (compound, said.unwrap_or(style == "form")) {
        (false, _) => format!("style {style}"),
        (true, true) => format!("style {style}, exploded"),
        (true, false) => format!("style {style}, not exploded"),
    }
}
