//! The OpenAPI document that the server's own declarations make, for `cargo xtask
//! diff` to hold against `openapi.yaml`. It says only what the code says.

use crate::api::api_mod;
use crate::http::OPTIONAL_BODY;
use dropshot::semver::Version;
use serde_json::Value;

/// The document, with no configuration and no database.
///
/// # Errors
/// Where the operations contradict each other.
pub fn document() -> anyhow::Result<Value> {
    let api = api_mod::stub_api_description()?;
    let version = Version::parse(env!("CARGO_PKG_VERSION"))?;
    let mut document = api.openapi("orgtokens", version).json()?;
    say_which_bodies_are_optional(&mut document);
    Ok(document)
}

/// dropshot writes `required: true` for every body, whatever its extractor says.
fn say_which_bodies_are_optional(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let marked: Vec<String> = schemas
        .iter_mut()
        .filter_map(|(name, schema)| {
            let mark = schema.as_object_mut()?.remove(OPTIONAL_BODY)?;
            (mark == Value::Bool(true)).then(|| format!("#/components/schemas/{name}"))
        })
        .collect();
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let operations = paths.filter_map(|(_, path)| path.as_object_mut()).flatten();
    for (_, operation) in operations {
        let reference = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        if marked.iter().any(|marked| reference == marked.as_str()) {
            operation["requestBody"]["required"] = Value::Bool(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_body_of_mint_is_optional() {
        let document = document().unwrap();
        let body = |path: &str, method: &str| {
            document["paths"][path][method]["requestBody"]["required"].clone()
        };
        assert_eq!(body("/v1/auth/api-tokens/{tokenName}", "post"), false);
        assert_eq!(body("/v1/organizations/{organizationSlug}/groups", "post"), true);
        assert!(!document.to_string().contains(OPTIONAL_BODY));
    }
}
