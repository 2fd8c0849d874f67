//! `#[derive(Node)]`.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, LitStr, Result};

use crate::attributes::{self, Index, Kind, StructAttributes};
use crate::fields::{self, Stored, StoredField};
use crate::refusals::Refusals;

/// The implementation of `NodeType`.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let attributes = attributes::of_struct(&input.attrs, Kind::Node)?;
    let mut refusals = Refusals::default();
    let stored = fields::of_input(input, Kind::Node, &attributes, &mut refusals)?;
    let key = key_of(&stored, &mut refusals);
    check_indexes(&attributes, &stored, &mut refusals);
    refusals.done()?;

    let name = &input.ident;
    let krate = &attributes.krate();
    let label = attributes.name.as_ref().map_or_else(|| input.ident.to_string(), LitStr::value);
    let options = stored.options();
    let definitions = stored.fields().iter().map(|field| field.definition(krate));
    let indexes = attributes.indexes.iter().map(|index| index.definition(krate));
    let key_called = key.map(|key| {
        let field = &key.name;
        quote!(.key(#field))
    });
    let open = attributes.allow_unknown_fields.map(|()| quote!(.allow_unknown_fields()));
    let (key_type, key_field, key_methods) = match key {
        Some(StoredField { ident, ty, name, .. }) => (
            quote!(#ty),
            quote!(::core::option::Option::Some(#name)),
            quote_spanned! {ty.span()=>
                fn key(&self) -> ::core::option::Option<::std::borrow::Cow<'_, str>> {
                    ::core::option::Option::Some(<#ty as #krate::NodeKey>::text(&self.#ident))
                }

                fn key_value(key: &str) -> #krate::Value {
                    <#ty as #krate::NodeKey>::value(key)
                }
            },
        ),
        None => (quote!(#krate::NoKey), quote!(::core::option::Option::None), TokenStream::new()),
    };
    let methods = stored.methods(krate);
    Ok(quote! {
        #[automatically_derived]
        impl #krate::NodeType for #name {
            type Key = #key_type;
            const LABEL: &'static str = #label;
            const KEY_FIELD: ::core::option::Option<&'static str> = #key_field;
            const OPTIONS: &'static [&'static str] = &[#(#options),*];

            fn definition() -> #krate::NodeDef {
                #krate::NodeDef::new(#label)
                    #key_called
                    #(.field(#definitions))*
                    #(.index(#indexes))*
                    #open
            }

            #key_methods
            #methods
        }
    })
}

fn key_of<'s, 'a>(stored: &'s Stored<'a>, refusals: &mut Refusals) -> Option<&'s StoredField<'a>> {
    let mut keys = stored.fields().iter().filter_map(|field| Some((field, field.attributes.key?)));
    let (key, _) = keys.next()?;
    for (_, span) in keys {
        let message = format!("`{}` is the key already: a node has one", key.ident);
        refusals.refuse(span, message);
    }
    Some(key)
}

fn check_indexes(attributes: &StructAttributes, stored: &Stored<'_>, refusals: &mut Refusals) {
    let of_fields = stored
        .fields()
        .iter()
        .filter(|field| field.attributes.unique.is_some() || field.attributes.index.is_some());
    let mut names: BTreeSet<String> = of_fields.map(|field| field.name.clone()).collect();
    for index in &attributes.indexes {
        let name = index.name();
        if !names.insert(name.clone()) {
            let span = index.name.as_ref().map_or(index.span, LitStr::span);
            refusals.refuse(span, format!("there are two indexes with the name {name:?}"));
        }
        for path in &index.paths {
            let text = path.value();
            let first = text.split(['.', '[']).next().unwrap_or_default();
            let known = stored.fields().iter().any(|field| field.name == first);
            if !known && attributes.allow_unknown_fields.is_none() {
                let names: Vec<_> = stored.fields().iter().map(|field| &*field.name).collect();
                let names = names.join("`, `");
                let message = format!("no field is stored as `{first}`; there are `{names}`");
                refusals.refuse(path.span(), message);
            }
        }
    }
}

impl Index {
    fn definition(&self, krate: &TokenStream) -> TokenStream {
        let paths = &self.paths;
        let name = self.name.as_ref().map(|name| quote!(.named(#name)));
        let unique = self.unique.map(|()| quote!(.unique()));
        quote!(#krate::IndexDef::on([#(#paths),*]) #name #unique)
    }
}
