//! Reads a parameter that is an object. Its members are parameters of the query, or all in one text.

use super::finding::Problem;
use super::request::scalar;
use super::value::{Fit, Values, undecided};
use crate::case::{Case, Kind, Schema};
use crate::document::Node;
use crate::location::Location;
use crate::value::{Data, Member, Value};

/// A member of an object as it is sent: its name and its text.
pub type MemberText<'a> = (&'a str, &'a str);

/// How an object is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `f[a]=1&f[b]=2`
    Deep,
    /// `a=1&b=2`
    Exploded,
    /// `a,1,b,2`
    Listed,
    /// Any other.
    Other,
}

impl Style {
    fn of(node: &Node<'_>) -> Self {
        let is_query = node.text("in") == Some("query");
        let style = node.text("style").unwrap_or(if is_query { "form" } else { "simple" });
        let explode = node.value.get("explode").and_then(Value::as_bool);
        match (style, explode.unwrap_or(style == "form")) {
            ("deepObject", _) => Self::Deep,
            ("form", true) => Self::Exploded,
            ("form" | "simple", false) => Self::Listed,
            _ => Self::Other,
        }
    }
}

/// Whether a parameter is an object, and cannot be a plain text.
pub fn is_object(cases: &[Case<'_>]) -> bool {
    let has = |kind| cases.iter().any(|case| case.kind == kind);
    has(Kind::Object) && !has(Kind::String)
}

/// Returns the name of the member that a parameter of the query is. `is_other` knows the parameters
/// that are documented themselves.
pub fn member<'a>(
    node: &Node<'_>,
    cases: &[Case<'_>],
    is_other: impl Fn(&str) -> bool,
    name: &'a str,
) -> Option<&'a str> {
    match Style::of(node) {
        Style::Deep => name.strip_prefix(node.text("name")?)?.strip_prefix('[')?.strip_suffix(']'),
        Style::Exploded => {
            let has = |case: &Case<'_>| {
                case.properties.contains_key(name) || case.additional_schemas().is_some()
            };
            let mut objects = cases.iter().filter(|case| case.kind == Kind::Object);
            (!is_other(name) && objects.any(has)).then_some(name)
        }
        Style::Listed | Style::Other => None,
    }
}

/// Checks an object that is written in one text.
pub fn text<'d>(
    values: &mut Values<'d>,
    text: &str,
    (name, node): (&str, &Node<'d>),
    at: &Location,
) -> Fit {
    let parts: Vec<_> = text.split(',').collect();
    if Style::of(node) != Style::Listed || parts.len() % 2 == 1 {
        return undecided(node, at, "this style of an object").into();
    }
    let members: Vec<_> = parts.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    check(values, &members, (name, node), at)
}

/// Checks an object by its members.
pub fn check<'d>(
    values: &mut Values<'d>,
    members: &[MemberText<'_>],
    (name, node): (&str, &Node<'d>),
    at: &Location,
) -> Fit {
    let schema = Schema::member(node, "schema");
    match read(values, members, &schema, (node, at)) {
        Ok(object) => values.named(&object, (name, &schema), at),
        Err(undecided) => (*undecided).into(),
    }
}

/// OpenAPI defines only members that are simple values, each of which is given once.
fn read<'d>(
    values: &mut Values<'d>,
    members: &[MemberText<'_>],
    schema: &Schema<'d>,
    (node, at): (&Node<'d>, &Location),
) -> Result<Value, Box<Problem>> {
    let cases = values.cases(schema);
    let mut object: Vec<Member> = Vec::new();
    for (name, text) in members {
        let all = cases.iter().find_map(|case| case.properties.get(name).map(Vec::as_slice));
        let all = all.or_else(|| cases.iter().find_map(Case::additional_schemas));
        let schema = Schema::all_of(node, all.unwrap_or_default());
        let is_simple =
            |case: &Case<'_>| !matches!(case.kind, Kind::Array | Kind::Object | Kind::Null);
        let is_defined = values.cases(&schema).iter().any(is_simple) && !name.contains(['[', ']']);
        if !is_defined || object.iter().any(|(known, _)| &**known == *name) {
            return Err(Box::new(undecided(node, at, "an object of lists or objects")));
        }
        object.push(((*name).into(), scalar(values, text, (name, &schema), at).0));
    }
    object.sort_by(|(one, _), (two, _)| one.cmp(two));
    Ok(Value::at(Data::Object(object.into()), (0, 0)))
}
