//! Defining: once, again, otherwise, over what is there.

use selvedge::prelude::*;
use selvedge::{Define, EdgeDef, ErrorKind, FieldDef, NodeDef};

fn user() -> NodeDef {
    NodeDef::new("User").field(FieldDef::string("name")).field(FieldDef::int("age").optional())
}

#[test]
fn defining_again_does_nothing() {
    let db = Db::in_memory();
    let both = || [Define::from(user()), EdgeDef::multi("PAID").from("User").into()];
    db.define(both()).expect("nothing is there yet");
    let (timestamp, schema) = (db.timestamp(), db.schema().expect("few are open"));
    db.define(both()).expect("the same");
    assert_eq!(db.timestamp(), timestamp, "nothing was committed");
    assert_eq!(db.schema().expect("few are open"), schema);
    db.define(Vec::<Define>::new()).expect("nothing");
}

#[test]
fn nothing_is_defined_in_two_ways_at_once() {
    let db = Db::in_memory();
    let error = db.define([user(), user().allow_unknown_fields()]).expect_err("two ways");
    let expected = "one definition differs from another one beside it.\n\
        label \"User\":\n- unknown fields refused\n+ unknown fields allowed";
    assert_eq!(error.to_string(), expected);
    assert!(db.define([EdgeDef::multi("E"), EdgeDef::unique("E")]).is_err());
    assert!(db.schema().expect("few are open").is_empty());
    db.define([user(), user()]).expect("one way");
}

/// Values of which not all is shown differ, too: a long default, or one of bytes, was
/// taken for the stored one.
#[test]
fn defaults_that_read_the_same_differ() {
    let long = "x".repeat(200);
    let map = |city: &str| Value::Map(doc! { "city": city });
    for (old, new) in [
        (Value::from(long.as_str()), Value::from(format!("{long}y"))),
        (Value::Bytes(vec![1]), Value::Bytes(vec![2])),
        (map("Oslo"), map("Rome")),
    ] {
        let db = Db::in_memory();
        let def =
            |default: &Value| NodeDef::new("N").field(FieldDef::any("f").default(default.clone()));
        db.define([def(&old)]).expect("nothing is there yet");
        db.define([def(&old)]).expect("the same");
        let error = db.define([def(&new)]).expect_err("another default").to_string();
        assert!(error.contains("\n- field f: any, default "), "{error}");
        assert!(error.ends_with(", with another value"), "{error}");
        assert!(db.define([def(&old), def(&new)]).is_err(), "one of two ways");
    }
}

#[test]
fn a_difference_is_shown() {
    let db = Db::in_memory();
    db.define([user()]).expect("nothing is there yet");
    let wanted = NodeDef::new("User")
        .field(FieldDef::string("name").unique())
        .field(FieldDef::float("score").default(0.0));
    let error = db.define([wanted]).expect_err("it differs");
    assert_eq!(error.kind(), ErrorKind::Input);
    let expected = "what is wanted differs from what is stored; change it by a migration, or the program.\n\
        label \"User\":\n\
        - field age: int, optional\n\
        + field score: float, default 0.0\n\
        + index name on name, unique";
    assert_eq!(error.to_string(), expected);
    db.define([EdgeDef::unique("KNOWS").from("User")]).expect("new");
    let error = db.define([EdgeDef::multi("KNOWS")]).expect_err("it differs").to_string();
    assert!(error.ends_with("edge type \"KNOWS\":\n- unique, from \"User\"\n+ multi"), "{error}");
}

#[test]
fn an_edge_type_has_one_definition_of_how_it_runs() {
    let db = Db::in_memory();
    db.define([EdgeDef::multi("PAID").from("User").to("User")]).expect("new");
    let def = db.snapshot().and_then(|at| at.edge_type_def("PAID")).expect("few are open");
    assert_eq!(def, Some(EdgeTypeDef::multi().from("User").to("User")));
    db.define_edge_type("KNOWS", EdgeTypeDef::multi()).expect("new");
    db.define([EdgeDef::multi("KNOWS").field(FieldDef::int("since"))]).expect("runs the same");
    assert!(db.define([EdgeDef::unique("KNOWS")]).is_err());
}

#[test]
fn none_is_defined_if_one_cannot_be() {
    let db = Db::in_memory();
    db.insert_node("Bad", "b", doc! { "age": "x" }).expect("undefined");
    let bad = NodeDef::new("Bad").field(FieldDef::int("age"));
    let error = db.define([user(), bad]).expect_err("one does not fit");
    let expected = "node n1 does not keep the definition: \
        label \"Bad\", field `age`: expected int, found string; mend it, or define less";
    assert_eq!(error.to_string(), expected);
    assert!(db.schema().expect("few are open").is_empty());
    db.insert_node("Bad", None, doc! { "age": "y" }).expect("still undefined");
    let nonsense = NodeDef::new("N").field(FieldDef::int("a.b"));
    assert!(db.define([user(), nonsense]).is_err());
    assert!(db.schema().expect("few are open").is_empty());
}

#[test]
fn edges_that_are_there_are_verified() {
    let db = Db::in_memory();
    let node = db.insert_node("N", None, doc! {}).expect("undefined");
    db.link_nodes(node, "KNOWS", node, doc! { "since": "x" }).expect("undefined");
    let def = || EdgeDef::unique("KNOWS").field(FieldDef::int("since"));
    let error = db.define([def()]).expect_err("it does not fit").to_string();
    assert!(error.starts_with("edge n1 -KNOWS-> n1 does not keep the definition: "), "{error}");
    db.link_nodes(node, "KNOWS", node, doc! { "since": 3 }).expect("still undefined");
    db.define([def()]).expect("mended");
}
