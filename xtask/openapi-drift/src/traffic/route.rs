//! Finds the operation of a request. Literal segments win over templates, and a path is relative to
//! the addresses in `servers`, or to a prefix that is given.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::exchange::{self, normalize};
use super::redact;
use crate::document::{Document, Node};
use crate::operation::{Operation, operations};
use crate::pair::Question;

/// The operations of a contract, by the requests that reach them.
#[derive(Debug)]
pub struct Routes<'d> {
    pub(super) document: &'d Document,
    /// The names of its credentials.
    pub(super) keys: Arc<[&'d str]>,
    bases: Vec<String>,
    /// The routes, the most specific first.
    pub(super) all: Vec<Route<'d>>,
    /// Their indices by method.
    trees: HashMap<String, Tree<'d>>,
}

/// One operation and its path.
#[derive(Debug)]
pub(super) struct Route<'d> {
    pub operation: Operation<'d>,
    segments: Vec<Segment<'d>>,
}

/// A segment of a path: variables, with text around them.
#[derive(Debug)]
struct Segment<'d> {
    /// The text before, between and behind the variables.
    texts: Vec<&'d str>,
    names: Vec<&'d str>,
}

/// What follows the same segments of paths.
#[derive(Debug, Default)]
struct Tree<'d> {
    literals: HashMap<&'d str, Self>,
    /// By the text around their variables.
    templates: BTreeMap<Vec<&'d str>, Self>,
    /// The index of the route that ends here.
    route: Option<usize>,
}

/// What a request reaches.
pub(super) enum Target<'a, 'd> {
    Operation(Match<'a, 'd>),
    /// A path of this API that has no such operation.
    Nothing,
    /// A path outside of this API.
    Elsewhere,
}

/// An operation, and the decoded variables of its path.
pub(super) struct Match<'a, 'd> {
    pub route: &'a Route<'d>,
    pub variables: Vec<(String, String)>,
}

impl<'d> Routes<'d> {
    /// The operations of a contract. Paths are relative to `prefix`: a path, or the beginning of a
    /// URL. Without one they are relative to the addresses in `servers`.
    pub fn new(document: &'d Document, prefix: Option<&str>) -> Self {
        let mut routes: Vec<_> = operations(Question::Server, document)
            .into_iter()
            .map(|operation| Route { segments: segments(operation.path), operation })
            .collect();
        routes.sort_by_cached_key(|it| it.segments.iter().map(Segment::rank).collect::<Vec<_>>());
        let mut trees = HashMap::<_, Tree<'_>>::new();
        for (index, route) in routes.iter().enumerate() {
            let tree = trees.entry(route.operation.method.to_uppercase()).or_default();
            route.segments.iter().fold(tree, Tree::child).route.get_or_insert(index);
        }
        let mut bases = match prefix {
            Some(prefix) => vec![normalize(prefix).trim_end_matches('/').to_owned()],
            None => document.root().list("servers").iter().map(base).collect(),
        };
        if bases.is_empty() {
            bases.push(String::new());
        }
        bases.sort_by_key(|base| std::cmp::Reverse(base.len()));
        Self { document, keys: redact::keys(document).into(), bases, all: routes, trees }
    }

    pub(super) fn paths(&self) -> Node<'d> {
        self.document.root().get("paths").unwrap_or_else(|| self.document.root())
    }

    /// Finds the operation of a request. A HEAD request is a GET request without a body.
    pub(super) fn find(&self, method: &str, url: &str) -> Target<'_, 'd> {
        let path = &normalize(url.split(['?', '#']).next().unwrap_or_default());
        let is_inside = |rest: &str| rest.is_empty() || rest.starts_with('/');
        let relative = self.bases.iter().find_map(|base| {
            let start = if exchange::split(base).is_some() { path } else { without_origin(path) };
            start.strip_prefix(base.as_str()).filter(|rest| is_inside(rest))
        });
        let Some(path) = relative else { return Target::Elsewhere };
        let found = self.operation(method, path);
        let found = found.or_else(|| self.operation("GET", path).filter(|_| method == "HEAD"));
        found.map_or(Target::Nothing, Target::Operation)
    }

    fn operation(&self, method: &str, path: &str) -> Option<Match<'_, 'd>> {
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let parts: Vec<_> = path.split('/').map(decode).collect();
        let route = &self.all[self.trees.get(method)?.find(&parts)?];
        Some(Match { route, variables: route.variables(&parts) })
    }
}

