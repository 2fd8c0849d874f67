//! `#[node(..)]` and `#[edge(..)]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, Expr, LitStr, Path, Result, Token, Type, parenthesized};

use crate::length::Length;

/// What is derived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Node,
    Edge,
}

impl Kind {
    /// The name of its attribute.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Edge => "edge",
        }
    }
}

/// What the attributes of a struct say.
#[derive(Default)]
pub(crate) struct StructAttributes {
    /// The label, or the name of the edge type.
    pub(crate) name: Option<LitStr>,
    pub(crate) from: Option<End>,
    pub(crate) to: Option<End>,
    pub(crate) multi: Option<()>,
    pub(crate) allow_unknown_fields: Option<()>,
    pub(crate) indexes: Vec<Index>,
    krate: Option<Path>,
}

impl StructAttributes {
    /// Where the crate is.
    pub(crate) fn krate(&self) -> TokenStream {
        self.krate.as_ref().map_or_else(|| quote!(::selvedge), |path| quote!(#path))
    }
}

/// Where edges of a type may begin, or end.
pub(crate) enum End {
    /// At nodes of this Rust type.
    Type(Box<Type>),
    /// At nodes with this label.
    Label(LitStr),
}

/// An index over paths.
pub(crate) struct Index {
    pub(crate) paths: Vec<LitStr>,
    pub(crate) name: Option<LitStr>,
    pub(crate) unique: Option<()>,
    pub(crate) span: Span,
}

/// What the attributes of a field say.
#[derive(Default)]
pub(crate) struct FieldAttributes {
    pub(crate) key: Option<Span>,
    pub(crate) unique: Option<Span>,
    pub(crate) index: Option<Span>,
    pub(crate) default: Option<DefaultValue>,
    pub(crate) min: Option<Expr>,
    pub(crate) max: Option<Expr>,
    pub(crate) length: Option<Length>,
    pub(crate) field_type: Option<Expr>,
    /// Of the first one.
    pub(crate) any: Option<Span>,
}

/// What is stored where a field is absent.
pub(crate) enum DefaultValue {
    /// That of the type.
    OfType,
    Value(Box<Expr>),
}

/// Fills what may be given once.
fn once<T>(slot: &mut Option<T>, meta: &ParseNestedMeta<'_>, value: T) -> Result<()> {
    if slot.replace(value).is_some() {
        return Err(meta.error("given twice"));
    }
    Ok(())
}

fn unknown(meta: &ParseNestedMeta<'_>, kind: Kind, place: &str, known: &[&str]) -> Error {
    let found = meta.path.get_ident().map_or("a path".to_owned(), |name| format!("`{name}`"));
    let known = known.join("`, `");
    meta.error(format!(
        "{found} is no attribute of {place} of `{}`: there are `{known}`",
        kind.name()
    ))
}

pub(crate) fn of_struct(attributes: &[Attribute], kind: Kind) -> Result<StructAttributes> {
    let mut read = StructAttributes::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(kind.name())) {
        attribute.parse_nested_meta(|meta| read.add(&meta, kind))?;
    }
    Ok(read)
}

impl StructAttributes {
    fn add(&mut self, meta: &ParseNestedMeta<'_>, kind: Kind) -> Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match (kind, name.as_str()) {
            (Kind::Node, "label") | (Kind::Edge, "type") => {
                let name: LitStr = meta.value()?.parse()?;
                if name.value().is_empty() {
                    return Err(Error::new(name.span(), "the name may not be empty"));
                }
                once(&mut self.name, meta, name)
            }
            (Kind::Node, "index") => {
                self.indexes.push(Index::parse(meta)?);
                Ok(())
            }
            (Kind::Edge, "from") => once(&mut self.from, meta, End::parse(meta)?),
            (Kind::Edge, "to") => once(&mut self.to, meta, End::parse(meta)?),
            (Kind::Edge, "multi") => once(&mut self.multi, meta, ()),
            (_, "allow_unknown_fields") => once(&mut self.allow_unknown_fields, meta, ()),
            (_, "crate") => {
                let path = meta.value()?.call(Path::parse_mod_style)?;
                once(&mut self.krate, meta, path)
            }
            (Kind::Edge, "index") => Err(meta.error("documents of edges have no indexes")),
            (Kind::Node, _) => {
                let known = ["label", "index", "allow_unknown_fields", "crate"];
                Err(unknown(meta, kind, "a struct", &known))
            }
            (Kind::Edge, _) => {
                let known = ["type", "from", "to", "multi", "allow_unknown_fields", "crate"];
                Err(unknown(meta, kind, "a struct", &known))
            }
        }
    }
}

