//! The fields of a struct as they are stored.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{
    Data, DeriveInput, Expr, ExprLit, ExprPath, Fields, GenericArgument, Ident, Lit, PathArguments,
    Result, Type,
};

use crate::attributes::{DefaultValue, FieldAttributes, Kind, StructAttributes, of_field};
use crate::refusals::Refusals;
use crate::serde_attributes::{self, SerdeOfField, SerdeOfStruct};

/// A field that is stored.
pub(crate) struct StoredField<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
    /// Its name in the document.
    pub(crate) name: String,
    pub(crate) attributes: FieldAttributes,
    read_by: Option<ExprPath>,
    /// It may be absent.
    optional: bool,
}

/// What a struct stores: its fields, or nothing, if it is a unit struct.
pub(crate) enum Stored<'a> {
    Fields(Vec<StoredField<'a>>),
    Unit,
}

impl<'a> Stored<'a> {
    pub(crate) fn fields(&self) -> &[StoredField<'a>] {
        match self {
            Self::Fields(fields) => fields,
            Self::Unit => &[],
        }
    }

    /// The names of those that are absent when they are `None`.
    pub(crate) fn options(&self) -> Vec<&str> {
        let options = self.fields().iter().filter(|field| is_option(field.ty));
        options.map(|field| field.name.as_str()).collect()
    }

    /// The methods of a unit struct, which serde does not make a map.
    pub(crate) fn methods(&self, krate: &TokenStream) -> TokenStream {
        let Self::Unit = self else { return TokenStream::new() };
        quote! {
            fn to_document(&self) -> ::core::result::Result<#krate::Document, #krate::SerdeError> {
                ::core::result::Result::Ok(#krate::Document::new())
            }

            fn from_document(
                _: #krate::DocRef<'_>,
            ) -> ::core::result::Result<Self, #krate::SerdeError> {
                ::core::result::Result::Ok(Self)
            }
        }
    }
}

/// The fields of a struct that are stored; what is wrong with them is added to
/// `refusals`.
pub(crate) fn of_input<'a>(
    input: &'a DeriveInput,
    kind: Kind,
    attributes: &StructAttributes,
    refusals: &mut Refusals,
) -> Result<Stored<'a>> {
    let (derived, what) = match kind {
        Kind::Node => ("Node", "a node"),
        Kind::Edge => ("Edge", "an edge"),
    };
    let refuse = |span, message: String| Err(syn::Error::new(span, message));
    if let Some(first) = input.generics.params.first() {
        let message = format!("{what} has one definition, so its type has no parameters");
        return refuse(first.span(), message);
    }
    let fields = match &input.data {
        Data::Struct(data) => &data.fields,
        Data::Enum(data) => {
            let message = format!(
                "`{derived}` is derived on structs with named fields; \
                 an enum is the type of a field"
            );
            return refuse(data.enum_token.span, message);
        }
        Data::Union(data) => {
            let message = format!("`{derived}` is derived on structs with named fields");
            return refuse(data.union_token.span, message);
        }
    };
    let fields = match fields {
        Fields::Named(fields) => &fields.named,
        Fields::Unit => return Ok(Stored::Unit),
        Fields::Unnamed(fields) => {
            return refuse(fields.span(), "fields are stored by name: give them names".to_owned());
        }
    };
    let serde = serde_attributes::of_struct(&input.attrs)?;
    let mut stored: Vec<StoredField<'a>> = Vec::new();
    for field in fields {
        let Some(ident) = &field.ident else { continue };
        let told = of_field(&field.attrs, kind)
            .and_then(|told| Ok((told, serde_attributes::of_field(&field.attrs)?)));
        let Some((told, of_serde)) = refusals.take(told) else { continue };
        let parts = Parts { ident, ty: &field.ty, told, of_serde };
        let Some(field) = parts.stored(&serde, attributes, kind, refusals) else { continue };
        if let Some(same) = stored.iter().find(|other| other.name == field.name) {
            let message = format!("`{}` is stored as `{}`, too", same.ident, field.name);
            refusals.refuse(ident.span(), message);
        }
        stored.push(field);
    }
    Ok(Stored::Fields(stored))
}

/// A field, with what its attributes say.
struct Parts<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    told: FieldAttributes,
    of_serde: SerdeOfField,
}

impl<'a> Parts<'a> {
    /// The field as it is stored, if it is.
    fn stored(
        self,
        serde: &SerdeOfStruct,
        attributes: &StructAttributes,
        kind: Kind,
        refusals: &mut Refusals,
    ) -> Option<StoredField<'a>> {
        let Self { ident, ty, told, of_serde } = self;
        if of_serde.skip || of_serde.flatten.is_some() {
            if let Some(span) = told.any {
                let done = if of_serde.skip { "skips" } else { "flattens" };
                let name = kind.name();
                let message = format!(
                    "a field that serde {done} is not stored: it has no `{name}` attributes"
                );
                refusals.refuse(span, message);
            }
            if let Some(span) = of_serde.flatten
                && attributes.allow_unknown_fields.is_none()
            {
                let message = format!(
                    "the fields of `{ident}` are not known here: \
                     add `#[{}(allow_unknown_fields)]` to the struct",
                    kind.name()
                );
                refusals.refuse(span, message);
            }
            return None;
        }
        let is_option = is_option(ty);
        let comes_back = is_option || of_serde.default || serde.default;
        if let Some(span) = of_serde.skip_if
            && !comes_back
        {
            let message = "a field that is left out does not come back: add `#[serde(default)]`";
            refusals.refuse(span, message);
        }
        check(&told, ty, is_option, of_serde.skip_if, refusals);
        let (name, span) = match &of_serde.rename {
            Some(name) => (name.value(), name.span()),
            None => (serde.spelling.of(&ident.unraw().to_string()), ident.span()),
        };
        if name.is_empty() || name.contains(['.', '[']) {
            let message = format!(
                "{name:?} is no name of a field: it may not be empty, nor contain `.` or `[`"
            );
            refusals.refuse(span, message);
        }
        let optional = comes_back || of_serde.skip_if.is_some();
        let read_by = of_serde.read_by;
        Some(StoredField { ident, ty, name, attributes: told, read_by, optional })
    }
}

