//! Documents: bytes through the parser, then everything that reads or edits them.
//!
//! ```text
//! input = length of the steps u8 | steps | bytes of a document
//! ```
//!
//! - Bytes that nobody has checked are read and edited without panic, and what is read
//!   out of them can be encoded.
//! - Bytes that parse are what encoding gives for what they say, whatever of it is read.
//! - An edit of encoded bytes gives what encoding the edited document gives, or the
//!   error that it gives.

use arbitrary::{Result, Unstructured};
use selvedge_encoding::{
    DateTime, DocRef, Document, EncodeError, Value, ValueRef, doc, encode, set_field, set_fields,
    set_path, unset_field,
};

use crate::documents::{document, name, value};
use crate::seeds::random_seeds;

/// Edits made one after the other.
const STEPS_MAX: usize = 8;

/// Runs one input.
pub fn run(input: &[u8]) {
    let Some((steps_len, rest)) = input.split_first() else { return };
    let (steps, bytes) = rest.split_at(usize::from(*steps_len).min(rest.len()));
    read(bytes);
    // What runs out of input ends there.
    let _ = edit_unchecked(&mut Unstructured::new(steps), bytes);
    let parsed = DocRef::parse(bytes).ok();
    if let Some(parsed) = parsed {
        let document = parsed.to_document();
        assert_eq!(encode(&document).as_deref(), Ok(bytes), "one document, one encoding");
        compare(parsed, &document);
        let _ = edit(&mut Unstructured::new(steps), document);
    } else {
        let drawn = document_of(&mut Unstructured::new(bytes));
        let encoded = encode(&drawn);
        if let Ok(encoded) = &encoded {
            let read = DocRef::parse(encoded).expect("what was encoded parses");
            assert_eq!(read.to_document(), drawn);
            compare(read, &drawn);
            let _ = edit(&mut Unstructured::new(steps), drawn);
        }
    }
}

fn document_of(input: &mut Unstructured<'_>) -> Document {
    document(input).unwrap_or_default()
}

/// Reads everything there is in bytes that nobody has checked.
fn read(bytes: &[u8]) {
    let stored = DocRef::trusted(bytes);
    let _ = (stored.len(), stored.is_empty(), format!("{stored:?}"));
    let document = stored.to_document();
    encode(&document).expect("what is read out keeps the limits");
    for (field, value) in stored.iter().chain(stored) {
        let _ = (stored.get(field), stored.contains(field), stored.get_path(field));
        let _ = (stored.typed::<String>(field), stored.typed::<Option<i64>>(field));
        let _ = (stored.typed::<Vec<f32>>(field), stored.typed::<f64>(field));
        read_value(value);
    }
    for path in ["a.b", "a[0]", "list[1].a", "map.map", "[0]", "a[18446744073709551616]", "."] {
        stored.get_path(path).into_iter().for_each(read_value);
    }
}

fn read_value(value: ValueRef<'_>) {
    let owned = value.to_value();
    let _ = (value.type_name(), owned.type_name());
    let _ = (value.is_null(), value.as_bool(), value.as_i64(), value.as_u64(), value.as_f64());
    let _ = (value.as_str(), value.as_bytes(), value.as_datetime());
    assert!(owned.total_cmp(&owned).is_eq());
    if let Some(list) = value.as_list() {
        let _ = (list.len(), list.is_empty(), list.get(usize::MAX), list.to_vec());
        list.iter().for_each(read_value);
    }
    if let Some(vector) = value.as_vector() {
        let _ = (vector.len(), vector.get(0), vector.get(usize::MAX), vector.to_vec());
        assert_eq!(vector.iter().count(), vector.len());
    }
    if let Some(map) = value.as_map() {
        map.iter().for_each(|(_, value)| read_value(value));
    }
}

/// Edits bytes that nobody has checked: whatever comes of it, nothing panics, and a
/// refusal leaves what was there.
fn edit_unchecked(input: &mut Unstructured<'_>, bytes: &[u8]) -> Result<()> {
    let (field, value) = (name(input)?, value(input)?);
    let mut out = b"before".to_vec();
    let path = format!("{field}.{}", name(input)?);
    for done in [
        set_field(bytes, &field, &value, &mut out),
        set_path(bytes, &path, &value, &mut out),
        set_fields(bytes, &[("b", &value), (&field, &Value::Null), ("b", &value)], &mut out),
    ] {
        if done.is_err() {
            assert_eq!(out, b"before", "a refused edit leaves no trace");
        }
        read(&out[6..]);
        out.truncate(6);
    }
    unset_field(bytes, &field, &mut out);
    read(&out[6..]);
    Ok(())
}

