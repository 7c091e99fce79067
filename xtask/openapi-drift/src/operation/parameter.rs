//! Parameters and headers: whether both sides have them, how they are serialized, and what they
//! may hold. `expand` knows what a schema means; this module must not.

use std::collections::BTreeMap;

use super::{Operation, content};
use crate::annotation;
use crate::case::{Kind, Schema};
use crate::contain::Shared;
use crate::document::Node;
use crate::expand::expand;
use crate::finding::{Finding, Rule, said};
use crate::location::Location;
use crate::pair::{self, Direction, Pair, Question};
use crate::value::Value;

/// Headers that OpenAPI describes elsewhere and ignores as parameters.
const IGNORED: [&str; 3] = ["accept", "authorization", "content-type"];

/// Keywords that must be true or false.
const FLAGS: [&str; 4] = ["allowEmptyValue", "allowReserved", "explode", "required"];

/// What identifies a parameter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'d> {
    /// `path`, `query`, `header` or `cookie`.
    pub within: &'d str,
    /// Its name. That of a header is in lower case.
    pub name: String,
}

/// The parameters of an operation.
pub type Parameters<'d> = BTreeMap<Key<'d>, Node<'d>>;

/// Compares the parameters of one operation.
pub fn compare(operations: &Pair<Operation<'_>>, shared: &Shared) -> Vec<Finding> {
    let mut parameters = operations.as_ref().map(of_operation);
    if operations.documented.path != operations.served.path {
        // The finding about the route names them, so they are known by their place in it.
        parameters = operations.as_ref().map(by_place);
        let places = parameters.as_ref().map(path_parameters);
        if places.documented != places.served {
            parameters.documented.retain(|key, _| key.within != "path");
            parameters.served.retain(|key, _| key.within != "path");
        }
    }
    let name = operations.name();
    let operation = (operations.question(), name.as_str());
    let mut findings = Vec::new();
    for (key, nodes) in parameters.matched() {
        let location = location(operation, nodes.documented);
        findings.extend(parameter(&nodes, key.within, &location, shared));
    }
    let renamed = renamed(&parameters, operation, shared);
    for (key, documented) in parameters.only_documented() {
        let moved = parameters.only_served().find(|(other, _)| {
            let is_renamed = |pair: &Pair<_>| pair.documented == key && pair.served == *other;
            key.is_moved(other) || renamed.iter().any(is_renamed)
        });
        findings.push(missing(key, documented, moved, operations));
    }
    for (key, served) in parameters.only_served() {
        let is_moved = parameters.only_documented().any(|(other, _)| key.is_moved(other));
        if !is_moved && renamed.iter().all(|pair| pair.served != key) {
            findings.push(undocumented(key.within, served, operations));
        }
    }
    findings
}

/// Returns the parameters that differ only in their names.
fn renamed<'a, 'd>(
    parameters: &'a Pair<Parameters<'d>>,
    operation: (Question, &str),
    shared: &Shared,
) -> Vec<Pair<&'a Key<'d>>> {
    let (gone, new) = (parameters.only_documented(), parameters.only_served());
    let renamed = pair::renamed(gone, new, |(key, documented), (other, served)| {
        let (one, two) =
            (Pair { documented, served }, Pair { documented: served, served: documented });
        let location = location(operation, documented);
        let is_alike = |nodes| parameter(&nodes, key.within, &location, shared).is_empty();
        let is_change = operation.0 == Question::Change;
        key.within == other.within && is_alike(one) && (!is_change || is_alike(two))
    });
    renamed.into_iter().map(|pair| pair.map(|(key, _)| key)).collect()
}

/// Returns the parameters, with those of the path by their number in it and not by name.
fn by_place<'d>(operation: &Operation<'d>) -> Parameters<'d> {
    let names = placeholders(operation.path);
    let place = |name: &str| names.iter().position(|known| *known == name);
    let parameters = of_operation(operation).into_iter().map(|(key, node)| {
        let place = place(&key.name).filter(|_| key.within == "path");
        (Key { name: place.map_or(key.name, |place| place.to_string()), ..key }, node)
    });
    parameters.collect()
}

