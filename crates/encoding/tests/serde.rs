//! Rust types through serde: what becomes what, what is refused and in which
//! words, and every limit on the way.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use selvedge_base::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_DEPTH_MAX, NAME_BYTES_MAX};
use selvedge_encoding::{
    DateTime, DocRef, Document, EncodeError, SerdeError, Value, Vector, doc, encode, from_document,
    from_value, to_document, to_value,
};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes, which a `Vec<u8>` is not to serde.
#[derive(Debug, PartialEq, Clone)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Blob;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone, Copy)]
struct Unit;

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone, PartialOrd, Eq, Ord)]
struct Newtype(u16);

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Pair(i32, String);

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone, Eq, PartialOrd, Ord)]
enum Shape {
    Empty,
    Square(u32),
    Point(i8, i8),
    Box { width: u8, height: Option<u8> },
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Everything {
    none: Option<u8>,
    some: Option<u8>,
    unit: (),
    unit_struct: Unit,
    flag: bool,
    i8: i8,
    i16: i16,
    i32: i32,
    i64: i64,
    i128: i128,
    u8: u8,
    u16: u16,
    u32: u32,
    u64: u64,
    u128: u128,
    f32: f32,
    f64: f64,
    char: char,
    text: String,
    blob: Blob,
    newtype: Newtype,
    pair: Pair,
    tuple: (u8, Vec<Option<bool>>),
    array: [u8; 3],
    list: Vec<String>,
    map: BTreeMap<String, i64>,
    shapes: Vec<Shape>,
    moment: DateTime,
    vector: Vector,
    numbers: Vec<f32>,
    value: Value,
    document: Document,
    boxed: Option<Box<Everything>>,
}

fn everything() -> Everything {
    let inner = doc! { "at": DateTime::from_micros(7), "v": vec![1f32], "b": b"\x00" };
    Everything {
        none: None,
        some: Some(1),
        unit: (),
        unit_struct: Unit,
        flag: true,
        i8: i8::MIN,
        i16: i16::MIN,
        i32: i32::MIN,
        i64: i64::MIN,
        i128: -5,
        u8: u8::MAX,
        u16: u16::MAX,
        u32: u32::MAX,
        u64: u64::MAX,
        u128: 1 << 63,
        f32: 0.1,
        f64: -0.0,
        char: 'é',
        text: "text".into(),
        blob: Blob(vec![0, 255]),
        newtype: Newtype(3),
        pair: Pair(4, "four".into()),
        tuple: (5, vec![None, Some(true)]),
        array: [1, 2, 3],
        list: vec!["a".into(), "b".into()],
        map: BTreeMap::from([("x".into(), 1), ("".into(), 2)]),
        shapes: vec![
            Shape::Empty,
            Shape::Square(2),
            Shape::Point(1, -1),
            Shape::Box { width: 1, height: None },
        ],
        moment: DateTime::from_micros(-1),
        vector: Vector(vec![0.5, f32::INFINITY]),
        numbers: vec![0.1, 0.5],
        value: Value::from(inner.clone()),
        document: inner,
        boxed: None,
    }
}

/// From the document itself, and from its bytes.
fn read<T: DeserializeOwned + Debug + PartialEq>(document: &Document) -> Result<T, SerdeError> {
    let bytes = encode(document).expect("the document keeps the limits");
    let stored = DocRef::parse(&bytes).expect("it was just encoded").deserialize::<T>();
    assert_eq!(stored, from_document::<T>(document.clone()));
    stored
}

fn refusal<T: DeserializeOwned + Debug + PartialEq>(document: &Document) -> String {
    read::<T>(document).expect_err("the document does not fit the type").to_string()
}

#[test]
fn every_kind_of_field_becomes_the_value_it_should_and_comes_back() {
    let mut outer = everything();
    outer.boxed = Some(Box::new(everything()));
    let document = to_document(&outer).unwrap();
    let inner = doc! { "at": DateTime::from_micros(7), "v": vec![1f32], "b": b"\x00" };
    let mut expected = doc! {
        "none": null, "some": 1, "unit": null, "unit_struct": null, "flag": true,
        "i8": -128, "i16": i16::MIN, "i32": i32::MIN, "i64": i64::MIN, "i128": -5,
        "u8": 255, "u16": 65_535, "u32": u32::MAX, "u64": u64::MAX, "u128": 1u64 << 63,
        "f32": 0.1f32, "f64": -0.0, "char": "é", "text": "text", "blob": b"\x00\xff",
        "newtype": 3, "pair": [4, "four"], "tuple": [5, [null, true]], "array": [1, 2, 3],
        "list": ["a", "b"], "map": { "": 2, "x": 1 },
        "shapes": [
            "Empty", { "Square": 2 }, { "Point": [1, -1] },
            { "Box": { "width": 1, "height": null } },
        ],
        "moment": DateTime::from_micros(-1), "vector": vec![0.5, f32::INFINITY],
        "numbers": [0.1f32, 0.5], "value": inner.clone(), "document": inner, "boxed": null,
    };
    expected.set("boxed", expected.clone());
    assert_eq!(document, expected);
    assert_eq!(read::<Everything>(&document), Ok(outer));
}

#[test]
fn absent_and_null_differ() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct User {
        name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        nickname: Option<String>,
        // The field's absence, its null and its value are three things.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "present")]
        age: Option<Option<u8>>,
    }
    mod present {
        use super::{Deserialize, Deserializer, Serialize, Serializer};
        pub(super) fn serialize<S: Serializer>(
            age: &Option<Option<u8>>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            age.serialize(serializer)
        }
        pub(super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Option<u8>>, D::Error> {
            Option::deserialize(deserializer).map(Some)
        }
    }
    let absent = User { name: None, nickname: None, age: None };
    let null = User { name: None, nickname: None, age: Some(None) };
    assert_eq!(to_document(&absent), Ok(doc! { "name": null }));
    assert_eq!(to_document(&null), Ok(doc! { "name": null, "age": null }));
    assert_eq!(read::<User>(&doc! {}), Ok(absent));
    assert_eq!(read::<User>(&doc! { "nickname": null, "age": null }), Ok(null));
}

#[test]
fn keys_are_written_as_text_and_read_back() {
    fn check<K: Serialize + DeserializeOwned + Ord + Debug + Clone>(key: K, name: &str) {
        let map = BTreeMap::from([(key, 1)]);
        let document = to_document(&map).unwrap();
        assert_eq!(document, Document::from([(name, 1)]));
        assert_eq!(read::<BTreeMap<K, i32>>(&document), Ok(map));
    }
    check(-7i8, "-7");
    check(u64::MAX, "18446744073709551615");
    check(i128::MIN, "-170141183460469231731687303715884105728");
    check(u128::MAX, "340282366920938463463374607431768211455");
    check(true, "true");
    check('é', "é");
    check("text".to_owned(), "text");
    check(Newtype(5), "5");
    check(Some(5), "5");
    check(Shape::Empty, "Empty");
    check(DateTime::from_micros(0), "1970-01-01T00:00:00.000000Z");

    // Two names never become one key.
    for name in ["+5", "05", " 5", "5.0", "-0", "x", ""] {
        let found = refusal::<BTreeMap<i32, u8>>(&Document::from([(name, 1)]));
        let at = if name.is_empty() { "the value itself".into() } else { format!("`{name}`") };
        assert_eq!(found, format!("{at} is the key `{name}`, expected i32"));
    }
    let told = |error: Result<Value, SerdeError>| error.unwrap_err().to_string();
    let key = "a key is a string, char, integer, bool or unit variant";
    let of_list = told(to_value(&[HashMap::from([(vec![1], 1)])]));
    assert_eq!(of_list, format!("`[0]` has a key of type list; {key}"));
    let of_unit = told(to_value(&HashMap::from([((), 1)])));
    assert_eq!(of_unit, format!("the value itself has a key of type null; {key}"));
    let of_map = told(to_value(&BTreeMap::from([(Shape::Square(1), 1)])));
    assert_eq!(of_map, format!("the value itself has a key of type map; {key}"));
}

#[test]
fn variants_are_read_from_a_name_or_a_map_of_one_field() {
    type Shapes = BTreeMap<String, Shape>;
    let document = doc! { "a": { "Empty": null }, "b": { "Square": 7 } };
    let shapes = BTreeMap::from([("a".into(), Shape::Empty), ("b".into(), Shape::Square(7))]);
    assert_eq!(read::<Shapes>(&document), Ok(shapes));
    for (document, told) in [
        (doc! { "a": "Square" }, "`a` is unit variant, expected newtype variant"),
        (doc! { "a": 1 }, "`a` is i64, expected enum Shape"),
        (doc! { "a": {} }, "`a` is map of not exactly one field, expected enum Shape"),
        (
            doc! { "a": { "Point": [1] } },
            "`a.Point` is of length 1, expected tuple variant Shape::Point with 2 elements",
        ),
        (
            doc! { "a": { "Point": [1, 2, 3] } },
            "`a.Point` is list of 3 elements, expected 2 elements",
        ),
        (doc! { "a": { "Box": { "width": "x" } } }, "`a.Box.width` is string, expected u8"),
        (doc! { "a": { "Box": [1, 2] } }, "`a.Box` is list, expected struct variant Shape::Box"),
        (
            doc! { "a": "Round" },
            "`a` has the unknown variant `Round`, the type knows `Empty`, `Square`, `Point`, `Box`",
        ),
    ] {
        assert_eq!(refusal::<Shapes>(&document), told);
    }
    let two = doc! { "a": { "Empty": null, "Square": 7 } };
    assert!(read::<Shapes>(&two).is_err());
}

#[test]
fn moments_are_timestamps_here_and_text_elsewhere() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    #[serde(tag = "kind")]
    enum Event {
        At { at: DateTime },
    }
    let at = DateTime::from_micros(1_700_000_000_000_001);
    let text = "2023-11-14T22:13:20.000001Z";
    assert_eq!(to_value(&at), Ok(Value::Timestamp(at)));
    assert_eq!(serde_json::to_string(&at).unwrap(), format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<DateTime>(&format!("\"{text}\"")).unwrap(), at);
    assert_eq!(from_value(Value::Timestamp(at)), Ok(at));
    assert_eq!(from_value(Value::from("2023-11-14T23:13:20.000001+01:00")), Ok(at));
    // Types of other crates ask for text, and are given it.
    assert_eq!(from_value(Value::Timestamp(at)), Ok(text.to_owned()));
    // Serde's own buffer knows no moments.
    let event = Event::At { at };
    let document = to_document(&event).unwrap();
    assert_eq!(document, doc! { "kind": "At", "at": at });
    assert_eq!(read::<Event>(&document), Ok(event));

