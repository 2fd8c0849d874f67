//! Values as bytes that sort as the values do: what property indexes are keyed by.
//!
//! ```text
//! null      01                        bytes      06 escaped
//! false     02                        timestamp  07 microseconds, sign flipped, 8 bytes
//! true      03                        vector     08 (01 sortable f32, 4 bytes)* 00
//! number    04 floor, 8 bytes, rest, 2 list      09 value* 00
//! string    05 escaped                map        0A (01 escaped name, value)* 00
//! ```
//!
//! All numbers are big endian. *Escaped* bytes have `FF` put behind each `00`, and end
//! with `00 00`. Every encoding ends where its own bytes say, so that several can stand
//! one behind the other, and none is the beginning of another.
//!
//! A number is the greatest `f64` that is not above it, and what an integer exceeds that
//! by: less than 2^11, as a `f64` has 53 bits for the 64 of an integer. So numbers of all
//! three types sort by what they are worth, and equal ones have equal bytes.

use std::ops::Range;

use crate::key_part::{canonical, sortable};
use crate::{DocRef, Document, Value, ValueRef};

const NULL: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const NUMBER: u8 = 4;
const STRING: u8 = 5;
const BYTES: u8 = 6;
const TIMESTAMP: u8 = 7;
const VECTOR: u8 = 8;
const LIST: u8 = 9;
const MAP: u8 = 10;
/// Ends a sequence. No value begins with it.
const END: u8 = 0;
/// Ends bytes that are escaped.
const STRING_END: [u8; 2] = [0, 0];
/// Stands before each element that has no tag of its own.
const NEXT: u8 = 1;

impl Value {
    /// Appends bytes that compare as [`total_cmp`](Value::total_cmp) does; equal values
    /// have equal bytes, and no value's are the beginning of another's.
    ///
    /// ```
    /// use selvedge_encoding::Value;
    ///
    /// let bytes = |value: Value| {
    ///     let mut bytes = Vec::new();
    ///     value.put_ordered(&mut bytes);
    ///     bytes
    /// };
    /// assert!(bytes(Value::I64(-3)) < bytes(Value::F64(2.5)));
    /// assert!(bytes(Value::F64(2.5)) < bytes(Value::U64(u64::MAX)));
    /// assert_eq!(bytes(Value::I64(1)), bytes(Value::F64(1.0)));
    /// assert!(bytes("ab".into()) < bytes("b".into()));
    /// ```
    pub fn put_ordered(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(NULL),
            Self::Bool(value) => put_bool(*value, out),
            Self::I64(value) => put_integer(i128::from(*value), out),
            Self::U64(value) => put_integer(i128::from(*value), out),
            Self::F64(value) => put_number(*value, 0, out),
            Self::String(value) => put_escaped(STRING, value.as_bytes(), out),
            Self::Bytes(value) => put_escaped(BYTES, value, out),
            Self::Timestamp(value) => put_timestamp(value.as_micros(), out),
            Self::Vector(value) => put_vector(value.iter().copied(), out),
            Self::List(value) => {
                out.push(LIST);
                value.iter().for_each(|value| value.put_ordered(out));
                out.push(END);
            }
            Self::Map(value) => put_document(value, out),
        }
    }
}

impl ValueRef<'_> {
    /// As [`Value::put_ordered`].
    pub fn put_ordered(self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(NULL),
            Self::Bool(value) => put_bool(value, out),
            Self::I64(value) => put_integer(i128::from(value), out),
            Self::U64(value) => put_integer(i128::from(value), out),
            Self::F64(value) => put_number(value, 0, out),
            Self::String(value) => put_escaped(STRING, value.as_bytes(), out),
            Self::Bytes(value) => put_escaped(BYTES, value, out),
            Self::Timestamp(value) => put_timestamp(value.as_micros(), out),
            Self::Vector(value) => put_vector(value.iter(), out),
            Self::List(value) => {
                out.push(LIST);
                value.iter().for_each(|value| value.put_ordered(out));
                out.push(END);
            }
            Self::Map(value) => put_doc_ref(value, out),
        }
    }
}

/// Appends what the ordered bytes of all strings with this beginning begin with.
pub fn put_ordered_prefix(text: &str, out: &mut Vec<u8>) {
    put_escaped(STRING, text.as_bytes(), out);
    out.truncate(out.len() - STRING_END.len());
}

/// Between which first bytes the ordered bytes of all values lie that are of the same
/// kind as this one: truth values, numbers, strings and so on.
#[must_use]
pub fn ordered_kind(value: &Value) -> Range<u8> {
    let (first, last) = match value {
        Value::Null => (NULL, NULL),
        Value::Bool(_) => (FALSE, TRUE),
        Value::I64(_) | Value::U64(_) | Value::F64(_) => (NUMBER, NUMBER),
        Value::String(_) => (STRING, STRING),
        Value::Bytes(_) => (BYTES, BYTES),
        Value::Timestamp(_) => (TIMESTAMP, TIMESTAMP),
        Value::Vector(_) => (VECTOR, VECTOR),
        Value::List(_) => (LIST, LIST),
        Value::Map(_) => (MAP, MAP),
    };
    first..last + 1
}

fn put_document(document: &Document, out: &mut Vec<u8>) {
    out.push(MAP);
    for (name, value) in document {
        put_escaped(NEXT, name.as_bytes(), out);
        value.put_ordered(out);
    }
    out.push(END);
}

fn put_doc_ref(document: DocRef<'_>, out: &mut Vec<u8>) {
    out.push(MAP);
    for (name, value) in document.iter() {
        put_escaped(NEXT, name.as_bytes(), out);
        value.put_ordered(out);
    }
    out.push(END);
}