/// Returns the names in braces of a path.
pub fn placeholders(path: &str) -> Vec<&str> {
    path.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
}

fn path_parameters<'a, 'd>(parameters: &'a Parameters<'d>) -> Vec<&'a Key<'d>> {
    parameters.keys().filter(|key| key.within == "path").collect()
}

impl Key<'_> {
    /// Whether both have the same name, but one is for example a query and one a header.
    fn is_moved(&self, other: &Self) -> bool {
        self.within != other.within && self.name.eq_ignore_ascii_case(&other.name)
    }
}

/// Returns the parameters of the path, overridden by those of the operation.
pub fn of_operation<'d>(operation: &Operation<'d>) -> Parameters<'d> {
    let mut parameters = Parameters::new();
    for node in [&operation.item, &operation.node].into_iter().flat_map(|it| it.list("parameters"))
    {
        let (Some(name), Some(within)) = (node.text("name"), node.text("in")) else {
            // A malformed parameter is compared too, by its pointer.
            let key = Key { within: "no place", name: node.defined_at.to_string() };
            parameters.insert(key, node);
            continue;
        };
        let is_header = within == "header";
        let name = if is_header { name.to_ascii_lowercase() } else { name.to_owned() };
        if !(is_header && IGNORED.contains(&name.as_str())) {
            parameters.insert(Key { within, name }, node);
        }
    }
    parameters
}

/// Where the parameter is.
pub fn location(operation: (Question, &str), parameter: &Node<'_>) -> Location {
    let within = parameter.text("in").unwrap_or("parameter");
    let name = parameter.text("name").map(|name| format!("`{name}`"));
    let name = name.unwrap_or_else(|| "without a name".to_owned());
    let (part, subject) = (format!("{within} {name}"), format!("parameter {name}"));
    Location::new(operation, Direction::Request, &part, &subject)
}

/// A documented parameter that the server declares elsewhere (`moved`) or not at all.
fn missing(
    key: &Key<'_>,
    documented: &Node<'_>,
    moved: Option<(&Key<'_>, &Node<'_>)>,
    operations: &Pair<Operation<'_>>,
) -> Finding {
    let (location, within) =
        (location((operations.question(), &operations.name()), documented), key.within);
    let elsewhere = moved.map_or("not declared".into(), |(other, node)| {
        let is_renamed = other.within == within;
        let name = node.text("name").unwrap_or_default();
        if is_renamed { format!("called `{name}`") } else { format!("in {}", other.within) }
    });
    let subject = location.subject();
    let title = location.question.words(
        format!("{subject} is documented in {within}, and {elsewhere} on the server"),
        match moved {
            Some(_) => format!("{subject} was in {within}, and is now {elsewhere}"),
            None => format!("{subject} in {within} is gone"),
        },
    );
    let node = moved.map_or(&operations.served.node, |(_, node)| node);
    let sides = said((documented, format!("in {within}")), (node, elsewhere));
    Finding::new((location.question, Rule::MissingParameter), title, sides, &location)
}

fn undocumented(within: &str, served: &Node<'_>, operations: &Pair<Operation<'_>>) -> Finding {
    let location = location((operations.question(), &operations.name()), served);
    let nodes = Pair { documented: &operations.documented.node, served };
    if let Some(finding) = unreadable(&nodes, &location) {
        return finding;
    }
    let is_required = is_required(served, within);
    let needs = if is_required { "required" } else { "declared" };
    let subject = location.subject();
    let title = location.question.words(
        format!("{subject} in {within} is {needs} by the server, and not documented"),
        format!("{subject} in {within} is new{}", if is_required { " and required" } else { "" }),
    );
    let sides =
        said((&operations.documented.node, "not documented"), (served, format!("in {within}")));
    let code = (location.question, Rule::UndocumentedParameter);
    Finding::new(code, title, sides, &location).adds_if(!is_required)
}

/// Whether a caller must send the parameter.
pub fn is_required(parameter: &Node<'_>, within: &str) -> bool {
    within == "path" || parameter.flag("required")
}

