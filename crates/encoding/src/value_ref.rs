//! A value inside encoded bytes.

use selvedge_base::limits::DOCUMENT_DEPTH_MAX;

use crate::value::exact_f64;
use crate::{DateTime, DocRef, ListRef, Value, VectorRef, format};

/// A value that lies in encoded bytes, read without copying them.
///
/// Compares with strings, numbers and truth values directly:
///
/// ```
/// use selvedge_encoding::{DocRef, ValueRef, doc, encode};
///
/// let bytes = encode(&doc! { "name": "Alice", "age": 31 })?;
/// let stored = DocRef::trusted(&bytes);
/// assert_eq!(stored.get("age"), Some(ValueRef::I64(31)));
/// assert!(stored.get("name").is_some_and(|name| name == "Alice"));
/// # Ok::<(), selvedge_encoding::EncodeError>(())
/// ```
///
/// Two values are equal when their encodings are, see [`Value`].
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'a> {
    /// Null, which is not the same as absent.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer in the range of `i64`.
    I64(i64),
    /// An integer beyond `i64`.
    U64(u64),
    /// A floating-point number.
    F64(f64),
    /// UTF-8 text.
    String(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A point in time.
    Timestamp(DateTime),
    /// A vector of `f32`.
    Vector(VectorRef<'a>),
    /// Values in order.
    List(ListRef<'a>),
    /// Values by name.
    Map(DocRef<'a>),
}

impl<'a> ValueRef<'a> {
    /// Reads a value, tag first. `None` if it is damaged.
    #[inline]
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&tag, payload) = bytes.split_first()?;
        Some(match tag {
            format::NULL => Self::Null,
            format::FALSE => Self::Bool(false),
            format::TRUE => Self::Bool(true),
            format::I64 => Self::I64(read_integer(payload)?),
            format::U64 => Self::U64(u64::from_le_bytes(payload.try_into().ok()?)),
            format::F64 => Self::F64(f64::from_le_bytes(payload.try_into().ok()?)),
            format::STRING => Self::String(std::str::from_utf8(payload).ok()?),
            format::BYTES => Self::Bytes(payload),
            format::TIMESTAMP => {
                Self::Timestamp(DateTime::from_micros(i64::from_le_bytes(payload.try_into().ok()?)))
            }
            format::VECTOR => Self::Vector(VectorRef::new(payload)?),
            format::LIST => Self::List(ListRef::new(payload)),
            format::MAP => Self::Map(DocRef::trusted(payload)),
            _ => return None,
        })
    }

    /// The name of the value's type, as in [`Value::type_name`].
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::I64(_) => "i64",
            Self::U64(_) => "u64",
            Self::F64(_) => "f64",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Timestamp(_) => "timestamp",
            Self::Vector(_) => "vector",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// Whether this is null.
    #[inline]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The truth value, if this is one.
    #[inline]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The integer, if this is one in the range of `i64`.
    #[inline]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::I64(value) => Some(*value),
            Self::U64(value) => i64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The integer, if this is one in the range of `u64`.
    #[inline]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::I64(value) => u64::try_from(*value).ok(),
            Self::U64(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if this is an `f64` or an integer that an `f64` holds exactly.
    #[inline]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::I64(value) => exact_f64(i128::from(*value)),
            Self::U64(value) => exact_f64(i128::from(*value)),
            Self::F64(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, if this is a string.
    #[inline]
    pub fn as_str(&self) -> Option<&'a str> {
        if let Self::String(value) = self { Some(value) } else { None }
    }

    /// The bytes, if this is bytes.
    #[inline]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        if let Self::Bytes(value) = self { Some(value) } else { None }
    }

    /// The point in time, if this is a timestamp.
    #[inline]
    pub fn as_datetime(&self) -> Option<DateTime> {
        if let Self::Timestamp(value) = self { Some(*value) } else { None }
    }

    /// The numbers, if this is a vector.
    #[inline]
    pub fn as_vector(&self) -> Option<VectorRef<'a>> {
        if let Self::Vector(value) = self { Some(*value) } else { None }
    }

    /// The elements, if this is a list.
    #[inline]
    pub fn as_list(&self) -> Option<ListRef<'a>> {
        if let Self::List(value) = self { Some(*value) } else { None }
    }

    /// The fields, if this is a map.
    #[inline]
    pub fn as_map(&self) -> Option<DocRef<'a>> {
        if let Self::Map(value) = self { Some(*value) } else { None }
    }

    /// The value, owned. What is damaged inside it is left out.
    pub fn to_value(&self) -> Value {
        self.to_value_at(1)
    }

    /// `depth` is the level of the container that the value lies in. Only
    /// damaged bytes nest beyond the limit; what is there reads as null.
    pub(crate) fn to_value_at(self, depth: usize) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::I64(value) => Value::I64(value),
            Self::U64(value) => Value::from(value),
            Self::F64(value) => Value::from(value),
            Self::String(value) => Value::from(value),
            Self::Bytes(value) => Value::from(value),
            Self::Timestamp(value) => Value::Timestamp(value),
            Self::Vector(value) => Value::Vector(value.to_vec()),
            Self::List(_) | Self::Map(_) if depth >= DOCUMENT_DEPTH_MAX => Value::Null,
            Self::List(value) => Value::List(value.to_vec_at(depth + 1)),
            Self::Map(value) => Value::Map(value.to_document_at(depth + 1)),
        }
    }
}

