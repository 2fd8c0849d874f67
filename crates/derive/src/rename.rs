//! Names of fields and types in other spellings, as serde makes them.

use proc_macro2::Span;
use syn::{Error, Result};

/// A rule of `#[serde(rename_all = "..")]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Spelling {
    /// `lowercase` and `snake_case`: fields are spelled so.
    AsIs,
    Upper,
    Pascal,
    Camel,
    Kebab,
    UpperKebab,
}

impl Spelling {
    pub(crate) fn parse(rule: &str, span: Span) -> Result<Self> {
        Ok(match rule {
            "lowercase" | "snake_case" => Self::AsIs,
            "UPPERCASE" | "SCREAMING_SNAKE_CASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::UpperKebab,
            _ => return Err(Error::new(span, format!("serde knows no spelling {rule:?}"))),
        })
    }

    /// The name of a field under this rule.
    pub(crate) fn of(self, field: &str) -> String {
        match self {
            Self::AsIs => field.to_owned(),
            Self::Upper => field.to_ascii_uppercase(),
            Self::Pascal => pascal(field),
            Self::Camel => {
                let mut name = pascal(field);
                if let Some(first) = name.get_mut(..1) {
                    first.make_ascii_lowercase();
                }
                name
            }
            Self::Kebab => field.replace('_', "-"),
            Self::UpperKebab => field.to_ascii_uppercase().replace('_', "-"),
        }
    }
}

fn pascal(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    let mut capital = true;
    for letter in field.chars() {
        match letter {
            '_' => capital = true,
            letter if capital => {
                name.push(letter.to_ascii_uppercase());
                capital = false;
            }
            letter => name.push(letter),
        }
    }
    name
}

/// The name that an edge type has after its struct: `WORKS_AT` after `WorksAt`.
pub(crate) fn edge_type_name(name: &str) -> String {
    let mut upper = String::with_capacity(name.len() + 4);
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_uppercase() {
            upper.push('_');
        }
        upper.extend(letter.to_uppercase());
    }
    upper
}