/// Whether the attributes of a field go together, and with its type, as far as that can
/// be told from its name.
fn check(
    told: &FieldAttributes,
    ty: &Type,
    is_option: bool,
    skip_if: Option<Span>,
    refusals: &mut Refusals,
) {
    if let Some(key) = told.key {
        if is_option || skip_if.is_some() {
            refusals.refuse(key, "every node has its key: the field may not be absent");
        }
        if let Some(span) = told.unique.or(told.index) {
            refusals.refuse(span, "the key is unique already, and nodes are found by it");
        }
        if let Some(DefaultValue::OfType | DefaultValue::Value(_)) = told.default {
            refusals.refuse(key, "a key has no default");
        }
    } else if let (Some(_), Some(index)) = (told.unique, told.index) {
        refusals.refuse(index, "`unique` makes an index already");
    }
    if told.default.is_some() && is_option {
        let message = "an absent field would get the default, and never be `None`: \
                       take the `Option` away, or the default";
        refusals.refuse(told.any.unwrap_or_else(|| ty.span()), message);
    }
    for bound in told.min.iter().chain(&told.max) {
        if let Expr::Lit(ExprLit { lit: Lit::Str(_) | Lit::Bool(_) | Lit::Char(_), .. }) = bound {
            refusals.refuse(bound.span(), "a bound is a number, or a moment");
        }
    }
    let Some(name) = type_name(option_of(ty).unwrap_or(ty)) else { return };
    let no_number = ["bool", "String", "char", "Vec", "HashMap", "BTreeMap", "HashSet", "Vector"];
    if let Some(bound) = told.min.as_ref().or(told.max.as_ref())
        && no_number.contains(&name.as_str())
    {
        let message = format!("`min` and `max` bound numbers and moments, not a `{name}`");
        refusals.refuse(bound.span(), message);
    }
    let scalars = [
        "bool", "char", "u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize",
        "f32", "f64", "DateTime",
    ];
    if told.length.is_some() && scalars.contains(&name.as_str()) {
        refusals.refuse(ty.span(), format!("a `{name}` has no length"));
    }
}

/// The last name of a type's path.
fn type_name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        Type::Group(group) => type_name(&group.elem),
        Type::Paren(paren) => type_name(&paren.elem),
        _ => None,
    }
}

/// What an `Option` holds.
fn option_of(ty: &Type) -> Option<&Type> {
    let path = match ty {
        Type::Path(path) => &path.path,
        Type::Group(group) => return option_of(&group.elem),
        Type::Paren(paren) => return option_of(&paren.elem),
        _ => return None,
    };
    let last = path.segments.last().filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(of)) => Some(of),
        _ => None,
    }
}

fn is_option(ty: &Type) -> bool {
    option_of(ty).is_some()
}

impl StoredField<'_> {
    /// Its definition, as an expression.
    pub(crate) fn definition(&self, krate: &TokenStream) -> TokenStream {
        let Self { name, ty, attributes, .. } = self;
        let field_type = self.field_type(krate);
        let mut def = quote!(#krate::FieldDef::new(#name, #field_type));
        if let Some(value) = self.default_value() {
            def = quote!(#krate::derived::with_default::<#ty>(#def, #value));
        } else if self.optional {
            def = quote!(#def.optional());
        }
        if let Some(min) = &attributes.min {
            def = quote_spanned!(min.span()=> #def.min(#min));
        }
        if let Some(max) = &attributes.max {
            def = quote_spanned!(max.span()=> #def.max(#max));
        }
        if let Some(length) = &attributes.length {
            let range = length.range();
            def = quote!(#def.length(#range));
        }
        if attributes.unique.is_some() {
            def = quote!(#def.unique());
        }
        if attributes.index.is_some() {
            def = quote!(#def.indexed());
        }
        def
    }

    fn field_type(&self, krate: &TokenStream) -> TokenStream {
        let Self { ty, attributes, read_by, .. } = self;
        if let Some(field_type) = &attributes.field_type {
            return quote_spanned!(field_type.span()=> #field_type);
        }
        let traced = match (read_by, ty) {
            (Some(read), _) => quote_spanned! {read.span()=>
                #krate::derived::field_type_by(|tracer| {
                    let read: ::core::result::Result<#ty, _> = #read(tracer);
                    read.map(::core::mem::drop)
                })
            },
            (None, Type::Array(array)) => {
                let of = &array.elem;
                quote_spanned!(ty.span()=> #krate::FieldType::list(#krate::field_type::<#of>()))
            }
            (None, _) => quote_spanned!(ty.span()=> #krate::field_type::<#ty>()),
        };
        // Absent stands for `None`.
        if is_option(ty) { quote!(#traced.without_null().clone()) } else { traced }
    }

    /// An expression of the field's own type.
    fn default_value(&self) -> Option<TokenStream> {
        Some(match self.attributes.default.as_ref()? {
            DefaultValue::OfType => quote!(::core::default::Default::default()),
            DefaultValue::Value(value) => match &**value {
                Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => {
                    quote_spanned!(value.span()=> ::core::convert::Into::into(#value))
                }
                value => quote!(#value),
            },
        })
    }
}
