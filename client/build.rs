//! Generates the client from `openapi.yaml` into `OUT_DIR`.
//!
//! The document decides everything. This file adds only names for the types that it leaves
//! anonymous, and keeps the secrets of others out of their debug output.

use anyhow::{Context, Result, anyhow};
use openapiv3::OpenAPI;
use progenitor::{GenerationSettings, Generator, InterfaceStyle, TypeImpl, TypePatch};
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, panic};
use syn::punctuated::Punctuated;
use syn::{Item, ItemMod, ItemStruct, Path, Token, parse_quote};

/// Readable names for the inline schemas of the list.
const NAMES: [(&str, &str); 3] = [
    ("ListOrganizationApiTokensResponse", "OrganizationTokenList"),
    ("ListOrganizationApiTokensResponseTokensItem", "OrganizationToken"),
    ("ListOrganizationApiTokensResponseTokensItemOwner", "TokenOwner"),
];

/// Why progenitor panics instead of returning an error.
const PANIC: &str =
    "a `$ref` names no component, or progenitor does not support a schema (its panic is above)";

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={}", format!("{error:#}").replace('\n', "\ncargo::error="));
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<()> {
    let contract = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../openapi.yaml");
    println!("cargo::rerun-if-changed={}", contract.display());
    println!("cargo::rerun-if-changed=build.rs");
    let text = fs::read_to_string(&contract)
        .with_context(|| format!("{} cannot be read: restore it", contract.display()))?;
    let code = generate(&text).context("the client cannot be generated: fix openapi.yaml")?;
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("client.rs"), code)?;
    Ok(())
}

fn generate(text: &str) -> Result<String> {
    let document: Value = serde_saphyr::from_str(text).context("it is not valid YAML")?;
    let secret_types = secret_types(&document);
    let document: OpenAPI =
        serde_json::from_value(document).context("it is not valid OpenAPI 3.0")?;
    let tokens = panic::catch_unwind(|| Generator::new(&settings()).generate_tokens(&document))
        .map_err(|_| anyhow!(PANIC))?
        .context("progenitor rejects it")?;
    let mut file: syn::File = syn::parse2(tokens)?;
    hide_secrets(&mut file.items, &secret_types)?;
    Ok(prettyplease::unparse(&file))
}

/// Returns the names of the schemas with a property of the format `password`.
fn secret_types(document: &Value) -> Vec<String> {
    let is_secret = |schema: &Value| {
        let properties = schema["properties"].as_object();
        properties.is_some_and(|all| all.values().any(|value| value["format"] == "password"))
    };
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    schemas.filter(|(_, schema)| is_secret(schema)).map(|(name, _)| name.clone()).collect()
}

/// Replaces the derived `Debug` of the secret types and their builders by one without the fields.
fn hide_secrets(items: &mut Vec<Item>, secret_types: &[String]) -> Result<()> {
    let mut hidden: Vec<Item> = Vec::new();
    for item in items.iter_mut() {
        match item {
            Item::Mod(ItemMod { content: Some((_, items)), .. }) => {
                hide_secrets(items, secret_types)?;
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

fn settings() -> GenerationSettings {
    let mut settings = GenerationSettings::default();
    settings.with_interface(InterfaceStyle::Builder).with_derive("PartialEq");
    // As in paths: a slug is any text, and the server judges it.
    settings.with_replacement("Slug", "::std::string::String", [TypeImpl::Display].into_iter());
    for (anonymous, name) in NAMES {
        settings.with_patch(anonymous, TypePatch::default().with_rename(name));
    }
    settings
}
