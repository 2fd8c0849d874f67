//! Rust types as values.
//!
//! What becomes what, where it is not obvious: `Vec<u8>`, `&[u8]` and arrays of
//! `u8` are bytes; `Vec<f32>`, `&[f32]` and arrays of `f32` are vectors; `Vec`s
//! and arrays of the other types here are lists. `None` is null. An `f32` alone
//! is an `f64`. For a list of `u8` or `f32`, collect: `Value` is built from any
//! iterator of things that become values, as a list.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::{DateTime, Document, Value};

macro_rules! from_as_is {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from_as_is! {
    bool => Bool,
    i8 => I64, i16 => I64, i32 => I64, i64 => I64,
    u8 => I64, u16 => I64, u32 => I64,
    f32 => F64,
    &str => String, String => String, &String => String, Cow<'_, str> => String, char => String,
    Vec<u8> => Bytes, &[u8] => Bytes,
    DateTime => Timestamp, SystemTime => Timestamp,
    Vec<f32> => Vector, &[f32] => Vector,
    Vec<Value> => List,
    Document => Map,
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl From<u64> for Value {
    /// [`Value::I64`] when it fits.
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::U64(value), Self::I64)
    }
}

impl From<isize> for Value {
    fn from(value: isize) -> Self {
        Self::I64(value as i64)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

impl From<f64> for Value {
    /// Any NaN becomes the one NaN.
    fn from(value: f64) -> Self {
        Self::F64(if value.is_nan() { f64::NAN } else { value })
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Bytes(value.into())
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Self::Bytes(value.into())
    }
}

impl<const N: usize> From<[f32; N]> for Value {
    fn from(value: [f32; N]) -> Self {
        Self::Vector(value.into())
    }
}

impl<const N: usize> From<[Value; N]> for Value {
    fn from(values: [Value; N]) -> Self {
        Self::List(values.into())
    }
}

macro_rules! from_lists {
    ($($type:ty),* $(,)?) => {$(
        impl From<Vec<$type>> for Value {
            fn from(values: Vec<$type>) -> Self {
                values.into_iter().collect()
            }
        }

        impl<const N: usize> From<[$type; N]> for Value {
            fn from(values: [$type; N]) -> Self {
                values.into_iter().collect()
            }
        }
    )*};
}

from_lists! {
    bool, i8, i16, i32, i64, isize, u16, u32, u64, usize, f64, &str, String, DateTime, Document,
}

impl<T: Into<Value>> FromIterator<T> for Value {
    /// A list.
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_types_become_the_values_that_the_head_of_this_file_says() {
        assert_eq!(Value::from(vec![1u8]), Value::Bytes(vec![1]));
        assert_eq!(Value::from(b"ab"), Value::Bytes(b"ab".to_vec()));
        assert_eq!(Value::from(vec![1f32]), Value::Vector(vec![1.0]));
        assert_eq!(Value::from(vec![1, 2]), Value::List(vec![Value::I64(1), Value::I64(2)]));
        assert_eq!(Value::from(["a"]), Value::List(vec![Value::from("a")]));
        assert_eq!([1u8].into_iter().collect::<Value>(), Value::List(vec![Value::I64(1)]));
        assert_eq!(Value::from(1.5f32), Value::F64(1.5));
        assert_eq!(Value::from(Some(Some(1))), Value::I64(1));
        assert_eq!(Value::from(()), Value::Null);
    }

    #[test]
    fn integers_are_canonical() {
        assert!(matches!(Value::from(u64::MAX), Value::U64(u64::MAX)));
        assert!(matches!(Value::from(i64::MAX as u64), Value::I64(i64::MAX)));
        assert!(matches!(Value::from(i64::MAX as u64 + 1), Value::U64(_)));
        assert!(matches!(Value::from(3usize), Value::I64(3)));
    }
}
