//! Documents against definitions: what is refused, and how it is told.

use std::ops::RangeInclusive;

use selvedge_base::limits::{
    DEFINED_FIELDS_MAX, FIELD_TYPE_DEPTH_MAX, INDEX_PATHS_MAX, INDEXES_MAX, NAME_BYTES_MAX,
};
use selvedge_encoding::{DateTime, DocRef, Document, Value, doc, encode, set_fields};
use selvedge_schema::{
    DefinitionError, DocumentDef, EdgeDef, FieldDef, FieldType, IndexDef, IndexState, NodeDef,
    Owner, Schema, Step, StoredSchemaError,
};

fn user() -> NodeDef {
    NodeDef::new("User")
        .key("name")
        .field(FieldDef::string("name").length(1..=8))
        .field(FieldDef::int("age").optional().nullable().min(0).max(150))
        .field(FieldDef::float("score").default(0.5).min(0.0))
        .field(FieldDef::new("tags", FieldType::list(FieldType::String)).optional().length(0..=2))
        .field(FieldDef::new("grid", FieldType::list(FieldType::list(FieldType::Int))).optional())
        .field(FieldDef::uint("visits").optional())
        .field(FieldDef::new("any", FieldType::Any).optional())
        .field(FieldDef::new("at", FieldType::Vector(Some(2))).optional())
        .field(FieldDef::timestamp("since").optional().min(DateTime::from_micros(0)))
}

fn document_of(def: NodeDef) -> DocumentDef {
    def.into_document().expect("makes sense").1
}

/// What is said of a document of `def`; empty: nothing.
fn said(def: &DocumentDef, document: Document, key: Option<&str>) -> String {
    let bytes = encode(&document).expect("small");
    def.check(DocRef::trusted(&bytes), key).err().map_or(String::new(), |wrong| wrong.to_string())
}

/// A field, its value, and what is said of it.
type Case = (&'static str, Value, &'static str);

fn cases() -> Vec<Case> {
    vec![
        ("age", 31.into(), ""),
        ("age", Value::Null, ""),
        ("age", "31".into(), "field `age`: expected int or null, found string"),
        ("age", 3.0.into(), "field `age`: expected int or null, found float"),
        ("age", u64::MAX.into(), "field `age`: expected int or null, found uint beyond int"),
        ("age", (-1).into(), "field `age`: -1 is below the minimum 0"),
        ("age", 151.into(), "field `age`: 151 is not within the maximum 150"),
        ("score", 3.into(), "field `score`: expected float, found int; write it as 3.0"),
        ("score", f64::NAN.into(), "field `score`: NaN is below the minimum 0.0"),
        (
            "score",
            Value::Null,
            "field `score`: expected float, found null; leave it out, or make the field nullable",
        ),
        ("visits", (-1).into(), "field `visits`: expected uint, found int; it may not be negative"),
        ("visits", u64::MAX.into(), ""),
    ]
}

fn rule_cases() -> Vec<Case> {
    let list = |value: &str| Value::List(vec!["a".into(), value.into()]);
    vec![
        ("tags", list("b"), ""),
        (
            "tags",
            Value::List(vec!["a".into(), 2.into()]),
            "field `tags[1]`: expected string, found int",
        ),
        (
            "tags",
            Value::List(vec!["a".into(); 3]),
            "field `tags`: the length is 3, allowed are 0 to 2",
        ),
        (
            "grid",
            Value::List(vec![Value::List(vec![1.into(), "x".into()])]),
            "field `grid[0][1]`: expected int, found string",
        ),
        ("any", Value::Null, ""),
        ("at", Value::Vector(vec![0.0, 1.0]), ""),
        ("at", Value::Vector(vec![0.0]), "field `at`: expected vector of 2, found vector of 1"),
        (
            "since",
            "2020".into(),
            "field `since`: expected timestamp, found string; parse it as a DateTime",
        ),
        (
            "since",
            DateTime::from_micros(-1).into(),
            "field `since`: 1969-12-31T23:59:59.999999Z is below the minimum 1970-01-01T00:00:00.000000Z",
        ),
        ("agee", 3.into(), "field `agee`: the definition has no such field; did you mean `age`?"),
        ("colour", 3.into(), "field `colour`: the definition has no such field"),
        (
            "name",
            "bob".into(),
            "field `name`: it stands for the key, which is \"alice\", but holds \"bob\"",
        ),
        ("name", "".into(), "field `name`: the length is 0, allowed are 1 to 8"),
        (
            "name",
            "éééééééé".into(),
            "field `name`: it stands for the key, which is \"alice\", but holds \"éééééééé\"",
        ),
    ]
}

