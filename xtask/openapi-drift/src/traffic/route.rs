//! Finds the operation of a request. Literal segments win over templates, and a path is relative to
//! the addresses in `servers`, or to a prefix that is given.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use regex::Regex;

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
    pub(super) all: Vec<Route<'d>>,
}

/// One operation and its path.
#[derive(Debug)]
pub(super) struct Route<'d> {
    pub operation: Operation<'d>,
    segments: Vec<Segment>,
}

/// A segment of a path. The most specific is the least.
#[derive(Debug)]
enum Segment {
    Literal(String),
    /// Variables with text around them.
    Mixed(Regex, Vec<String>),
    Variable(String),
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
        routes.sort_by_key(|route| route.segments.iter().map(Segment::rank).collect::<Vec<_>>());
        let mut bases = match prefix {
            Some(prefix) => vec![normalize(prefix).trim_end_matches('/').to_owned()],
            None => document.root().list("servers").iter().map(base).collect(),
        };
        if bases.is_empty() {
            bases.push(String::new());
        }
        bases.sort_by_key(|base| std::cmp::Reverse(base.len()));
        Self { document, keys: redact::keys(document).into(), bases, all: routes }
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
        let of_method = |route: &&Route<'_>| route.operation.method.to_uppercase() == method;
        self.all.iter().filter(of_method).find_map(|route| {
            let variables = route.variables(&parts)?;
            Some(Match { route, variables })
        })
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

fn segments(path: &str) -> Vec<Segment> {
    path.split('/').map(segment).collect()
}

fn segment(text: &str) -> Segment {
    let (mut pattern, mut names, mut rest) = (String::new(), Vec::new(), text);
    while let Some((literal, (name, after))) =
        rest.split_once('{').and_then(|(literal, rest)| Some((literal, rest.split_once('}')?)))
    {
        pattern = pattern + &regex::escape(literal) + "(.+)";
        names.push(name.to_owned());
        rest = after;
    }
    let regex = Regex::new(&format!("(?s)^{pattern}{}$", regex::escape(rest)));
    match (regex, names.len()) {
        (_, 1) if text.starts_with('{') && text.ends_with('}') => {
            Segment::Variable(names.remove(0))
        }
        (Ok(regex), 1..) => Segment::Mixed(regex, names),
        _ => Segment::Literal(text.to_owned()),
    }
}

impl Segment {
    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Mixed(..) => 1,
            Self::Variable(_) => 2,
        }
    }
}

impl Route<'_> {
    /// Returns the variables of the path, if it is a path of this route.
    fn variables(&self, parts: &[String]) -> Option<Vec<(String, String)>> {
        if self.segments.len() != parts.len() {
            return None;
        }
        let mut variables = Vec::new();
        for (segment, part) in self.segments.iter().zip(parts) {
            match segment {
                Segment::Literal(literal) if literal == part => {}
                Segment::Variable(name) if !part.is_empty() => {
                    variables.push((name.clone(), part.clone()));
                }
                Segment::Mixed(regex, names) => {
                    let found = regex.captures(part)?;
                    let values = found.iter().skip(1).flatten().map(|it| it.as_str().to_owned());
                    variables.extend(names.iter().cloned().zip(values));
                }
                _ => return None,
            }
        }
        Some(variables)
    }
}
