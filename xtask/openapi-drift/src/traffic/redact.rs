//! Removes credentials from what is recorded, and knows what stands for them afterwards.

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

use super::exchange::{decode, normalize};
use super::route::{Routes, Target};
use super::{response, value::Values};
use crate::case::{Case, Kind, Schema};
use crate::document::{Document, Node};
use crate::operation::content;
use crate::pair::Direction;
use crate::value::{self, Data};

/// What a recorder writes in place of a credential. It is accepted where the contract documents one:
/// `format: password`.
pub const REDACTED: &str = "[redacted]";

/// Longer values are cut in a finding.
const MAX_SENT: usize = 80;

/// Headers that carry credentials.
const HEADERS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];
/// How other names of credentials end, without what is no letter or digit.
const NAMES: [&str; 4] = ["apikey", "token", "password", "secret"];

/// Returns the names of the headers and parameters that the security schemes of a document describe.
pub(super) fn keys(document: &Document) -> Vec<&str> {
    let components = document.root().get("components");
    let schemes = components.and_then(|components| components.get("securitySchemes"));
    let schemes = schemes.iter().flat_map(Node::members);
    let keys = schemes.filter(|(_, scheme)| scheme.text("type") == Some("apiKey"));
    keys.filter_map(|(_, scheme)| scheme.text("name")).collect()
}

/// Whether a header or a parameter of this name carries a credential. `keys` are those of the document.
pub(super) fn is_credential(keys: &[&str], name: &str) -> bool {
    let mut plain = name.to_ascii_lowercase();
    plain.retain(|it| it.is_ascii_alphanumeric());
    HEADERS.iter().chain(keys).any(|known| known.eq_ignore_ascii_case(name))
        || NAMES.iter().any(|end| plain.ends_with(end))
}

pub(super) fn is_placeholder(value: &value::Value) -> bool {
    value.as_str() == Some(REDACTED)
}

/// Whether the contract says that the value is a secret.
pub(super) fn is_secret(schema: &Schema<'_>) -> bool {
    any(schema, |node| node.text("format") == Some("password"))
}

/// Whether the contract says that the value must not be repeated.
pub(super) fn is_hidden(schema: &Schema<'_>) -> bool {
    any(schema, |node| node.flag("writeOnly")) || is_secret(schema)
}

/// Whether it holds for any schema that applies, or that may apply: a variant of a union.
fn any(schema: &Schema<'_>, holds: impl Fn(&Node<'_>) -> bool) -> bool {
    let (mut pending, mut known) = (schema.all.clone(), HashSet::new());
    while let Some(node) = pending.pop() {
        if holds(&node) {
            return true;
        }
        if known.insert(std::ptr::from_ref(node.value)) {
            pending.extend(node.conjuncts());
            pending.extend(["oneOf", "anyOf"].iter().flat_map(|keyword| node.list(keyword)));
        }
    }
    false
}

/// What a finding shows of what was sent. A value is hidden unless the contract documents it.
#[derive(Clone, Debug, Default)]
pub(super) enum Sent {
    /// A value that was not compared with what the contract documents.
    #[default]
    Unknown,
    /// A value that must not be shown.
    Hidden,
    /// A value that is documented.
    Value(String),
    /// What says nothing about a value, such as a status.
    Fact(String),
}

impl Sent {
    pub fn fact(text: impl Into<String>) -> Self {
        Self::Fact(text.into())
    }

    /// Shows a simple value for which there are such cases. Of an array or an object it only says what
    /// it is: any part may be a secret.
    pub fn show(&mut self, value: &value::Value, cases: &[Case<'_>]) {
        let Self::Unknown = self else { return };
        let is_simple = |case: &Case<'_>| !matches!(case.kind, Kind::Array | Kind::Object);
        *self = match &value.data {
            Data::Array(elements) => Self::Value(format!("an array of length {}", elements.len())),
            Data::Object(_) => Self::Value("an object".into()),
            _ if cases.iter().any(is_simple) => Self::Value(cut(value.to_string())),
            _ => Self::Hidden,
        };
    }

    /// Hides a value.
    pub fn hide(&mut self) {
        if !matches!(self, Self::Fact(_)) {
            *self = Self::Hidden;
        }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown | Self::Hidden => out.write_str(REDACTED),
            Self::Value(text) | Self::Fact(text) => out.write_str(text),
        }
    }
}

