//! Checks a request: the variables of its path, its query, its headers and its body. The caller
//! decides whether the request was accepted. Cookies are not checked: a recorder drops them.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value as Json;

use super::coverage;
use super::exchange::{Exchange, Message};
use super::finding::{Problem, TrafficRule};
use super::object;
use super::redact::{self, Sent};
use super::route::Match;
use super::value::{Fit, Values, invalid, missing, problem, undecided};
use crate::case::{Kind, Schema};
use crate::document::Node;
use crate::location::Location;
use crate::operation::{Operation, content, parameter};
use crate::pair::{Direction, Question};
use crate::value::{Data, Value};

/// Returns what is wrong with a request.
pub fn check<'d>(values: &mut Values<'d>, target: &Match<'_, 'd>, exchange: &Exchange) -> Fit {
    let operation = &target.route.operation;
    let mut fit = Fit::default();
    let query = exchange.query();
    let keys = Arc::clone(&values.keys);
    let parameters = parameter::of_operation(operation);
    let is_named = |name: &str| {
        let of_query = |key: &parameter::Key<'_>| key.within == "query" && key.name == name;
        keys.contains(&name) || parameters.keys().any(of_query)
    };
    let mut known = HashSet::new();
    for (key, node) in &parameters {
        let at = parameter::location((Question::Server, &operation.name()), node);
        let named = |all: &[(String, String)]| -> Vec<String> {
            let named = all.iter().filter(|(name, _)| *name == key.name);
            named.map(|(_, value)| value.clone()).collect()
        };
        let given = match key.within {
            "path" => named(&target.variables),
            "query" => named(&query),
            "header" => exchange.request.header(&key.name).map(str::to_owned).into_iter().collect(),
            _ => continue,
        };
        let mut members = Vec::new();
        if key.within == "query" && is_object(values, node) {
            let cases = values.cases(&Schema::member(node, "schema"));
            for (name, text) in &query {
                if let Some(member) = object::member(node, &cases, is_named, name) {
                    known.insert(name.as_str());
                    members.push((member, text.as_str()));
                }
            }
        }
        fit.extend(given_or_absent(values, (&given, &members), (node, key), &at));
    }
    let unknown = query.iter().map(|(name, _)| name.as_str());
    let unknown = unknown.filter(|name| !is_named(name) && !known.contains(name));
    fit.problems.extend(unknown.map(|name| undocumented(operation, name)));
    fit.extend(body(values, operation, &exchange.request));
    fit
}

fn given_or_absent<'d>(
    values: &mut Values<'d>,
    (given, members): (&[String], &[object::MemberText<'_>]),
    (node, key): (&Node<'d>, &parameter::Key<'_>),
    at: &Location,
) -> Fit {
    if given.is_empty() && members.is_empty() {
        let is_required = parameter::is_required(node, key.within);
        return if is_required { missing(node, at).into() } else { Fit::default() };
    }
    let given: Vec<_> = given.iter().map(String::as_str).collect();
    let mut fit = if members.is_empty() {
        parameter(values, &given, (&key.name, node), at)
    } else {
        object::check(values, members, (&key.name, node), at)
    };
    fit.seen.push(coverage::member(node, Direction::Request));
    fit
}

fn is_object<'d>(values: &mut Values<'d>, node: &Node<'d>) -> bool {
    object::is_object(&values.cases(&Schema::member(node, "schema")))
}

/// What is not documented may be a secret, so its value is not shown.
fn undocumented(operation: &Operation<'_>, name: &str) -> Problem {
    let (part, subject) = (format!("query `{name}`"), format!("parameter `{name}`"));
    let operation_name = operation.name();
    let of = (Question::Server, operation_name.as_str());
    let at = Location::new(of, Direction::Request, &part, &subject);
    let title = format!("{subject} was accepted, and is not documented");
    let node = &operation.node;
    problem(TrafficRule::Parameter, title, node, "no such parameter", &at)
}

/// Checks a parameter or a header, which is given once or more often.
pub fn parameter<'d>(
    values: &mut Values<'d>,
    given: &[&str],
    (name, node): (&str, &Node<'d>),
    at: &Location,
) -> Fit {
    if given == [redact::REDACTED] && redact::is_credential(&values.keys, name) {
        return Fit::default();
    }
    if let Some((name, media)) = content::media_types(node).into_iter().next() {
        return media_type(values, given[0].as_bytes(), (&name, &media), at);
    }
    match node.text("style") {
        None | Some("form" | "simple") => {}
        Some(style) => return undecided(node, at, &format!("`style: {style}`")).into(),
    }
    let schema = Schema::member(node, "schema");
    let cases = values.cases(&schema);
    let Some(array) = cases.iter().find(|case| case.kind == Kind::Array) else {
        if given.len() > 1 {
            let sent = Sent::fact(format!("{} values", given.len()));
            return Problem { sent, ..invalid(node, "one value", at) }.into();
        }
        if is_object(values, node) {
            return object::text(values, given[0], (name, node), at);
        }
        return scalar(values, given[0], (name, &schema), at).1;
    };
    let explode = node.value.get("explode").and_then(Value::as_bool);
    let elements: Vec<&str> = if node.text("in") == Some("query") && explode.unwrap_or(true) {
        given.to_vec()
    } else {
        given.iter().flat_map(|it| it.split(',')).map(str::trim).collect()
    };
    let items = Schema::all_of(&array.origin, &array.items);
    let mut read = Vec::new();
    for element in elements {
        read.push(scalar(values, element, (name, &items), at).0);
    }
    values.named(&Value::at(Data::Array(read.into()), (0, 0)), (name, &schema), at)
}

