//! The OpenAPI document that the server's code declares, which `cargo xtask diff` compares with
//! `openapi.yaml`.

use crate::handlers;
use crate::records::PageQuery;
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
    state_defaults(&mut document, &serde_json::to_value(PageQuery::default())?);
    drop_nullable(&mut document);
    Ok(document)
}

/// schemars says that optional members may be null. None is: requests with one are refused, and
/// answers leave it out.
fn drop_nullable(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("nullable");
            members.retain(|name, value| name != "default" || !value.is_null());
            members.values_mut().for_each(drop_nullable);
        }
        Value::Array(values) => values.iter_mut().for_each(drop_nullable),
        _ => {}
    }
}

/// dropshot drops the defaults of parameters.
fn state_defaults(document: &mut Value, defaults: &Value) {
    for operation in operations(document) {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            if let Some(default) = defaults.get(name).filter(|_| parameter["in"] == "query") {
                parameter["schema"]["default"] = default.clone();
            }
        }
    }
}

/// dropshot emits `required: true` for every body. An absent one means `{}`, so a body without
/// required members is optional.
fn mark_optional_bodies(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    for operation in operations(document) {
        let Some(body) = operation.get_mut("requestBody") else { continue };
        let schema = body["content"]["application/json"]["schema"]["$ref"].as_str();
        let name = schema.and_then(|schema| schema.rsplit('/').next()).unwrap_or_default();
        body["required"] = schemas[name].get("required").is_some().into();
    }
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let paths = paths.filter_map(|(_, path)| path.as_object_mut());
    paths.flatten().map(|(_, operation)| operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_parameters_state_the_defaults_that_the_code_uses() {
        let document = document().unwrap();
        let path = "/v1/organizations/{organizationSlug}/audit-logs";
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let default = |name| {
            let parameter = parameters.iter().find(|parameter| parameter["name"] == name);
            parameter.unwrap()["schema"]["default"].clone()
        };
        let PageQuery { page, page_size } = PageQuery::default();
        assert_eq!([default("page"), default("page_size")], [page, page_size]);
    }

    #[test]
    fn only_the_mint_body_is_optional() {
        let document = document().unwrap();
        let body = |path: &str, method: &str| {
            document["paths"][path][method]["requestBody"]["required"].clone()
        };
        assert_eq!(body("/v1/auth/api-tokens/{tokenName}", "post"), false);
        assert_eq!(body("/v1/organizations/{organizationSlug}/groups", "post"), true);
    }

    #[test]
    fn no_member_may_be_null() {
        let document = document().unwrap().to_string();
        assert!(!document.contains("nullable") && !document.contains("null"), "{document}");
    }
}
