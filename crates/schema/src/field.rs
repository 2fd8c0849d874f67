//! A field of a definition.

use std::fmt;
use std::ops::RangeInclusive;

use selvedge_encoding::Value;

use crate::{FieldType, IndexDef};

/// Whether a field has to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// It has to.
    Required,
    /// It may be absent.
    Optional,
    /// It gets this value where it is absent.
    Default(Value),
}

/// The definition of a field: required, unless it says otherwise.
///
/// ```
/// use selvedge_schema::{FieldDef, FieldType};
///
/// let age = FieldDef::int("age").optional().min(0).max(150).indexed();
/// assert_eq!(age.to_string(), "age: int, optional, min 0, max 150");
/// let tags = FieldDef::new("tags", FieldType::list(FieldType::String)).default(["new"]);
/// assert_eq!(tags.to_string(), r#"tags: list of string, default ["new"]"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDef {
    pub(crate) name: String,
    pub(crate) field_type: FieldType,
    pub(crate) presence: Presence,
    pub(crate) rules: ValueRules,
    /// Asked of the builder of a node, which makes an index of it.
    pub(crate) index: Option<IndexWish>,
}

/// Which index a field asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexWish {
    Unique,
    Range,
}

/// What the values of a field keep to, null apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ValueRules {
    pub(crate) min: Option<Value>,
    pub(crate) max: Option<Value>,
    pub(crate) length_min: Option<u64>,
    pub(crate) length_max: Option<u64>,
}

impl ValueRules {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

macro_rules! of_type {
    ($($(#[$doc:meta])* $name:ident: $type:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(name: impl Into<String>) -> Self {
            Self::new(name, FieldType::$type)
        }
    )*};
}

impl FieldDef {
    /// A required field of a type.
    #[must_use]
    pub fn new(name: impl Into<String>, field_type: FieldType) -> Self {
        Self {
            name: name.into(),
            field_type,
            presence: Presence::Required,
            rules: ValueRules::default(),
            index: None,
        }
    }

    of_type! {
        /// A required truth value.
        bool: Bool,
        /// A required integer in the range of `i64`.
        int: Int,
        /// A required integer from 0 on.
        uint: Uint,
        /// A required `f64`.
        float: Float,
        /// A required text.
        string: String,
        /// Required bytes.
        bytes: Bytes,
        /// A required moment.
        timestamp: Timestamp,
        /// A required map.
        map: Map,
        /// A required field that may hold anything.
        any: Any,
    }

    /// It may be absent.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { presence: Presence::Optional, ..self }
    }

    /// It has to be there.
    #[must_use]
    pub fn required(self) -> Self {
        Self { presence: Presence::Required, ..self }
    }

    /// It gets this value where it is absent: when a document is written, and, in
    /// nodes that are there already, by a migration.
    #[must_use]
    pub fn default(self, value: impl Into<Value>) -> Self {
        Self { presence: Presence::Default(value.into()), ..self }
    }

    /// It may be null.
    #[must_use]
    pub fn nullable(self) -> Self {
        Self { field_type: self.field_type.nullable(), ..self }
    }

    /// The least value allowed: of numbers and timestamps.
    #[must_use]
    pub fn min(mut self, value: impl Into<Value>) -> Self {
        self.rules.min = Some(value.into());
        self
    }

    /// The greatest value allowed: of numbers and timestamps.
    #[must_use]
    pub fn max(mut self, value: impl Into<Value>) -> Self {
        self.rules.max = Some(value.into());
        self
    }

    /// The lengths allowed: characters of a string, bytes, elements of a list or
    /// vector, fields of a map.
    #[must_use]
    pub fn length(mut self, range: RangeInclusive<u64>) -> Self {
        (self.rules.length_min, self.rules.length_max) = (Some(*range.start()), Some(*range.end()));
        self
    }

    /// No two nodes of the label have the same value: makes a unique index with the
    /// name of the field.
    #[must_use]
    pub fn unique(self) -> Self {
        Self { index: Some(IndexWish::Unique), ..self }
    }

    /// Makes an index with the name of the field.
    #[must_use]
    pub fn indexed(self) -> Self {
        Self { index: Some(IndexWish::Range), ..self }
    }

    /// The field alone, and the index that it asks for.
    #[must_use]
    pub fn split(mut self) -> (Self, Option<IndexDef>) {
        let index = self.index.take().map(|wish| {
            let index = IndexDef::on([&*self.name]);
            if wish == IndexWish::Unique { index.unique() } else { index }
        });
        (self, index)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type.
    #[must_use]
    pub fn field_type(&self) -> &FieldType {
        &self.field_type
    }

    /// Whether it has to be there.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.presence
    }
}

impl fmt::Display for FieldDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.field_type)?;
        match &self.presence {
            Presence::Required => f.write_str(", required")?,
            Presence::Optional => f.write_str(", optional")?,
            Presence::Default(value) => write!(f, ", default {}", Shown(value))?,
        }
        let ValueRules { min, max, length_min, length_max } = &self.rules;
        if let Some(min) = min {
            write!(f, ", min {}", Shown(min))?;
        }
        if let Some(max) = max {
            write!(f, ", max {}", Shown(max))?;
        }
        match (length_min, length_max) {
            (None, None) => Ok(()),
            (min, Some(max)) => write!(f, ", length {} to {max}", min.unwrap_or(0)),
            (Some(min), None) => write!(f, ", length {min} or more"),
        }
    }
}

/// Bytes of a value that messages show.
const SHOWN_BYTES: usize = 80;

/// A value as messages show it: cut short if it is long.
pub(crate) struct Shown<'v>(pub(crate) &'v Value);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        show(self.0, &mut out);
        if out.len() > SHOWN_BYTES {
            let end = out.floor_char_boundary(SHOWN_BYTES);
            out.truncate(end);
            out.push('…');
        }
        f.write_str(&out)
    }
}

/// Appends a value, and stops soon behind what is shown.
fn show(value: &Value, out: &mut String) {
    use fmt::Write as _;
    if out.len() > SHOWN_BYTES {
        return;
    }
    // Writing to a string does not fail.
    let _ = match value {
        Value::Null => out.write_str("null"),
        Value::Bool(value) => write!(out, "{value}"),
        Value::I64(value) => write!(out, "{value}"),
        Value::U64(value) => write!(out, "{value}"),
        Value::F64(value) => write!(out, "{value:?}"),
        Value::String(value) => {
            write!(out, "{:?}", &value[..value.floor_char_boundary(2 * SHOWN_BYTES)])
        }
        Value::Bytes(value) => write!(out, "{} bytes", value.len()),
        Value::Timestamp(value) => write!(out, "{value}"),
        Value::Vector(value) => write!(out, "a vector of {}", value.len()),
        Value::List(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate().take_while(|(at, _)| *at < SHOWN_BYTES) {
                out.push_str(if at == 0 { "" } else { ", " });
                show(value, out);
            }
            out.push(']');
            Ok(())
        }
        Value::Map(map) => write!(out, "a map of {}", map.len()),
    };
}
