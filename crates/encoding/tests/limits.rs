//! Each limit is met exactly and passed by one, by encoding, by every edit and
//! by parsing; errors say where.

use selvedge_base::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_DEPTH_MAX, NAME_BYTES_MAX};
use selvedge_encoding::{
    DecodeError, DocRef, Document, EncodeError, Value, doc, encode, encode_into, set_field,
    set_fields, set_path, unset_field,
};

/// Bytes of a document with the one field `v` of so many bytes: name length,
/// name, tag, payload, an end of four bytes, width.
const AROUND_PAYLOAD: usize = 1 + 1 + 1 + 4 + 1;

fn nested_maps(levels: usize) -> Document {
    (1..levels).fold(Document::new(), |inner, _| doc! { "m": inner })
}

fn nested_lists(levels: usize) -> Value {
    (1..levels).fold(Value::List(vec![]), |inner, _| Value::List(vec![inner]))
}

fn too_long(path: &str) -> EncodeError {
    EncodeError::DocumentTooLong { path: path.to_owned(), limit: DOCUMENT_BYTES_MAX }
}

fn too_deep(path: String) -> EncodeError {
    EncodeError::TooDeep { path, limit: DOCUMENT_DEPTH_MAX }
}

#[test]
fn maps_nest_to_the_limit_and_not_one_deeper() {
    let deepest = nested_maps(DOCUMENT_DEPTH_MAX);
    let bytes = encode(&deepest).unwrap();
    assert_eq!(DocRef::parse(&bytes).unwrap().to_document(), deepest);

    let path = vec!["m"; DOCUMENT_DEPTH_MAX].join(".");
    assert_eq!(encode(&nested_maps(DOCUMENT_DEPTH_MAX + 1)), Err(too_deep(path)));
}

#[test]
fn lists_nest_to_the_limit_and_not_one_deeper() {
    let deepest = doc! { "l": nested_lists(DOCUMENT_DEPTH_MAX - 1) };
    let bytes = encode(&deepest).unwrap();
    assert_eq!(DocRef::parse(&bytes).unwrap().to_document(), deepest);

    let path = format!("l{}", "[0]".repeat(DOCUMENT_DEPTH_MAX - 1));
    assert_eq!(encode(&doc! { "l": nested_lists(DOCUMENT_DEPTH_MAX) }), Err(too_deep(path)));
}

#[test]
fn edits_keep_the_depth_limit() {
    let mut out = b"kept".to_vec();
    let (fits, deep) = (nested_lists(DOCUMENT_DEPTH_MAX - 1), nested_lists(DOCUMENT_DEPTH_MAX));
    set_field(&[], "l", &fits, &mut out).unwrap();
    assert!(DocRef::parse(&out[4..]).is_ok());

    out.truncate(4);
    assert!(matches!(set_field(&[], "l", &deep, &mut out), Err(EncodeError::TooDeep { .. })));
    assert!(matches!(
        set_fields(&[], &[("k", &Value::Null), ("l", &deep)], &mut out),
        Err(EncodeError::TooDeep { .. })
    ));
    assert_eq!(out, b"kept");

    let longest = vec!["m"; DOCUMENT_DEPTH_MAX].join(".");
    set_path(&[], &longest, &Value::Null, &mut out).unwrap();
    assert!(DocRef::parse(&out[4..]).is_ok());
    out.truncate(4);
    let beyond = format!("{longest}.m");
    assert_eq!(set_path(&[], &beyond, &Value::Null, &mut out), Err(too_deep(longest)));
    assert!(set_path(&[], &".".repeat(1 << 20), &Value::Null, &mut out).is_err());
    assert_eq!(out, b"kept");
}

#[test]
fn hostile_depth_does_not_overflow_the_stack() {
    // A thread with a small stack; the value is leaked, since dropping it is what
    // would overflow.
    let encoding = || {
        let mut document = doc! { "l": nested_lists(1_000_000) };
        let refused = matches!(encode(&document), Err(EncodeError::TooDeep { .. }));
        std::mem::forget(document.remove("l"));
        refused
    };
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(encoding).unwrap();
    assert!(thread.join().unwrap());
}

/// Nesting that no encoder of ours would write: a list holds a list holds a list.
#[test]
fn bytes_nested_beyond_the_limit_are_refused_and_harmless() {
    let mut bytes = vec![10u8];
    for _ in 0..2000 {
        // The list around: its one element ends where its table begins.
        let end = bytes.len() as u32;
        bytes.extend_from_slice(&end.to_le_bytes());
        bytes.push(2);
        bytes.insert(0, 10);
    }
    bytes.splice(0..0, [1, b'l']);
    let end = bytes.len() as u32;
    bytes.extend_from_slice(&end.to_le_bytes());
    bytes.push(2);
    assert!(DocRef::parse(&bytes).is_err());
    let document = DocRef::trusted(&bytes).to_document();
    assert!(encode(&document).is_ok(), "what is read out of damaged bytes keeps the limits");
    assert!(!format!("{:?}", DocRef::trusted(&bytes)).is_empty());

    // The same within the rules but for the depth.
    let mut bytes = encode(&nested_maps(DOCUMENT_DEPTH_MAX)).unwrap();
    let inner = std::mem::take(&mut bytes);
    bytes.extend([1, b'm', 11]);
    bytes.extend(inner);
    let end = u16::try_from(bytes.len()).unwrap();
    bytes.extend(end.to_le_bytes());
    bytes.push(1);
    let error = DocRef::parse(&bytes).unwrap_err();
    assert_eq!(
        error,
        DecodeError::TooDeep { at: 3 * DOCUMENT_DEPTH_MAX, limit: DOCUMENT_DEPTH_MAX }
    );
}

