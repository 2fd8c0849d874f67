//! Properties over random documents, random bytes and random edits. The variable
//! `PROPTEST_CASES` sets how many; a failure prints what to run again.

mod strategies;

use std::cmp::Ordering;

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use selvedge_encoding::{
    DocRef, Document, EncodeError, Value, ValueRef, encode, set_field, set_fields, set_path,
    unset_field,
};

use strategies::{document, name, number, value};

/// Does everything that a reader or an edit can do; it only must come back.
fn exercise(bytes: &[u8]) {
    let stored = DocRef::trusted(bytes);
    let document = stored.to_document();
    let _ = format!("{stored:?}");
    let _ = encode(&document).expect("what is read out keeps the limits");
    let mut out = Vec::new();
    for field in ["", "a", "b", "c", "ab", "é"] {
        exercise_value(stored.get(field));
        let _ = stored.typed::<String>(field);
        let _ = set_field(bytes, field, &Value::from("new"), &mut out);
        let _ = unset_field(bytes, field, &mut out);
        let _ = set_path(bytes, &format!("{field}.a.b"), &Value::Null, &mut out);
    }
    let edits = [("a", &Value::Null), ("é", &Value::Null), ("ab", &Value::Null)];
    let _ = set_fields(bytes, &edits, &mut out);
    for path in ["a.a", "a[0]", "b[1].a", "c[0][0]"] {
        exercise_value(stored.get_path(path));
    }
    for (_, value) in stored {
        exercise_value(Some(value));
    }
}

fn exercise_value(value: Option<ValueRef<'_>>) {
    match value {
        Some(ValueRef::List(list)) => {
            let _ = (list.len(), list.get(0), list.get(usize::MAX), list.iter().count());
        }
        Some(ValueRef::Vector(vector)) => {
            let _ = (vector.get(0), vector.get(usize::MAX), vector.to_vec());
        }
        Some(value) => {
            let _ = (value.to_value(), value.as_f64(), value.as_i64(), value.as_u64());
        }
        None => {}
    }
}

/// Parsing accepts canonical bytes only.
fn check_parse(bytes: &[u8]) {
    if let Ok(parsed) = DocRef::parse(bytes) {
        assert_eq!(encode(&parsed.to_document()).as_deref(), Ok(bytes));
    }
}

/// What `set_path` should do, done to an owned document.
fn set_path_owned(document: &mut Document, names: &[&str], value: &Value) -> Result<(), ()> {
    let (first, rest) = names.split_first().expect("a path has a name");
    if rest.is_empty() {
        document.set(*first, value.clone());
        return Ok(());
    }
    if !document.contains(first) {
        document.set(*first, Document::new());
    }
    match document.get_mut(first) {
        Some(Value::Map(inner)) => set_path_owned(inner, rest, value),
        _ => Err(()),
    }
}