/// What is stored is what the owned document says, read in each way.
fn compare(stored: DocRef<'_>, document: &Document) {
    assert_eq!((stored.len(), stored.is_empty()), (document.len(), document.is_empty()));
    for ((field, owned), (stored_field, value)) in document.iter().zip(stored) {
        assert_eq!(stored_field, field);
        assert_eq!(stored.get(field), Some(value));
        compare_value(value, owned);
        if !field.contains(['.', '[']) {
            assert_eq!(stored.get_path(field), Some(value));
        }
    }
    assert!(stored.get("never a name of these").is_none());
}

fn compare_value(value: ValueRef<'_>, owned: &Value) {
    assert_eq!((&value.to_value(), value.type_name()), (owned, owned.type_name()));
    assert_eq!((value.as_i64(), value.as_u64()), (owned.as_i64(), owned.as_u64()));
    match (value, owned) {
        (ValueRef::List(list), Value::List(elements)) => {
            assert_eq!(list.len(), elements.len());
            for (at, element) in elements.iter().enumerate() {
                compare_value(list.get(at).expect("as many as there are"), element);
            }
        }
        (ValueRef::Map(map), Value::Map(fields)) => compare(map, fields),
        _ => {}
    }
}

/// Edits a document and its bytes side by side.
fn edit(input: &mut Unstructured<'_>, mut document: Document) -> Result<()> {
    let mut bytes = encode(&document).expect("it was encoded before");
    for _ in 0..STEPS_MAX {
        let (mut out, mut edited) = (b"before".to_vec(), document.clone());
        let done = match input.int_in_range(0..=3)? {
            0 => {
                let (field, value) = (name(input)?, value(input)?);
                edited.set(field.clone(), value.clone());
                set_field(&bytes, &field, &value, &mut out)
            }
            1 => {
                let field = name(input)?;
                let found = edited.remove(&field).is_some();
                assert_eq!(unset_field(&bytes, &field, &mut out), found);
                Ok(())
            }
            2 => {
                let edits = [(name(input)?, value(input)?), (name(input)?, value(input)?)];
                let borrowed = edits.each_ref().map(|(field, value)| (field.as_str(), value));
                edited.extend(edits.clone());
                set_fields(&bytes, &borrowed, &mut out)
            }
            _ => {
                let names = [name(input)?, name(input)?];
                if names.iter().any(|name| name.contains(['.', '['])) {
                    continue;
                }
                let value = value(input)?;
                let done = set_path(&bytes, &names.join("."), &value, &mut out);
                if names.iter().any(String::is_empty) {
                    assert!(matches!(done, Err(EncodeError::Path(_))), "{done:?}");
                    continue;
                }
                let is_map = set_below(&mut edited, &names, value);
                if !is_map {
                    assert!(matches!(done, Err(EncodeError::TypeMismatch(_))), "{done:?}");
                    continue;
                }
                done
            }
        };
        // Compared as bytes of the whole: an edit is encoding anew.
        match (done, encode(&edited)) {
            (Ok(()), Ok(expected)) => {
                assert_eq!(out[6..], expected, "editing bytes is encoding anew");
                assert_eq!(DocRef::parse(&expected).expect("it parses").to_document(), edited);
                (bytes, document) = (expected, edited);
            }
            (Err(_), Err(_)) => assert_eq!(out, b"before", "a refused edit leaves no trace"),
            (done, expected) => panic!("the edit gives {done:?}, encoding {expected:?}"),
        }
    }
    Ok(())
}

/// Sets a value two levels down; false if there is no map on the way.
fn set_below(document: &mut Document, names: &[String; 2], value: Value) -> bool {
    let [first, second] = names;
    if !document.contains(first) {
        document.set(first.clone(), Document::new());
    }
    match document.get_mut(first) {
        Some(Value::Map(inner)) => {
            inner.set(second.clone(), value);
            true
        }
        _ => false,
    }
}

/// Inputs for the start: documents with values of every type, nested, wide and long;
/// and random steps.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let wide: Document = (0..90).map(|number| (format!("field {number}"), number)).collect();
    let documents = [
        doc! {},
        doc! { "": null, "a": true, "b": false, "i": -1, "u": u64::MAX, "f": 1.5, "n": f64::NAN },
        doc! { "text": "é", "bytes": b"\0\xff", "vector": vec![1.0_f32, -0.0], "list": [1, [], null] },
        doc! { "time": DateTime::from_micros(-2), "map": { "a": { "b": [{ "c": 1 }] } } },
        doc! { "long": "x".repeat(300), "list": ["y".repeat(260), 40_000, i64::MIN] },
        wide,
    ];
    let encoded = documents.iter().map(|document| encode(document).expect("within the limits"));
    let mut seeds: Vec<_> = encoded.map(|bytes| [&[0], &bytes[..]].concat()).collect();
    seeds.extend(random_seeds(&[20, 80, 200], 400));
    seeds
}