/// Reads a text, as a value that the schema allows if there is one.
pub fn scalar<'d>(
    values: &mut Values<'d>,
    text: &str,
    (name, schema): (&str, &Schema<'d>),
    at: &Location,
) -> (Value, Fit) {
    let mut read = Vec::new();
    for candidate in candidates(values, text, schema) {
        let fit = values.named(&candidate, (name, schema), at);
        read.push((candidate, fit));
    }
    read.into_iter().min_by_key(|(_, fit)| fit.problems.len()).unwrap_or_default()
}

/// Returns the values that a text may stand for, of the kinds that the schema allows.
fn candidates<'d>(values: &mut Values<'d>, text: &str, schema: &Schema<'d>) -> Vec<Value> {
    let read = serde_json::from_str::<Json>(text).ok();
    let read = read.filter(|value| value.is_number() || value.is_boolean()).map(Value::from);
    let cases = values.cases(schema);
    let is_kind = |value: &Value| cases.iter().any(|case| case.kind == Kind::of(value));
    read.filter(is_kind).into_iter().chain([text.into()]).collect()
}

fn body<'d>(values: &mut Values<'d>, operation: &Operation<'d>, request: &Message) -> Fit {
    let name = operation.name();
    let of = (Question::Server, name.as_str());
    let at = Location::new(of, Direction::Request, "request", "the request body");
    let documented = operation.node.get("requestBody").filter(content::is_present);
    let node = documented.as_ref().unwrap_or(&operation.node);
    match &request.body {
        Some(body) if body.is_empty() => {
            let is_required = documented.as_ref().is_some_and(|it| it.flag("required"));
            if is_required { missing(node, &at).into() } else { Fit::default() }
        }
        body => content(values, (node, request.media_type()), body.as_deref(), &at),
    }
}

/// Checks a body against the media types of a node. One that was not recorded is not checked.
pub fn content<'d>(
    values: &mut Values<'d>,
    (owner, sent): (&Node<'d>, Option<&str>),
    body: Option<&[u8]>,
    at: &Location,
) -> Fit {
    let Some(body) = body else { return Fit::default() };
    let media = content::media_types(owner);
    let Some((name, node)) = sent.and_then(|sent| find(&media, sent)) else {
        let (rule, was) = match at.direction {
            Direction::Request => (TrafficRule::RequestMediaType, "was accepted"),
            Direction::Response => (TrafficRule::ResponseMediaType, "was sent"),
        };
        let known: Vec<_> = media.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "no body".into() } else { known.join(", ") };
        let title = format!("{} is documented as {known}, and another one {was}", at.subject());
        let sent = Sent::fact(sent.unwrap_or("no Content-Type"));
        return Problem { sent, ..problem(rule, title, owner, &known, at) }.into();
    };
    media_type(values, body, (name, node), &at.in_media_type(name))
}

type MediaTypes<'d> = std::collections::BTreeMap<String, Node<'d>>;

/// Finds the documented media type: by its whole name, without parameters, then by a range.
fn find<'a, 'd>(media: &'a MediaTypes<'d>, sent: &str) -> Option<(&'a str, &'a Node<'d>)> {
    let whole = content::normalize(sent);
    let essence = whole.split(';').next().unwrap_or_default();
    let range = format!("{}/*", essence.split('/').next().unwrap_or_default());
    let names = [whole.as_str(), essence, range.as_str(), "*/*"];
    let found = names.iter().find_map(|name| media.get_key_value(*name))?;
    Some((found.0.as_str(), found.1))
}

/// Checks a body of one media type: JSON by its schema, text as a string, and no others.
fn media_type<'d>(
    values: &mut Values<'d>,
    body: &[u8],
    (name, node): (&str, &Node<'d>),
    at: &Location,
) -> Fit {
    let schema = Schema::member(node, "schema");
    let essence = name.split(';').next().unwrap_or_default();
    let text = || String::from_utf8_lossy(body).into_owned();
    if essence == "application/json" || essence.ends_with("+json") {
        return match serde_json::from_slice::<Json>(body) {
            Ok(value) => values.check(&value.into(), &schema, at),
            Err(_) => invalid(node, "JSON", at).into(),
        };
    }
    if essence.starts_with("text/") {
        return values.check(&text().into(), &schema, at);
    }
    Fit::default()
}
