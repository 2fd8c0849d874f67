//! `#[serde(..)]`, as far as it decides what is stored.

use proc_macro2::{Span, TokenStream};
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, Expr, ExprPath, LitStr, Result, Token, parenthesized};

use crate::rename::Spelling;

/// What serde is told about a struct.
pub(crate) struct SerdeOfStruct {
    pub(crate) spelling: Spelling,
    /// Absent fields are read as those of the default.
    pub(crate) default: bool,
}

/// What serde is told about a field.
#[derive(Default)]
pub(crate) struct SerdeOfField {
    pub(crate) rename: Option<LitStr>,
    /// Neither written nor read.
    pub(crate) skip: bool,
    pub(crate) skip_if: Option<Span>,
    pub(crate) flatten: Option<Span>,
    /// Absent, it is read as a default.
    pub(crate) default: bool,
    /// The function that reads it.
    pub(crate) read_by: Option<ExprPath>,
}

fn serde_metas(
    attributes: &[Attribute],
    mut read: impl FnMut(&ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| read(&meta))?;
    }
    Ok(())
}

/// Passes over a value that decides nothing here.
fn pass_over(meta: &ParseNestedMeta<'_>) -> Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let inside;
        parenthesized!(inside in meta.input);
        inside.parse::<TokenStream>()?;
    }
    Ok(())
}

/// `= "name"` or `(serialize = "name", deserialize = "name")`.
fn name(meta: &ParseNestedMeta<'_>) -> Result<Option<LitStr>> {
    if meta.input.peek(Token![=]) {
        return meta.value()?.parse().map(Some);
    }
    let (mut written, mut read) = (None, None);
    meta.parse_nested_meta(|way| {
        let name: LitStr = way.value()?.parse()?;
        if way.path.is_ident("serialize") {
            written = Some(name);
        } else {
            read = Some(name);
        }
        Ok(())
    })?;
    if written.as_ref().map(LitStr::value) != read.as_ref().map(LitStr::value) {
        let message = "what is written under one name is read under another: \
                       a stored field has one name";
        return Err(Error::new(meta.path.span(), message));
    }
    Ok(written)
}

pub(crate) fn of_struct(attributes: &[Attribute]) -> Result<SerdeOfStruct> {
    let mut serde = SerdeOfStruct { spelling: Spelling::AsIs, default: false };
    serde_metas(attributes, |meta| {
        let attribute = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match attribute.as_str() {
            "rename_all" => {
                if let Some(rule) = name(meta)? {
                    serde.spelling = Spelling::parse(&rule.value(), rule.span())?;
                }
                Ok(())
            }
            "default" => {
                serde.default = true;
                pass_over(meta)
            }
            "transparent" | "tag" | "from" | "try_from" | "into" | "remote" => {
                Err(meta.error(format!(
                    "with `{attribute}`, serde stores something else than the fields: \
                     implement the trait by hand"
                )))
            }
            _ => pass_over(meta),
        }
    })?;
    Ok(serde)
}

pub(crate) fn of_field(attributes: &[Attribute]) -> Result<SerdeOfField> {
    let mut serde = SerdeOfField::default();
    serde_metas(attributes, |meta| {
        let attribute = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match attribute.as_str() {
            "rename" => serde.rename = name(meta)?,
            "skip" => serde.skip = true,
            "skip_serializing" | "skip_deserializing" => {
                return Err(meta.error(
                    "a field that is only written or only read does not come back: use `skip`",
                ));
            }
            "skip_serializing_if" => {
                serde.skip_if = Some(meta.path.span());
                pass_over(meta)?;
            }
            "flatten" => serde.flatten = Some(meta.path.span()),
            "default" => {
                serde.default = true;
                pass_over(meta)?;
            }
            "with" => {
                let module: LitStr = meta.value()?.parse()?;
                let function =
                    LitStr::new(&format!("{}::deserialize", module.value()), module.span());
                serde.read_by = Some(function.parse()?);
            }
            "deserialize_with" => serde.read_by = Some(meta.value()?.parse::<LitStr>()?.parse()?),
            _ => pass_over(meta)?,
        }
        Ok(())
    })?;
    Ok(serde)
}