    let told = |value| from_value::<DateTime>(value).unwrap_err().to_string();
    let wanted = "expected timestamp or RFC 3339 text";
    assert_eq!(told(Value::I64(5)), format!("the value itself is i64, {wanted}"));
    assert!(told(Value::from("x")).contains("`x` is not a moment such as"));
    assert!(serde_json::from_str::<DateTime>("5").is_err());
    let told = from_value::<i64>(Value::Timestamp(at)).unwrap_err().to_string();
    assert_eq!(told, "the value itself is timestamp, expected i64");
}

#[test]
fn vectors_are_vectors_only_when_they_say_so() {
    let numbers = vec![0.1f32, f32::MAX];
    assert_eq!(to_value(&numbers), Ok(Value::List(vec![0.1f32.into(), f32::MAX.into()])));
    assert_eq!(to_value(&Vector(numbers.clone())), Ok(Value::Vector(numbers.clone())));
    for value in [Value::Vector(numbers.clone()), to_value(&numbers).unwrap()] {
        assert_eq!(from_value(value.clone()), Ok(Vector(numbers.clone())));
        assert_eq!(from_value(value), Ok(numbers.clone()));
    }
    let json = serde_json::to_string(&Vector(vec![0.5])).unwrap();
    assert_eq!(json, "[0.5]");
    assert_eq!(serde_json::from_str::<Vector>(&json).unwrap(), Vector(vec![0.5]));
    for value in [Value::from(b"ab"), Value::from(0.5), Value::Null] {
        let told = from_value::<Vector>(value.clone()).unwrap_err().to_string();
        let name = value.type_name();
        assert_eq!(told, format!("the value itself is {name}, expected vector or list of numbers"));
    }
    let told = from_value::<(f32,)>(Value::from(vec![1f32, 2.0])).unwrap_err().to_string();
    assert_eq!(told, "the value itself is of length 2, expected 1 element in sequence");
}

