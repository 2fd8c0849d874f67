//! `#[derive(Edge)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, LitStr, Result};

use crate::attributes::{self, End, Kind};
use crate::fields;
use crate::refusals::Refusals;
use crate::rename::edge_type_name;

/// The implementation of `EdgeType`.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let attributes = attributes::of_struct(&input.attrs, Kind::Edge)?;
    let mut refusals = Refusals::default();
    let stored = fields::of_input(input, Kind::Edge, &attributes, &mut refusals)?;
    refusals.done()?;

    let name = &input.ident;
    let krate = &attributes.krate();
    let edge_type = attributes
        .name
        .as_ref()
        .map_or_else(|| edge_type_name(&input.ident.to_string()), LitStr::value);
    let (from, from_label) = end(attributes.from.as_ref(), krate);
    let (to, to_label) = end(attributes.to.as_ref(), krate);
    let from_called = from_label.map(|label| quote!(.from(#label)));
    let to_called = to_label.map(|label| quote!(.to(#label)));
    let ends = quote!(#from_called #to_called);
    let multi = attributes.multi.is_some();
    let new = if multi { quote!(multi) } else { quote!(unique) };
    let options = stored.options();
    let definitions = stored.fields().iter().map(|field| field.definition(krate));
    let open = attributes.allow_unknown_fields.map(|()| quote!(.allow_unknown_fields()));
    let methods = stored.methods(krate);
    Ok(quote! {
        #[automatically_derived]
        impl #krate::EdgeType for #name {
            type From = #from;
            type To = #to;
            const TYPE: &'static str = #edge_type;
            const MULTI: bool = #multi;
            const OPTIONS: &'static [&'static str] = &[#(#options),*];

            fn definition() -> #krate::EdgeDef {
                #krate::EdgeDef::#new(#edge_type)
                    #ends
                    #(.field(#definitions))*
                    #open
            }

            fn edge_type_def() -> #krate::EdgeTypeDef {
                #krate::EdgeTypeDef::#new() #ends
            }

            #methods
        }
    })
}

/// The type of one end, and the label that it demands.
fn end(end: Option<&End>, krate: &TokenStream) -> (TokenStream, Option<TokenStream>) {
    match end {
        None => (quote!(#krate::AnyNode), None),
        Some(End::Label(label)) => (quote!(#krate::AnyNode), Some(quote!(#label))),
        Some(End::Type(ty)) => {
            let label = quote_spanned!(ty.span()=> <#ty as #krate::NodeType>::LABEL);
            (quote!(#ty), Some(label))
        }
    }
}
