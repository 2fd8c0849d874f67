//! What a field may hold.

use std::fmt;

use selvedge_base::limits::FIELD_TYPE_DEPTH_MAX;
use selvedge_encoding::ValueRef;

/// The type of a field's value.
///
/// ```
/// use selvedge_schema::FieldType;
///
/// assert_eq!(FieldType::list(FieldType::Int.nullable()).to_string(), "list of int or null");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldType {
    /// True or false.
    Bool,
    /// An integer in the range of `i64`.
    Int,
    /// An integer from 0 to `u64::MAX`.
    Uint,
    /// An `f64`. An integer is none: write `3.0`.
    Float,
    /// Any of the numbers.
    Number,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A moment.
    Timestamp,
    /// A vector of `f32`, of so many elements if that is said.
    Vector(Option<u32>),
    /// A list of values of one type.
    List(Box<FieldType>),
    /// A map, whatever it holds.
    Map,
    /// Any value, null included.
    Any,
    /// A value of a type, or null.
    Nullable(Box<FieldType>),
}

impl FieldType {
    /// A list of values of a type.
    #[must_use]
    pub fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    /// This type, or null.
    #[must_use]
    pub fn nullable(self) -> Self {
        match self {
            Self::Nullable(_) | Self::Any => self,
            of => Self::Nullable(Box::new(of)),
        }
    }

    /// The type without null.
    #[must_use]
    pub fn without_null(&self) -> &Self {
        match self {
            Self::Nullable(of) => of.without_null(),
            of => of,
        }
    }

    /// Whether a value is of this type; of lists and nullable types, the outermost
    /// level.
    pub(crate) fn admits(&self, value: ValueRef<'_>) -> bool {
        match (self, value) {
            (Self::Any, _)
            | (Self::Bool, ValueRef::Bool(_))
            | (Self::Int, ValueRef::I64(_))
            | (Self::Uint, ValueRef::U64(_))
            | (Self::Float, ValueRef::F64(_))
            | (Self::Number, ValueRef::I64(_) | ValueRef::U64(_) | ValueRef::F64(_))
            | (Self::String, ValueRef::String(_))
            | (Self::Bytes, ValueRef::Bytes(_))
            | (Self::Timestamp, ValueRef::Timestamp(_))
            | (Self::Vector(None), ValueRef::Vector(_))
            | (Self::List(_), ValueRef::List(_))
            | (Self::Map, ValueRef::Map(_))
            | (Self::Nullable(_), ValueRef::Null) => true,
            (Self::Uint, ValueRef::I64(number)) => number >= 0,
            (Self::Vector(Some(of)), ValueRef::Vector(vector)) => vector.len() == *of as usize,
            (Self::Nullable(of), value) => of.admits(value),
            _ => false,
        }
    }

    /// How deep lists nest, this level included; not followed further than is allowed.
    pub(crate) fn depth(&self) -> usize {
        let (mut depth, mut of) = (1, self);
        while let Self::List(inner) | Self::Nullable(inner) = of {
            depth += 1;
            of = inner;
            if depth > FIELD_TYPE_DEPTH_MAX {
                break;
            }
        }
        depth
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Float => "float",
            Self::Number => "number",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Vector(None) => "vector",
            Self::Vector(Some(of)) => return write!(f, "vector of {of}"),
            Self::List(of) => return write!(f, "list of {of}"),
            Self::Map => "map",
            Self::Any => "any",
            Self::Nullable(of) => return write!(f, "{of} or null"),
        })
    }
}
