//! `length = 1..=40`: the lengths that a field allows.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Error, LitInt, Result, Token};

/// `3`, `1..=40`, `1..` or `..=40`.
pub(crate) struct Length {
    least: u64,
    most: u64,
}

impl Length {
    /// As an expression.
    pub(crate) fn range(&self) -> TokenStream {
        let Self { least, most } = self;
        quote!(#least..=#most)
    }
}

impl Parse for Length {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        const FORMS: &str = "a length is `3`, `1..=40`, `1..` or `..=40`";
        let number = |input: ParseStream<'_>| -> Result<u64> {
            let number = input.parse::<LitInt>().and_then(|number| number.base10_parse());
            number.map_err(|error| Error::new(error.span(), FORMS))
        };
        let span = input.span();
        let least = if input.peek(Token![..=]) { 0 } else { number(input)? };
        let most = if input.peek(Token![..=]) {
            input.parse::<Token![..=]>()?;
            number(input)?
        } else if input.peek(Token![..]) {
            input.parse::<Token![..]>()?;
            if input.peek(LitInt) {
                return Err(Error::new(
                    span,
                    "the last length is one that is allowed: write `..=`",
                ));
            }
            u64::MAX
        } else {
            least
        };
        if least > most {
            return Err(Error::new(span, format!("no length is from {least} to {most}")));
        }
        Ok(Self { least, most })
    }
}