fn cut(mut text: String) -> String {
    if let Some((index, _)) = text.char_indices().nth(MAX_SENT) {
        text.truncate(index);
        text.push_str("...");
    }
    text
}

impl Routes<'_> {
    /// Replaces the credentials in an entry of an HTTP Archive, and removes the user of the address. These
    /// are credentials: cookies, headers and query parameters that a security scheme describes or whose
    /// names say so (`X-API-Key`, `access_token`), members with `format: password`, and bodies that the
    /// contract does not describe or that are encoded.
    pub fn redact(&self, entry: &mut Value) {
        for (side, list) in [
            ("request", "headers"),
            ("request", "queryString"),
            ("request", "cookies"),
            ("response", "headers"),
            ("response", "cookies"),
        ] {
            let all = entry[side].get_mut(list).and_then(Value::as_array_mut);
            for one in all.into_iter().flatten() {
                let name = one["name"].as_str().unwrap_or_default();
                if list == "cookies" || is_credential(&self.keys, name) {
                    one["value"] = REDACTED.into();
                }
            }
        }
        if let Some(url) = entry["request"]["url"].as_str() {
            entry["request"]["url"] = self.redact_url(url).into();
        }
        self.redact_body(entry, Direction::Request);
        self.redact_body(entry, Direction::Response);
    }

    fn redact_url(&self, url: &str) -> String {
        let url = url.split('#').next().unwrap_or_default();
        let (path, query) = url.split_once('?').unzip();
        let path = normalize(path.unwrap_or(url));
        let Some(query) = query else { return path };
        let redact = |pair: &str| match pair.split_once('=') {
            Some((name, _)) if is_credential(&self.keys, &decode(name)) => {
                format!("{name}=%5Bredacted%5D")
            }
            _ => pair.to_owned(),
        };
        let pairs: Vec<_> = query.split('&').map(redact).collect();
        format!("{path}?{}", pairs.join("&"))
    }

    fn redact_body(&self, entry: &mut Value, direction: Direction) {
        let (side, member) = match direction {
            Direction::Request => ("request", "postData"),
            Direction::Response => ("response", "content"),
        };
        let text = entry[side][member]["text"].as_str();
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let is_plain = entry[side][member]["encoding"].is_null();
        let body = serde_json::from_str(text).ok().filter(|_| is_plain).and_then(|mut body| {
            let schema = self.schema(entry, direction)?;
            redact(&mut Values::default(), &mut body, &schema);
            Some(body.to_string())
        });
        if let Some(content) = entry[side][member].as_object_mut() {
            content.remove("encoding");
            // What a form holds is in the text too.
            content.remove("params");
        }
        entry[side][member]["text"] = body.unwrap_or_else(|| REDACTED.to_owned()).into();
    }

    /// Returns the schema of a JSON body.
    fn schema(&self, entry: &Value, direction: Direction) -> Option<Schema<'_>> {
        let text = |name: &str| entry["request"][name].as_str().unwrap_or_default();
        let Target::Operation(found) = self.find(text("method"), text("url")) else { return None };
        let operation = &found.route.operation;
        let owner = match direction {
            Direction::Request => operation.node.get("requestBody")?,
            Direction::Response => {
                let status = entry["response"]["status"].as_u64()?;
                response::documented(operation, u16::try_from(status).ok()?)?.1
            }
        };
        let media = content::media_types(&owner).remove("application/json")?;
        Some(Schema::member(&media, "schema"))
    }
}

fn redact<'d>(values: &mut Values<'d>, value: &mut Value, schema: &Schema<'d>) {
    if is_secret(schema) {
        *value = REDACTED.into();
        return;
    }
    for case in values.cases(schema).iter() {
        match value {
            Value::Array(elements) => {
                let schema = Schema::all_of(&case.origin, &case.items);
                for element in elements {
                    redact(values, element, &schema);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let named = case.properties.get(name.as_str()).map(Vec::as_slice);
                    let all = named.or_else(|| case.additional_schemas()).unwrap_or_default();
                    redact(values, member, &Schema::all_of(&case.origin, all));
                }
            }
            _ => {}
        }
    }
}
