//! Gives every public item of the generated code a doc line: its description in the document, or
//! what it is on the wire.

use serde_json::Value;
use std::collections::BTreeMap;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Expr, ExprLit, Field, File, ImplItemFn, ItemImpl, ItemMod, ItemStruct, Lit, LitStr,
    Meta, Type, Variant, Visibility, parse_quote,
};

/// Documents what progenitor leaves undocumented.
pub fn complete(file: &mut File, document: &Value) {
    let mut members = BTreeMap::new();
    Fields { owner: String::new(), members: &mut members }.visit_file_mut(file);
    Docs { owner: String::new(), members, parameters: parameters(document) }.visit_file_mut(file);
}

/// Returns the descriptions of the parameters, by their names in Rust.
fn parameters(document: &Value) -> BTreeMap<String, String> {
    let parameters = document["components"]["parameters"].as_object().into_iter().flatten();
    parameters
        .filter_map(|(_, it)| {
            Some((snake_case(it["name"].as_str()?), it["description"].as_str()?.to_owned()))
        })
        .collect()
}

/// Writes `tokenName` as `token_name`, and `createAPIToken` as `create_api_token`.
pub fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let is_lower = |index: Option<usize>| {
        index.and_then(|index| letters.get(index)).is_some_and(char::is_ascii_lowercase)
    };
    let mut text = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let begins_word = is_lower(index.checked_sub(1)) || is_lower(Some(index + 1));
        if index > 0 && letter.is_ascii_uppercase() && begins_word {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// Returns what a variant is on the wire.
pub fn wire_name(variant: &Variant) -> String {
    let mut name = variant.ident.to_string();
    for attribute in variant.attrs.iter().filter(|it| it.path().is_ident("serde")) {
        // The other attributes of serde do not change the name.
        let _ = attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") {
                name = meta.value()?.parse::<LitStr>()?.value();
            }
            Ok(())
        });
    }
    name
}

/// Documents fields, and collects their docs by type and field.
struct Fields<'a> {
    owner: String,
    members: &'a mut BTreeMap<(String, String), String>,
}

impl VisitMut for Fields<'_> {
    fn visit_item_struct_mut(&mut self, item: &mut ItemStruct) {
        self.owner = item.ident.to_string();
        visit_mut::visit_item_struct_mut(self, item);
    }

    fn visit_field_mut(&mut self, field: &mut Field) {
        if let (Visibility::Public(_), Some(name)) = (&field.vis, &field.ident) {
            let name = name.to_string();
            // The document describes the type of this field only.
            add(&mut field.attrs, &format!("The `{name}`."));
            let text = doc(&field.attrs).unwrap_or_default();
            self.members.insert((self.owner.clone(), name), text);
        }
    }
}

fn doc(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// Adds the lines.
struct Docs {
    owner: String,
    members: BTreeMap<(String, String), String>,
    parameters: BTreeMap<String, String>,
}

impl Docs {
    /// Returns the line for a function of `owner`.
    fn of_function(&self, name: &str) -> String {
        let described = self.members.get(&(self.owner.clone(), name.to_owned()));
        match (described.or_else(|| self.parameters.get(name)), name) {
            (Some(text), _) => text.clone(),
            (None, "new") => "Returns the request, without arguments.".to_owned(),
            (None, "builder") => "Returns a builder without values.".to_owned(),
            (None, "body") => "Sets the whole body.".to_owned(),
            (None, "body_map") => "Sets members of the body.".to_owned(),
            (None, name) => format!("The `{name}`."),
        }
    }
}

fn add(attributes: &mut Vec<Attribute>, text: &str) {
    if doc(attributes).is_none() {
        attributes.insert(0, parse_quote!(#[doc = #text]));
    }
}

impl VisitMut for Docs {
    fn visit_item_mod_mut(&mut self, item: &mut ItemMod) {
        add(&mut item.attrs, &format!("The {} of the contract.", item.ident));
        visit_mut::visit_item_mod_mut(self, item);
    }

    fn visit_item_struct_mut(&mut self, item: &mut ItemStruct) {
        add(&mut item.attrs, &format!("Builds a [`{0}`](super::{0}).", item.ident));
    }

    fn visit_item_impl_mut(&mut self, item: &mut ItemImpl) {
        if let Type::Path(of) = &*item.self_ty
            && let Some(name) = of.path.segments.last()
        {
            self.owner = name.ident.to_string();
            visit_mut::visit_item_impl_mut(self, item);
        }
    }

    fn visit_impl_item_fn_mut(&mut self, function: &mut ImplItemFn) {
        if matches!(function.vis, Visibility::Public(_)) {
            let text = self.of_function(&function.sig.ident.to_string());
            add(&mut function.attrs, &text);
        }
    }

    fn visit_variant_mut(&mut self, variant: &mut Variant) {
        let text = format!("`{}`", wire_name(variant));
        add(&mut variant.attrs, &text);
    }
}