#[test]
fn documents_grow_to_the_limit_and_not_one_byte_further() {
    let payload = DOCUMENT_BYTES_MAX - AROUND_PAYLOAD;
    let largest = doc! { "v": vec![1u8; payload] };
    let mut bytes = encode(&largest).unwrap();
    assert_eq!(bytes.len(), DOCUMENT_BYTES_MAX);
    assert!(DocRef::parse(&bytes).is_ok());

    // One byte more is passed while writing the table of the document itself.
    assert_eq!(encode(&doc! { "v": vec![1u8; payload + 1] }), Err(too_long("")));
    assert_eq!(encode(&doc! { "v": vec![1u8; DOCUMENT_BYTES_MAX] }), Err(too_long("v")));
    let numbers = vec![0f32; DOCUMENT_BYTES_MAX / 4];
    assert_eq!(encode(&doc! { "a": { "v": numbers } }), Err(too_long("a.v")));
    let nulls = vec![Value::Null; DOCUMENT_BYTES_MAX];
    let error = encode(&doc! { "l": nulls }).unwrap_err();
    assert_eq!(error, too_long(&format!("l[{}]", DOCUMENT_BYTES_MAX - 3)));

    bytes.push(0);
    let (given, limit) = (DOCUMENT_BYTES_MAX + 1, DOCUMENT_BYTES_MAX);
    assert_eq!(DocRef::parse(&bytes), Err(DecodeError::TooLong { bytes: given, limit }));
}

#[test]
fn edits_keep_the_size_limit() {
    let payload = DOCUMENT_BYTES_MAX - AROUND_PAYLOAD;
    let (fits, large) = (Value::from(vec![1u8; payload]), Value::from(vec![1u8; payload + 1]));
    let small = encode(&doc! { "v": 1 }).unwrap();
    let mut full = b"kept".to_vec();
    set_field(&small, "v", &fits, &mut full).unwrap();
    let full = &full[4..];
    assert_eq!(full, encode(&doc! { "v": fits }).unwrap());

    let mut out = b"kept".to_vec();
    assert_eq!(set_field(&small, "v", &large, &mut out), Err(too_long("v")));
    assert_eq!(set_field(full, "w", &Value::Null, &mut out), Err(too_long("w")));
    assert_eq!(set_path(full, "w.x", &Value::Null, &mut out), Err(too_long("w.x")));
    let two = [("w", &Value::Null), ("x", &Value::Null)];
    assert_eq!(set_fields(full, &two, &mut out), Err(too_long("x")));
    assert_eq!(out, b"kept");
    assert!(unset_field(full, "v", &mut out));
    assert_eq!(out, b"kept");
}

#[test]
fn field_names_grow_to_the_limit_at_every_level() {
    let fits = "n".repeat(NAME_BYTES_MAX);
    // A name is measured in bytes; this one has as many characters as `fits`.
    let long = "n".repeat(NAME_BYTES_MAX - 1) + "é";
    let document = doc! { (fits.clone()): { (fits.clone()): 1 } };
    let bytes = encode(&document).unwrap();
    assert_eq!(DocRef::parse(&bytes).unwrap().to_document(), document);
    assert!(DocRef::trusted(&bytes).get_path(&format!("{fits}.{fits}")).unwrap() == 1);

    let shown = format!("{}…", &long[..32]);
    let name_too_long = |path: String| EncodeError::NameTooLong {
        path,
        bytes: NAME_BYTES_MAX + 1,
        limit: NAME_BYTES_MAX,
    };
    assert_eq!(encode(&doc! { (long.clone()): 1 }), Err(name_too_long(shown.clone())));
    let deeper = doc! { "a": [0, { "b": { (long.clone()): 1 } }] };
    assert_eq!(encode(&deeper), Err(name_too_long(format!("a[1].b.{shown}"))));

    let mut out = b"kept".to_vec();
    let null = Value::Null;
    let refused = Err(name_too_long(shown.clone()));
    assert_eq!(set_field(&bytes, &long, &null, &mut out), refused);
    assert_eq!(set_fields(&bytes, &[("a", &null), (&long, &null)], &mut out), refused);
    let nested = Err(name_too_long(format!("a.{shown}")));
    assert_eq!(set_path(&bytes, &format!("a.{long}"), &null, &mut out), nested);
    assert!(!unset_field(&[], &long, &mut out));
    assert_eq!(out, b"kept");
    assert!(DocRef::trusted(&bytes).get(&long).is_none());
}

#[test]
fn messages_say_what_where_and_which_limit() {
    let error = encode(&doc! { "address": { "lines": [0, nested_lists(200)] } }).unwrap_err();
    let path = format!("address.lines[1]{}", "[0]".repeat(125));
    assert_eq!(error.to_string(), format!("`{path}` nests deeper than the limit of 128 levels"));
    let error = encode(&doc! { "a": { ("n".repeat(300)): 1 } }).unwrap_err();
    let name = "n".repeat(32);
    assert_eq!(
        error.to_string(),
        format!("the field name at `a.{name}…` has 300 bytes, the limit is 255")
    );
    let error = encode(&doc! { "v": vec![0u8; 17 << 20] }).unwrap_err();
    assert_eq!(error.to_string(), "the document passes its limit of 16777216 bytes at `v`");
}

#[test]
fn a_refused_document_leaves_the_buffer_as_it_was() {
    let mut out = b"kept".to_vec();
    assert!(encode_into(&doc! { "a": 1, "b": nested_lists(200) }, &mut out).is_err());
    assert_eq!(out, b"kept");
    encode_into(&doc! { "a": 1 }, &mut out).unwrap();
    assert_eq!(out[4..], encode(&doc! { "a": 1 }).unwrap());
}
