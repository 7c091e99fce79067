//! Checks answers against `openapi.yaml`. An OpenAPI object may have properties that its
//! schema does not name; this contract allows none, so they are an error here.

use http::{Method, StatusCode};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The document, and its components closed to unnamed properties.
pub struct Contract {
    pub document: Value,
    closed_components: Value,
}

/// Returns the contract, which is read once.
pub fn contract() -> &'static Contract {
    static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);
    &CONTRACT
}

/// An operation of the document, with its method and path.
pub struct Operation<'a> {
    pub id: &'a str,
    pub method: Method,
    pub path: &'a str,
    pub value: &'a Value,
}

impl Contract {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.yaml");
        let text = std::fs::read_to_string(path).expect("openapi.yaml is there");
        let document: Value = serde_saphyr::from_str(&text).expect("openapi.yaml is YAML");
        assert!(!text.contains("nullable:"), "JSON Schema knows no `nullable`: translate it here");
        let mut closed_components = document["components"].clone();
        close(&mut closed_components);
        Self { document, closed_components }
    }

    /// Returns every operation of the document.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.document["paths"].as_object().expect("there are paths");
        paths
            .iter()
            .flat_map(|(path, item)| {
                item.as_object().into_iter().flatten().map(move |(method, value)| Operation {
                    id: value["operationId"].as_str().expect("an operation has an id"),
                    method: method.to_uppercase().parse().expect("a method"),
                    path,
                    value,
                })
            })
            .collect()
    }

    /// Returns what is wrong with an answer, if anything is.
    pub fn objection(
        &self,
        method: &Method,
        path: &str,
        status: StatusCode,
        body: &[u8],
    ) -> Option<String> {
        let schema = match self.operation_at(method, path) {
            None => json!({"$ref": "#/components/schemas/Error"}),
            Some(operation) => match self.documented(&operation, status) {
                Some(schema) => schema,
                None => return Some(format!("{} documents no {status}", operation.id)),
            },
        };
        let body: Value = match serde_json::from_slice(body) {
            Ok(body) => body,
            Err(error) => return Some(format!("{method} {path}: {status} is no JSON: {error}")),
        };
        let problems: Vec<_> =
            self.validator(&schema).iter_errors(&body).map(|error| error.to_string()).collect();
        (!problems.is_empty())
            .then(|| format!("{method} {path}: {status} {body}: {}", problems.join("; ")))
    }

    fn operation_at(&self, method: &Method, path: &str) -> Option<Operation<'_>> {
        self.operations()
            .into_iter()
            .find(|operation| operation.method == *method && is_instance_of(operation.path, path))
    }

    fn documented(&self, operation: &Operation<'_>, status: StatusCode) -> Option<Value> {
        let mut answer = &operation.value["responses"][status.as_str()];
        if let Some(reference) = answer["$ref"].as_str() {
            answer = self.document.pointer(reference.strip_prefix('#')?)?;
        }
        let mut schema = answer.pointer("/content/application~1json/schema")?.clone();
        close(&mut schema);
        Some(schema)
    }

    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({"allOf": [schema], "components": self.closed_components});
        jsonschema::options()
            .should_validate_formats(true)
            .build(&whole)
            .expect("the contract's schemas are JSON Schemas")
    }
}

fn is_instance_of(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(template, segment)| {
            template.starts_with('{') && !segment.is_empty() || template == segment
        })
}

/// Forbids unnamed properties in every object schema that names some.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("properties").is_some_and(Value::is_object)
                && members.contains_key("type")
            {
                members.entry("additionalProperties").or_insert(Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn an_answer_with_an_undocumented_field_status_or_type_is_rejected() {
    let judge = |status: u16, body: &str| {
        let status = StatusCode::from_u16(status).unwrap();
        contract().objection(&Method::GET, "/v1/organizations/acme/groups", status, body.as_bytes())
    };
    let group = |extra: &str| {
        format!(
            r#"{{"groups":[{{"name":"a","uuid":"67e55044-10b1-426f-9247-bb680e5fe0c8","version":"1",
            "locations":["b"],"primary":"b","delete_protection":false{extra}}}]}}"#
        )
    };
    assert_eq!(judge(200, &group("")), None);
    assert_eq!(judge(404, r#"{"error":"no"}"#), None);
    assert!(judge(200, &group(r#","extra":1"#)).is_some());
    assert!(judge(200, &group("").replace("67e55044", "x")).is_some(), "formats are asserted");
    assert!(judge(200, r#"{"groups":null}"#).is_some());
    assert!(judge(200, "{}").is_some());
    assert!(judge(200, "groups").is_some());
    assert!(judge(201, &group("")).is_some());
    assert!(judge(404, r#"{"message":"no"}"#).is_some());
    let nowhere =
        contract().objection(&Method::GET, "/nowhere", StatusCode::NOT_FOUND, b"{\"error\":1}");
    assert!(nowhere.is_some());
}
