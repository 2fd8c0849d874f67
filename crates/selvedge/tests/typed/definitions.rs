//! Definitions: what the macros make is what the builders make.

use std::collections::HashMap;

use selvedge::prelude::*;
use selvedge::{DateTime, EdgeDef, FieldDef, FieldType, IndexDef, NodeDef, Vector};
use serde::{Deserialize, Serialize};

use crate::{Account, DidSee, Event, Knows, Payment, User};

#[derive(Serialize, Deserialize)]
struct Address {
    city: String,
}

#[derive(Serialize, Deserialize, Default)]
enum State {
    #[default]
    New,
    Done,
}

#[derive(Serialize, Deserialize, Node)]
#[serde(rename_all = "camelCase")]
#[node(label = "Person")]
#[node(index(on("home.city", "age"), name = "city_age", unique))]
#[node(index(on("tags[]")), index(on("joinedAt", "age")))]
struct Rich {
    #[node(key)]
    number: i32,
    #[node(unique, length = 3..)]
    email: String,
    #[node(index, min = -1, max = 150, default = 7)]
    age: i64,
    #[node(length = ..=5)]
    tags: Vec<String>,
    #[node(length = 3)]
    vector: Vector,
    #[node(default)]
    state: State,
    #[node(default = "nobody")]
    nick: Box<str>,
    #[node(min = DateTime::from_micros(0))]
    joined_at: DateTime,
    home: Address,
    point: [f64; 2],
    #[serde(rename = "n")]
    numbers: Option<Vec<u8>>,
    #[node(field_type = FieldType::Number)]
    number_of_any_kind: Value,
    #[serde(default)]
    counts: HashMap<String, u8>,
    #[serde(skip)]
    #[expect(dead_code, reason = "that it is not stored is the point")]
    cached: u8,
}

#[test]
fn of_a_node_with_everything() {
    let built = NodeDef::new("Person")
        .key("number")
        .fields([
            FieldDef::int("number"),
            FieldDef::string("email").unique().length(3..=u64::MAX),
            FieldDef::int("age").indexed().min(-1).max(150).default(7),
            FieldDef::new("tags", FieldType::list(FieldType::String)).length(0..=5),
            FieldDef::new("vector", FieldType::Vector(None)).length(3..=3),
            FieldDef::string("state").default("New"),
            FieldDef::string("nick").default("nobody"),
            FieldDef::timestamp("joinedAt").min(DateTime::from_micros(0)),
            FieldDef::map("home"),
            FieldDef::new("point", FieldType::list(FieldType::Float)),
            FieldDef::new("n", FieldType::list(FieldType::Uint)).optional(),
            FieldDef::new("numberOfAnyKind", FieldType::Number),
            FieldDef::map("counts").optional(),
        ])
        .index(IndexDef::on(["home.city", "age"]).named("city_age").unique())
        .index(IndexDef::on(["tags[]"]))
        .index(IndexDef::on(["joinedAt", "age"]));
    assert_eq!(Rich::definition(), built);
    let (label, document) = Rich::definition().into_document().expect("it makes sense");
    assert_eq!((label.as_str(), document.indexes().len()), ("Person", 5));
    assert_eq!(Rich::KEY_FIELD, Some("number"));
    assert_eq!(Rich::OPTIONS, ["n"]);
    let _ = State::Done;
}

#[test]
fn of_nodes() {
    let user = NodeDef::new("User").key("name").fields([
        FieldDef::string("name"),
        FieldDef::uint("age").max(150),
        FieldDef::string("nick").optional().length(1..=10),
        FieldDef::new("tags", FieldType::list(FieldType::String)).optional(),
    ]);
    assert_eq!(User::definition(), user);
    let account = NodeDef::new("Account")
        .key("number")
        .fields([FieldDef::uint("number"), FieldDef::int("balance")]);
    assert_eq!(Account::definition(), account);
    assert_eq!(Event::definition(), NodeDef::new("Login").field(FieldDef::uint("at")));
    assert_eq!((Event::LABEL, Event::KEY_FIELD), ("Login", None));
}

#[test]
fn of_edges() {
    let knows = EdgeDef::unique("KNOWS")
        .from("User")
        .to("User")
        .fields([FieldDef::uint("since"), FieldDef::string("note").optional()]);
    assert_eq!(Knows::definition(), knows);
    let paid = EdgeDef::multi("PAID").from("Account").to("Account").field(FieldDef::uint("amount"));
    assert_eq!(Payment::definition(), paid);
    assert_eq!(DidSee::definition(), EdgeDef::unique("DID_SEE").from("User"));
    const { assert!(Payment::MULTI && !Knows::MULTI) };
    assert_eq!(Payment::edge_type_def(), EdgeTypeDef::multi().from("Account").to("Account"));
    assert_eq!(DidSee::edge_type_def(), EdgeTypeDef::unique().from("User"));
}

/// What serde calls a field under each of its rules, and what the macro does.
macro_rules! spelled {
    ($($name:ident: $rule:literal),*) => {$(
        #[derive(Serialize, Deserialize, Node, Edge, Default)]
        #[serde(rename_all = $rule)]
        #[expect(non_snake_case, reason = "names that rules are to be tried on")]
        struct $name {
            one: u8,
            two_words: u8,
            _under__score_: u8,
            number2_a: u8,
        }

        let mut defined = Vec::new();
        for field in $name::definition_of_node().document().fields() {
            defined.push(field.name().to_owned());
        }
        let stored = selvedge::to_document(&$name::default()).unwrap();
        let stored: Vec<&str> = stored.iter().map(|(name, _)| name).collect();
        assert_eq!(defined, stored, "{}", $rule);
    )*};
}

trait OfNode: NodeType {
    fn definition_of_node() -> NodeDef {
        <Self as NodeType>::definition()
    }
}

impl<T: NodeType> OfNode for T {}

#[test]
fn names_are_those_of_serde() {
    spelled! {
        Lower: "lowercase", Upper: "UPPERCASE", Pascal: "PascalCase", Camel: "camelCase",
        Snake: "snake_case", ScreamingSnake: "SCREAMING_SNAKE_CASE", Kebab: "kebab-case",
        ScreamingKebab: "SCREAMING-KEBAB-CASE"
    }
}

#[derive(Serialize, Deserialize, Node)]
#[node(allow_unknown_fields)]
struct Open {
    known: u8,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

#[test]
fn of_a_node_with_whatever_else_there_is() {
    assert_eq!(
        Open::definition(),
        NodeDef::new("Open").field(FieldDef::uint("known")).allow_unknown_fields()
    );
    let db = Db::in_memory();
    let id = db.insert_node("Open", None, doc! { "known": 1, "other": 2 }).unwrap();
    let open = db.get::<Open>(id).unwrap().unwrap();
    assert_eq!((open.known, open.others.get("other")), (1, Some(&Value::from(2))));
    db.update::<Open>(id).set_all(&open).execute().unwrap();
    let snapshot = db.snapshot().unwrap();
    let stored = snapshot.node(id).unwrap().unwrap().document().to_document();
    assert_eq!(stored, doc! { "known": 1, "other": 2 });
}