/// Returns the path of an address in `servers`.
fn base(server: &Node<'_>) -> String {
    let mut url = server.text("url").unwrap_or_default().to_owned();
    if let Some(variables) = server.get("variables") {
        for (name, variable) in variables.members() {
            let default = variable.value.get("default").and_then(|it| it.as_str());
            url = url.replace(&format!("{{{name}}}"), default.unwrap_or_default());
        }
    }
    without_origin(&url).trim_end_matches('/').to_owned()
}

fn without_origin(url: &str) -> &str {
    exchange::split(url).map_or(url, |(_, _, path)| path)
}

fn segments(path: &str) -> Vec<Segment<'_>> {
    path.split('/').map(Segment::of).collect()
}

impl<'d> Segment<'d> {
    fn of(text: &'d str) -> Self {
        let (mut texts, mut names, mut rest) = (Vec::new(), Vec::new(), text);
        while let Some((literal, (name, after))) =
            rest.split_once('{').and_then(|(literal, rest)| Some((literal, rest.split_once('}')?)))
        {
            texts.push(literal);
            names.push(name);
            rest = after;
        }
        texts.push(rest);
        Self { texts, names }
    }

    /// Returns less for a more specific segment: first literals, last a variable with no text around.
    fn rank(&self) -> u8 {
        match self.texts[..] {
            [_] => 0,
            ["", ""] => 2,
            _ => 1,
        }
    }
}

/// Returns the values of the variables between these texts. The first takes as much as it can, then
/// the next, and each takes at least one character.
fn values<'p>(texts: &[&str], part: &'p str) -> Option<Vec<&'p str>> {
    let [first, between @ .., last] = texts else { return None };
    let mut rest = part.strip_prefix(first)?.strip_suffix(last)?;
    let mut values = Vec::new();
    // What is found from the end leaves the most to those before.
    for text in between.iter().rev() {
        let (start, _) = rest.char_indices().next_back()?;
        let at = rest[..start].rfind(text)?;
        values.push(&rest[at + text.len()..]);
        rest = &rest[..at];
    }
    values.push(rest);
    values.reverse();
    (!rest.is_empty()).then_some(values)
}

impl Route<'_> {
    /// Returns the variables of a path of this route.
    fn variables(&self, parts: &[String]) -> Vec<(String, String)> {
        let of_part = |(segment, part): (&Segment<'_>, &String)| {
            let values = values(&segment.texts, part).unwrap_or_default();
            let named = segment.names.iter().zip(values);
            named.map(|(name, value)| ((*name).to_owned(), value.to_owned())).collect::<Vec<_>>()
        };
        self.segments.iter().zip(parts).flat_map(of_part).collect()
    }
}

impl<'d> Tree<'d> {
    fn child(&mut self, segment: &Segment<'d>) -> &mut Self {
        match segment.texts[..] {
            [literal] => self.literals.entry(literal).or_default(),
            _ => self.templates.entry(segment.texts.clone()).or_default(),
        }
    }

    /// Returns the first of the routes that have this path.
    fn find(&self, parts: &[String]) -> Option<usize> {
        let Some((part, rest)) = parts.split_first() else { return self.route };
        let templates = self.templates.iter().filter(|(texts, _)| values(texts, part).is_some());
        let trees = self.literals.get(part.as_str()).into_iter().chain(templates.map(|it| it.1));
        trees.filter_map(|tree| tree.find(rest)).min()
    }
}