#[test]
fn text_and_bytes_are_borrowed_from_where_they_lie() {
    #[derive(Deserialize)]
    struct Borrowing<'a> {
        text: &'a str,
        blob: &'a [u8],
        #[serde(borrow)]
        cow: Cow<'a, str>,
        #[serde(borrow)]
        map: HashMap<&'a str, &'a str>,
        none: Option<&'a str>,
    }
    let document = doc! { "text": "Alice", "blob": b"\x01", "cow": "é", "map": { "k": "v" } };
    let bytes = encode(&document).unwrap();
    let read: Borrowing<'_> = DocRef::trusted(&bytes).deserialize().unwrap();
    assert_eq!((read.text, read.blob, read.none), ("Alice", &[1][..], None));
    assert!(matches!(read.cow, Cow::Borrowed("é")));
    assert_eq!(read.map["k"], "v");
    let (key, value) = read.map.iter().next().unwrap();
    for borrowed in [read.text.as_bytes(), read.blob, key.as_bytes(), value.as_bytes()] {
        assert!(bytes.as_ptr_range().contains(&borrowed.as_ptr()));
    }
    // To serde a `Vec<u8>` is a list of numbers: it is read from bytes all the same.
    assert_eq!(from_value(Value::from(b"ab")), Ok(vec![97u8, 98]));
    assert_eq!(from_value(Value::from(b"ab")), Ok([97u8, 98]));
    let list = encode(&doc! { "list": ["a", "b"] }).unwrap();
    let list = DocRef::trusted(&list).get("list").unwrap();
    assert_eq!(list.deserialize::<Vec<&str>>(), Ok(vec!["a", "b"]));
}

