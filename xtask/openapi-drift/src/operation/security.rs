//! Security: whether the credentials that were enough are enough still.
//!
//! A requirement lists alternatives, and an alternative lists schemes that are needed together.
//! Schemes are compared by what they are, because their names are chosen freely. Servers rarely
//! state security in the document they emit: only two versions of a contract are compared.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Operation;
use crate::document::Node;
use crate::finding::{Finding, Rule, said};
use crate::pair::Pair;
use crate::value::Value;

/// Compares the security of one operation.
pub fn compare(operations: &Pair<Operation<'_>>) -> Option<Finding> {
    let stated = operations.as_ref().map(requirement);
    let operation = operations.as_ref().map(|operation| &operation.node);
    let nodes = Pair {
        documented: stated.documented.as_ref().unwrap_or(operation.documented),
        served: stated.served.as_ref().unwrap_or(operation.served),
    };
    let values = stated.as_ref().map(|node| node.as_ref().map(|node| node.value));
    let is_readable = |value: Option<&Value>| value.is_none_or(is_requirement);
    if values.documented != values.served
        && !(is_readable(values.documented) && is_readable(values.served))
    {
        let title = format!("{}: another `security` cannot be compared", operations.name());
        let sides = nodes.map(|node| (node, "see `security`".to_owned()));
        let code = (operations.question(), Rule::Undecided);
        return Some(Finding::new(code, title, sides, &operations.name()));
    }
    let Pair { documented: old, served: new } =
        stated.as_ref().map(|node| alternatives(node.as_ref()));
    let is_enough_in =
        |one: &Alternative, all: &[Alternative]| all.iter().any(|it| it.needs_at_most(one));
    let broken: Vec<_> = old.iter().filter(|one| !is_enough_in(one, &new)).collect();
    let added: Vec<_> = new.iter().filter(|one| !is_enough_in(one, &old)).collect();
    let title = if broken.is_empty() {
        format!("{} is enough now", describe(added.iter().copied()))
    } else {
        let [before, now] = [describe(broken.iter().copied()), describe(new.iter())];
        if before == now {
            let how = differences(&broken, &new);
            format!("{before} was enough, and is another scheme now: {how}")
        } else {
            format!("{before} was enough, and now {now} is needed")
        }
    };
    if broken.is_empty() && added.is_empty() {
        return None;
    }
    let sides =
        said((nodes.documented, describe(old.iter())), (nodes.served, describe(new.iter())));
    let code = (operations.question(), Rule::Security);
    Some(Finding::new(code, title, sides, &operations.name()).adds_if(broken.is_empty()))
}

/// Schemes that are needed together.
#[derive(Default)]
struct Alternative {
    /// What each scheme is, and the scopes that are needed.
    schemes: Vec<(Json, BTreeSet<String>)>,
    names: Vec<String>,
}

impl Alternative {
    fn needs_at_most(&self, other: &Self) -> bool {
        self.schemes.iter().all(|(scheme, scopes)| {
            let has = |(known, more): &(Json, _)| scheme == known && scopes.is_subset(more);
            other.schemes.iter().any(has)
        })
    }
}

/// Returns the node that says what the operation needs, if one does.
fn requirement<'d>(operation: &Operation<'d>) -> Option<Node<'d>> {
    let of_document = || operation.node.document.root().get("security");
    operation.node.get("security").or_else(of_document)
}

/// Whether it is a list of alternatives, each with the lists of its scopes.
fn is_requirement(value: &Value) -> bool {
    let is_alternative = |value: &Value| {
        let mut schemes = value.as_object().into_iter().flatten();
        value.is_object() && schemes.all(|(_, scopes)| scopes.as_array().is_some())
    };
    value.as_array().is_some_and(|all| all.iter().all(is_alternative))
}

/// Returns every way to be let in. Without any requirement nothing is needed.
fn alternatives(requirement: Option<&Node<'_>>) -> Vec<Alternative> {
    let listed = requirement.into_iter().flat_map(|node| {
        let all = node.value.as_array().into_iter().flatten();
        all.map(|value| alternative(value, node))
    });
    let mut all: Vec<_> = listed.collect();
    if all.is_empty() {
        all.push(Alternative::default());
    }
    all
}

fn alternative(value: &Value, requirement: &Node<'_>) -> Alternative {
    let mut alternative = Alternative::default();
    for (name, scopes) in value.as_object().into_iter().flatten() {
        let scopes: BTreeSet<_> =
            scopes.as_array().into_iter().flatten().map(ToString::to_string).collect();
        let list =
            scopes.iter().map(|scope| scope.trim_matches('"')).collect::<Vec<_>>().join(", ");
        let suffix = if list.is_empty() { String::new() } else { format!(" ({list})") };
        alternative.names.push(format!("`{name}`{suffix}"));
        alternative.schemes.push((identity(name, requirement), scopes));
    }
    alternative
}

/// Returns the definition of a scheme without its prose, or its name if it is not defined.
fn identity(name: &str, requirement: &Node<'_>) -> Json {
    let schemes = requirement.document.root().get("components");
    let schemes = schemes.and_then(|components| components.get("securitySchemes"));
    let Some(scheme) = schemes.and_then(|schemes| schemes.get(name)) else { return name.into() };
    let mut scheme = scheme.value.to_json();
    if let Some(members) = scheme.as_object_mut() {
        members.retain(|key, _| !matches!(key.as_str(), "description" | "bearerFormat"));
        members.retain(|key, _| !key.starts_with("x-"));
        // HTTP reads the name of a scheme or of a header without case.
        let is_header = members.get("in").is_some_and(|place| place == "header");
        for (key, value) in members.iter_mut() {
            if let (true, Some(text)) =
                (key == "scheme" || (key == "name" && is_header), value.as_str())
            {
                *value = text.to_ascii_lowercase().into();
            }
        }
        let flows = members.get_mut("flows").and_then(Json::as_object_mut);
        for flow in flows.into_iter().flat_map(|flows| flows.values_mut()) {
            // The scopes that an operation needs are compared there.
            flow.as_object_mut().into_iter().for_each(|flow| drop(flow.remove("scopes")));
        }
    }
    scheme
}

/// Says what differs between schemes of the same names.
fn differences(broken: &[&Alternative], new: &[Alternative]) -> String {
    let same_name = |one: &Alternative| new.iter().find(|other| other.names == one.names);
    let pairs = broken.iter().filter_map(|one| Some((one, same_name(one)?)));
    let schemes = pairs.flat_map(|(one, other)| one.schemes.iter().zip(&other.schemes));
    let differences = schemes.flat_map(|((before, _), (now, _))| {
        let keys: BTreeSet<_> = [before, now]
            .into_iter()
            .filter_map(Json::as_object)
            .flat_map(|it| it.keys())
            .collect();
        let changed = keys.into_iter().filter(move |key| before.get(key) != now.get(key));
        changed.map(move |key| {
            match [before, now].map(|scheme| scheme.get(key).and_then(Json::as_str)) {
                [Some(before), Some(now)] => format!("its `{key}` was `{before}`, and is `{now}`"),
                _ => format!("its `{key}` differ"),
            }
        })
    });
    differences.collect::<Vec<_>>().join(", ")
}

fn describe<'a>(alternatives: impl Iterator<Item = &'a Alternative>) -> String {
    let words = alternatives.map(|one| match &one.names[..] {
        [] => "nothing".to_owned(),
        names => names.join(" and "),
    });
    words.collect::<Vec<_>>().join(" or ")
}
