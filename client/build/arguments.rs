//! Makes arguments easy to give, and what is wrong with them easy to read: a refused one is named
//! with the rule of the document, and a member that is optional takes a plain value.

use crate::docs::{snake_case, wire_name};
use serde_json::Value;
use std::collections::BTreeMap;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Expr, ExprCall, ExprMethodCall, File, GenericArgument, ImplItem, ImplItemFn, ItemEnum,
    ItemImpl, ItemMod, LitStr, Path, PathArguments, Type, TypeParamBound, WherePredicate,
    parse_quote,
};

/// Adjusts every setter of a builder, and every type that parses text.
pub fn explain(file: &mut File, document: &Value) {
    let mut arguments = Arguments { formats: formats(document), ranges: ranges(document) };
    Enums(&mut arguments.formats).visit_file_mut(file);
    arguments.visit_file_mut(file);
    Missing.visit_file_mut(file);
}

/// Says in one way that an argument is missing.
struct Missing;

impl VisitMut for Missing {
    fn visit_lit_str_mut(&mut self, literal: &mut LitStr) {
        let text = literal.value();
        let name = text.strip_suffix(" was not initialized");
        if let Some(name) = name.or_else(|| text.strip_prefix("no value supplied for ")) {
            *literal = LitStr::new(&format!("{name}: it is required, so set it"), literal.span());
        }
    }
}

/// The rules of the document.
struct Arguments {
    /// What a text must be, by the name of its type.
    formats: BTreeMap<String, String>,
    /// The least and the greatest number, by the name of its parameter.
    ranges: BTreeMap<String, (u32, u32)>,
}

fn formats(document: &Value) -> BTreeMap<String, String> {
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    schemas
        .filter(|(_, schema)| schema["pattern"].is_string())
        .filter_map(|(name, schema)| {
            let text = schema["description"].as_str()?;
            // Before the colon it says what is meant.
            let rule = text.split_once(": ").map_or(text, |(_, rule)| rule);
            Some((name.clone(), rule.trim_end_matches('.').to_owned()))
        })
        .collect()
}

/// Returns the least and the greatest number of parameters, by their names in Rust.
pub fn ranges(document: &Value) -> BTreeMap<String, (u32, u32)> {
    let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let parameters = document["components"]["parameters"].as_object().into_iter().flatten();
    parameters
        .filter_map(|(_, parameter)| {
            let schema = &parameter["schema"];
            let range = (number(&schema["minimum"])?, number(&schema["maximum"])?);
            Some((snake_case(parameter["name"].as_str()?), range))
        })
        .collect()
}

/// Adds the rules of the enums: their values.
struct Enums<'a>(&'a mut BTreeMap<String, String>);

impl VisitMut for Enums<'_> {
    fn visit_item_enum_mut(&mut self, item: &mut ItemEnum) {
        let values: Vec<_> =
            item.variants.iter().map(|variant| format!("`{}`", wire_name(variant))).collect();
        self.0.insert(item.ident.to_string(), format!("use one of {}", values.join(", ")));
    }
}

impl VisitMut for Arguments {
    /// Visits a module. A member of a type is not the parameter of the same name.
    fn visit_item_mod_mut(&mut self, item: &mut ItemMod) {
        let ranges = self.ranges.clone();
        if item.ident == "types" {
            self.ranges.clear();
        }
        visit_mut::visit_item_mod_mut(self, item);
        self.ranges = ranges;
    }

    fn visit_item_impl_mut(&mut self, item: &mut ItemImpl) {
        let Type::Path(of) = &*item.self_ty else { return };
        let of = of.path.segments.last().map(|name| name.ident.to_string()).unwrap_or_default();
        match (&item.trait_, self.formats.get(&of)) {
            (None, _) => {
                for member in &mut item.items {
                    if let ImplItem::Fn(function) = member {
                        self.adjust_setter(function);
                    }
                }
            }
            (Some((path, _)), Some(rule)) if is(path, "FromStr") => {
                Refusals(rule).visit_item_impl_mut(item);
            }
            _ => {}
        }
    }
}

impl Arguments {
    /// Adjusts a function if it is a setter: one with an argument `value`.
    fn adjust_setter(&self, function: &mut ImplItemFn) {
        let argument = function.sig.inputs.iter().nth(1);
        let is_setter = matches!(argument, Some(syn::FnArg::Typed(argument))
            if matches!(&*argument.pat, syn::Pat::Ident(name) if name.ident == "value"));
        let Some(clause) = function.sig.generics.where_clause.as_mut().filter(|_| is_setter) else {
            return;
        };
        let is_optional = clause.predicates.iter_mut().any(take_plain_value);
        if clause.predicates.len() == 1 {
            clause.predicates.push(parse_quote!(V::Error: ::std::fmt::Display));
        }
        let name = function.sig.ident.to_string();
        let name = name.trim_end_matches('_');
        let message = format!("{name}: {{error}}");
        let closure = parse_quote!(|error| format!(#message));
        let range = self.ranges.get(name).copied();
        Conversion { closure, range, is_optional }.visit_block_mut(&mut function.block);
    }
}

/// Replaces `TryInto<Option<X>>` by `TryInto<X>`. Returns whether it was there.
fn take_plain_value(predicate: &mut WherePredicate) -> bool {
    let WherePredicate::Type(predicate) = predicate else { return false };
    predicate.bounds.iter_mut().any(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return false };
        let Some(target) = argument(&mut bound.path) else { return false };
        let Type::Path(option) = target else { return false };
        if !is(&option.path, "Option") {
            return false;
        }
        let Some(plain) = argument(&mut option.path).cloned() else { return false };
        *target = plain;
        true
    })
}

/// Returns the first generic argument of a path.
fn argument(path: &mut Path) -> Option<&mut Type> {
    match &mut path.segments.last_mut()?.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first_mut()? {
            GenericArgument::Type(argument) => Some(argument),
            _ => None,
        },
        _ => None,
    }
}

fn is(path: &Path, name: &str) -> bool {
    path.segments.last().is_some_and(|last| last.ident == name)
}

/// Changes how a setter converts its value.
struct Conversion {
    closure: Expr,
    range: Option<(u32, u32)>,
    is_optional: bool,
}

impl VisitMut for Conversion {
    fn visit_expr_method_call_mut(&mut self, call: &mut ExprMethodCall) {
        visit_mut::visit_expr_method_call_mut(self, call);
        if call.method == "map_err" {
            call.args = [self.closure.clone()].into_iter().collect();
            if self.is_optional {
                let converted = &call.receiver;
                call.receiver = parse_quote!(#converted.map(Some));
            }
        } else if let (true, Some((least, most))) = (call.method == "try_into", self.range) {
            let rule = format!("use a whole number from {least} to {most}");
            let is_allowed: Expr =
                parse_quote!(|number| (#least..=#most).contains(&u32::from(*number)));
            *call = parse_quote!(#call.ok().filter(#is_allowed).ok_or(#rule));
        }
    }
}

/// Gives the refused text and the rule to the errors of a `FromStr`.
struct Refusals<'a>(&'a str);

impl VisitMut for Refusals<'_> {
    fn visit_expr_call_mut(&mut self, call: &mut ExprCall) {
        let rule = self.0;
        match &*call.func {
            Expr::Path(function) if is(&function.path, "Err") => {
                *call = parse_quote!(Err(crate::failure::refusal(value, #rule).into()));
            }
            _ => visit_mut::visit_expr_call_mut(self, call),
        }
    }
}