#[test]
fn each_kind_of_bad_input_is_told_apart() {
    let def = document_of(user());
    let with = |name: &str, value: Value| {
        let mut document = doc! { "name": "alice" };
        document.set(name, value);
        said(&def, document, Some("alice"))
    };
    for (name, value, expected) in cases().into_iter().chain(rule_cases()) {
        assert_eq!(with(name, value.clone()), expected, "{name}: {value:?}");
    }
    assert_eq!(said(&def, doc! {}, Some("alice")), "field `name`: a required string is missing");
    let keyless = "key field `name`: the node has no key; insert it with one";
    assert_eq!(said(&def, doc! { "name": "alice" }, None), keyless);
}

#[test]
fn a_key_may_be_a_number() {
    let def = document_of(NodeDef::new("N").key("id").field(FieldDef::uint("id")));
    assert_eq!(said(&def, doc! { "id": u64::MAX }, Some("18446744073709551615")), "");
    assert_eq!(said(&def, doc! { "id": 7 }, Some("7")), "");
    for key in ["07", "+7", "7 ", "8", ""] {
        let differs = format!("field `id`: it stands for the key, which is {key:?}, but holds 7");
        assert_eq!(said(&def, doc! { "id": 7 }, Some(key)), differs);
    }
}

#[test]
fn defaults_complete_a_document() {
    let def = document_of(user().field(FieldDef::int("level").default(1)));
    let bytes = encode(&doc! { "name": "a", "score": 2.5 }).expect("small");
    let document = DocRef::trusted(&bytes);
    assert!(!def.check(document, Some("a")).expect("fits").is_none());
    let mut complete = Vec::new();
    set_fields(&bytes, &def.defaults(document), &mut complete).expect("small");
    let complete = DocRef::trusted(&complete);
    assert!(def.check(complete, Some("a")).expect("fits").is_none());
    assert_eq!(complete.to_document(), doc! { "level": 1, "name": "a", "score": 2.5 });
}

#[test]
fn unknown_fields_are_allowed_where_it_says_so() {
    let def = document_of(NodeDef::new("N").field(FieldDef::int("n")).allow_unknown_fields());
    assert_eq!(said(&def, doc! { "a": 1, "n": 1, "z": 1 }, None), "");
    assert_eq!(said(&def, doc! { "a": 1 }, None), "field `n`: a required int is missing");
}

#[test]
fn definitions_that_make_no_sense_are_refused() {
    let refused = |def: NodeDef| def.into_document().expect_err("makes no sense").to_string();
    let field = |field: FieldDef| refused(NodeDef::new("N").field(field));
    let wrong = |reason: &str| format!("the definition of label \"N\": {reason}");
    for (error, expected) in [
        (
            field(FieldDef::int("")),
            "\"\" is no name of a field: it may not be empty, nor contain `.` or `[`",
        ),
        (
            field(FieldDef::int("a.b")),
            "\"a.b\" is no name of a field: it may not be empty, nor contain `.` or `[`",
        ),
        (
            field(FieldDef::string("s").min(1)),
            "field `s`: a min that is i64 does not fit the type string",
        ),
        (
            field(FieldDef::float("f").max(f64::NAN)),
            "field `f`: a max that is f64 does not fit the type float",
        ),
        (
            field(FieldDef::int("i").min(2).max(1)),
            "field `i`: no value is both at least min and at most max",
        ),
        (
            field(FieldDef::int("i").length(1..=2)),
            "field `i`: values of the type int have no length",
        ),
        (
            field(FieldDef::string("s").length(RangeInclusive::new(3, 2))),
            "field `s`: no value has a length that is allowed",
        ),
        (
            field(FieldDef::int("i").default("x")),
            "the default of field `i`: expected int, found string",
        ),
        (
            field(FieldDef::int("i").min(1).default(0)),
            "the default of field `i`: 0 is below the minimum 1",
        ),
    ] {
        assert_eq!(error, wrong(expected));
    }
}

/// A label without a name was defined, under which no node could be.
#[test]
fn a_definition_needs_a_name() {
    let refused = NodeDef::new("").into_document().expect_err("no node has it");
    assert_eq!(refused.to_string(), "the definition of label \"\": its name may not be empty");
    let refused = EdgeDef::unique("").into_document().expect_err("no edge has it");
    assert_eq!(refused.to_string(), "the definition of edge type \"\": its name may not be empty");
}

