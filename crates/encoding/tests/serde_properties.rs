//! Properties of the way through serde: over random values and documents, random
//! types, and bytes that no encoder wrote.

mod strategies;

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use selvedge_encoding::{
    DateTime, DocRef, Document, SerdeError, Value, Vector, encode, from_document, from_value,
    to_document, to_value,
};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use strategies::{document, value};

/// Fields named as those of random documents are, so that they often meet.
#[derive(Serialize, Deserialize, Debug, PartialEq, Clone, Default)]
#[serde(default)]
struct Mixed {
    a: Option<i64>,
    b: Option<Vec<Value>>,
    c: Option<DateTime>,
    d: BTreeMap<String, Value>,
    e: Value,
    aa: String,
    ab: Vec<f32>,
    bb: Option<Box<Mixed>>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
enum Kind {
    Unit,
    Newtype(i32),
    Tuple(bool, String),
    Struct { at: DateTime, inner: Box<Option<Kind>> },
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Typed {
    small: i8,
    large: u64,
    wide: i128,
    half: f32,
    letter: char,
    text: Option<String>,
    kinds: Vec<Kind>,
    by_number: BTreeMap<i64, Option<bool>>,
    by_letter: BTreeMap<char, (u8, ())>,
    vector: Vector,
    rest: Document,
}

fn kind() -> impl Strategy<Value = Kind> {
    let leaf = prop_oneof![
        Just(Kind::Unit),
        any::<i32>().prop_map(Kind::Newtype),
        (any::<bool>(), ".{0,4}").prop_map(|(flag, text)| Kind::Tuple(flag, text)),
    ];
    leaf.prop_recursive(3, 8, 1, |inner| {
        (any::<i64>(), option::of(inner)).prop_map(|(micros, inner)| Kind::Struct {
            at: DateTime::from_micros(micros),
            inner: Box::new(inner),
        })
    })
}

fn typed() -> impl Strategy<Value = Typed> {
    let numbers = (any::<i8>(), any::<u64>(), any::<i64>(), any::<f32>(), any::<char>());
    let maps = (
        btree_map(any::<i64>(), any::<Option<bool>>(), 0..4),
        btree_map(any::<char>(), (any::<u8>(), Just(())), 0..4),
    );
    let lists = (vec(kind(), 0..4), vec(-9f32..9.0, 0..4), option::of(".{0,9}"), document());
    (numbers, maps, lists).prop_map(
        |((small, large, wide, half, letter), (by_number, by_letter), lists)| Typed {
            small,
            large,
            wide: wide.into(),
            half,
            letter,
            text: lists.2,
            kinds: lists.0,
            by_number,
            by_letter,
            vector: Vector(lists.1),
            rest: lists.3,
        },
    )
}

/// Values that JSON holds without loss.
fn plain() -> impl Strategy<Value = Document> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "\\PC{0,9}".prop_map(Value::from),
    ];
    let value = scalar.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::List),
            vec(("\\PC{0,3}", inner), 0..4).prop_map(|f| Value::Map(f.into_iter().collect())),
        ]
    });
    vec(("\\PC{0,3}", value), 0..4).prop_map(Document::from_iter)
}

/// Both ways give one result, be it an error.
fn both<T: DeserializeOwned + Debug>(document: &Document) -> Result<T, SerdeError> {
    let bytes = encode(document).expect("random documents keep the limits");
    let stored = DocRef::trusted(&bytes).deserialize::<T>();
    // As text, where NaN is like NaN.
    assert_eq!(format!("{stored:?}"), format!("{:?}", from_document::<T>(document.clone())));
    stored
}

/// Reads bytes as types of every kind; it only must come back.
fn read_all(bytes: &[u8]) {
    let stored = DocRef::trusted(bytes);
    let _ = stored.deserialize::<Mixed>();
    let _ = stored.deserialize::<Typed>();
    let _ = stored.deserialize::<Kind>();
    let _ = stored.deserialize::<Value>();
    let _ = stored.deserialize::<IgnoredAny>();
    let _ = stored.deserialize::<serde_json::Value>();
    let _ = stored.deserialize::<BTreeMap<&str, &str>>();
    let _ = stored.deserialize::<BTreeMap<i64, IgnoredAny>>();
    // What is read is all there is: damage is an error, not an absence.
    if let Ok(document) = stored.deserialize::<Document>() {
        assert_eq!(document, stored.to_document());
    }
    if DocRef::parse(bytes).is_ok() {
        assert_eq!(stored.deserialize(), Ok(stored.to_document()));
    }
}

proptest! {
    #[test]
    fn values_come_back_as_they_went(value in value()) {
        prop_assert_eq!(to_value(&value), Ok(value.clone()));
        prop_assert_eq!(from_value(value.clone()), Ok(value));
    }

    #[test]
    fn documents_come_back_as_they_went(document in document()) {
        prop_assert_eq!(to_document(&document), Ok(document.clone()));
        prop_assert_eq!(both::<Document>(&document), Ok(document));
    }

    #[test]
    fn types_come_back_as_they_went(typed in typed()) {
        let document = to_document(&typed).unwrap();
        prop_assert_eq!(both::<Typed>(&document), Ok(typed));
    }

    #[test]
    fn bytes_and_owned_values_are_read_alike(document in document()) {
        let _ = both::<Mixed>(&document);
        let _ = both::<Kind>(&document);
        let _ = both::<serde_json::Value>(&document);
        let _ = both::<BTreeMap<String, String>>(&document);
        let _ = both::<BTreeMap<char, Option<f64>>>(&document);
        let _ = both::<BTreeMap<String, Vec<u8>>>(&document);
        let _ = both::<BTreeMap<String, Kind>>(&document);
    }

    #[test]
    fn plain_documents_pass_through_json(document in plain()) {
        let json = serde_json::to_string(&document).unwrap();
        prop_assert_eq!(serde_json::from_str::<Document>(&json).unwrap(), document.clone());
        let inner: serde_json::Value = from_document(document.clone()).unwrap();
        prop_assert_eq!(to_document(&inner), Ok(document));
    }

    #[test]
    fn random_bytes_break_nothing(bytes in vec(any::<u8>(), 0..64)) {
        read_all(&bytes);
    }

    /// Small numbers everywhere look like tags, lengths and ends.
    #[test]
    fn random_small_bytes_break_nothing(bytes in vec(0u8..16, 0..64)) {
        read_all(&bytes);
    }

    #[test]
    fn damaged_documents_break_nothing(
        document in prop_oneof![document(), typed().prop_map(|t| to_document(&t).unwrap())],
        damage in vec((any::<proptest::sample::Index>(), any::<u8>(), 0..3), 1..4),
    ) {
        let mut bytes = encode(&document).unwrap();
        for (place, byte, kind) in damage {
            let at = place.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        read_all(&bytes);
    }
}
