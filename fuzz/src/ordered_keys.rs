//! Keys of typed parts: there and back, and the order of bytes is that of the parts.
//!
//! - Any bytes are an error, or parts that encode to the same bytes.
//! - Parts come back as they went in, one NaN for each sign.
//! - Of two keys the one with the smaller parts has the smaller bytes. Which parts are
//!   smaller is written down here once more, from the rules for keys.

use std::cmp::Ordering;

use arbitrary::{Result, Unstructured};
use num_bigint::{BigInt, Sign};
use selvedge_encoding::{KEY_INTEGER_BYTES_MAX, Key, KeyError, KeyPart, key};

use crate::seeds::random_seeds;

/// Parts of a key that is drawn.
const PARTS_MAX: usize = 6;
/// Bytes of an integer that is drawn: some are too long.
const INTEGER_BYTES_MAX: usize = KEY_INTEGER_BYTES_MAX + 3;
/// Where encodings and orders change.
const FLOATS: [u64; 10] = [
    0,
    1,
    1 << 63,
    0x7FF0 << 48,
    0xFFF0 << 48,
    0x7FF8 << 48,
    0xFFF8 << 48,
    0x7FF0_0000_0000_0001,
    0xFFFF_FFFF_FFFF_FFFF,
    0x3FF0 << 48,
];

/// Runs one input.
pub fn run(input: &[u8]) {
    read(input);
    // What runs out of input ends there.
    let _ = draw_and_compare(&mut Unstructured::new(input));
}

/// Reads bytes that may be no key.
fn read(bytes: &[u8]) {
    let key = Key::from_bytes(bytes);
    let _ = format!("{key:?}");
    match key.parts() {
        Ok(parts) => {
            let again: Key = parts.iter().collect();
            assert_eq!(again.as_bytes(), bytes, "one list of parts, one encoding");
        }
        Err(KeyError::NotParts { offset, .. }) => {
            let first = Key::from_bytes(&bytes[..offset]);
            assert!(first.parts().is_ok(), "what comes before the error is parts");
        }
        Err(error) => panic!("not an error of reading: {error}"),
    }
}

fn draw_and_compare(input: &mut Unstructured<'_>) -> Result<()> {
    let (one, mut other) = (parts(input)?, parts(input)?);
    if input.arbitrary()? {
        // Keys that begin alike.
        let kept = input.int_in_range(0..=one.len())?;
        other.splice(..0, one[..kept].iter().cloned());
    }
    let (Some(one_key), Some(other_key)) = (encode(&one), encode(&other)) else { return Ok(()) };
    come_back(&one_key, &one);
    come_back(&other_key, &other);
    let expected = order(&one, &other);
    assert_eq!(one_key.cmp(&other_key), expected, "{one:?} {other:?}");
    assert_eq!(one_key.as_bytes().cmp(other_key.as_bytes()), expected);
    assert_eq!(one.cmp(&other), expected, "the order of parts themselves");
    let begins = one.len() <= other.len() && order(&one, &other[..one.len()]).is_eq();
    assert_eq!(other_key.starts_with(&one_key), begins, "{one:?} {other:?}");
    Ok(())
}

/// The key, unless one of the parts is too long for one.
fn encode(parts: &[KeyPart]) -> Option<Key> {
    let mut key = Key::new();
    for part in parts {
        let before = key.clone();
        let is_too_long = matches!(part, KeyPart::Integer(integer)
            if integer.magnitude().to_bytes_be().len() > KEY_INTEGER_BYTES_MAX);
        match key.push(part) {
            Ok(()) => assert!(!is_too_long && key.starts_with(&before)),
            Err(error) => {
                assert!(matches!(error, KeyError::IntegerTooLong { .. }) && is_too_long);
                assert_eq!(key, before, "a refused part leaves no trace");
                return None;
            }
        }
    }
    Some(key)
}