/// Null in a required field was to be left out, which is refused as well.
#[test]
fn a_hint_about_null_can_be_followed() {
    let list = FieldType::list(FieldType::Int);
    let def = document_of(
        NodeDef::new("N").field(FieldDef::int("n")).field(FieldDef::new("list", list).optional()),
    );
    assert_eq!(
        said(&def, doc! { "n": null }, None),
        "field `n`: expected int, found null; set it, or make the field nullable"
    );
    assert_eq!(
        said(&def, doc! { "n": 1, "list": [1, null] }, None),
        "field `list[1]`: expected int, found null; leave it out, or make the field nullable"
    );
}

#[test]
fn keys_and_indexes_that_make_no_sense_are_refused() {
    let refused = |def: NodeDef| def.into_document().expect_err("makes no sense").to_string();
    let wrong = |reason: &str| format!("the definition of label \"N\": {reason}");
    for (error, expected) in [
        (
            refused(NodeDef::new("N").field(FieldDef::float("k")).key("k")),
            "the key field `k` is float; it has to be a string, int or uint",
        ),
        (
            refused(NodeDef::new("N").index(IndexDef::on(["a"]))),
            "index \"a\": there is no field `a`: define it, or drop the index",
        ),
        (
            refused(NodeDef::new("N").index(IndexDef::on([]))),
            "index \"\": it needs a name and at least one path",
        ),
        (
            refused(NodeDef::new("N").field(FieldDef::any("a")).index(IndexDef::on(["a", "a"]))),
            "index \"a_a\": path `a` comes twice",
        ),
        (
            refused(
                NodeDef::new("N")
                    .field(FieldDef::any("a"))
                    .field(FieldDef::any("b"))
                    .index(IndexDef::on(["a[]", "b[]"])),
            ),
            "index \"a_b\": at most one of its paths may end with `[]`",
        ),
        (
            refused(NodeDef::new("N").field(FieldDef::int("a")).index(IndexDef::on(["a.b"]))),
            "index \"a.b\": field `a` is int, and no map",
        ),
    ] {
        assert_eq!(error, wrong(expected));
    }
    let edges = EdgeDef::unique("E").field(FieldDef::int("since").indexed()).into_document();
    let expected =
        "the definition of edge type \"E\": index \"since\": documents of edges have no indexes";
    assert_eq!(edges.expect_err("no index of edges").to_string(), expected);
}

#[test]
fn definitions_meet_their_limits() {
    let fields = |count: usize| (0..count).map(|at| FieldDef::int(format!("f{at}")).optional());
    let limit = |def: NodeDef| match def.into_document() {
        Ok(_) => None,
        Err(DefinitionError::Limit { limit, .. }) => Some(limit),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(limit(NodeDef::new("N").fields(fields(DEFINED_FIELDS_MAX))), None);
    let too_many = NodeDef::new("N").fields(fields(DEFINED_FIELDS_MAX + 1));
    assert_eq!(limit(too_many), Some(DEFINED_FIELDS_MAX));
    let deep = |depth: usize| (1..depth).fold(FieldType::Int, |of, _| FieldType::list(of));
    let of = |field_type| NodeDef::new("N").field(FieldDef::new("f", field_type));
    assert_eq!(limit(of(deep(FIELD_TYPE_DEPTH_MAX))), None);
    assert_eq!(limit(of(deep(FIELD_TYPE_DEPTH_MAX + 1))), Some(FIELD_TYPE_DEPTH_MAX));
    let indexed = |count: usize| NodeDef::new("N").fields(fields(count).map(FieldDef::indexed));
    assert_eq!(limit(indexed(INDEXES_MAX)), None);
    assert_eq!(limit(indexed(INDEXES_MAX + 1)), Some(INDEXES_MAX));
    let paths = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("f{at}")).collect();
        let index = IndexDef::on(names.iter().map(String::as_str)).named("i");
        NodeDef::new("N").fields(fields(count)).index(index)
    };
    assert_eq!(limit(paths(INDEX_PATHS_MAX)), None);
    assert_eq!(limit(paths(INDEX_PATHS_MAX + 1)), Some(INDEX_PATHS_MAX));
    let named = |bytes: usize| NodeDef::new("N").field(FieldDef::int("f".repeat(bytes)));
    assert_eq!(limit(named(NAME_BYTES_MAX)), None);
    assert_eq!(limit(named(NAME_BYTES_MAX + 1)), Some(NAME_BYTES_MAX));
}

