//! Generates the client from `openapi.yaml` into `OUT_DIR`.
//!
//! The document decides everything. This file adds only names for the types that it leaves
//! anonymous.

use anyhow::{Context, Result, anyhow};
use openapiv3::OpenAPI;
use progenitor::{GenerationSettings, Generator, InterfaceStyle, TypePatch};
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, panic};

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
    let document: serde_json::Value =
        serde_saphyr::from_str(text).context("it is not valid YAML")?;
    let document: OpenAPI =
        serde_json::from_value(document).context("it is not valid OpenAPI 3.0")?;
    let tokens = panic::catch_unwind(|| Generator::new(&settings()).generate_tokens(&document))
        .map_err(|_| anyhow!(PANIC))?
        .context("progenitor rejects it")?;
    Ok(prettyplease::unparse(&syn::parse2(tokens)?))
}

fn settings() -> GenerationSettings {
    let mut settings = GenerationSettings::default();
    settings.with_interface(InterfaceStyle::Builder).with_derive("PartialEq");
    for (anonymous, name) in NAMES {
        settings.with_patch(anonymous, TypePatch::default().with_rename(name));
    }
    settings
}