#[test]
fn numbers_are_read_as_another_type_only_if_nothing_is_lost() {
    assert_eq!(from_value(Value::I64(3)), Ok(3.0));
    assert_eq!(from_value(Value::U64(1 << 63)), Ok(9_223_372_036_854_775_808.0));
    assert_eq!(from_value(Value::U64(u64::MAX)), Ok(u128::from(u64::MAX)));
    assert_eq!(from_value(Value::F64(0.1)), Ok(0.1f32));
    assert_eq!(to_value(&(1i128 << 63)), Ok(Value::U64(1 << 63)));
    // However a small integer is held, its type is i64.
    let told = |value| from_value::<Shape>(value).unwrap_err().to_string();
    assert_eq!(told(Value::U64(0)), told(Value::I64(0)));
    let odd = (1i64 << 53) + 1;
    let told = from_value::<f64>(Value::I64(odd)).unwrap_err().to_string();
    assert_eq!(told, format!("the value itself is the integer {odd}, expected f64"));
    assert!(from_value::<f32>(Value::U64(u64::MAX)).is_err());
    assert!(from_value::<i64>(Value::F64(1.0)).is_err());
    assert!(from_value::<u8>(Value::I64(-1)).is_err());
    let told = to_value(&BTreeMap::from([("a", [i128::MIN])])).unwrap_err().to_string();
    let number = i128::MIN;
    assert_eq!(
        told,
        format!("`a[0]` is the integer {number}, beyond i64 and u64: store it as text or bytes")
    );
    assert!(to_value(&(u128::from(u64::MAX) + 1)).is_err());
    assert!(
        serde_json::from_str::<Value>("18446744073709551616").is_ok_and(|v| v.as_f64().is_some())
    );
}

#[test]
fn refusals_say_what_where_and_what_to_do() {
    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct User {
        address: Address,
    }
    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Address {
        lines: Vec<String>,
        zip: u32,
    }
    for (document, told) in [
        (
            doc! { "address": { "zip": 1, "lines": ["a", "b", "c", 4] } },
            "`address.lines[3]` is the integer 4, expected a string",
        ),
        (
            doc! { "address": { "zip": -1, "lines": [] } },
            "`address.zip` is the integer -1, expected u32",
        ),
        (doc! { "address": { "zip": null, "lines": [] } }, "`address.zip` is null, expected u32"),
        (
            doc! { "address": { "lines": [] } },
            "`address` has no field `zip`: write it, or make it an `Option` or `#[serde(default)]`",
        ),
        (
            doc! {},
            "the value itself has no field `address`: write it, or make it an `Option` or `#[serde(default)]`",
        ),
        (
            doc! { "address": { "zip": 1, "lines": [], "city": 1 } },
            "`address` has the unknown field `city`, the type knows `lines`, `zip`",
        ),
        (doc! { "address": [[], 1] }, "`address` is list, expected struct Address"),
        (doc! { "address": vec![1f32] }, "`address` is vector, expected struct Address"),
        (doc! { "address": b"x" }, "`address` is bytes, expected struct Address"),
    ] {
        assert_eq!(refusal::<User>(&document), told);
    }
}

