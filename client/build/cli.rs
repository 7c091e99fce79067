//! Generates the code of the command line: a clap command for each operation, and its call.

use anyhow::{Context, Result};
use openapiv3::OpenAPI;
use progenitor::Generator;
use serde_json::Value;
use syn::visit_mut::{self, VisitMut};
use syn::{File, TypeParamBound, WherePredicate, parse_quote};

/// Returns the code, which a binary of this package includes.
pub fn generate(contract: &OpenAPI, document: &Value) -> Result<String> {
    let mut generator = Generator::new(&super::settings());
    let tokens = generator.cli(contract, "orgtokens_client").context("no command line fits it")?;
    let mut file: File = syn::parse2(tokens)?;
    Bounds.visit_file_mut(&mut file);
    let scopes = document["components"]["schemas"]["Scope"]["enum"].as_array();
    let scopes: Vec<_> = scopes.into_iter().flatten().filter_map(Value::as_str).collect();
    // Progenitor makes no flag for a list of these.
    file.items.push(parse_quote!(pub const SCOPES: &[&str] = &[#(#scopes),*];));
    Ok(prettyplease::unparse(&file))
}

/// Removes bounds that nothing needs, and that would need schemars in the client.
struct Bounds;

impl VisitMut for Bounds {
    fn visit_where_predicate_mut(&mut self, predicate: &mut WherePredicate) {
        if let WherePredicate::Type(predicate) = predicate {
            let bounds = std::mem::take(&mut predicate.bounds).into_iter();
            predicate.bounds = bounds.filter(|bound| !is_schema(bound)).collect();
        }
        visit_mut::visit_where_predicate_mut(self, predicate);
    }
}

fn is_schema(bound: &TypeParamBound) -> bool {
    matches!(bound, TypeParamBound::Trait(it) if it.path.segments.last().is_some_and(|it| it.ident == "JsonSchema"))
}
