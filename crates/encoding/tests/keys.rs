//! Keys: the bytes of every kind of part, order, round trips, hostile bytes.

use std::cmp::Ordering;

use num_bigint::BigInt;
use proptest::prelude::*;
use selvedge_encoding::{KEY_INTEGER_BYTES_MAX, Key, KeyError, KeyPart, key};

fn hex(key: &Key) -> String {
    key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_bytes_are_those_of_other_clients() {
    let cases = [
        (key!["hello", vec![1, 2, 0, 7, 8]], "0268656c6c6f0001010200ff070800"),
        (key![0], "14"),
        (key![1], "1501"),
        (key![-1], "13fe"),
        (key![255], "15ff"),
        (key![256], "160100"),
        (key![-256], "12feff"),
        (key![u64::MAX], "1cffffffffffffffff"),
        (key![i128::from(u64::MAX) + 1], "1d09010000000000000000"),
        (key![-i128::from(u64::MAX) - 1], "0bf6feffffffffffffffff"),
        (key![0.0], "218000000000000000"),
        (key![-0.0], "217fffffffffffffff"),
        (key![1.5], "21bff8000000000000"),
        (key![f64::NAN], "21fff8000000000000"),
        (key![f64::NEG_INFINITY], "21000fffffffffffff"),
        (key![false, true], "2627"),
        (key![""], "0200"),
        (key!["\0"], "0200ff00"),
    ];
    for (key, bytes) in cases {
        assert_eq!(hex(&key), bytes, "{key:?}");
    }
}

#[test]
fn integers_have_a_limit() {
    let longest: BigInt = BigInt::from(256).pow(KEY_INTEGER_BYTES_MAX as u32) - 1;
    for longest in [longest.clone(), -longest] {
        let key = key![longest.clone()];
        assert_eq!(key.parts(), Ok(vec![KeyPart::from(longest.clone())]));
        let longer = KeyPart::Integer(longest * 256);
        let refused = Key::new().push(&longer);
        assert_eq!(refused, Err(KeyError::IntegerTooLong { bytes: KEY_INTEGER_BYTES_MAX + 1 }));
    }
}

#[test]
fn bytes_that_are_no_parts_are_told_where_they_begin() {
    let wrong: [&[u8]; 12] = [
        b"\x00",
        b"\x03",
        b"\x01abc",
        b"\x02abc\x00\xff",
        b"\x02\xc3\x00",
        b"\x15",
        b"\x15\x00",
        b"\x16\x00\x01",
        b"\x1d\x08\x01\x00\x00\x00\x00\x00\x00\x00",
        b"\x0b\xf6\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x21\x80\x00",
        b"\x21\xff\xf8\x00\x00\x00\x00\x00\x01",
    ];
    for bytes in wrong {
        let behind = [&[0x27], bytes].concat();
        let error = Key::from_bytes(behind).parts().expect_err("no parts");
        assert!(matches!(error, KeyError::NotParts { offset: 1, .. }), "{bytes:?}: {error}");
    }
    assert_eq!(format!("{:?}", Key::from_bytes(*b"\x00a")), r#""\x00a""#);
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        prop::sample::select(vec![0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, 1.0, -1.0]),
    ]
}

fn any_integer() -> impl Strategy<Value = BigInt> {
    let near_powers = (0..80_u32, -2..3_i32, any::<bool>()).prop_map(|(bytes, by, negative)| {
        let near = BigInt::from(256).pow(bytes) + by;
        if negative { -near } else { near }
    });
    prop_oneof![
        any::<i64>().prop_map(BigInt::from),
        any::<i128>().prop_map(BigInt::from),
        near_powers
    ]
}

fn any_part() -> impl Strategy<Value = KeyPart> {
    let byte = prop_oneof![Just(0_u8), Just(0xFF), Just(1), any::<u8>()];
    prop_oneof![
        prop::collection::vec(byte, 0..6).prop_map(KeyPart::Bytes),
        "[\0a-b\u{ff}\u{10ffff}]{0,4}".prop_map(KeyPart::String),
        any_integer().prop_map(KeyPart::Integer),
        any_float().prop_map(KeyPart::Float),
        any::<bool>().prop_map(KeyPart::Bool),
    ]
}

fn any_parts() -> impl Strategy<Value = Vec<KeyPart>> {
    prop::collection::vec(any_part(), 0..4)
}

proptest! {
    #[test]
    fn parts_are_read_back(parts in any_parts()) {
        let key: Key = parts.iter().collect();
        prop_assert_eq!(key.parts(), Ok(parts));
    }

    #[test]
    fn bytes_sort_as_parts_do(one in any_parts(), other in any_parts()) {
        let (a, b): (Key, Key) = (one.iter().collect(), other.iter().collect());
        prop_assert_eq!(a.as_bytes().cmp(b.as_bytes()), one.cmp(&other));
        prop_assert_eq!(a.cmp(&b) == Ordering::Equal, one == other);
    }

    #[test]
    fn any_bytes_are_an_error_or_what_their_parts_make(bytes in prop::collection::vec(
        prop_oneof![0..0x28_u8, any::<u8>()], 0..24)) {
        if let Ok(parts) = Key::from_bytes(bytes.clone()).parts() {
            let key: Key = parts.into_iter().collect();
            prop_assert_eq!(key.into_bytes(), bytes);
        }
    }
}

/// The bytes of `""` are the first bytes of `"\0"`, of which the zero is escaped: the one
/// was told to be a part of the other.
#[test]
fn a_part_that_begins_with_the_bytes_of_another_is_another() {
    for (prefix, key) in [
        (key![vec![]], key![vec![0]]),
        (key![""], key!["\0", 1]),
        (key!["a", "b"], key!["a", "b\0c"]),
    ] {
        assert!(key.as_bytes().starts_with(prefix.as_bytes()));
        assert!(!key.starts_with(&prefix), "{prefix:?} {key:?}");
        assert!(key.clone().with(prefix.as_bytes()).starts_with(&key));
        assert!(key.starts_with(&key) && key.starts_with(&Key::new()));
    }
}
