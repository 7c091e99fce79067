//! Generates the client from `openapi.yaml` into `OUT_DIR`, and with the feature `cli` the code of
//! its command line, and with the feature `mock` the mock.
//!
//! The document decides everything. This file adds names for the types that it leaves anonymous.
//! `document` adds missing descriptions and types; `secrets`, `arguments` and `docs` change the
//! generated code where progenitor has no setting. They must not name an operation.

mod arguments;
mod cli;
mod docs;
mod document;
mod secrets;

use anyhow::{Context, Result, anyhow};
use openapiv3::OpenAPI;
use progenitor::{GenerationSettings, Generator, HooksMode, InterfaceStyle, TypePatch};
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, panic};
use syn::{ImplItem, Item, parse_quote};

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
    println!("cargo::rerun-if-changed=build");
    let text = fs::read_to_string(&contract)
        .with_context(|| format!("{} cannot be read: restore it", contract.display()))?;
    generate(&text).context("the client cannot be generated: fix openapi.yaml")
}

fn generate(text: &str) -> Result<()> {
    let mut document: Value = serde_saphyr::from_str(text).context("it is not valid YAML")?;
    document::describe(&mut document);
    let parse = |document: &Value| {
        serde_json::from_value::<OpenAPI>(document.clone()).context("it is not valid OpenAPI 3.0")
    };
    let plain = parse(&document)?;
    document::name_segments(&mut document);
    let contract = parse(&document)?;
    let folder = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(folder.join("client.rs"), client(&contract, &document)?)?;
    if env::var_os("CARGO_FEATURE_CLI").is_some() {
        fs::write(folder.join("cli.rs"), cli::generate(&contract, &document)?)?;
    }
    if env::var_os("CARGO_FEATURE_MOCK").is_some() {
        fs::write(folder.join("mock.rs"), mock(&plain)?)?;
    }
    Ok(())
}

fn mock(contract: &OpenAPI) -> Result<String> {
    let mock = Generator::new(&settings()).httpmock(contract, "crate");
    Ok(prettyplease::unparse(&syn::parse2(mock.context("no mock fits it")?)?))
}

fn client(contract: &OpenAPI, document: &Value) -> Result<String> {
    let tokens = panic::catch_unwind(|| Generator::new(&settings()).generate_tokens(contract))
        .map_err(|_| anyhow!(PANIC))?
        .context("progenitor rejects it")?;
    let mut file: syn::File = syn::parse2(tokens)?;
    remove_constructors(&mut file.items);
    secrets::hide(&mut file.items, &secrets::types(document))?;
    let secrets = secrets::operations(document);
    file.items.push(parse_quote!(pub(crate) const SECRET_OPERATIONS: &[&str] = &[#(#secrets),*];));
    arguments::explain(&mut file, document);
    docs::complete(&mut file, document);
    Ok(prettyplease::unparse(&file))
}

/// Removes the constructors of the client: they check nothing, and `Client::builder` does.
fn remove_constructors(items: &mut Vec<Item>) {
    let is_constructor = |member: &ImplItem| matches!(member, ImplItem::Fn(function) if function.sig.ident == "new_with_client");
    items.retain(
        |item| !matches!(item, Item::Impl(block) if block.items.iter().any(is_constructor)),
    );
}

fn settings() -> GenerationSettings {
    let mut settings = GenerationSettings::default();
    settings.with_interface(InterfaceStyle::Builder).with_derive("PartialEq");
    let inner = "crate::settings::Settings".parse().expect("it is a path");
    settings.with_hooks(HooksMode::Expected).with_inner_type(inner);
    for (anonymous, name) in NAMES {
        settings.with_patch(anonymous, TypePatch::default().with_rename(name));
    }
    settings
}