fn put_bool(value: bool, out: &mut Vec<u8>) {
    out.push(if value { TRUE } else { FALSE });
}

fn put_integer(value: i128, out: &mut Vec<u8>) {
    let nearest = value as f64;
    let floor = if nearest as i128 > value { nearest.next_down() } else { nearest };
    let rest = u16::try_from(value - floor as i128).expect("less than 2^11");
    put_number(floor, rest, out);
}

/// The number `floor + rest`.
fn put_number(floor: f64, rest: u16, out: &mut Vec<u8>) {
    out.push(NUMBER);
    out.extend_from_slice(&sortable_f64(floor).to_be_bytes());
    out.extend_from_slice(&rest.to_be_bytes());
}

/// One zero, and one NaN, which is above all other numbers.
fn sortable_f64(value: f64) -> u64 {
    let value = if value.is_nan() { f64::NAN.abs() } else { value + 0.0 };
    sortable(canonical(value))
}

fn put_escaped(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    for run in bytes.split_inclusive(|byte| *byte == 0) {
        out.extend_from_slice(run);
        if run.ends_with(&[0]) {
            out.push(0xFF);
        }
    }
    out.extend_from_slice(&STRING_END);
}

fn put_timestamp(micros: i64, out: &mut Vec<u8>) {
    out.push(TIMESTAMP);
    out.extend_from_slice(&(micros as u64 ^ 1 << 63).to_be_bytes());
}

fn put_vector(numbers: impl Iterator<Item = f32>, out: &mut Vec<u8>) {
    out.push(VECTOR);
    for number in numbers {
        out.push(NEXT);
        out.extend_from_slice(&sortable_f32(number).to_be_bytes());
    }
    out.push(END);
}

fn sortable_f32(value: f32) -> u32 {
    let bits = if value.is_nan() { f32::NAN.abs().to_bits() } else { (value + 0.0).to_bits() };
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;
    use crate::{DateTime, encode};

    fn ordered(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        value.put_ordered(&mut bytes);
        bytes
    }

    /// Numbers around which the three types meet, or part.
    fn number() -> impl Strategy<Value = Value> {
        let near = |at: i128| {
            (-3_i128..=3).prop_map(move |off| {
                let near = at + off;
                i64::try_from(near)
                    .map(Value::I64)
                    .or_else(|_| u64::try_from(near).map(Value::U64))
                    .unwrap_or(Value::F64(near as f64))
            })
        };
        prop_oneof![
            any::<i64>().prop_map(Value::I64),
            (i64::MAX as u64 + 1..).prop_map(Value::U64),
            any::<f64>().prop_map(Value::F64),
            prop_oneof![Just(f64::NAN), Just(-f64::NAN), Just(-0.0), Just(f64::NEG_INFINITY)]
                .prop_map(Value::F64),
            prop::sample::select(vec![
                0,
                1 << 53,
                -(1 << 53),
                1 << 62,
                i128::from(i64::MIN),
                i128::from(i64::MAX),
                i128::from(u64::MAX)
            ])
            .prop_flat_map(near),
            any::<i32>().prop_map(|number| Value::F64(f64::from(number))),
            any::<i32>().prop_map(|number| Value::I64(i64::from(number))),
        ]
    }

    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!['\0', '\u{1}', 'a', 'b', 'ÿ']), 0..4)
            .prop_map(|characters| characters.into_iter().collect())
    }

    fn value() -> impl Strategy<Value = Value> {
        let float = prop_oneof![any::<f32>(), Just(f32::NAN), Just(-0.0), Just(0.0), Just(1.0)];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number(),
            text().prop_map(Value::String),
            text().prop_map(|text| Value::Bytes(text.into_bytes())),
            (-2_i64..2).prop_map(|micros| Value::Timestamp(DateTime::from_micros(micros))),
            any::<i64>().prop_map(|micros| Value::Timestamp(DateTime::from_micros(micros))),
            prop::collection::vec(float, 0..3).prop_map(Value::Vector),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
                prop::collection::vec((text(), inner), 0..3)
                    .prop_map(|fields| Value::Map(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Two values, one behind the other, so that the end of the first counts.
        #[test]
        fn bytes_sort_as_values_do(one in value(), other in value(), third in value()) {
            let (a, b) = (ordered(&one), ordered(&other));
            prop_assert_eq!(a.cmp(&b), one.total_cmp(&other), "{:?} with {:?}", one, other);
            let behind = |first: &Value| [ordered(first), ordered(&third)].concat();
            if one.total_cmp(&other) != Ordering::Equal {
                prop_assert_eq!(behind(&one).cmp(&behind(&other)), one.total_cmp(&other));
                prop_assert!(!b.starts_with(&a));
            }
        }

        #[test]
        fn numbers_sort_by_what_they_are_worth(one in number(), other in number()) {
            prop_assert_eq!(ordered(&one).cmp(&ordered(&other)), one.total_cmp(&other));
        }

        #[test]
        fn kinds_and_beginnings_are_ranges(value in value(), text in text()) {
            let (bytes, kind) = (ordered(&value), ordered_kind(&value));
            prop_assert!(kind.contains(&bytes[0]));
            let mut prefix = Vec::new();
            put_ordered_prefix(&text, &mut prefix);
            let begins = matches!(&value, Value::String(string) if string.starts_with(&text));
            prop_assert_eq!(bytes.starts_with(&prefix), begins);
        }

        #[test]
        fn values_in_bytes_have_the_same(value in value()) {
            let mut document = Document::new();
            document.set("v", value.clone());
            let bytes = encode(&document).expect("within the limits");
            let mut read = Vec::new();
            DocRef::trusted(&bytes).get("v").expect("just set").put_ordered(&mut read);
            prop_assert_eq!(read, ordered(&value));
        }
    }
}
