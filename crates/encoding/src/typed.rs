//! Values of a document as Rust types.

use crate::{DateTime, DocRef, Document, ListRef, Value, ValueRef, VectorRef};

/// A type that a value can be read as, see [`DocRef::typed`].
pub trait FromValue<'a>: Sized {
    /// What an error calls the type.
    const EXPECTED: &'static str;

    /// The value as this type, `None` if it is of another one or would lose
    /// something.
    fn from_value(value: ValueRef<'a>) -> Option<Self>;
}

macro_rules! from_value {
    ($($type:ty = $expected:literal: |$value:ident| $read:expr;)*) => {$(
        impl<'a> FromValue<'a> for $type {
            const EXPECTED: &'static str = $expected;

            #[inline]
            fn from_value($value: ValueRef<'a>) -> Option<Self> {
                $read
            }
        }
    )*};
}

from_value! {
    bool = "bool": |value| value.as_bool();
    i8 = "i8": |value| value.as_i64()?.try_into().ok();
    i16 = "i16": |value| value.as_i64()?.try_into().ok();
    i32 = "i32": |value| value.as_i64()?.try_into().ok();
    i64 = "i64": |value| value.as_i64();
    u8 = "u8": |value| value.as_u64()?.try_into().ok();
    u16 = "u16": |value| value.as_u64()?.try_into().ok();
    u32 = "u32": |value| value.as_u64()?.try_into().ok();
    u64 = "u64": |value| value.as_u64();
    usize = "usize": |value| value.as_u64()?.try_into().ok();
    f64 = "f64": |value| value.as_f64();
    &'a str = "string": |value| value.as_str();
    String = "string": |value| value.as_str().map(str::to_owned);
    &'a [u8] = "bytes": |value| value.as_bytes();
    Vec<u8> = "bytes": |value| value.as_bytes().map(<[u8]>::to_vec);
    DateTime = "timestamp": |value| value.as_datetime();
    VectorRef<'a> = "vector": |value| value.as_vector();
    Vec<f32> = "vector": |value| value.as_vector().map(|vector| vector.to_vec());
    ListRef<'a> = "list": |value| value.as_list();
    DocRef<'a> = "map": |value| value.as_map();
    Document = "map": |value| value.as_map().map(|map| map.to_document());
    ValueRef<'a> = "any value": |value| Some(value);
    Value = "any value": |value| Some(value.to_value());
}

impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    #[inline]
    fn from_value(value: ValueRef<'a>) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::from_value(value).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TypeMismatch, doc, encode};

    #[test]
    fn every_type_reads_its_own_and_refuses_others() {
        let moment = DateTime::from_micros(5);
        let bytes = encode(&doc! {
            "bool": true, "minus": -1, "big": u64::MAX, "whole": 300, "half": 0.5,
            "text": "x", "bytes": b"x", "time": moment, "null": null, "vector": vec![1f32],
        })
        .unwrap();
        let stored = DocRef::trusted(&bytes);
        assert_eq!(stored.typed("bool"), Ok(Some(true)));
        assert_eq!(stored.typed("minus"), Ok(Some(-1i64)));
        assert_eq!(stored.typed("big"), Ok(Some(u64::MAX)));
        assert_eq!(stored.typed("whole"), Ok(Some(300.0)));
        assert_eq!(stored.typed("half"), Ok(Some(0.5)));
        assert_eq!(stored.typed("text"), Ok(Some("x".to_owned())));
        assert_eq!(stored.typed("bytes"), Ok(Some(&b"x"[..])));
        assert_eq!(stored.typed("bytes"), Ok(Some(b"x".to_vec())));
        assert_eq!(stored.typed("time"), Ok(Some(moment)));
        assert_eq!(stored.typed("vector"), Ok(Some(vec![1f32])));
        assert_eq!(stored.typed::<bool>("absent"), Ok(None));
        let mismatch =
            |expected, found, path: &str| TypeMismatch { path: path.to_owned(), expected, found };
        assert_eq!(stored.typed::<u64>("minus"), Err(mismatch("u64", "i64", "minus")));
        assert_eq!(stored.typed::<i64>("big"), Err(mismatch("i64", "u64", "big")));
        assert_eq!(stored.typed::<u8>("whole"), Err(mismatch("u8", "i64", "whole")));
        assert_eq!(stored.typed::<i64>("half"), Err(mismatch("i64", "f64", "half")));
        assert_eq!(stored.typed::<&str>("null"), Err(mismatch("string", "null", "null")));
        assert_eq!(stored.typed::<&str>("bytes"), Err(mismatch("string", "bytes", "bytes")));
    }
}