fn schema() -> Schema {
    let mut schema = Schema::default();
    let user = user().index(IndexDef::on(["tags[]", "age"])).field(FieldDef::any("map").optional());
    let (label, document) = user.into_document().expect("makes sense");
    let owner = Owner::Label(label);
    schema.begin(&owner, document, vec![]);
    assert!(schema.convert(&owner) && schema.finish(&owner));
    let city = NodeDef::new("City").field(FieldDef::int("n")).field(FieldDef::int("gone"));
    let (label, document) = city.into_document().expect("makes sense");
    let owner = Owner::Label(label);
    schema.put(&owner, document.clone());
    let steps = vec![
        Step::RenameField { from: "n".to_owned(), to: "number".to_owned() },
        Step::DropField("gone".to_owned()),
        Step::AddField(FieldDef::string("name").default("")),
        Step::AddIndex(IndexDef::on(["number"])),
        Step::ChangeField(FieldDef::int("number").optional()),
        Step::AllowUnknownFields(true),
    ];
    let to = document.migrated(&owner, &steps).expect("makes sense");
    schema.begin(&owner, to, steps);
    let knows = EdgeDef::unique("KNOWS").field(FieldDef::int("since").default(2020));
    let (name, document) = knows.into_document().expect("makes sense");
    schema.put(&Owner::EdgeType(name), document);
    schema
}

#[test]
fn a_schema_is_read_back_as_it_was_written() {
    let schema = schema();
    let bytes = schema.encode().expect("small");
    assert_eq!(Schema::decode(&bytes), Ok(schema.clone()));
    let index = schema.node("User").and_then(|user| user.index("tags_age")).expect("defined");
    let read = Schema::decode(&bytes).expect("just written");
    let same = read.node("User").and_then(|user| user.index("tags_age")).expect("read");
    assert_eq!((same.number(), same.state()), (index.number(), IndexState::Building));
}

#[test]
fn a_schema_from_a_newer_program_is_told_as_such() {
    let mut document = DocRef::trusted(&schema().encode().expect("small")).to_document();
    document.set("format", 2);
    let newer = Schema::decode(&encode(&document).expect("small"));
    assert_eq!(newer, Err(StoredSchemaError::Newer { found: 2, known: 1 }));
}

/// Every value of the stored document is replaced by others, one at a time: whatever
/// is read then is a schema that can be written and read again, or an error.
#[test]
fn damaged_schemas_are_errors_or_schemas() {
    let document = DocRef::trusted(&schema().encode().expect("small")).to_document();
    let strange = [
        Value::Null,
        (-1).into(),
        u64::MAX.into(),
        "x".into(),
        Value::List(vec![]),
        doc! {}.into(),
    ];
    let (mut errors, mut schemas) = (0, 0);
    let mut places = Vec::new();
    collect(&Value::Map(document.clone()), &mut Vec::new(), &mut places);
    for place in &places {
        for value in &strange {
            let mut whole = Value::Map(document.clone());
            *at(&mut whole, place) = value.clone();
            let bytes = encode(whole.as_map().expect("places lie inside")).expect("small");
            match Schema::decode(&bytes) {
                Ok(read) => {
                    schemas += 1;
                    assert_eq!(Schema::decode(&read.encode().expect("small")), Ok(read));
                }
                Err(error) => {
                    errors += 1;
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }
    assert!(errors > 200 && schemas > 10, "{errors} errors, {schemas} schemas");
}

fn collect(value: &Value, place: &mut Vec<usize>, places: &mut Vec<Vec<usize>>) {
    let inner: Vec<&Value> = match value {
        Value::Map(map) => map.iter().map(|(_, value)| value).collect(),
        Value::List(list) => list.iter().collect(),
        _ => return,
    };
    for (number, value) in inner.into_iter().enumerate() {
        place.push(number);
        places.push(place.clone());
        collect(value, place, places);
        place.pop();
    }
}

fn at<'v>(value: &'v mut Value, place: &[usize]) -> &'v mut Value {
    let Some((first, rest)) = place.split_first() else { return value };
    let inner = match value {
        Value::Map(map) => {
            let name = map.iter().nth(*first).expect("collected").0.to_owned();
            map.get_mut(&name).expect("just found")
        }
        Value::List(list) => &mut list[*first],
        _ => panic!("collected only inside of maps and lists"),
    };
    at(inner, rest)
}
