//! Generates the code of the command line: a clap command for each operation, and its call.

use crate::arguments;
use anyhow::{Context, Result};
use openapiv3::OpenAPI;
use progenitor::Generator;
use serde_json::Value;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ExprMethodCall, File, PredicateType, TypeParamBound, parse_quote};

/// Returns the code, which a binary of this package includes.
pub fn generate(contract: &OpenAPI, document: &Value) -> Result<String> {
    let mut generator = Generator::new(&super::settings());
    let tokens = generator.cli(contract, "orgtokens_client").context("no command line fits it")?;
    let mut file: File = syn::parse2(tokens)?;
    Adjustments.visit_file_mut(&mut file);
    let scopes = document["components"]["schemas"]["Scope"]["enum"].as_array();
    let scopes: Vec<_> = scopes.into_iter().flatten().filter_map(Value::as_str).collect();
    // Progenitor makes no flag for a list of these.
    file.items.push(parse_quote!(pub const SCOPES: &[&str] = &[#(#scopes),*];));
    let ranges = arguments::ranges(document).into_iter().map(|(name, (least, most))| -> Expr {
        let name = name.replace('_', "-");
        parse_quote!((#name, #least..=#most))
    });
    file.items.push(parse_quote! {
        /// What a number may be, by its argument.
        pub const RANGES: &[(&str, ::std::ops::RangeInclusive<u32>)] = &[#(#ranges),*];
    });
    Ok(prettyplease::unparse(&file))
}

struct Adjustments;

impl VisitMut for Adjustments {
    /// Removes the bounds that nothing needs, and that would need schemars in the client.
    fn visit_predicate_type_mut(&mut self, predicate: &mut PredicateType) {
        let bounds = std::mem::take(&mut predicate.bounds).into_iter();
        predicate.bounds = bounds.filter(|bound| !is_schema(bound)).collect();
    }

    /// Requires the members that a body must have, even if the hidden `--json-body` is given: so the
    /// help shows what is required.
    fn visit_expr_method_call_mut(&mut self, call: &mut ExprMethodCall) {
        visit_mut::visit_expr_method_call_mut(self, call);
        if call.method == "required_unless_present" {
            let argument = &call.receiver;
            *call = parse_quote!(#argument.required(true));
        }
    }
}

fn is_schema(bound: &TypeParamBound) -> bool {
    let TypeParamBound::Trait(bound) = bound else { return false };
    bound.path.segments.last().is_some_and(|last| last.ident == "JsonSchema")
}