proptest! {
    #[test]
    fn documents_come_back_as_they_went(document in document()) {
        let bytes = encode(&document).unwrap();
        let stored = DocRef::parse(&bytes).unwrap();
        prop_assert_eq!(&stored.to_document(), &document);
        prop_assert_eq!(stored.len(), document.len());
        prop_assert_eq!(stored.iter().count(), document.len());
        for ((name, value), (stored_name, stored_value)) in document.iter().zip(stored) {
            prop_assert_eq!(name, stored_name);
            prop_assert_eq!(stored.get(name), Some(stored_value));
            prop_assert_eq!(&stored_value.to_value(), value);
            prop_assert_eq!(stored_value.type_name(), stored_value.to_value().type_name());
            if let (Value::List(list), Some(stored_list)) = (value, stored_value.as_list()) {
                prop_assert_eq!(stored_list.len(), list.len());
                for (index, element) in list.iter().enumerate() {
                    prop_assert_eq!(&stored_list.get(index).unwrap().to_value(), element);
                }
            }
        }
        prop_assert!(stored.get("never a name").is_none());
    }

    #[test]
    fn equal_documents_have_equal_bytes(a in document(), b in document()) {
        let (bytes_a, bytes_b) = (encode(&a).unwrap(), encode(&b).unwrap());
        prop_assert_eq!(a == b, bytes_a == bytes_b);
    }

    #[test]
    fn random_bytes_break_nothing(bytes in vec(any::<u8>(), 0..64)) {
        exercise(&bytes);
        check_parse(&bytes);
    }

    /// Small numbers everywhere look like tags, lengths and ends.
    #[test]
    fn random_small_bytes_break_nothing(bytes in vec(0u8..16, 0..64)) {
        exercise(&bytes);
        check_parse(&bytes);
    }

    #[test]
    fn damaged_documents_break_nothing(
        document in document(),
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
        exercise(&bytes);
        check_parse(&bytes);
    }

    #[test]
    fn setting_a_field_is_encoding_anew(
        document in document(),
        name in name(),
        value in value(),
    ) {
        let mut out = b"before".to_vec();
        set_field(&encode(&document).unwrap(), &name, &value, &mut out).unwrap();
        let mut edited = document;
        edited.set(name, value);
        prop_assert_eq!(&out[6..], encode(&edited).unwrap());
    }

    #[test]
    fn setting_fields_is_encoding_anew(
        document in document(),
        edits in vec((name(), value()), 0..6),
    ) {
        let mut out = b"before".to_vec();
        let borrowed: Vec<(&str, &Value)> =
            edits.iter().map(|(name, value)| (name.as_str(), value)).collect();
        set_fields(&encode(&document).unwrap(), &borrowed, &mut out).unwrap();
        let mut edited = document;
        edited.extend(edits);
        prop_assert_eq!(&out[6..], encode(&edited).unwrap());
    }

    #[test]
    fn unsetting_a_field_is_encoding_anew(document in document(), name in name()) {
        let mut out = b"before".to_vec();
        let found = unset_field(&encode(&document).unwrap(), &name, &mut out);
        let mut edited = document;
        prop_assert_eq!(edited.remove(&name).is_some(), found);
        prop_assert_eq!(&out[6..], encode(&edited).unwrap());
    }

    #[test]
    fn setting_a_path_is_encoding_anew(
        document in document(),
        names in vec("[a-c]", 1..4),
        value in value(),
    ) {
        let mut out = b"before".to_vec();
        let path = names.join(".");
        let bytes = encode(&document).unwrap();
        let result = set_path(&bytes, &path, &value, &mut out);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut edited = document;
        if set_path_owned(&mut edited, &names, &value).is_ok() {
            prop_assert_eq!(result, Ok(()));
            prop_assert_eq!(&out[6..], encode(&edited).unwrap());
            prop_assert_eq!(DocRef::trusted(&out[6..]).get_path(&path).unwrap().to_value(), value);
        } else {
            let Err(EncodeError::TypeMismatch(mismatch)) = result else {
                panic!("{result:?}");
            };
            prop_assert!(path.starts_with(&mismatch.path));
            let blocking = DocRef::trusted(&bytes).get_path(&mismatch.path).unwrap();
            prop_assert_eq!(mismatch.found, blocking.type_name());
            prop_assert_eq!(out, b"before");
        }
    }

    #[test]
    fn numbers_are_in_total_order(a in number(), b in number(), c in number()) {
        check_order(&a, &b, &c);
    }

    #[test]
    fn values_are_in_total_order(a in value(), b in value(), c in value()) {
        check_order(&a, &b, &c);
    }
}

/// Reflexive, antisymmetric and transitive; equal values compare as equal.
fn check_order(a: &Value, b: &Value, c: &Value) {
    assert_eq!(a.total_cmp(a), Ordering::Equal);
    assert_eq!(a.total_cmp(b), b.total_cmp(a).reverse());
    if a == b {
        assert_eq!(a.total_cmp(b), Ordering::Equal);
    }
    let mut sorted = [a, b, c];
    sorted.sort_by(|a, b| a.total_cmp(b));
    assert!(sorted[0].total_cmp(sorted[2]).is_le());
    if sorted[0].total_cmp(sorted[1]).is_eq() {
        assert_eq!(sorted[0].total_cmp(sorted[2]), sorted[1].total_cmp(sorted[2]));
    }
    if sorted[1].total_cmp(sorted[2]).is_eq() {
        assert_eq!(sorted[0].total_cmp(sorted[1]), sorted[0].total_cmp(sorted[2]));
    }
}

/// A wide map crosses every width of its table as it grows and shrinks.
#[test]
fn tables_widen_and_narrow_with_edits() {
    let mut document = Document::new();
    let mut bytes = Vec::new();
    let mut apply = |document: &mut Document, name: String, value: Option<Value>| {
        let mut out = Vec::new();
        if let Some(value) = value {
            set_field(&bytes, &name, &value, &mut out).unwrap();
            document.set(name, value);
        } else {
            assert!(unset_field(&bytes, &name, &mut out));
            document.remove(&name);
        }
        assert!(out == encode(document).unwrap(), "{} fields", document.len());
        bytes = out;
    };
    for index in 0..60 {
        let name = format!("field {}", index * 37 % 60);
        apply(&mut document, name, Some("x".repeat(index * 50).into()));
    }
    for index in 0..60 {
        apply(&mut document, format!("field {index}"), None);
    }
    assert!(bytes.is_empty());
}