fn come_back(key: &Key, parts: &[KeyPart]) {
    let found = key.parts().expect("what was encoded can be read");
    assert!(order(&found, parts).is_eq(), "{found:?} instead of {parts:?}");
    // The sign of a zero, and that of a NaN, count.
    for (found, part) in found.iter().zip(parts) {
        if let (KeyPart::Float(found), KeyPart::Float(part)) = (found, part) {
            assert_eq!(found.is_sign_negative(), part.is_sign_negative());
        }
    }
    read(key.as_bytes());
}

fn order(one: &[KeyPart], other: &[KeyPart]) -> Ordering {
    let differing = one.iter().zip(other).map(|(one, other)| order_parts(one, other));
    differing.into_iter().find(|order| order.is_ne()).unwrap_or(one.len().cmp(&other.len()))
}

/// Bytes, strings, integers, floats, false, true; within a type as one expects.
fn order_parts(one: &KeyPart, other: &KeyPart) -> Ordering {
    let rank = |part: &KeyPart| match part {
        KeyPart::Bytes(_) => 0,
        KeyPart::String(_) => 1,
        KeyPart::Integer(_) => 2,
        KeyPart::Float(_) => 3,
        KeyPart::Bool(false) => 4,
        KeyPart::Bool(true) => 5,
    };
    match (one, other) {
        (KeyPart::Bytes(one), KeyPart::Bytes(other)) => one.cmp(other),
        (KeyPart::String(one), KeyPart::String(other)) => one.as_bytes().cmp(other.as_bytes()),
        (KeyPart::Integer(one), KeyPart::Integer(other)) => one.cmp(other),
        (KeyPart::Float(one), KeyPart::Float(other)) => one_nan(*one).total_cmp(&one_nan(*other)),
        _ => rank(one).cmp(&rank(other)),
    }
}

/// One NaN for each sign.
fn one_nan(number: f64) -> f64 {
    if number.is_nan() { f64::NAN.copysign(number) } else { number }
}

fn parts(input: &mut Unstructured<'_>) -> Result<Vec<KeyPart>> {
    let count = input.int_in_range(0..=PARTS_MAX)?;
    (0..count).map(|_| part(input)).collect()
}

fn part(input: &mut Unstructured<'_>) -> Result<KeyPart> {
    Ok(match input.int_in_range(0..=8)? {
        0 => KeyPart::Bytes(input.arbitrary()?),
        1 => KeyPart::Bytes(vec![0; input.int_in_range(0..=3)?]),
        2 => KeyPart::String(input.arbitrary()?),
        3 => KeyPart::Integer(BigInt::from(input.arbitrary::<i64>()?)),
        4 => {
            // Where the number of bytes changes.
            let power = BigInt::from(1) << input.int_in_range(0..=8 * INTEGER_BYTES_MAX)?;
            let near = power + i32::from(input.arbitrary::<i8>()?);
            KeyPart::Integer(if input.arbitrary()? { -near } else { near })
        }
        5 => {
            let len = input.int_in_range(0..=INTEGER_BYTES_MAX)?;
            let sign = if input.arbitrary()? { Sign::Minus } else { Sign::Plus };
            KeyPart::Integer(BigInt::from_bytes_be(sign, input.bytes(len.min(input.len()))?))
        }
        6 => KeyPart::Float(f64::from_bits(input.arbitrary()?)),
        7 => KeyPart::Float(f64::from_bits(*input.choose(&FLOATS)?)),
        _ => KeyPart::Bool(input.arbitrary()?),
    })
}

/// Inputs for the start: keys.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let keys = [
        key![],
        key!["account", "alice", 7],
        key!["a\0b", vec![0, 255, 0], false, true],
        key![0, 255, -256, u64::MAX, i64::MIN, i128::MAX, i128::MIN],
        key![0.0, -0.0, 1.5, f64::NAN, -f64::NAN, f64::INFINITY],
        key![BigInt::from(3).pow(1200), -BigInt::from(3).pow(1200)],
    ];
    let mut seeds: Vec<_> = keys.map(Key::into_bytes).into();
    seeds.extend(random_seeds(&[1, 2, 4, 6], 120));
    seeds
}