/// An integer of 1, 2, 4 or 8 bytes.
#[inline]
fn read_integer(payload: &[u8]) -> Option<i64> {
    Some(match *payload {
        [a] => i64::from(i8::from_le_bytes([a])),
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => i64::from_le_bytes(payload.try_into().ok()?),
    })
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::F64(a), Self::F64(b)) => format::canonical_f64(*a) == format::canonical_f64(*b),
            (Self::I64(_) | Self::U64(_), Self::I64(_) | Self::U64(_)) => {
                (self.as_i64(), self.as_u64()) == (other.as_i64(), other.as_u64())
            }
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Vector(a), Self::Vector(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for ValueRef<'_> {}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        value.to_value()
    }
}

macro_rules! compare_with {
    ($($type:ty: $accessor:ident as $wide:ty),* $(,)?) => {$(
        impl PartialEq<$type> for ValueRef<'_> {
            fn eq(&self, other: &$type) -> bool {
                self.$accessor() == Some(<$wide>::from(*other))
            }
        }

        impl PartialEq<$type> for Value {
            fn eq(&self, other: &$type) -> bool {
                self.$accessor() == Some(<$wide>::from(*other))
            }
        }
    )*};
}

compare_with! {
    bool: as_bool as bool,
    i32: as_i64 as i64,
    i64: as_i64 as i64,
    u32: as_u64 as u64,
    u64: as_u64 as u64,
    f64: as_f64 as f64,
    &str: as_str as &str,
    DateTime: as_datetime as DateTime,
}

impl PartialEq<str> for ValueRef<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doc, encode};

    #[test]
    fn compares_with_rust_values() {
        let bytes = encode(&doc! { "a": 1, "s": "x", "f": 0.5, "b": true }).unwrap();
        let stored = DocRef::trusted(&bytes);
        let get = |field| stored.get(field).unwrap();
        assert!(get("a") == 1 && get("a") == 1u64 && get("a") == 1.0 && get("a") != "1");
        assert!(get("s") == "x" && get("f") == 0.5 && get("b") == true);
        assert!(get("a") == get("a") && get("a") != get("b"));
        assert!(get("s").to_value() == "x");
    }

    #[test]
    fn damaged_values_read_as_nothing() {
        for bytes in [
            &[][..],
            &[12],
            &[format::I64],
            &[format::I64, 1, 2, 3],
            &[format::U64, 1],
            &[format::STRING, 0xff],
            &[format::VECTOR, 0],
        ] {
            assert!(ValueRef::read(bytes).is_none(), "{bytes:?}");
        }
    }
}
