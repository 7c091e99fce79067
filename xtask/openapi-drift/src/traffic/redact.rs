//! Removes credentials from what is recorded, and knows what stands for them afterwards.

use serde_json::Value;

use super::route::{Routes, Target};
use super::{response, value::Values};
use crate::annotation;
use crate::case::Schema;
use crate::operation::content;
use crate::pair::Direction;

/// What a recorder writes in place of a credential. It is accepted where the contract documents one:
/// `format: password`.
pub const REDACTED: &str = "[redacted]";

/// Headers that carry credentials.
const HEADERS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

pub(super) fn is_placeholder(value: &crate::value::Value) -> bool {
    value.as_str() == Some(REDACTED)
}

/// Whether the contract says that the value is a secret.
pub(super) fn is_secret(schema: &Schema<'_>) -> bool {
    annotation::texts(schema, "format").any(|format| format == "password")
}

impl Routes<'_> {
    /// Replaces the credentials in an entry of an HTTP Archive: those in headers, the members that the
    /// contract documents with `format: password`, and bodies that it does
    /// not describe, or that are encoded.
    pub fn redact(&self, entry: &mut Value) {
        for side in ["request", "response"] {
            let headers = entry[side]["headers"].as_array_mut();
            for header in headers.into_iter().flatten() {
                let name = header["name"].as_str().unwrap_or_default().to_ascii_lowercase();
                if HEADERS.contains(&name.as_str()) {
                    header["value"] = REDACTED.into();
                }
            }
        }
        self.redact_body(entry, Direction::Request);
        self.redact_body(entry, Direction::Response);
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
