//! Keeps the secrets in the document's types out of debug output.

use crate::docs::snake_case;
use anyhow::Result;
use serde_json::Value;
use syn::punctuated::Punctuated;
use syn::{Item, ItemMod, ItemStruct, Path, Token, parse_quote};

/// Returns the names of the schemas with a property of the format `password`, or with a list of them.
pub fn types(document: &Value) -> Vec<String> {
    let is_secret = |schema: &Value| {
        let properties = schema["properties"].as_object();
        let is_password =
            |value: &Value| value["format"] == "password" || value["items"]["format"] == "password";
        properties.is_some_and(|all| all.values().any(is_password))
    };
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    schemas.filter(|(_, schema)| is_secret(schema)).map(|(name, _)| name.clone()).collect()
}

/// Returns the names that progenitor gives to the operations whose success has such a schema.
pub fn operations(document: &Value) -> Vec<String> {
    let secrets = types(document);
    let shows_secret = |operation: &&Value| {
        let responses = operation["responses"].as_object().into_iter().flatten();
        let mut successes = responses.filter(|(status, _)| status.starts_with('2'));
        successes.any(|(_, response)| {
            let schema = response["content"]["application/json"]["schema"]["$ref"].as_str();
            let name = schema.and_then(|schema| schema.rsplit('/').next());
            name.is_some_and(|name| secrets.iter().any(|secret| secret == name))
        })
    };
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(_, item)| item.as_object().into_iter().flatten());
    let operations = operations.map(|(_, operation)| operation).filter(shows_secret);
    operations
        .filter_map(|operation| Some(snake_case(operation["operationId"].as_str()?)))
        .collect()
}

/// Replaces the derived `Debug` of the secret types and their builders by one without the fields.
pub fn hide(items: &mut Vec<Item>, secret_types: &[String]) -> Result<()> {
    let mut hidden: Vec<Item> = Vec::new();
    for item in items.iter_mut() {
        match item {
            Item::Mod(ItemMod { content: Some((_, items)), .. }) => {
                hide(items, secret_types)?;
            }
            Item::Struct(ItemStruct { ident, attrs, .. })
                if secret_types.iter().any(|name| ident == name) =>
            {
                for attribute in attrs.iter_mut().filter(|it| it.path().is_ident("derive")) {
                    let derives = Punctuated::<Path, Token![,]>::parse_terminated;
                    let derives = attribute.parse_args_with(derives)?.into_iter();
                    let derives = derives.filter(|derive| !derive.is_ident("Debug"));
                    *attribute = parse_quote!(#[derive(#(#derives),*)]);
                }
                hidden.push(parse_quote! {
                    impl ::std::fmt::Debug for #ident {
                        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                            f.debug_struct(stringify!(#ident)).finish_non_exhaustive()
                        }
                    }
                });
            }
            _ => {}
        }
    }
    items.append(&mut hidden);
    Ok(())
}
