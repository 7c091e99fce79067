//! Rules that the members of one object keep together: bounds, lists that must not be empty, values of
//! their type, and the schemes that a requirement names.

use super::{Warning, did_you_mean, invalid, nearest, shown};
use crate::case::Kind;
use crate::document::{Document, Node, Version};
use crate::expand::types;
use crate::number::Number;
use crate::value::Value;
use crate::yaml::escape;

/// Keywords whose list must have an element.
const LISTS: [&str; 4] = ["enum", "allOf", "oneOf", "anyOf"];
/// Pairs of bounds: the first must not be above the second.
const BOUNDS: [[&str; 2]; 8] = [
    ["minimum", "maximum"],
    ["minimum", "exclusiveMaximum"],
    ["exclusiveMinimum", "maximum"],
    ["exclusiveMinimum", "exclusiveMaximum"],
    ["minLength", "maxLength"],
    ["minItems", "maxItems"],
    ["minContains", "maxContains"],
    ["minProperties", "maxProperties"],
];

/// Returns a warning for each mistake in an object of this kind.
pub fn check(document: &Document, place: &str, (kind, value): (&str, &Value)) -> Vec<Warning> {
    match kind {
        "document" | "operation" => security(document, place, value),
        "schema" => {
            let mistakes = bounds(value).chain(empty_lists(value));
            let mistakes = mistakes.chain(of_other_type(value, document.version()));
            let warning = |(key, title)| invalid(document, &format!("{place}/{key}"), title);
            mistakes.map(warning).collect()
        }
        _ => Vec::new(),
    }
}

/// The end of a place, and what is wrong there.
type Mistake = (String, String);

fn bounds(schema: &Value) -> impl Iterator<Item = Mistake> {
    BOUNDS.iter().filter_map(|[low, high]| {
        let (least, most) = (schema.get(low)?, schema.get(high)?);
        let title = || format!("`{low}` is `{least}`, and must be at most the `{high}` `{most}`");
        (least.as_number()? > most.as_number()?).then(|| ((*low).to_owned(), title()))
    })
}

fn empty_lists(schema: &Value) -> impl Iterator<Item = Mistake> {
    let is_empty =
        |key: &&str| schema.get(key).and_then(Value::as_array).is_some_and(<[_]>::is_empty);
    let title = |key: &str| format!("`{key}` is `[]`, and must have an element");
    LISTS.into_iter().filter(is_empty).map(move |key| (key.to_owned(), title(key)))
}

/// Returns the default and the values of `enum` that `type` next to them does not allow.
fn of_other_type(schema: &Value, version: Version) -> Vec<Mistake> {
    let Some((said, Some(types))) = schema.get("type").map(|said| (said, types(said))) else {
        return Vec::new();
    };
    let nullable = schema.get("nullable").and_then(Value::as_bool);
    let is_nullable = version == Version::V3_0 && nullable == Some(true);
    let is_wrong = |value: &Value| {
        let is_whole = || value.as_number().is_some_and(Number::is_whole);
        let is_of = |&(kind, is_integer): &(Kind, bool)| {
            kind == Kind::of(value) && (!is_integer || is_whole())
        };
        let is_null = is_nullable && value.is_null();
        !is_null && !types.iter().any(is_of)
    };
    let title = |what, value| {
        let said = said.to_string().replace('"', "");
        format!("{what} `{}`, which is not of type `{said}`", shown(value))
    };
    let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten().enumerate();
    let values = values.filter(|(_, value)| is_wrong(value));
    let values = values.map(|(index, value)| (format!("enum/{index}"), title("`enum` has", value)));
    let default = schema.get("default").filter(|value| is_wrong(value));
    let default = default.map(|value| ("default".into(), title("`default` is", value)));
    values.chain(default).collect()
}

/// Returns the schemes that `security` names and that nothing defines.
fn security(document: &Document, place: &str, owner: &Value) -> Vec<Warning> {
    let components = document.root().get("components");
    let schemes = components.and_then(|components| components.get("securitySchemes"));
    let known = || schemes.iter().flat_map(Node::members).map(|(name, _)| name);
    let all = owner.get("security").and_then(Value::as_array).into_iter().flatten().enumerate();
    let named = all.flat_map(|(index, one)| {
        one.as_object().into_iter().flatten().map(move |(name, _)| (index, &**name))
    });
    let unknown = named.filter(|(_, name)| known().all(|known| known != *name));
    let warning = |(index, name): (usize, &str)| {
        let title = format!("no security scheme is named `{}`", name.escape_debug());
        let help = nearest(name, known()).map(did_you_mean);
        let help = help.unwrap_or_else(|| "define it in `components.securitySchemes`".into());
        let place = format!("{place}/security/{index}/{}", escape(name));
        Warning { help, ..invalid(document, &place, title) }
    };
    unknown.map(warning).collect()
}