#[test]
fn types_that_cannot_become_documents_are_told_why() {
    #[derive(Serialize)]
    struct Twice {
        id: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    let twice = Twice { id: 1, rest: BTreeMap::from([("id".into(), 2)]) };
    assert_eq!(
        to_document(&BTreeMap::from([("a", [twice])])).unwrap_err().to_string(),
        "`a[0]` has the field `id` twice: rename or skip one of them"
    );
    assert_eq!(
        to_document(&[1]).unwrap_err().to_string(),
        "a document is made of a struct or a map, not of a list: wrap it in one"
    );
    #[derive(Debug)]
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    assert_eq!(
        to_document(&BTreeMap::from([("a", (1, Stubborn))])).unwrap_err().to_string(),
        "`a[1]`: no"
    );
    let long = "x".repeat(999);
    let told = from_value::<char>(Value::from(long)).unwrap_err().to_string();
    assert_eq!(
        told,
        format!("the value itself is the string `{}…`, expected a character", "x".repeat(32))
    );
}

#[test]
fn values_and_documents_pass_through_other_formats() {
    let json = r#"{"a":[1,-1,0.5,null,true,"x",18446744073709551615],"b":{"c":{}}}"#;
    let document = doc! {
        "a": [1, -1, 0.5, null, true, "x", u64::MAX], "b": { "c": {} },
    };
    assert_eq!(serde_json::from_str::<Document>(json).unwrap(), document);
    assert_eq!(serde_json::to_string(&document).unwrap(), json);
    let tree: serde_json::Value = from_document(document.clone()).unwrap();
    assert_eq!(to_document(&tree), Ok(document));
    assert!(serde_json::from_str::<Document>("[1]").is_err());
    assert!(serde_json::from_str::<Document>(r#"{"a":1,"a":2}"#).is_err());

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Open {
        id: u8,
        #[serde(flatten)]
        rest: Document,
    }
    let open = Open { id: 1, rest: doc! { "x": [1, { "y": null }] } };
    let flat = to_document(&open).unwrap();
    assert_eq!(flat, doc! { "id": 1, "x": [1, { "y": null }] });
    assert_eq!(read::<Open>(&flat), Ok(open));
}

/// A list of lists of lists, or of maps.
fn nested(levels: usize, maps: bool) -> Value {
    (1..levels).fold(Value::List(vec![]), |inner, level| match maps && level % 2 == 0 {
        true => Value::from(doc! { "m": inner }),
        false => Value::List(vec![inner]),
    })
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone, Default)]
struct Tree {
    #[serde(default)]
    m: Option<Box<Tree>>,
}

fn tree(levels: usize) -> Tree {
    (1..levels).fold(Tree::default(), |inner, _| Tree { m: Some(Box::new(inner)) })
}

#[test]
fn documents_nest_to_the_limit_and_not_one_deeper() {
    for maps in [false, true] {
        let deepest = doc! { "l": nested(DOCUMENT_DEPTH_MAX - 1, maps) };
        assert_eq!(to_document(&deepest).as_ref(), Ok(&deepest));
        assert_eq!(read::<Document>(&deepest).as_ref(), Ok(&deepest));
        assert!(read::<serde_json::Value>(&deepest).is_ok());
        let beyond = doc! { "l": nested(DOCUMENT_DEPTH_MAX, maps) };
        let refused = |error| matches!(error, SerdeError::Limit(EncodeError::TooDeep { .. }));
        assert!(refused(from_document::<Document>(beyond.clone()).unwrap_err()));
        assert!(refused(from_document::<serde_json::Value>(beyond.clone()).unwrap_err()));
        let told = to_document(&beyond).unwrap_err().to_string();
        assert!(told.contains("deeper than the limit of 128 levels"), "{told}");
        assert!(serde_json::to_string(&beyond).is_err());
    }
    let document = to_document(&tree(DOCUMENT_DEPTH_MAX)).unwrap();
    assert_eq!(read::<Tree>(&document), Ok(tree(DOCUMENT_DEPTH_MAX)));
    let path = vec!["m"; DOCUMENT_DEPTH_MAX].join(".");
    let too_deep = SerdeError::Limit(EncodeError::TooDeep { path, limit: DOCUMENT_DEPTH_MAX });
    assert_eq!(to_document(&tree(DOCUMENT_DEPTH_MAX + 1)), Err(too_deep));
}

/// What other formats may send: lists in lists, newtypes in newtypes, without end.
#[derive(Clone, Copy)]
struct Abyss {
    lists: bool,
}

impl<'de> Deserializer<'de> for Abyss {
    type Error = SerdeError;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, v: V) -> Result<V::Value, SerdeError> {
        if self.lists { v.visit_seq(self) } else { v.visit_newtype_struct(self) }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de> serde::de::SeqAccess<'de> for Abyss {
    type Error = SerdeError;

    fn next_element_seed<T: serde::de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, SerdeError> {
        seed.deserialize(*self).map(Some)
    }
}

#[derive(Serialize, Deserialize, Debug)]
struct Endless(Option<Box<Endless>>);

#[test]
fn nothing_nests_without_end() {
    assert!(Value::deserialize(Abyss { lists: true }).is_err());
    assert!(Value::deserialize(Abyss { lists: false }).is_err());
    assert!(Document::deserialize(Abyss { lists: true }).is_err());
    let told = from_value::<Endless>(Value::I64(1)).unwrap_err().to_string();
    assert_eq!(told, "the value itself is wrapped into more than 128 newtypes and options");
    assert!(from_value::<BTreeMap<String, Endless>>(Value::from(doc! { "a": 1 })).is_err());
    let chain = (0..60).fold(Endless(None), |inner, _| Endless(Some(Box::new(inner))));
    assert_eq!(to_value(&chain), Ok(Value::Null));
    let chain = (0..60).fold(chain, |inner, _| Endless(Some(Box::new(inner))));
    assert!(matches!(to_value(&chain), Err(SerdeError::Wrapped { .. })));
}

/// Nesting that no encoder of ours would write, read on half the stack of a thread.
#[test]
fn bytes_nested_beyond_the_limit_are_refused() {
    let mut bytes = vec![10u8];
    for _ in 0..2000 {
        let end = bytes.len() as u32;
        bytes.extend_from_slice(&end.to_le_bytes());
        bytes.push(2);
        bytes.insert(0, 10);
    }
    bytes.splice(0..0, [1, b'l']);
    let end = bytes.len() as u32;
    bytes.extend_from_slice(&end.to_le_bytes());
    bytes.push(2);
    let reading = move || {
        let stored = DocRef::trusted(&bytes);
        let error = stored.deserialize::<Document>().unwrap_err();
        assert!(matches!(error, SerdeError::Limit(EncodeError::TooDeep { .. })), "{error}");
        assert!(stored.deserialize::<serde_json::Value>().is_err());
        assert!(stored.deserialize::<IgnoredAny>().is_ok());
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(reading).unwrap().join().unwrap();
}

#[test]
fn damage_is_told_where_it_is_read() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Name {
        name: String,
    }
    let whole = encode(&doc! { "list": ["a", "b"], "name": "x" }).unwrap();
    let mut bytes = whole.clone();
    let at = bytes.iter().position(|byte| *byte == b'b').unwrap();
    bytes[at] = 0xff;
    let stored = DocRef::trusted(&bytes);
    let told = stored.deserialize::<Document>().unwrap_err();
    assert_eq!(told, SerdeError::Damaged { path: "list[1]".into() });
    // What is not asked for is not looked at.
    assert_eq!(stored.deserialize::<Name>(), Ok(Name { name: "x".into() }));
    // A table that is cut short, at every length.
    for length in 1..whole.len() {
        assert!(DocRef::trusted(&whole[..length]).deserialize::<Document>().is_err(), "{length}");
    }
}

#[test]
fn names_and_sizes_are_limited() {
    let name = "n".repeat(NAME_BYTES_MAX);
    assert!(to_document(&BTreeMap::from([(&name, 1)])).is_ok());
    let told = to_document(&BTreeMap::from([("a", [BTreeMap::from([(name + "n", 1)])])]));
    let path = format!("a[0].{}…", "n".repeat(32));
    let limit = NAME_BYTES_MAX;
    assert_eq!(told, Err(EncodeError::NameTooLong { path, bytes: limit + 1, limit }.into()));

    // Eight bytes around the payload, as in `limits.rs`.
    let largest = BTreeMap::from([("v", Blob(vec![1; DOCUMENT_BYTES_MAX - 8]))]);
    let document = to_document(&largest).unwrap();
    assert_eq!(encode(&document).map(|bytes| bytes.len()), Ok(DOCUMENT_BYTES_MAX));
    let too_long =
        |path: &str| EncodeError::DocumentTooLong { path: path.into(), limit: DOCUMENT_BYTES_MAX };
    let beyond = BTreeMap::from([("v", Blob(vec![1; DOCUMENT_BYTES_MAX]))]);
    assert_eq!(to_document(&beyond), Err(too_long("v").into()));

    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(std::iter::repeat("x".repeat(1 << 20)))
        }
    }
    assert_eq!(to_value(&Endless), Err(too_long("[15]").into()));
}
