//! What is refused: told exactly, and nothing done.

use selvedge::prelude::*;
use selvedge::{ErrorKind, Target, TransactionOptions};
use serde::{Deserialize, Serialize};

use crate::{Account, DidSee, Event, Knows, Payment, User, people};

/// Each refusal says what it should, is to be mended by its caller, and leaves the
/// transaction as it was.
#[test]
fn texts() {
    let (db, alice, bob) = people();
    let account = db.insert(&Account { number: 1, balance: 0 }).unwrap();
    let other = db.insert(&Account { number: 2, balance: 0 }).unwrap();
    for amount in [10, 20] {
        db.link(1, Payment { amount }, 2).unwrap();
    }
    let odd = db.insert_node("User", "odd", doc! { "age": "old" }).unwrap();
    let before = db.timestamp();
    let id = |done: Result<NodeId, Error>| done.map(drop);
    for (refused, message) in [
        (
            id(db.insert(&User::new("alice", 1))),
            format!("a node with label \"User\" and key \"alice\" exists already: {alice}"),
        ),
        (
            id(db.update::<User>("nobody").set("age", 1).execute()),
            "key \"nobody\" of label \"User\" does not exist at this snapshot".to_owned(),
        ),
        (
            id(db.update::<Account>(3).set("balance", 1).execute()),
            "key \"3\" of label \"Account\" does not exist at this snapshot".to_owned(),
        ),
        (
            id(db.update::<User>(account).set("age", 1).execute()),
            format!("node {account} has label \"Account\", not \"User\""),
        ),
        (
            db.get::<User>(account).map(drop),
            format!("node {account} has label \"Account\", not \"User\""),
        ),
        (
            db.delete::<User>(account).map(drop),
            format!("node {account} has label \"Account\", not \"User\""),
        ),
        (
            db.get::<User>("odd").map(drop),
            format!(
                "node {odd} with label \"User\" and key \"odd\" does not read as its type: \
                 `age` is string, expected u8"
            ),
        ),
        (
            db.link(account, Knows::since(1), bob).map(drop),
            format!("node {account} has label \"Account\", not \"User\""),
        ),
        (
            db.link("alice", Knows::since(1), "nobody").map(drop),
            "key \"nobody\" of label \"User\" does not exist at this snapshot".to_owned(),
        ),
        (
            db.link("alice", DidSee, Target::Inserted(0)).map(drop),
            "operation 0 of the batch did not insert a node before this one".to_owned(),
        ),
        (
            db.update_edge::<Knows>("alice", "bob").set("since", 1).execute().map(drop),
            format!("there is no edge {alice} -KNOWS-> {bob}"),
        ),
        (
            db.update_edge::<Payment>(1, 2).set("amount", 1).execute().map(drop),
            format!(
                "there are 2 edges {account} -PAID-> {other}: say which, with `update_edge_at`"
            ),
        ),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.kind(), ErrorKind::Input);
    }
    assert_eq!(db.timestamp(), before);
}

#[test]
fn the_key_stays() {
    let (db, ..) = people();
    let message = |wanted: &str| {
        format!(
            "field `name` stands for the key of \"User\", which is \"alice\", and cannot become \
             {wanted}: insert a node with the new key, link it as the old one is, and delete that"
        )
    };
    for (update, wanted) in [
        (db.update::<User>("alice").set("age", 1).set("name", "eve"), "\"eve\""),
        (db.update::<User>("alice").set_path("name", "eve"), "\"eve\""),
        (db.update::<User>("alice").set("name", 5), "\"5\""),
        (db.update::<User>("alice").set("name", None::<String>), "absent, or no key"),
        (db.update::<User>("alice").unset("name"), "absent, or no key"),
        (db.update::<User>("alice").set_all(&User::new("eve", 1)), "\"eve\""),
    ] {
        assert_eq!(update.execute().unwrap_err().to_string(), message(wanted));
    }
    assert_eq!(*db.get::<User>("alice").unwrap().unwrap(), User::new("alice", 31));

    let keyless = db.insert_node("User", None, doc! { "name": "x", "age": 1 }).unwrap();
    let error = db.update::<User>(keyless).set("name", "y").execute().unwrap_err();
    assert!(error.to_string().contains("the key of \"User\", which is absent, and"), "{error}");
    db.update::<User>(keyless).set("age", 2).execute().unwrap();
}

