//! The OpenAPI document that the server's code declares.
//!
//! `cargo xtask diff` compares it with `openapi.yaml`.

use crate::handlers;
use crate::http::OPTIONAL_BODY;
use dropshot::semver::Version;
use serde_json::Value;

/// Returns the document. Needs no configuration and no database.
///
/// # Errors
/// If two operations conflict.
pub fn document() -> anyhow::Result<Value> {
    let version = Version::parse(env!("CARGO_PKG_VERSION"))?;
    let mut document = handlers::operations()?.openapi("orgtokens", version).json()?;
    mark_optional_bodies(&mut document);
    Ok(document)
}

/// dropshot emits `required: true` for every body, even for an optional one.
fn mark_optional_bodies(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let optional: Vec<String> = schemas
        .iter_mut()
        .filter_map(|(name, schema)| {
            schema.as_object_mut()?.remove(OPTIONAL_BODY)?;
            Some(format!("#/components/schemas/{name}"))
        })
        .collect();
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let operations = paths.filter_map(|(_, path)| path.as_object_mut()).flatten();
    for (_, operation) in operations {
        let reference = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        if optional.iter().any(|schema| reference == schema.as_str()) {
            operation["requestBody"]["required"] = Value::Bool(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mint_body_is_optional() {
        let document = document().unwrap();
        let body = |path: &str, method: &str| {
            document["paths"][path][method]["requestBody"]["required"].clone()
        };
        assert_eq!(body("/v1/auth/api-tokens/{tokenName}", "post"), false);
        assert_eq!(body("/v1/organizations/{organizationSlug}/groups", "post"), true);
        assert!(!document.to_string().contains(OPTIONAL_BODY));
    }
}
