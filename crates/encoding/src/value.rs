//! A value of a document, owned.

use std::hash::{Hash, Hasher};

use crate::format::{canonical_f32, canonical_f64};
use crate::{DateTime, Document};

/// A value: what a field of a document holds.
///
/// Two values are equal exactly when they are encoded to the same bytes: NaN
/// equals NaN, `0.0` and `-0.0` differ, `I64(1)` and `F64(1.0)` differ.
/// Indexes compare by [`total_cmp`](Value::total_cmp) instead.
///
/// A value may be built to any depth, but comparing, cloning and dropping follow
/// it all the way down on the stack. Encoding refuses what is deeper than
/// `DOCUMENT_DEPTH_MAX`, and nothing deeper ever comes out of encoded bytes.
///
/// ```
/// use selvedge_encoding::Value;
///
/// assert_eq!(Value::from(7u64), Value::I64(7));
/// assert_eq!(Value::from(u64::MAX), Value::U64(u64::MAX));
/// assert_eq!(Value::from("a").as_str(), Some("a"));
/// assert_eq!(Value::from(None::<i64>), Value::Null);
/// ```
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Null, which is not the same as absent.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An integer in the range of `i64`.
    I64(i64),
    /// An integer beyond `i64`. Smaller ones are [`I64`](Value::I64): they are
    /// made so by `From`, equal it, and are encoded as it.
    U64(u64),
    /// A floating-point number. Every NaN is encoded as the same one.
    F64(f64),
    /// UTF-8 text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A point in time.
    Timestamp(DateTime),
    /// A vector of `f32`, for similarity search.
    Vector(Vec<f32>),
    /// Values in the order given.
    List(Vec<Value>),
    /// Values by name.
    Map(Document),
}

impl Value {
    /// The name of the value's type: `null`, `bool`, `i64`, `u64`, `f64`,
    /// `string`, `bytes`, `timestamp`, `vector`, `list` or `map`.
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
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The integer, if this is one in the range of `i64`.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::I64(value) => Some(*value),
            Self::U64(value) => i64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The integer, if this is one in the range of `u64`.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::I64(value) => u64::try_from(*value).ok(),
            Self::U64(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if this is an `f64` or an integer that an `f64` holds exactly.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::I64(value) => exact_f64(i128::from(*value)),
            Self::U64(value) => exact_f64(i128::from(*value)),
            Self::F64(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(value) = self { Some(value) } else { None }
    }

    /// The bytes, if this is bytes.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(value) = self { Some(value) } else { None }
    }

    /// The point in time, if this is a timestamp.
    pub fn as_datetime(&self) -> Option<DateTime> {
        if let Self::Timestamp(value) = self { Some(*value) } else { None }
    }

    /// The numbers, if this is a vector.
    pub fn as_vector(&self) -> Option<&[f32]> {
        if let Self::Vector(value) = self { Some(value) } else { None }
    }

    /// The elements, if this is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(value) = self { Some(value) } else { None }
    }

    /// The fields, if this is a map.
    pub fn as_map(&self) -> Option<&Document> {
        if let Self::Map(value) = self { Some(value) } else { None }
    }
}

/// `value` as a float, if nothing is lost by it.
pub(crate) fn exact_f64(value: i128) -> Option<f64> {
    let float = value as f64;
    (float as i128 == value).then_some(float)
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::I64(a), Self::I64(b)) => a == b,
            (Self::U64(a), Self::U64(b)) => a == b,
            (Self::I64(a), Self::U64(b)) | (Self::U64(b), Self::I64(a)) => {
                u64::try_from(*a) == Ok(*b)
            }
            (Self::F64(a), Self::F64(b)) => canonical_f64(*a) == canonical_f64(*b),
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Vector(a), Self::Vector(b)) => {
                a.iter().map(|x| canonical_f32(*x)).eq(b.iter().map(|x| canonical_f32(*x)))
            }
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.type_name_when_encoded().hash(state);
        match self {
            Self::Null => {}
            Self::Bool(value) => value.hash(state),
            // Equal integers have equal bits, whichever variant holds them.
            Self::I64(value) => state.write_u64(value.cast_unsigned()),
            Self::U64(value) => state.write_u64(*value),
            Self::F64(value) => canonical_f64(*value).hash(state),
            Self::String(value) => value.hash(state),
            Self::Bytes(value) => value.hash(state),
            Self::Timestamp(value) => value.hash(state),
            Self::Vector(values) => {
                values.len().hash(state);
                values.iter().for_each(|value| canonical_f32(*value).hash(state));
            }
            Self::List(values) => values.hash(state),
            Self::Map(document) => document.hash(state),
        }
    }
}

impl Value {
    fn type_name_when_encoded(&self) -> &'static str {
        match self {
            Self::U64(value) if i64::try_from(*value).is_ok() => "i64",
            other => other.type_name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;

    fn hash_of(value: &Value) -> u64 {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn equality_follows_the_encoding() {
        let odd_nan = f64::from_bits(f64::NAN.to_bits() ^ (1 << 63) | 1);
        for (a, b) in [
            (Value::I64(5), Value::U64(5)),
            (Value::F64(f64::NAN), Value::F64(odd_nan)),
            (Value::Vector(vec![f32::NAN]), Value::Vector(vec![-f32::NAN])),
        ] {
            assert_eq!(a, b);
            assert_eq!(hash_of(&a), hash_of(&b));
        }
        assert_ne!(Value::F64(0.0), Value::F64(-0.0));
        assert_ne!(Value::I64(1), Value::F64(1.0));
        assert_ne!(Value::I64(-1), Value::U64(u64::MAX));
        assert_ne!(Value::from("a"), Value::Bytes(b"a".to_vec()));
    }

    #[test]
    fn numbers_are_read_as_another_type_only_if_nothing_is_lost() {
        assert_eq!(Value::I64(-1).as_u64(), None);
        assert_eq!(Value::U64(u64::MAX).as_i64(), None);
        assert_eq!(Value::U64(u64::MAX).as_f64(), None);
        assert_eq!(Value::U64(1 << 63).as_f64(), Some(9_223_372_036_854_775_808.0));
        assert_eq!(Value::I64((1 << 53) + 1).as_f64(), None);
        assert_eq!(Value::I64(i64::MAX).as_f64(), None);
        assert_eq!(Value::I64(i64::MIN).as_f64(), Some(-9_223_372_036_854_775_808.0));
        assert_eq!(Value::F64(1.0).as_i64(), None);
    }
}