impl End {
    fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let value = meta.value()?;
        if value.peek(LitStr) {
            Ok(Self::Label(value.parse()?))
        } else {
            Ok(Self::Type(Box::new(value.parse()?)))
        }
    }
}

impl Index {
    fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        const FORM: &str = "an index of a struct is `index(on(\"address.city\", \"age\"))`";
        let span = meta.path.span();
        let mut index = Self { paths: Vec::new(), name: None, unique: None, span };
        if !meta.input.peek(syn::token::Paren) {
            return Err(meta.error(FORM));
        }
        meta.parse_nested_meta(|part| {
            if part.path.is_ident("on") {
                let paths;
                parenthesized!(paths in part.input);
                index.paths.extend(Punctuated::<LitStr, Token![,]>::parse_terminated(&paths)?);
                Ok(())
            } else if part.path.is_ident("name") {
                let name = part.value()?.parse()?;
                once(&mut index.name, &part, name)
            } else if part.path.is_ident("unique") {
                once(&mut index.unique, &part, ())
            } else {
                Err(unknown(&part, Kind::Node, "an index", &["on", "name", "unique"]))
            }
        })?;
        if index.paths.is_empty() { Err(Error::new(span, FORM)) } else { Ok(index) }
    }

    /// Its name, or that which follows from its paths.
    pub(crate) fn name(&self) -> String {
        let path = |path: &LitStr| path.value().trim_end_matches("[]").to_owned();
        let of_paths = || self.paths.iter().map(path).collect::<Vec<_>>().join("_");
        self.name.as_ref().map_or_else(of_paths, LitStr::value)
    }
}

pub(crate) fn of_field(attributes: &[Attribute], kind: Kind) -> Result<FieldAttributes> {
    let mut read = FieldAttributes::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(kind.name())) {
        read.any.get_or_insert(attribute.path().span());
        attribute.parse_nested_meta(|meta| read.add(&meta, kind))?;
    }
    Ok(read)
}

impl FieldAttributes {
    fn add(&mut self, meta: &ParseNestedMeta<'_>, kind: Kind) -> Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        let span = meta.path.span();
        match (kind, name.as_str()) {
            (Kind::Node, "key") => once(&mut self.key, meta, span),
            (Kind::Node, "unique") => once(&mut self.unique, meta, span),
            (Kind::Node, "index") => {
                if meta.input.peek(syn::token::Paren) {
                    return Err(meta.error("an index over paths stands on the struct"));
                }
                once(&mut self.index, meta, span)
            }
            (_, "default") => {
                let value = if meta.input.peek(Token![=]) {
                    DefaultValue::Value(meta.value()?.parse()?)
                } else {
                    DefaultValue::OfType
                };
                once(&mut self.default, meta, value)
            }
            (_, "min") => once(&mut self.min, meta, meta.value()?.parse()?),
            (_, "max") => once(&mut self.max, meta, meta.value()?.parse()?),
            (_, "length") => once(&mut self.length, meta, meta.value()?.parse()?),
            (_, "field_type") => once(&mut self.field_type, meta, meta.value()?.parse()?),
            (Kind::Edge, "key") => Err(meta.error("edges have no key")),
            (Kind::Edge, "unique" | "index") => {
                Err(meta.error("documents of edges have no indexes"))
            }
            (Kind::Node, _) => {
                let known =
                    ["key", "unique", "index", "default", "min", "max", "length", "field_type"];
                Err(unknown(meta, kind, "a field", &known))
            }
            (Kind::Edge, _) => {
                let known = ["default", "min", "max", "length", "field_type"];
                Err(unknown(meta, kind, "a field", &known))
            }
        }
    }
}