#[test]
fn a_type_that_is_defined_otherwise() {
    let (db, alice, bob) = people();
    // An untyped link makes a type unique, and open to all labels.
    db.link_nodes(alice, "PAID", bob, doc! {}).unwrap();
    db.insert_many([1, 2].map(|number| Account { number, balance: 0 })).unwrap();
    assert_eq!(
        db.link(1, Payment { amount: 1 }, 2).unwrap_err().to_string(),
        "edge type \"PAID\" is defined as unique; the Rust type takes it for multi"
    );
}

#[derive(Serialize, Deserialize, Node)]
struct Huge {
    number: u128,
}

#[derive(Serialize, Deserialize, Edge)]
struct HugeEdge {
    number: u128,
}

#[test]
fn values_that_are_no_documents() {
    let (db, alice, bob) = people();
    let number = u128::MAX;
    let of_node = "a value of Huge cannot be stored: `number` is the integer \
                   340282366920938463463374607431768211455, beyond i64 and u64: \
                   store it as text or bytes";
    assert_eq!(db.insert(&Huge { number }).unwrap_err().to_string(), of_node);
    let batch = db.batch([Op::insert(&Event { at: 1 }), Op::insert(&Huge { number })]);
    assert_eq!(batch.unwrap_err().to_string(), format!("operation 1 of the batch: {of_node}"));
    let id = db.insert(&Huge { number: 1 }).unwrap();
    let update = db.update::<Huge>(id).set_all(&Huge { number }).set("number", 2);
    assert_eq!(update.execute().unwrap_err().to_string(), of_node);
    let error = db.link(alice, HugeEdge { number }, bob).unwrap_err();
    assert!(error.to_string().starts_with("a value of HUGE_EDGE cannot be stored: `number`"));
    assert_eq!(db.snapshot().unwrap().edge_count().unwrap(), 0);
}

#[test]
fn edits_that_do_not_fit_the_document() {
    let (db, ..) = people();
    let update = db.update::<User>("alice").set("age", 1).set_path("age.of", 2);
    let error = update.execute().unwrap_err();
    assert!(error.to_string().contains("age"), "{error}");
    assert_eq!(db.get::<User>("alice").unwrap().unwrap().age, 31);
}

/// Errors spoke of edge types by their numbers.
#[test]
fn edges_are_named_by_their_types() {
    let (db, alice, bob) = people();
    let edge = db.link(alice, Knows::since(2020), bob).unwrap();
    let name = format!("edge {alice} -KNOWS-> {bob}");
    let says = |error: Error, what: &str| {
        let text = error.to_string();
        assert!(text.contains(what), "{text}");
    };
    let mut late = db.begin(&TransactionOptions::default()).unwrap();
    late.set_edge(edge, doc! { "since": 1 }).unwrap();
    db.set_edge(edge, doc! { "since": 2 }).unwrap();
    says(late.commit().unwrap_err(), &format!("{name} was written by the commit"));
    // Documents that cannot be stored, be read, weigh, or be of another type.
    let too_deep = (0..200).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let wrong = doc! { "since": too_deep };
    says(db.set_edge(edge, wrong).unwrap_err(), &format!("the document of {name} cannot be"));
    db.set_edge(edge, doc! { "since": "long ago" }).unwrap();
    let snapshot = db.snapshot().unwrap();
    says(
        snapshot.get_edge::<Knows>(alice, bob).unwrap_err(),
        &format!("{name} does not read as its type"),
    );
    let weight = selvedge::algorithms::Weight::field("since");
    let cheapest = snapshot.algorithms().cheapest_path(alice, bob, &weight);
    says(cheapest.unwrap_err(), &format!("`since` of {name} is string"));
    let mut seen = snapshot.query().from(alice).out("KNOWS").edges_as::<DidSee>().unwrap();
    says(seen.next().unwrap().unwrap_err(), &format!("{name} is not of the type \"DID_SEE\""));
    // What is gone, or never was.
    db.unlink::<Knows>(alice, bob).unwrap();
    says(
        db.set_edge(edge, doc! {}).unwrap_err(),
        &format!("{name} does not exist at this snapshot"),
    );
    says(
        db.update_edge_at::<Knows>(edge).set("since", 1).execute().unwrap_err(),
        &format!("{name} does not exist at this snapshot"),
    );
    let multi =
        db.link(db.insert(&Account { number: 1, balance: 0 }).unwrap(), Payment { amount: 1 }, {
            db.insert(&Account { number: 2, balance: 0 }).unwrap()
        });
    let multi = multi.unwrap();
    db.delete::<Account>(1).unwrap();
    let (source, target, id) = (multi.source, multi.target, multi.id.unwrap());
    says(
        db.set_edge(multi, doc! {}).unwrap_err(),
        &format!("edge {source} -PAID-> {target} ({id}) does not exist"),
    );
    // A type that a rolled back transaction would have been the first to use.
    let mut never = db.begin(&TransactionOptions::default()).unwrap();
    let unknown = never.link_nodes(alice, "NEVER", bob, doc! {}).unwrap();
    never.unlink_nodes(alice, "NEVER", bob).unwrap();
    says(never.set_edge(unknown, doc! {}).unwrap_err(), &format!("edge {alice} -NEVER-> {bob}"));
}

