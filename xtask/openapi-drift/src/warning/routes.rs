//! Rules that several objects of a document keep together: what identifies an operation, the path and its
//! parameters, and the statuses.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Warning, invalid};
use crate::document::{Document, Version};
use crate::operation::parameter::{of_operation, placeholders};
use crate::operation::{Operation, operations, shape};
use crate::pair::Question;

/// A place, and what is wrong there.
type Mistake = (Arc<str>, String);

/// Returns a warning for each mistake.
pub fn check(document: &Document) -> Vec<Warning> {
    let (mut ids, mut shapes, mut mistakes) = (HashMap::new(), HashMap::new(), Vec::new());
    for operation in &operations(Question::Server, document) {
        let (at, path) = (&operation.item.used_at, operation.path);
        let id = operation.node.text("operationId");
        if let Some(other) = id.and_then(|id| ids.insert(id, operation.route())) {
            let title = format!("{} and {other} have the same operationId", operation.route());
            mistakes.push((format!("{}/operationId", operation.node.defined_at).into(), title));
        }
        let shape = shape(path);
        let known = *shapes.entry(shape).or_insert(path);
        if known != path {
            mistakes.push((at.clone(), format!("`{path}` and `{known}` are the same path")));
        }
        if !path.starts_with('/') {
            mistakes.push((at.clone(), format!("the path `{path}` does not begin with `/`")));
        }
        mistakes.extend(statuses(operation));
        mistakes.extend(parameters(operation));
    }
    mistakes.into_iter().map(|(place, title)| invalid(document, &place, title)).collect()
}

fn statuses(operation: &Operation<'_>) -> Vec<Mistake> {
    let Some(responses) = operation.node.get("responses") else {
        let title = format!("{} has no `responses`", operation.route());
        let is_needed = operation.node.version() == Version::V3_0;
        return is_needed.then(|| (operation.node.used_at.clone(), title)).into_iter().collect();
    };
    let is_status = |name: &str| {
        let (class, rest) = name.split_at_checked(1).unwrap_or_default();
        let is_code = rest.len() == 2 && rest.bytes().all(|digit| digit.is_ascii_digit());
        let is_class = ["1", "2", "3", "4", "5"].contains(&class);
        name == "default" || (is_class && (is_code || rest.eq_ignore_ascii_case("XX")))
    };
    let wrong = responses.members().filter(|(name, _)| !is_status(name) && !name.starts_with("x-"));
    let wrong = wrong.map(|(name, node)| (node.used_at, format!("`{name}` is no status")));
    let title = || format!("the `responses` of {} are empty", operation.route());
    let empty = responses.members().next().is_none().then(|| (responses.used_at.clone(), title()));
    wrong.chain(empty).collect()
}

fn parameters(operation: &Operation<'_>) -> Vec<Mistake> {
    let (path, mut mistakes) = (operation.path, Vec::new());
    for owner in [&operation.item, &operation.node] {
        let mut known = HashSet::new();
        for node in owner.list("parameters") {
            let [name, within] = ["name", "in"].map(|key| node.text(key).unwrap_or_default());
            if !known.insert((name, within)) {
                mistakes.push((node.used_at, format!("`{name}` in {within} is there twice")));
            }
        }
    }
    let all = of_operation(operation);
    let names = placeholders(path);
    let within = || all.iter().filter(|(key, _)| key.within == "path");
    for (key, node) in within().filter(|(key, _)| !names.contains(&&*key.name)) {
        mistakes.push((node.used_at.clone(), format!("`{}` is not in `{path}`", key.name)));
    }
    for name in names.iter().filter(|name| within().all(|(key, _)| key.name != **name)) {
        let title = format!("no parameter describes `{name}` of `{path}`");
        mistakes.push((operation.node.used_at.clone(), title));
    }
    mistakes
}
