//! Describes what the document leaves undescribed, with words of the document, and names what it
//! leaves without a type. It changes no description, and allows nothing more.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const SCHEMAS: &str = "#/components/schemas/";
const SUCCESS: &str = "/responses/200/content/application~1json/schema";
const REQUEST: &str = "/requestBody/content/application~1json/schema";

/// What is one part of a path: clients resolve the other texts away.
const SEGMENT: &str = r"^(?!\.{0,2}$)";

/// Gives a type to the variables of paths that may be any text, so that a text that would name
/// another path is refused.
pub fn name_segments(document: &mut Value) {
    let mut types = Map::new();
    let parameters = document.pointer_mut("/components/parameters").and_then(Value::as_object_mut);
    for parameter in parameters.into_iter().flat_map(Map::values_mut) {
        let (Some(name), Some(text)) =
            (parameter["name"].as_str(), parameter["description"].as_str())
        else {
            continue;
        };
        if parameter["in"] == "path" && parameter["schema"] == json!({"type": "string"}) {
            let name = [name[..1].to_uppercase().as_str(), &name[1..]].concat();
            let text = format!("{}: it is not empty, `.` or `..`.", text.trim_end_matches('.'));
            let schema = json!({"type": "string", "description": text, "pattern": SEGMENT});
            parameter["schema"] = json!({"$ref": format!("{SCHEMAS}{name}")});
            types.insert(name, schema);
        }
    }
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        schemas.append(&mut types);
    }
}

/// Adds a description to every schema and property without one.
pub fn describe(document: &mut Value) {
    let known: Map<String, Value> =
        schemas(document).map(|(name, schema)| (name.clone(), schema.clone())).collect();
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, schema) in &known {
        each_reference(schema, &mut |used| {
            users.entry(used.to_owned()).or_default().push(name.clone());
        });
    }
    for operation in operations(document) {
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        for place in [SUCCESS, REQUEST] {
            let Some(schema) = operation.pointer_mut(place) else { continue };
            match reference(schema) {
                Some(used) => users.entry(used.to_owned()).or_default().insert(0, id.clone()),
                None => describe_schema(schema, &format!("Used by `{id}`."), &known),
            }
        }
    }
    for (name, schema) in schemas(document) {
        let users = users.get(name).map(|users| users.join("`, `")).unwrap_or_default();
        describe_schema(schema, &format!("Used by `{users}`."), &known);
    }
}

/// Describes a schema, if it is not yet, and the properties in it.
fn describe_schema(schema: &mut Value, otherwise: &str, known: &Map<String, Value>) {
    let used = reference(schema).or_else(|| reference(&schema["allOf"][0]));
    let description = used.and_then(|used| known.get(used)?["description"].as_str());
    let description = description.unwrap_or(otherwise);
    if schema.get("$ref").is_some() {
        // A reference itself cannot have a description.
        *schema = json!({"allOf": [schema.take()], "description": description});
        return;
    }
    let Some(members) = schema.as_object_mut() else { return };
    members.entry("description").or_insert_with(|| description.into());
    for (name, property) in
        members.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
    {
        let example = property["example"].as_str();
        let example = example.map(|example| format!(", such as `{example}`")).unwrap_or_default();
        describe_schema(property, &format!("The `{name}`{example}."), known);
        if property["items"].get("properties").is_some() {
            describe_schema(&mut property["items"], &format!("One of the `{name}`."), known);
        }
    }
}

/// Returns the name of the component that a schema refers to.
fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix(SCHEMAS)
}

fn each_reference(schema: &Value, found: &mut impl FnMut(&str)) {
    if let Some(name) = reference(schema) {
        found(name);
    }
    let members = schema.as_object().into_iter().flat_map(Map::values);
    let items = schema.as_array().into_iter().flatten();
    members.chain(items).for_each(|inner| each_reference(inner, found));
}

fn schemas(document: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    let schemas = document.pointer_mut("/components/schemas");
    schemas.and_then(Value::as_object_mut).into_iter().flatten()
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document.pointer_mut("/paths").and_then(Value::as_object_mut);
    let paths = paths.into_iter().flat_map(Map::values_mut);
    paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut)
}