/// A node type by hand that has keys, but gives none.
#[derive(Serialize, Deserialize, Debug)]
struct Keyless {
    name: Option<String>,
}

impl NodeType for Keyless {
    type Key = String;
    const LABEL: &'static str = "Keyless";

    fn definition() -> selvedge::NodeDef {
        selvedge::NodeDef::new("Keyless")
    }
}

/// The same, with a field for it.
#[derive(Serialize, Deserialize, Debug)]
struct Forgotten {
    name: Option<String>,
}

impl NodeType for Forgotten {
    type Key = String;
    const LABEL: &'static str = "Forgotten";
    const KEY_FIELD: Option<&'static str> = Some("name");

    fn definition() -> selvedge::NodeDef {
        selvedge::NodeDef::new("Forgotten")
    }

    fn key(&self) -> Option<std::borrow::Cow<'_, str>> {
        self.name.as_deref().map(Into::into)
    }
}

/// A value without a key was looked for under the empty one, and stored there.
#[test]
fn values_without_a_key_are_told_apart_from_empty_keys() {
    let (db, alice, _) = people();
    let (value, other) = (Keyless { name: None }, Forgotten { name: None });
    // The nodes that they were taken for.
    for label in ["Keyless", "Forgotten"] {
        db.insert_node(label, "", doc! { "name": "empty" }).unwrap();
    }
    let before = db.timestamp();
    let snapshot = db.snapshot().unwrap();
    let from_one = snapshot.query().from_one::<Keyless>(&value).count();
    assert!(from_one.unwrap_err().to_string().contains("\"Keyless\" that has no key"));
    for (refused, label) in [
        (db.upsert(&value).map(drop), "Keyless"),
        (db.get::<Keyless>(&value).map(drop), "Keyless"),
        (db.delete::<Keyless>(&value).map(drop), "Keyless"),
        (db.update::<Keyless>(&value).set("name", "x").execute().map(drop), "Keyless"),
        (db.link(alice, DidSee, &value).map(drop), "Keyless"),
        (db.unlink::<DidSee>(alice, &value).map(drop), "Keyless"),
        (snapshot.get::<Forgotten>(&other).map(drop), "Forgotten"),
        (db.upsert(&other).map(drop), "Forgotten"),
        (db.insert(&other).map(drop), "Forgotten"),
        (db.insert_many::<Forgotten>([&other]).map(drop), "Forgotten"),
        (db.batch([Op::insert(&other)]).map(drop), "Forgotten"),
        (db.batch([Op::upsert(&value)]).map(drop), "Keyless"),
        (db.batch([Op::delete::<Keyless>(&value)]).map(drop), "Keyless"),
        (db.batch([Op::update::<Keyless>(&value).set("name", "x").into()]).map(drop), "Keyless"),
        (db.batch([Op::link(alice, DidSee, &other)]).map(drop), "Forgotten"),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        let text = format!("a value of {label:?} has no key: `NodeType::key` gives none for it");
        assert!(error.to_string().contains(&text), "{error}");
    }
    assert_eq!(db.timestamp(), before);
    // The empty key is one like any other.
    let empty = Forgotten { name: Some(String::new()) };
    assert_eq!(db.get::<Forgotten>(&empty).unwrap().unwrap().name.as_deref(), Some("empty"));
    // Without a field for it, it is inserted without a key.
    assert!(db.insert(&value).is_ok());
}
