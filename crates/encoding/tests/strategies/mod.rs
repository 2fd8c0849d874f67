//! Random values and documents, with many of the odd ones among them.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use selvedge_encoding::{DateTime, Document, Value};

/// Numbers close to where the number types stop agreeing, and others.
pub(crate) fn number() -> impl Strategy<Value = Value> {
    let edge = prop_oneof![
        Just(0i128),
        Just(1 << 24),
        Just(1 << 53),
        Just(-(1 << 53)),
        Just(1 << 63),
        Just(-(1 << 63)),
        Just(1 << 64),
    ];
    let near = (edge, -3i128..4, 0..3).prop_map(|(edge, off, kind)| {
        let number = edge + off;
        match (kind, i64::try_from(number), u64::try_from(number)) {
            (0, Ok(number), _) => Value::I64(number),
            (1, _, Ok(number)) => Value::U64(number),
            _ => Value::F64(number as f64),
        }
    });
    let odd = prop_oneof![
        Just(f64::NAN),
        Just(-f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
        Just(0.5),
        Just(-0.5),
        Just(f64::MIN_POSITIVE),
    ];
    prop_oneof![
        4 => near,
        1 => odd.prop_map(Value::F64),
        1 => any::<i64>().prop_map(Value::I64),
        1 => any::<u64>().prop_map(Value::U64),
        1 => any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        1 => any::<i16>().prop_map(Value::from),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        4 => number(),
        2 => "\\PC{0,12}".prop_map(Value::from),
        1 => "[a-c]{200,300}".prop_map(Value::from),
        1 => vec(any::<u8>(), 0..12).prop_map(Value::from),
        1 => any::<i64>().prop_map(|micros| Value::from(DateTime::from_micros(micros))),
        1 => vec(any::<u32>().prop_map(f32::from_bits), 0..5).prop_map(Value::from),
    ]
}

/// Names from so few that they meet.
pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[a-e]{1,2}", 1 => Just(String::new()), 1 => "[a-zé]{1,12}"]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::List),
            vec((name(), inner), 0..6).prop_map(|fields| Value::Map(fields.into_iter().collect())),
        ]
    })
}

pub(crate) fn document() -> impl Strategy<Value = Document> {
    vec((name(), value()), 0..8).prop_map(Document::from_iter)
}