fn parameter(
    nodes: &Pair<&Node<'_>>,
    within: &str,
    location: &Location,
    shared: &Shared,
) -> Vec<Finding> {
    let required = nodes.map(|node| is_required(node, within));
    let mut findings = Vec::from_iter(Finding::required(nodes, required, location));
    findings.extend(style(nodes, within, location));
    findings.extend(value(nodes, location, shared));
    // If every earlier caller sends it, its default is never used.
    if location.question == Question::Server || !required.documented {
        findings.extend(annotation::compare_defaults(&nodes.map(schema), location));
    }
    findings
}

/// Returns the schema of a parameter, which `content` may hold under its only media type.
fn schema<'d>(parameter: &Node<'d>) -> Schema<'d> {
    let content = parameter.get("content");
    let media = content.and_then(|content| content.members().next().map(|(_, media)| media));
    Schema::member(&media.unwrap_or_else(|| parameter.clone()), "schema")
}

/// Compares what a parameter or a header holds, described by `schema` or by `content`.
pub fn value(nodes: &Pair<&Node<'_>>, location: &Location, shared: &Shared) -> Vec<Finding> {
    let has_content = nodes.map(content::is_present);
    match (has_content.documented, has_content.served) {
        (true, true) => content::compare(&nodes.cloned(), location, shared),
        (false, false) => {
            let schemas = nodes.map(|node| Schema::member(node, "schema"));
            shared.borrow_mut().compare(&schemas, location)
        }
        _ => {
            let sides = nodes.map(|node| {
                let is_content = content::is_present(node);
                (node, (if is_content { "by `content`" } else { "by `schema`" }).to_owned())
            });
            let title =
                format!("{} is described by `content` on one side only", location.subject());
            vec![Finding::new((location.question, Rule::Style), title, sides, location)]
        }
    }
}

/// A finding if a keyword that must be true or false is something else on one side only.
pub fn unreadable(nodes: &Pair<&Node<'_>>, location: &Location) -> Option<Finding> {
    let is_unreadable = |keyword: &&str| {
        let Pair { documented, served } = nodes.map(|node| node.value.get(keyword));
        let values = documented.into_iter().chain(served);
        documented != served && values.into_iter().any(|value| value.as_bool().is_none())
    };
    let keyword = FLAGS.into_iter().find(is_unreadable)?;
    let sides = nodes.map(|node| {
        let value = node.value.get(keyword);
        (node, value.map_or(format!("no `{keyword}`"), |it| format!("`{keyword}` {it}")))
    });
    let title = format!("{}: another `{keyword}` cannot be compared", location.subject());
    Some(Finding::new((location.question, Rule::Undecided), title, sides, location))
}

/// Compares how the value is serialized; missing keywords have their defaults.
pub fn style(nodes: &Pair<&Node<'_>>, within: &str, location: &Location) -> Option<Finding> {
    if let Some(finding) = unreadable(nodes, location) {
        return Some(finding);
    }
    let is_compound = nodes.map(|node| {
        let cases = expand(&Schema::member(node, "schema"));
        cases.iter().any(|case| matches!(case.kind, Kind::Array | Kind::Object))
    });
    let is_compound = is_compound.documented || is_compound.served;
    let says = nodes.map(|node| serialization(node, within, is_compound));
    let is_gone = |keyword: &&str| nodes.documented.flag(keyword) && !nodes.served.flag(keyword);
    let gone = ["allowReserved", "allowEmptyValue"].into_iter().find(is_gone);
    if gone.is_none() && says.documented == says.served {
        return None;
    }
    let with = gone.map_or(String::new(), |keyword| format!(", with `{keyword}`"));
    let title = format!("{} is written in another way", location.subject());
    let sides = said((nodes.documented, says.documented + &with), (nodes.served, says.served));
    Some(Finding::new((location.question, Rule::Style), title, sides, location))
}

fn serialization(node: &Node<'_>, within: &str, is_compound: bool) -> String {
    let default = if matches!(within, "query" | "cookie") { "form" } else { "simple" };
    let style = node.text("style").unwrap_or(default);
    let explode = node.value.get("explode").and_then(Value::as_bool);
    match (is_compound, explode.unwrap_or(style == "form")) {
        (false, _) => format!("style {style}"),
        (true, true) => format!("style {style}, exploded"),
        (true, false) => format!("style {style}, not exploded"),
    }
}
