//! What the code calls that `#[derive(Node)]` and `#[derive(Edge)]` make.

use selvedge_encoding::{Value, to_value};
use selvedge_schema::FieldDef;
use serde::Serialize;

pub use crate::typed::field_type::field_type_by;

/// The field with a default. One that cannot be stored is refused with the definition.
#[must_use]
pub fn with_default<T: Serialize>(field: FieldDef, default: T) -> FieldDef {
    field.default(to_value(&default).unwrap_or(Value::Null))
}
